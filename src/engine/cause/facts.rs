//! What is known about the links from one cluster to another that are cut, gathered for the rules.

use super::names::like;
use crate::engine::correlate::Cut;
use crate::engine::intent::Wanted;
use crate::engine::probes::{Finding, address};
use crate::engine::world::{ClusterIx, Outbound, Server, World};
use crate::model::cause::CauseKind;
use crate::model::evidence::{Evidence, ProbeWord, Says};
use crate::model::states::{Basis, ServerLinkState};
use crate::model::time::{Mono, Now};
use std::collections::BTreeSet;
use std::time::Duration;

/// A refused gateway is dialled again many times a second, with back-off every 30 s: without a word for so long it is refused no more.
const REFUSED_WITHIN: Duration = Duration::from_secs(60);
/// What was found so much earlier than the cut was the same while the link was up, and explains nothing.
const BEFORE: Duration = Duration::from_secs(60);

/// Whether a server of the target refused the credentials of a gateway lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Refusal {
    #[default]
    None,
    /// Of a gateway that did not say whose it is.
    Unnamed,
    /// Of a server of the cluster whose links are cut.
    Named,
}

/// What the rules judge by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// Cut server links.
    pub(super) cuts: usize,
    /// Those whose server lists them as up, or did so while beats showed them cut.
    pub(super) still_listed: usize,
    /// Those whose server says that they are gone.
    pub(super) known_gone: usize,
    /// Whether beats showed all of them.
    pub(super) by_beats: bool,
    /// Whether the far end of one of them hears nothing on it.
    pub(super) half_open: bool,
    pub(super) refusal: Refusal,
    /// Whether every server of the target rejects unknown clusters and does not know this one.
    pub(super) rejected: bool,
    /// Whether the certificates of one end are past their end, by what its servers report.
    pub(super) expired: bool,
    /// The same of the dialling end, by what our own host sees.
    pub(super) own_expired: bool,
    /// Whether the dialling end shows certificates of an authority that nobody else has.
    pub(super) own_untrusted: bool,
    /// What our own host finds at the addresses that the dialling servers know.
    pub(super) found: BTreeSet<ProbeWord>,
    /// Whether one and the same server is behind everything that the incident is about.
    pub(super) alone: bool,
    /// Whether something is wrong with a part of the target: then it is not the dialling server that is alone with its trouble.
    pub(super) ailing: bool,
    /// Whether other servers of the cluster reach the target.
    pub(super) neighbours_up: bool,
    /// Whether servers of other clusters reach the target.
    pub(super) others_up: bool,
    /// Whether servers of the target are there.
    pub(super) target_lives: bool,
    /// Nobody belongs to the target, and its name is like that of a cluster, which is (or is not) connected.
    pub(super) misnamed: Option<bool>,
}

impl Facts {
    /// Whether every address was looked at with this result.
    pub(super) fn found_only(&self, word: ProbeWord) -> bool {
        self.found.len() == 1 && self.found.contains(&word)
    }
}

/// Facts with the evidence behind each.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) facts: Facts,
    idle: Vec<Evidence>,
    refused: Vec<Evidence>,
    rejects: Vec<Evidence>,
    ends: Vec<Evidence>,
    probed: Vec<Evidence>,
    unknown: Vec<Evidence>,
}

impl Gathered {
    pub(super) fn new(world: &World, now: Now, (from, to): (ClusterIx, ClusterIx), cuts: &[Cut]) -> Self {
        let gatherer = Gatherer { world, now, from, to, cuts };
        let mut all = Self {
            facts: gatherer.views(),
            idle: gatherer
                .links()
                .filter_map(|link| Some(link.half_open.as_ref()?.evidence.clone()))
                .collect(),
            refused: Vec::new(),
            rejects: Vec::new(),
            ends: Vec::new(),
            probed: Vec::new(),
            unknown: Vec::new(),
        };
        gatherer.refusals(&mut all);
        gatherer.rejections(&mut all);
        gatherer.certificates(&mut all);
        gatherer.probes(&mut all);
        gatherer.unknown_remote(&mut all);
        all.facts.ailing = gatherer.ails(&all.facts.found);
        all
    }

    /// What supports a cause of this kind.
    pub(super) fn evidence_for(&self, kind: CauseKind) -> impl Iterator<Item = &Evidence> {
        let (first, second): (&[Evidence], &[Evidence]) = match kind {
            CauseKind::PacketsLost => {
                (&self.idle, if self.facts.still_listed > 0 { &[] } else { &self.probed })
            }
            CauseKind::Authentication => (&self.refused, &[]),
            CauseKind::ConfigRejected => (&self.rejects, &[]),
            CauseKind::TlsExpired => (&self.ends, &self.probed),
            CauseKind::ConfigMisnamed | CauseKind::NeverConnected => (&self.unknown, &self.probed),
            CauseKind::TlsUntrusted
            | CauseKind::TlsName
            | CauseKind::Dns
            | CauseKind::PortRefused
            | CauseKind::LocalToServer
            | CauseKind::ConnectionsClosed => (&self.probed, &[]),
            CauseKind::PlannedStop
            | CauseKind::Silent
            | CauseKind::Crashed
            | CauseKind::Frozen
            | CauseKind::ConfigRemoved
            | CauseKind::OwnView
            | CauseKind::Configuration
            | CauseKind::Clock
            | CauseKind::Stalled
            | CauseKind::Behind
            | CauseKind::Publishing
            | CauseKind::Outbox
            | CauseKind::ClockJumped
            | CauseKind::Unknown => (&[], &[]),
        };
        first.iter().chain(second)
    }
}

struct Gatherer<'a> {
    world: &'a World,
    now: Now,
    from: ClusterIx,
    to: ClusterIx,
    cuts: &'a [Cut],
}

impl<'a> Gatherer<'a> {
    fn links(&self) -> impl Iterator<Item = &'a Outbound> {
        let world = self.world;
        self.cuts.iter().map(move |&(server, to)| &world.servers[server].links[&to])
    }

    fn present(&self, cluster: ClusterIx) -> impl Iterator<Item = &'a Server> {
        let world = self.world;
        let servers = world.clusters[cluster].servers.iter().map(move |&ix| &world.servers[ix]);
        servers.filter(|server| server.present())
    }

    fn views(&self) -> Facts {
        let up = |server: &Server| {
            server.links.get(&self.to).is_some_and(|link| link.held.state == ServerLinkState::Up)
        };
        let elsewhere = (0..self.world.clusters.len()).filter(|&at| at != self.from && at != self.to);
        let unlisted = |link: &Outbound| link.listed.is_some_and(|listed| !listed.up);
        Facts {
            cuts: self.cuts.len(),
            still_listed: self.links().filter(|link| link.denied || link.half_open.is_some()).count(),
            known_gone: self.links().filter(|link| unlisted(link)).count(),
            by_beats: self.links().all(|link| link.basis == Basis::Beats),
            half_open: self.links().any(|link| link.half_open.is_some()),
            neighbours_up: self.present(self.from).any(up),
            others_up: elsewhere.flat_map(|cluster| self.present(cluster)).any(up),
            target_lives: self.present(self.to).next().is_some(),
            ..Facts::default()
        }
    }

    /// Whether some server of the target would not let itself be dialled, or some of its addresses is no good.
    fn ails(&self, found: &BTreeSet<ProbeWord>) -> bool {
        let from = &self.world.clusters[self.from].name;
        let bad = |server: &Server| {
            server.config.as_ref().is_some_and(|config| {
                let expired = config.certificate_ends.is_some_and(|at| at < self.now.wall);
                expired
                    || (config.rejects_unknown && config.remotes.iter().all(|remote| remote.cluster != *from))
            })
        };
        self.present(self.to).any(bad) || found.iter().any(|word| *word != ProbeWord::Sound)
    }

    /// When the first of the links was cut; zero when none of them was ever up.
    fn since(&self) -> Mono {
        let was_up = self.world.clusters[self.from].links.get(&self.to).is_some_and(|link| link.was_up);
        let since = self.links().map(|link| link.held.since.mono).min().unwrap_or_default();
        if was_up { since } else { Mono::default() }
    }

    fn refusals(&self, all: &mut Gathered) {
        let refused = &self.world.clusters[self.to].refused;
        let lately = |from: Option<ClusterIx>| {
            refused.get(&from).filter(|refused| self.now.mono.since(refused.last) <= REFUSED_WITHIN)
        };
        let (named, unnamed) = (lately(Some(self.from)), lately(None));
        all.facts.refusal = match (named, unnamed) {
            (Some(_), _) => Refusal::Named,
            (None, Some(_)) => Refusal::Unnamed,
            (None, None) => Refusal::None,
        };
        all.refused.extend(named.or(unnamed).map(|refused| refused.evidence.clone()));
    }

    fn rejections(&self, all: &mut Gathered) {
        let from = &self.world.clusters[self.from].name;
        let rejects = |server: &Server| {
            let config = server.config.as_ref()?;
            let unknown = config.remotes.iter().all(|remote| remote.cluster != *from);
            (config.rejects_unknown && unknown).then(|| {
                let says = Says::RejectsUnknown { server: server.key.clone(), remote: from.clone() };
                server.configuration_says(says)
            })
        };
        let said: Option<Vec<Evidence>> = self.present(self.to).map(rejects).collect();
        all.rejects = said.unwrap_or_default();
        all.facts.rejected = !all.rejects.is_empty();
    }

    fn certificates(&self, all: &mut Gathered) {
        let ended = |server: &Server| {
            let at = server.config.as_ref()?.certificate_ends.filter(|at| *at < self.now.wall)?;
            Some(server.configuration_says(Says::CertificateEnds { server: server.key.clone(), at }))
        };
        let ends: Option<Vec<Evidence>> = self.present(self.to).map(ended).collect();
        let own: Option<Vec<Evidence>> =
            self.cuts.iter().map(|&(server, _)| ended(&self.world.servers[server])).collect();
        all.ends = [ends, own].into_iter().flatten().flatten().collect();
        all.facts.expired = !all.ends.is_empty();
    }

    fn probes(&self, all: &mut Gathered) {
        let since = self.since();
        let fresh = |finding: &&Finding| {
            // A link that is up survives the end of a certificate; it cannot be made anew after it.
            let expired = finding.word(self.now.wall) == Some(ProbeWord::Expired);
            (if expired { finding.report.at } else { finding.since.mono }) + BEFORE >= since
        };
        let known: BTreeSet<(String, u16)> = self.known_addresses();
        let target = &self.world.clusters[self.to].probes;
        // Where the dialling servers know no address, any address of the target will do.
        let found: Vec<&Finding> = if known.is_empty() {
            target.all().collect()
        } else {
            known.iter().filter_map(|(host, port)| target.at(host, *port)).collect()
        };
        let told = found.iter().filter_map(|finding| Some((finding.word(self.now.wall)?, *finding)));
        for (word, finding) in told {
            // One that was the same before the cut still says that not all addresses are bad.
            let word = if fresh(&finding) { word } else { ProbeWord::Sound };
            all.facts.found.insert(word);
            if fresh(&finding) {
                all.probed.extend(finding.evidence(self.now.wall));
            }
        }
        let own: Vec<&Finding> = self.world.clusters[self.from].probes.all().filter(fresh).collect();
        let only = |word: ProbeWord| {
            !own.is_empty() && own.iter().all(|finding| finding.word(self.now.wall) == Some(word))
        };
        all.facts.own_expired = only(ProbeWord::Expired);
        all.facts.own_untrusted = only(ProbeWord::Untrusted)
            || self.odd_issuer(self.from, since)
            || self.odd_issuer(self.to, since);
        if all.facts.own_expired || all.facts.own_untrusted {
            all.probed.extend(own.iter().filter_map(|finding| finding.evidence(self.now.wall)));
        }
    }

    fn known_addresses(&self) -> BTreeSet<(String, u16)> {
        let to = &self.world.clusters[self.to].name;
        let configs = self.cuts.iter().filter_map(|&(server, _)| self.world.servers[server].config.as_ref());
        let remotes = configs.flat_map(|config| &config.remotes).filter(|remote| remote.cluster == *to);
        remotes.flat_map(|remote| &remote.urls).filter_map(|url| address(url.as_str())).collect()
    }

    /// Whether the gateways of a cluster have shown, since about the cut, certificates of an issuer whom no other cluster has.
    fn odd_issuer(&self, cluster: ClusterIx, since: Mono) -> bool {
        let probes = &self.world.clusters[cluster].probes;
        if probes.issuers().next().is_none() || probes.all().any(Finding::is_trusted) {
            return false;
        }
        let others = (0..self.world.clusters.len()).filter(|&other| other != cluster);
        let others: BTreeSet<&str> = others
            .flat_map(|other| self.world.clusters[other].probes.issuers())
            .map(|(issuer, _)| issuer)
            .collect();
        !others.is_empty()
            && probes.issuers().all(|(issuer, shown)| !others.contains(issuer) && shown + BEFORE >= since)
    }

    fn unknown_remote(&self, all: &mut Gathered) {
        let target = &self.world.clusters[self.to];
        let link = &self.world.clusters[self.from].links[&self.to];
        if link.wanted == Wanted::Required {
            let says = Says::Required { link: self.world.link_name(self.from, self.to) };
            all.unknown.push(Evidence { at: link.held.since.wall, says });
        }
        let unknown = target.servers.is_empty();
        let meant = unknown.then(|| self.meant_by(target.name.as_str())).flatten();
        all.facts.misnamed = meant.map(|(_, connected)| connected);
        let like = meant.map(|(cluster, _)| self.world.clusters[cluster].name.clone());
        let naming = self.cuts.iter().map(|&(server, _)| &self.world.servers[server]);
        for server in naming.filter(|server| server.links[&self.to].configured) {
            let (key, remote) = (server.key.clone(), target.name.clone());
            all.unknown.push(server.configuration_says(if unknown {
                Says::UnknownRemote { server: key, remote, like: like.clone() }
            } else {
                Says::Configured { server: key, remote }
            }));
        }
    }

    /// The cluster that is spelled alike and that none of the servers is configured with, and whether it is connected all the same.
    fn meant_by(&self, name: &str) -> Option<(ClusterIx, bool)> {
        let configured = |cluster: ClusterIx| {
            let link = |&(server, _): &Cut| self.world.servers[server].links.get(&cluster);
            self.cuts.iter().filter_map(link).any(|link| link.configured)
        };
        let spelled_alike = self.world.clusters_by_name().filter(|&other| {
            let cluster = &self.world.clusters[other];
            other != self.from && !cluster.servers.is_empty() && like(name, cluster.name.as_str())
        });
        let other = spelled_alike.filter(|&other| !configured(other)).last()?;
        let names_us = self
            .present(other)
            .any(|server| server.links.get(&self.from).is_some_and(|link| link.configured || link.seen));
        Some((other, names_us))
    }
}
