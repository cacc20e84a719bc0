//! Gateway configurations that contradict each other: within a cluster, and between two.

use super::{Look, Verdict};
use crate::engine::world::{ClusterIx, Server};
use crate::model::evidence::{ConfigItem, Says};
use crate::model::ids::{ClusterName, ServerKey};
use crate::model::incident::{IncidentKind, Severity};
use crate::model::observation::ConfigReport;
use crate::model::states::ServerLinkState;
use std::collections::{BTreeMap, BTreeSet};

/// A server with its configuration.
type Configured<'a> = (&'a Server, &'a ConfigReport);

/// Judges whether the servers of a cluster are configured alike.
pub(super) fn within(look: &Look<'_>, cluster: ClusterIx) -> Verdict {
    let Some(servers) = settled(look, cluster) else { return Verdict::good_if(look.left(cluster)) };
    let mut drift = Drift::default();
    drift.compare(&servers, ConfigItem::Remotes, |config| names(config), remotes_in_words);
    drift.compare(
        &servers,
        ConfigItem::RejectUnknown,
        |config| config.rejects_unknown,
        |one, _| format!("reject_unknown_cluster is {one}"),
    );
    let severity = if drift.says.is_empty() { Severity::Info } else { Severity::Warning };
    drift.addresses(look, &servers);
    if drift.says.is_empty() {
        return Verdict::good_if(look.complete(cluster));
    }
    let mut finding =
        look.bad(IncidentKind::ConfigDrift, severity, look.cluster_subject(cluster), drift.says);
    finding.scope.servers = drift.servers.into_iter().collect();
    Verdict::Bad(Box::new(finding))
}

/// Judges whether each of two clusters is configured with the other when the other is with it.
pub(super) fn between(look: &Look<'_>, a: ClusterIx, b: ClusterIx) -> Verdict {
    let (Some(here), Some(there)) = (settled(look, a), settled(look, b)) else {
        return Verdict::good_if(look.left(a) || look.left(b));
    };
    let name = |ix: ClusterIx| &look.world.clusters[ix].name;
    let knows = |servers: &[Configured<'_>], remote: &ClusterName| {
        servers.iter().any(|(_, config)| config.remotes.iter().any(|known| known.cluster == *remote))
    };
    let (from, to, deaf) = match (knows(&here, name(b)), knows(&there, name(a))) {
        (true, false) => (a, b, there),
        (false, true) => (b, a, here),
        (true, true) | (false, false) => return Verdict::Good,
    };
    let rejecting = deaf.iter().filter(|(_, config)| config.rejects_unknown);
    let rejects = rejecting
        .map(|(server, _)| Says::RejectsUnknown { server: server.key.clone(), remote: name(from).clone() });
    let one_sided = Says::OneSided { from: name(from).clone(), to: name(to).clone() };
    let says = std::iter::once(one_sided).chain(rejects).collect();
    let subject = look.pair_subject(a, b);
    let mut finding = look.bad(IncidentKind::ConfigDrift, Severity::Info, subject, says);
    finding.scope.servers = deaf.iter().map(|(server, _)| server.key.clone()).collect();
    Verdict::Bad(Box::new(finding))
}

/// The servers of a cluster with their configurations; `None` while any is not known, or has changed lately.
fn settled<'a>(look: &Look<'a>, cluster: ClusterIx) -> Option<Vec<Configured<'a>>> {
    let present = look.present(cluster);
    let changed = present.iter().map(|server| server.told.same_since).max()?;
    let configured: Option<Vec<_>> =
        present.into_iter().map(|server| Some((server, server.config.as_deref()?))).collect();
    configured.filter(|_| look.now.mono.since(changed) >= look.checks.settled_after)
}

fn names(config: &ConfigReport) -> BTreeSet<&ClusterName> {
    config.remotes.iter().map(|remote| &remote.cluster).collect()
}

fn remotes_in_words(one: &BTreeSet<&ClusterName>, most: &BTreeSet<&ClusterName>) -> String {
    let named = |verb: &str, names: Vec<&&ClusterName>| {
        let names: Vec<&str> = names.into_iter().map(|name| name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
    };
    let parts = [
        named("does not name", most.difference(one).collect()),
        named("names besides", one.difference(most).collect()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Differences that were found.
#[derive(Default)]
struct Drift {
    says: Vec<Says>,
    servers: BTreeSet<ServerKey>,
}

impl Drift {
    /// Holds every server against what most of them have.
    fn compare<'a, T: Ord>(
        &mut self,
        servers: &[Configured<'a>],
        what: ConfigItem,
        part: impl Fn(&'a ConfigReport) -> T,
        words: impl Fn(&T, &T) -> String,
    ) {
        let mut groups: BTreeMap<T, Vec<&Server>> = BTreeMap::new();
        for (server, config) in servers {
            groups.entry(part(config)).or_default().push(server);
        }
        let Some((most, agreed)) = groups.iter().max_by_key(|(_, servers)| servers.len()) else { return };
        let Some(other) = agreed.first() else { return };
        for (one, differing) in groups.iter().filter(|(one, _)| *one != most) {
            for server in differing {
                self.differs(server, other, what, words(one, most));
            }
        }
    }

    fn differs(&mut self, server: &Server, other: &Server, what: ConfigItem, detail: String) {
        let (server, other) = (server.key.clone(), other.key.clone());
        self.servers.insert(server.clone());
        self.says.push(Says::ConfigDiffers { server, other, what, detail });
    }

    /// Addresses grow by gossip, so a server differs only when it lacks one that all others have, of a remote with which it has been
    /// connected for long. It takes three servers to tell who differs.
    fn addresses(&mut self, look: &Look<'_>, servers: &[Configured<'_>]) {
        let Some((first, rest)) = servers.split_first().filter(|(_, rest)| rest.len() > 1) else { return };
        let known = |config: &ConfigReport, name: &ClusterName| {
            let remote = config.remotes.iter().find(|remote| remote.cluster == *name);
            remote.map(|remote| remote.urls.iter().cloned().collect::<BTreeSet<_>>()).unwrap_or_default()
        };
        // An address that all others have is one of the first server's, or the first server is the one that lacks it.
        let candidates = [first, &rest[0]].map(|(_, config)| &config.remotes);
        let remotes: BTreeSet<&ClusterName> =
            candidates.into_iter().flatten().map(|remote| &remote.cluster).collect();
        for remote in remotes {
            let sets: Vec<_> = servers.iter().map(|(_, config)| known(config, remote)).collect();
            for url in sets[0].union(&sets[1]) {
                let mut lacking = sets.iter().enumerate().filter(|(_, set)| !set.contains(url));
                let (Some((at, _)), None) = (lacking.next(), lacking.next()) else { continue };
                if long_connected(look, servers[at].0, remote) {
                    let other = servers[usize::from(at == 0)].0;
                    self.differs(
                        servers[at].0,
                        other,
                        ConfigItem::Urls,
                        format!("does not know {url} of {remote}"),
                    );
                }
            }
        }
    }
}

fn long_connected(look: &Look<'_>, server: &Server, remote: &ClusterName) -> bool {
    let link = look.world.cluster(remote).and_then(|remote| server.links.get(&remote));
    link.is_some_and(|link| {
        link.held.state == ServerLinkState::Up
            && link.held.since.mono + look.checks.settled_after <= server.told.configured.unwrap_or_default()
    })
}
