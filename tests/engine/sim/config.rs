//! What servers are configured with, and what becomes of a dial because of it.
//!
//! A configuration holds from the next start on. What is not configured may still be learnt: whoever is dialled by a cluster, or is
//! connected with a third one that knows it, dials it too. Where the unknown is rejected, only what peers of the own cluster tell is taken.

use super::Sim;
use super::servers::{Health, Server};
use crate::story::{BadCertificate, Change};
use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::model::ids::ClusterName;
use gatewatch::model::observation::ConfiguredRemote;
use gatewatch::model::probe::{CertificateSeen, GatewayAddress, ProbeFound, Trust};

/// Where gateways listen.
const PORT: u16 = 7222;

/// What one server is configured with.
#[derive(Debug, Clone, Default)]
pub(super) struct Config {
    pub(super) remotes: Vec<Remote>,
    pub(super) rejects_unknown: bool,
    pub(super) certificate: Option<BadCertificate>,
}

/// A remote cluster in a configuration.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) name: ClusterName,
    /// Whose addresses are listed.
    pub(super) leads_to: usize,
    pub(super) flaw: Option<Flaw>,
}

/// What is wrong with how a remote is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Password,
    Dns,
    Port,
}

impl Config {
    fn names(&self, cluster: &ClusterName) -> bool {
        self.remotes.iter().any(|remote| remote.name == *cluster)
    }

    fn blemish(&mut self, cluster: usize, flaw: Flaw) {
        let listed = self.remotes.iter_mut().filter(|remote| remote.leads_to == cluster);
        listed.for_each(|remote| remote.flaw = Some(flaw));
    }
}

impl Sim {
    /// The configuration of a server of this cluster as the story begins: everybody who is there, or whom its `link` lines name.
    pub(super) fn first_config(&self, cluster: usize) -> Config {
        let remotes = self.clusters[cluster].remotes.iter();
        Config { remotes: remotes.map(|&to| self.remote(to)).collect(), ..Config::default() }
    }

    fn remote(&self, to: usize) -> Remote {
        Remote { name: self.clusters[to].name.clone(), leads_to: to, flaw: None }
    }

    /// Another configuration, made of the one that is next.
    pub(super) fn changed(&self, server: usize, change: &Change) -> Config {
        let mut config = self.servers[server].next.clone();
        match change {
            Change::Remove(remote) => config.remotes.retain(|one| one.name.as_str() != remote),
            Change::Add(remote) => {
                let remote = self.remote(self.place(remote));
                if !config.names(&remote.name) {
                    config.remotes.push(remote);
                }
            }
            Change::RejectUnknown => config.rejects_unknown = true,
            Change::Misname(remote, wrong) => {
                let meant = config.remotes.iter_mut().filter(|one| one.name.as_str() == remote);
                meant.for_each(|one| one.name = wrong.as_str().into());
            }
            Change::Password(remote, _) => config.blemish(self.place(remote), Flaw::Password),
            Change::Tls(bad) => config.certificate = Some(*bad),
            Change::Dns(remote) => config.blemish(self.place(remote), Flaw::Dns),
            Change::Port(remote) => config.blemish(self.place(remote), Flaw::Port),
            Change::Restore => config = self.first_config(self.servers[server].cluster),
        }
        config
    }

    /// How a server would dial a cluster now: `None` when nobody has told it where that is.
    pub(super) fn way_to(&self, server: usize, to: usize) -> Option<Option<Flaw>> {
        let config = &self.servers[server].config;
        let name = &self.clusters[to].name;
        let listed = config.remotes.iter().find(|remote| remote.leads_to == to && remote.name == *name);
        let flaw = listed.map(|remote| remote.flaw);
        let rejects = config.rejects_unknown && flaw.is_none();
        match flaw {
            // Addresses that are learnt are given the login of those that are listed.
            Some(None | Some(Flaw::Password)) => flaw,
            // Those learnt by gossip stand beside the listed ones, and each dial tries them all.
            Some(_) if self.gossiped(server, to) => Some(None),
            Some(flaw) => Some(flaw),
            None if rejects => self.peers_know(server, to).then_some(None),
            None => self.gossiped(server, to).then_some(None),
        }
    }

    /// Whether others of its cluster are connected with that one: what they tell is taken even where the unknown is rejected.
    fn peers_know(&self, server: usize, to: usize) -> bool {
        let peers = self.clusters[self.servers[server].cluster].servers.iter();
        peers.filter(|&&peer| peer != server).any(|&peer| self.servers[peer].out[to].is_some())
    }

    /// Whether somebody tells the server of that cluster.
    fn gossiped(&self, server: usize, to: usize) -> bool {
        let home = self.servers[server].cluster;
        let meet = |a: usize, b: usize| self.dials(a, b) || self.dials(b, a);
        let between = |third: usize| third != home && third != to && meet(third, home) && meet(third, to);
        self.dials(to, home) || (0..self.clusters.len()).any(between)
    }

    fn dials(&self, from: usize, to: usize) -> bool {
        self.clusters[from].servers.iter().any(|&ix| self.servers[ix].out[to].is_some())
    }

    /// Everybody who has just been told of a cluster dials it.
    pub(super) fn gossip(&mut self) {
        for ix in 0..self.servers.len() {
            for to in 0..self.clusters.len() {
                let server = &self.servers[ix];
                let idle = server.out[to].is_none() && !server.dialling[to] && server.cluster != to;
                if idle && server.health == Health::Running && self.way_to(ix, to).is_some() {
                    self.dial_within(ix, to, (20, 300));
                }
            }
        }
    }

    /// Whether a handshake between a server that dials and the one that is dialled ends well.
    pub(super) fn agree(&self, dialler: usize, host: usize) -> bool {
        let from = self.servers[dialler].cluster;
        let listed = self.is_listed(host, from) || self.peers_know(host, from);
        let (dialler, host) = (&self.servers[dialler], &self.servers[host]);
        let known = !host.config.rejects_unknown || listed;
        known && shows_itself(dialler) && shows_itself(host) && named(host)
    }

    /// The remotes that a server's VARZ lists.
    pub(super) fn listed_remotes(&self, ix: usize) -> Vec<ConfiguredRemote> {
        let listed = self.servers[ix].config.remotes.iter();
        listed
            .map(|remote| {
                let mut urls = self.urls(remote);
                // A remote that it is connected with tells it the addresses of all its servers.
                if self.servers[ix].out[remote.leads_to].is_some() {
                    let peers = self.clusters[remote.leads_to].servers.iter();
                    urls.extend(peers.map(|&peer| self.address(peer, PORT)));
                    urls.sort();
                    urls.dedup();
                }
                ConfiguredRemote { cluster: remote.name.clone(), urls }
            })
            .collect()
    }

    fn urls(&self, remote: &Remote) -> Vec<String> {
        match remote.flaw {
            Some(Flaw::Dns) => vec![format!("no-such-host.invalid:{PORT}")],
            Some(Flaw::Port) => vec![self.address(self.clusters[remote.leads_to].servers[0], 1)],
            Some(Flaw::Password) | None => {
                let servers = self.clusters[remote.leads_to].servers.iter();
                servers.map(|&peer| self.address(peer, PORT)).collect()
            }
        }
    }

    fn address(&self, ix: usize, port: u16) -> String {
        let server = &self.servers[ix];
        format!("{}-{}.gateway:{port}", self.clusters[server.cluster].name, server.number)
    }

    /// What our own host, which sees every address, finds at one.
    pub(super) fn found_at(&self, address: &GatewayAddress) -> ProbeFound {
        let listens = |ix: &usize| self.address(*ix, PORT) == format!("{}:{PORT}", address.host);
        match (0..self.servers.len()).find(listens) {
            None => ProbeFound::Unresolved,
            Some(ix) => match self.servers[ix].health {
                Health::Dead => ProbeFound::Refused,
                Health::Running | Health::Frozen if address.port != PORT => ProbeFound::Refused,
                Health::Frozen => ProbeFound::Silent,
                Health::Running => ProbeFound::Greeted { tls: self.story.tls.then(|| self.certificate(ix)) },
            },
        }
    }

    fn certificate(&self, ix: usize) -> CertificateSeen {
        let server = &self.servers[ix];
        let trusted = server.config.certificate != Some(BadCertificate::Untrusted);
        CertificateSeen {
            not_before: self.wall - TimeDelta::days(400),
            not_after: self.ends(ix),
            issuer: "authority".to_owned(),
            subject: format!("{}-{}", self.clusters[server.cluster].name, server.number),
            names_host: named(server),
            trusted: if trusted { Trust::Trusted } else { Trust::Untrusted },
        }
    }

    /// When its gateway certificate ends, as its VARZ says (servers >= 2.14).
    pub(super) fn certificate_ends(&self, ix: usize) -> Option<DateTime<Utc>> {
        let version = self.servers[ix].version;
        (self.story.tls && (version.major, version.minor) >= (2, 14)).then(|| self.ends(ix))
    }

    fn ends(&self, ix: usize) -> DateTime<Utc> {
        let expired = self.servers[ix].config.certificate == Some(BadCertificate::Expired);
        let days = if expired { -1 } else { 300 };
        self.wall - TimeDelta::milliseconds(i64::try_from(self.now).unwrap()) + TimeDelta::days(days)
    }

    /// Whether a server's configuration names a cluster.
    pub(super) fn is_listed(&self, ix: usize, cluster: usize) -> bool {
        self.servers[ix].config.names(&self.clusters[cluster].name)
    }
}

/// Whether its certificate is good enough for the other side to go on.
fn shows_itself(server: &Server) -> bool {
    !matches!(server.config.certificate, Some(BadCertificate::Expired | BadCertificate::Untrusted))
}

/// Whether whoever dials it believes that it is the right one.
fn named(server: &Server) -> bool {
    server.config.certificate != Some(BadCertificate::WrongName)
}
