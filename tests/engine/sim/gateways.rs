//! Gateway connections: one outbound per server and remote cluster, ending at one server there.
//!
//! What is sent over one whose packets vanish is held and delivered after the heal, late, unless the servers have noticed and closed it
//! meanwhile (31 to 42 s). A closed one is dialled anew about a second later, and until then what is sent is lost.

use super::config::Flaw;
use super::mail::Parcel;
use super::servers::Health;
use super::{Event, Sim};
use crate::story::{Between, Cut};
use gatewatch::model::ask::Survey;
use gatewatch::model::observation::{AuthError, Fact};

/// One outbound connection.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) id: u64,
    pub(super) peer: usize,
    pub(super) since: u64,
    /// Until then what is sent waits behind a packet that is sent again.
    pub(super) clear_at: u64,
    /// When something last arrived at its far end.
    pub(super) arrived: u64,
    /// Packets of it vanish, or their loss is not yet made good.
    pub(super) stuck: bool,
    /// Since when its ends have not heard each other.
    silent: Option<u64>,
    pub(super) held: Vec<Parcel>,
}

impl Sim {
    /// A server of the cluster that takes connections.
    pub(super) fn someone_of(&mut self, cluster: usize) -> Option<usize> {
        let alive = |&&ix: &&usize| self.servers[ix].health != Health::Dead;
        let alive: Vec<usize> = self.clusters[cluster].servers.iter().filter(alive).copied().collect();
        if alive.is_empty() { None } else { Some(*self.rng.pick(&alive)) }
    }

    pub(super) fn link(&mut self, server: usize, to: usize, peer: usize) {
        self.connections += 1;
        let gateway = Gateway {
            id: self.connections,
            peer,
            since: self.now,
            clear_at: 0,
            arrived: self.now,
            stuck: false,
            silent: None,
            held: Vec::new(),
        };
        self.servers[server].out[to] = Some(gateway);
    }

    /// Dials a cluster between so many milliseconds from now.
    pub(super) fn dial_within(&mut self, server: usize, to: usize, (soon, late): (u64, u64)) {
        let life = self.servers[server].life;
        self.servers[server].dialling[to] = true;
        self.after(soon, late, Event::Redial { server, life, to });
    }

    pub(super) fn cut(&mut self, cut: Cut, between: Between) {
        self.cuts.push((cut, between));
        self.review_gateways();
    }

    pub(super) fn heal(&mut self, between: Option<&Between>) {
        let ends = |of: &Between| between.is_none_or(|between| between == of);
        self.cuts.retain(|(_, of)| !ends(of));
        self.dial_cuts.retain(|(_, of)| !ends(of));
        self.slow.retain(|(of, _)| !ends(of));
        self.lossy.retain(|(of, _)| !ends(of));
        self.review_gateways();
    }

    pub(super) fn reset(&mut self, between: &Between) {
        for (server, to) in self.all_gateways() {
            let peer = self.servers[server].out[to].as_ref().unwrap().peer;
            if self.concerns(between, server, peer) {
                self.close_gateway(server, to);
            }
        }
    }

    pub(super) fn concerns(&self, between: &Between, server: usize, peer: usize) -> bool {
        let meant = |from, to| self.is_meant(server, from) && self.is_meant(peer, to);
        meant(&between.from, &between.to) || (between.both && meant(&between.to, &between.from))
    }

    fn cut_between(&self, server: usize, peer: usize) -> Option<Cut> {
        self.cuts.iter().find(|(_, between)| self.concerns(between, server, peer)).map(|(cut, _)| *cut)
    }

    /// What a new connection would meet.
    pub(super) fn dial_cut(&self, server: usize, peer: usize) -> Option<Cut> {
        let cuts = self.cuts.iter().chain(&self.dial_cuts);
        cuts.rev().find(|(_, between)| self.concerns(between, server, peer)).map(|(cut, _)| *cut)
    }

    /// Servers listen for the reports of all others, whether we do or not.
    pub(super) fn reach_everybody(&mut self, server: usize) {
        let now = self.now;
        for gateway in self.servers[server].out.iter_mut().flatten().filter(|gateway| !gateway.stuck) {
            gateway.arrived = now;
        }
    }

    fn all_gateways(&self) -> Vec<(usize, usize)> {
        let of = |ix: usize| {
            let out = self.servers[ix].out.iter().enumerate();
            out.filter(|(_, gateway)| gateway.is_some()).map(move |(to, _)| (ix, to))
        };
        (0..self.servers.len()).flat_map(of).collect()
    }

    /// Cuts or frozen servers have changed: what does that mean for each connection?
    pub(super) fn review_gateways(&mut self) {
        for (server, to) in self.all_gateways() {
            let gateway = self.servers[server].out[to].as_ref().unwrap();
            let (connection, peer) = (gateway.id, gateway.peer);
            let cut = self.cut_between(server, peer);
            let frozen = [server, peer].iter().any(|&ix| self.servers[ix].health == Health::Frozen);
            if cut == Some(Cut::Refuse) {
                self.close_gateway(server, to);
                continue;
            }
            let now = self.now;
            let gateway = self.servers[server].out[to].as_mut().unwrap();
            gateway.stuck |= cut == Some(Cut::Drop);
            let mute = cut.is_some() || frozen;
            match (mute, gateway.silent) {
                (true, None) => {
                    gateway.silent = Some(now);
                    self.after(31_000, 42_000, Event::Stale { server, to, connection, since: now });
                }
                (false, Some(since)) if gateway.stuck => {
                    // TCP backs off while nothing is acknowledged.
                    let most = (now - since).clamp(300, 5_000);
                    self.after(200, most, Event::Unstick { server, to, connection, since });
                }
                (false, Some(_)) => gateway.silent = None,
                (true, Some(_)) | (false, None) => {}
            }
        }
    }

    fn gateway_of(&mut self, server: usize, to: usize, connection: u64, since: u64) -> Option<&mut Gateway> {
        let gateway = self.servers[server].out[to].as_mut();
        gateway.filter(|gateway| gateway.id == connection && gateway.silent == Some(since))
    }

    pub(super) fn unstick(&mut self, server: usize, to: usize, connection: u64, since: u64) {
        let Some(peer) = self.gateway_of(server, to, connection, since).map(|gateway| gateway.peer) else {
            return;
        };
        if self.cut_between(server, peer).is_some() {
            return;
        }
        let frozen = [server, peer].iter().any(|&ix| self.servers[ix].health == Health::Frozen);
        let gateway = self.servers[server].out[to].as_mut().unwrap();
        gateway.stuck = false;
        gateway.silent = gateway.silent.filter(|_| frozen);
        for parcel in std::mem::take(&mut gateway.held) {
            self.forward(parcel, peer, 1);
        }
    }

    pub(super) fn stale(&mut self, server: usize, to: usize, connection: u64, since: u64) {
        if self.gateway_of(server, to, connection, since).is_some() {
            self.close_gateway(server, to);
        }
    }

    fn close_gateway(&mut self, server: usize, to: usize) {
        self.servers[server].out[to] = None;
        self.dial_within(server, to, (900, 1_300));
    }

    pub(super) fn close_gateways_to(&mut self, peer: usize) {
        for (server, to) in self.all_gateways() {
            if self.servers[server].out[to].as_ref().unwrap().peer == peer {
                self.close_gateway(server, to);
            }
        }
    }

    pub(super) fn redial(&mut self, server: usize, life: u32, to: usize) {
        if self.servers[server].life != life {
            return;
        }
        self.servers[server].dialling[to] = false;
        if self.servers[server].health == Health::Dead || self.servers[server].out[to].is_some() {
            return;
        }
        // What nobody tells of any more is forgotten.
        let Some(flaw) = self.way_to(server, to) else { return };
        let running = self.servers[server].health == Health::Running;
        let peer = if running { self.someone_of(to) } else { None };
        match (peer, flaw) {
            (None, _) | (Some(_), Some(Flaw::Port)) => self.dial_within(server, to, (900, 1_200)),
            (Some(_), Some(Flaw::Dns)) => self.dial_within(server, to, (1_000, 1_500)),
            (Some(peer), Some(Flaw::Password)) => self.refused(server, to, peer),
            (Some(peer), None) => self.dial(server, to, peer),
        }
    }

    fn dial(&mut self, server: usize, to: usize, peer: usize) {
        match self.dial_cut(server, peer) {
            Some(Cut::Refuse) => self.dial_within(server, to, (900, 1_200)),
            Some(Cut::Drop) => self.dial_within(server, to, (1_000, 2_000)),
            None if self.servers[peer].health == Health::Frozen => {
                self.dial_within(server, to, (2_000, 3_000));
            }
            None => {
                // A server that dials says so before the link is listed.
                let report = self.report(server, Survey::Stats, false);
                self.broadcast(server, &report);
                let (life, peer_life) = (self.servers[server].life, self.servers[peer].life);
                self.servers[server].dialling[to] = true;
                self.after(10, 30, Event::Linked { server, life, to, peer, peer_life });
            }
        }
    }

    /// A wrong password: the other side says so, and the dial is tried again about twenty times a second.
    fn refused(&mut self, server: usize, to: usize, peer: usize) {
        if self.dial_cut(server, peer).is_none() && self.servers[peer].health == Health::Running {
            let error = AuthError {
                server: self.identity(peer),
                gateway: true,
                peer: Some(self.servers[server].id.as_str().to_owned()),
                reason: Some("authentication_failure".to_owned()),
            };
            self.broadcast(peer, &Fact::AuthError(error));
        }
        self.dial_within(server, to, (45, 55));
    }

    pub(super) fn linked(&mut self, server: usize, life: u32, to: usize, peer: (usize, u32)) {
        if self.servers[server].life != life {
            return;
        }
        self.servers[server].dialling[to] = false;
        let (owner, other) = (&self.servers[server], &self.servers[peer.0]);
        if owner.health == Health::Dead || owner.out[to].is_some() {
            return;
        }
        let reachable = other.life == peer.1
            && other.health == Health::Running
            && owner.health == Health::Running
            && self.dial_cut(server, peer.0).is_none()
            && self.agree(server, peer.0);
        if reachable {
            self.link(server, to, peer.0);
            self.gossip();
        } else {
            self.dial_within(server, to, (900, 1_200));
        }
    }
}
