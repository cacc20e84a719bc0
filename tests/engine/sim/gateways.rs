//! Gateway connections: one outbound per server and remote cluster, ending at one server there.
//!
//! What is sent over one whose packets vanish is held and delivered after the heal, late, unless the servers have noticed and closed it
//! meanwhile (31 to 42 s). A closed one is dialled anew about a second later, and until then what is sent is lost.

use super::mail::Parcel;
use super::servers::Health;
use super::{Event, Sim};
use crate::story::{Between, Cut};
use gatewatch::model::ask::Survey;

/// One outbound connection.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) id: u64,
    pub(super) peer: usize,
    pub(super) since: u64,
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
            arrived: self.now,
            stuck: false,
            silent: None,
            held: Vec::new(),
        };
        self.servers[server].out[to] = Some(gateway);
    }

    pub(super) fn cut(&mut self, cut: Cut, between: Between) {
        self.cuts.push((cut, between));
        self.review_gateways();
    }

    pub(super) fn heal(&mut self, between: Option<&Between>) {
        match between {
            Some(between) => self.cuts.retain(|(_, cut)| cut != between),
            None => self.cuts.clear(),
        }
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

    fn concerns(&self, between: &Between, server: usize, peer: usize) -> bool {
        let meant = |from, to| self.is_meant(server, from) && self.is_meant(peer, to);
        meant(&between.from, &between.to) || (between.both && meant(&between.to, &between.from))
    }

    fn cut_between(&self, server: usize, peer: usize) -> Option<Cut> {
        self.cuts.iter().find(|(_, between)| self.concerns(between, server, peer)).map(|(cut, _)| *cut)
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
        let life = self.servers[server].life;
        self.after(900, 1_300, Event::Redial { server, life, to });
    }

    pub(super) fn close_gateways_to(&mut self, peer: usize) {
        for (server, to) in self.all_gateways() {
            if self.servers[server].out[to].as_ref().unwrap().peer == peer {
                self.close_gateway(server, to);
            }
        }
    }

    pub(super) fn redial(&mut self, server: usize, life: u32, to: usize) {
        let owner = &self.servers[server];
        if owner.life != life || owner.health == Health::Dead || owner.out[to].is_some() {
            return;
        }
        let again = Event::Redial { server, life, to };
        let peer = if owner.health == Health::Running { self.someone_of(to) } else { None };
        let Some(peer) = peer else { return self.after(900, 1_200, again) };
        match self.cut_between(server, peer) {
            Some(Cut::Refuse) => self.after(900, 1_200, again),
            Some(Cut::Drop) => self.after(1_000, 2_000, again),
            None if self.servers[peer].health == Health::Frozen => self.after(2_000, 3_000, again),
            None => {
                // A server that dials says so before the link is listed.
                let report = self.report(server, Survey::Stats, false);
                self.broadcast(server, &report);
                let peer_life = self.servers[peer].life;
                self.after(10, 30, Event::Linked { server, life, to, peer, peer_life });
            }
        }
    }

    pub(super) fn linked(&mut self, server: usize, life: u32, to: usize, peer: (usize, u32)) {
        let (owner, other) = (&self.servers[server], &self.servers[peer.0]);
        if owner.life != life || owner.health == Health::Dead {
            return;
        }
        let reachable = other.life == peer.1
            && other.health == Health::Running
            && owner.health == Health::Running
            && self.cut_between(server, peer.0).is_none();
        if reachable {
            self.link(server, to, peer.0);
        } else {
            self.after(900, 1_200, Event::Redial { server, life, to });
        }
    }
}
