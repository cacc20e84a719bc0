//! Looks at gateway addresses from our own host: what was found is kept, what is worth a look is asked for.

use super::Output;
use super::turn::Turn;
use super::world::ClusterIx;
use crate::model::evidence::{Evidence, ProbeWord, Says};
use crate::model::probe::{CertificateSeen, GatewayAddress, ProbeFound, ProbeReport, ProbeRequest, Trust};
use crate::model::time::{Mono, Now};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most addresses of one cluster whose findings are kept.
const MAX_ADDRESSES: usize = 64;
/// The most addresses of one cluster that are looked at.
const MAX_LOOKS: usize = 8;
/// A look made so shortly before a state was confirmed still tells of that state.
pub(super) const AROUND: Duration = Duration::from_secs(3);

/// What was found lately at the gateway addresses of one cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Probes {
    found: BTreeMap<(String, u16), Finding>,
    /// When a server was first heard to be configured with the cluster.
    pub(super) named: Option<Mono>,
    /// When a look was last asked for.
    pub(super) asked: Option<Mono>,
}

/// The newest finding at one address.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) report: ProbeReport,
    /// Since when looks have found the same there.
    pub(super) since: Now,
}

impl Finding {
    /// The finding in a word; `None` when it says nothing of the address.
    pub(super) fn word(&self, wall: DateTime<Utc>) -> Option<ProbeWord> {
        Some(match &self.report.found {
            ProbeFound::ResolveFailed => return None,
            ProbeFound::Unresolved => ProbeWord::Unresolved,
            ProbeFound::Unreachable => ProbeWord::Unreachable,
            ProbeFound::Refused => ProbeWord::Refused,
            ProbeFound::Silent => ProbeWord::Silent,
            ProbeFound::OtherGateway { .. } => ProbeWord::OtherGateway,
            ProbeFound::Foreign => ProbeWord::Foreign,
            ProbeFound::TlsFailed => ProbeWord::TlsFailed,
            ProbeFound::Greeted { tls: None } => ProbeWord::Sound,
            ProbeFound::Greeted { tls: Some(seen) } => word_of(seen, wall),
        })
    }

    /// What it is worth as evidence.
    pub(super) fn evidence(&self, wall: DateTime<Utc>) -> Option<Evidence> {
        let found = self.word(wall)?;
        let detail = match &self.report.found {
            ProbeFound::OtherGateway { name } => name.to_string(),
            ProbeFound::Greeted { tls: Some(seen) } => match found {
                ProbeWord::Expired => seen.not_after.to_rfc3339_opts(SecondsFormat::Secs, true),
                ProbeWord::WrongName => seen.subject.clone(),
                ProbeWord::Untrusted => seen.issuer.clone(),
                ProbeWord::Sound
                | ProbeWord::Unresolved
                | ProbeWord::Unreachable
                | ProbeWord::Refused
                | ProbeWord::Silent
                | ProbeWord::Foreign
                | ProbeWord::OtherGateway
                | ProbeWord::TlsFailed => String::new(),
            },
            ProbeFound::Greeted { tls: None }
            | ProbeFound::ResolveFailed
            | ProbeFound::Unresolved
            | ProbeFound::Unreachable
            | ProbeFound::Refused
            | ProbeFound::Silent
            | ProbeFound::Foreign
            | ProbeFound::TlsFailed => String::new(),
        };
        let (target, address) = (self.report.target.clone(), self.report.address.to_string());
        Some(Evidence { at: self.since.wall, says: Says::Probed { target, address, found, detail } })
    }

    fn certificate(&self) -> Option<&CertificateSeen> {
        if let ProbeFound::Greeted { tls } = &self.report.found { tls.as_ref() } else { None }
    }

    /// Whether its certificate leads to the configured authority.
    pub(super) fn is_trusted(&self) -> bool {
        self.certificate().is_some_and(|seen| seen.trusted == Trust::Trusted)
    }
}

fn word_of(seen: &CertificateSeen, wall: DateTime<Utc>) -> ProbeWord {
    if seen.not_after < wall {
        ProbeWord::Expired
    } else if !seen.names_host {
        ProbeWord::WrongName
    } else if seen.trusted == Trust::Untrusted {
        ProbeWord::Untrusted
    } else {
        ProbeWord::Sound
    }
}

impl Probes {
    /// The newest finding at each address, in the order of the addresses.
    pub(super) fn all(&self) -> impl Iterator<Item = &Finding> {
        self.found.values()
    }

    /// The newest finding at one address.
    pub(super) fn at(&self, host: &str, port: u16) -> Option<&Finding> {
        self.found.get(&(host.to_owned(), port))
    }

    /// Who issued the certificates that were shown, and since when each address shows them.
    pub(super) fn issuers(&self) -> impl Iterator<Item = (&str, Mono)> {
        self.all().filter_map(|finding| Some((finding.certificate()?.issuer.as_str(), finding.since.mono)))
    }

    /// Keeps a finding, unless a newer one is there. When there are too many, the oldest goes. Returns whether it was kept.
    fn keep(&mut self, report: ProbeReport, now: Now) -> bool {
        let key = (report.address.host.clone(), report.address.port);
        let before = self.found.get(&key);
        if before.is_some_and(|newer| newer.report.at > report.at) {
            return false;
        }
        let same = before.filter(|before| before.report.found == report.found);
        let since = same.map_or(now, |before| before.since);
        self.found.insert(key, Finding { report, since });
        if self.found.len() > MAX_ADDRESSES {
            let oldest = self.found.iter().min_by_key(|(_, finding)| finding.report.at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| self.found.remove(&key));
        }
        true
    }
}

/// Host and port of an address as servers spell it; `None` when it is none.
pub(super) fn address(url: &str) -> Option<(String, u16)> {
    let (host, port) = url.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

impl Turn<'_> {
    /// Takes in what was found at an address. Clusters that nobody told of are none.
    pub(super) fn probed(&mut self, report: ProbeReport) -> bool {
        let Some(target) = self.world.cluster(&report.target) else { return false };
        self.world.clusters[target].probes.keep(report, self.now)
    }

    /// Has the gateways of a cluster looked at, at every address that some server is configured with, when probes are allowed.
    pub(super) fn probe(&mut self, target: ClusterIx) {
        if !self.policy.probe {
            return;
        }
        let addresses = self.addresses(target);
        let cluster = &mut self.world.clusters[target];
        cluster.probes.asked = Some(self.now.mono);
        if !addresses.is_empty() {
            let target = cluster.name.clone();
            self.out.push(Output::Probe(ProbeRequest { target, addresses }));
        }
    }

    /// Addresses of the gateways of a cluster, as the servers of other clusters know them. Those that are known to fewest come first:
    /// one server of several may be configured wrongly.
    fn addresses(&self, target: ClusterIx) -> Vec<GatewayAddress> {
        let name = &self.world.clusters[target].name;
        let servers = self.world.servers_by_key().map(|ix| &self.world.servers[ix]);
        let servers = servers.filter(|server| server.present());
        let configs: Vec<_> =
            servers.filter_map(|server| Some((server.cluster, server.config.as_ref()?))).collect();
        let own =
            configs.iter().filter(|(cluster, _)| *cluster == target).map(|(_, config)| config.gateway_tls);
        let tls = own.chain(configs.iter().map(|(_, config)| config.gateway_tls)).next().unwrap_or(false);
        let mut known: BTreeMap<(String, u16), usize> = BTreeMap::new();
        for (_, config) in &configs {
            let remotes = config.remotes.iter().filter(|remote| remote.cluster == *name);
            for address in remotes.flat_map(|remote| &remote.urls).filter_map(|url| address(url)) {
                *known.entry(address).or_default() += 1;
            }
        }
        let mut known: Vec<_> = known.into_iter().collect();
        known.sort_by_key(|(_, times)| *times);
        known.truncate(MAX_LOOKS);
        known.into_iter().map(|((host, port), _)| GatewayAddress { host, port, tls }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_servers_spell_them() {
        let read = |url| address(url).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(read("gw.west:7222").as_deref(), Some("gw.west 7222"));
        assert_eq!(read("[::1]:7222").as_deref(), Some("::1 7222"));
        assert_eq!(read("10.0.0.1:1").as_deref(), Some("10.0.0.1 1"));
        for none in ["", "gw.west", ":7222", "gw.west:0", "gw.west:70000", "gw.west:x"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
