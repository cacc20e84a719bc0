//! Servers: their lives, and what they report of themselves.

use super::config::Config;
use super::gateways::Gateway;
use super::mail::Parcel;
use super::{Event, Sim};
use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::model::ask::Survey;
use gatewatch::model::ids::{ServerId, ServerName};
use gatewatch::model::jetstream::JetStreamReport;
use gatewatch::model::observation::{
    ConfigReport, Fact, GatewayConnection, GatewaysReport, OutboundStats, ServerIdentity, ServerVersion,
    StatsReport,
};
use std::time::Duration;

/// STATSZ is sent this often in the end. Milliseconds.
const STATS_EVERY: u64 = 10_000;
/// And this soon after the start, then at doubling intervals.
const FIRST_STATS: u64 = 250;

/// Whether a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Running,
    Frozen,
    Dead,
}

/// One server across its lives.
pub(super) struct Server {
    pub(super) cluster: usize,
    pub(super) number: usize,
    pub(super) version: ServerVersion,
    pub(super) life: u32,
    pub(super) id: ServerId,
    pub(super) health: Health,
    /// In lame duck mode: takes no clients.
    pub(super) leaving: bool,
    pub(super) config: Config,
    /// What it will be configured with when it starts next.
    pub(super) next: Config,
    /// Whether it is about to dial a cluster.
    pub(super) dialling: Vec<bool>,
    /// Its own outbound connection to each cluster.
    pub(super) out: Vec<Option<Gateway>>,
    /// What waits in its sockets while it is frozen.
    pub(super) held: Vec<Parcel>,
    /// Its clock runs ahead by so many milliseconds.
    skew: i64,
    /// Reports made so far: no two carry the same time.
    reports: i64,
}

impl Sim {
    /// Adds a server that has never run.
    pub(super) fn add_server(&mut self, cluster: usize) -> usize {
        let ix = self.servers.len();
        let number = self.clusters[cluster].servers.len() + 1;
        self.clusters[cluster].servers.push(ix);
        let config = self.first_config(cluster);
        let (major, minor, patch) = self.story.clusters[cluster].usual_version();
        self.servers.push(Server {
            cluster,
            number,
            version: ServerVersion { major, minor, patch },
            life: 0,
            id: ServerId::from(""),
            health: Health::Dead,
            leaving: false,
            config: config.clone(),
            next: config,
            dialling: vec![false; self.story.clusters.len()],
            out: (0..self.story.clusters.len()).map(|_| None).collect(),
            held: Vec::new(),
            skew: i64::try_from(self.rng.within(0, 400)).unwrap() - 200,
            reports: 0,
        });
        ix
    }

    /// Every server runs, every gateway is up.
    pub(super) fn boot(&mut self) {
        for ix in 0..self.servers.len() {
            self.begin_life(ix);
            let life = self.servers[ix].life;
            self.after(0, STATS_EVERY, Event::Stats { server: ix, life, interval: STATS_EVERY });
        }
        for ix in 0..self.servers.len() {
            for to in self.listed(ix) {
                self.boot_link(ix, to);
            }
        }
        self.gossip();
    }

    fn boot_link(&mut self, ix: usize, to: usize) {
        let flawless = self.way_to(ix, to) == Some(None);
        match self.someone_of(to) {
            Some(peer) if flawless && self.agree(ix, peer) && self.dial_cut(ix, peer).is_none() => {
                self.link(ix, to, peer);
            }
            Some(_) | None => self.dial_within(ix, to, (50, 400)),
        }
    }

    /// The clusters that it is configured with by their right names.
    fn listed(&self, ix: usize) -> Vec<usize> {
        (0..self.clusters.len()).filter(|&to| self.is_listed(ix, to)).collect()
    }

    fn begin_life(&mut self, ix: usize) {
        let server = &mut self.servers[ix];
        server.life += 1;
        server.health = Health::Running;
        server.leaving = false;
        server.config = server.next.clone();
        server.dialling.fill(false);
        let cluster = self.clusters[server.cluster].name.as_str();
        server.id = ServerId::from(format!("{cluster}-{}.{}", server.number, server.life).as_str());
        self.ids.insert(server.id.clone(), (ix, server.life));
    }

    pub(super) fn start_server(&mut self, ix: usize) {
        if self.servers[ix].health != Health::Dead {
            // Whoever restarts a server waits until it has left.
            if self.servers[ix].leaving {
                self.after(500, 500, Event::Start { server: ix });
            }
            return;
        }
        self.begin_life(ix);
        let life = self.servers[ix].life;
        self.after(FIRST_STATS, FIRST_STATS, Event::Stats { server: ix, life, interval: FIRST_STATS });
        for to in self.listed(ix) {
            self.dial_within(ix, to, (50, 400));
        }
        self.gossip();
    }

    pub(super) fn kill_life(&mut self, ix: usize, life: u32) {
        if self.servers[ix].life != life || self.servers[ix].health == Health::Dead {
            return;
        }
        let server = &mut self.servers[ix];
        server.health = Health::Dead;
        server.held.clear();
        server.out.iter_mut().for_each(|out| *out = None);
        self.close_gateways_to(ix);
        self.ears_server_died(ix);
    }

    pub(super) fn freeze(&mut self, ix: usize) {
        if self.servers[ix].health == Health::Running {
            self.servers[ix].health = Health::Frozen;
            self.review_gateways();
            self.ears_server_silent(ix);
        }
    }

    pub(super) fn thaw(&mut self, ix: usize) {
        if self.servers[ix].health == Health::Frozen {
            self.servers[ix].health = Health::Running;
            self.review_gateways();
            for parcel in std::mem::take(&mut self.servers[ix].held) {
                self.forward(parcel, ix, 0);
            }
        }
    }

    /// Says that it stops, and does.
    pub(super) fn shutdown(&mut self, ix: usize, life: u32) {
        if self.servers[ix].life != life || self.servers[ix].health == Health::Dead {
            return;
        }
        if self.servers[ix].health == Health::Frozen {
            self.servers[ix].leaving = true;
            return self.after(500, 500, Event::Shutdown { server: ix, life });
        }
        self.broadcast(ix, &Fact::Stopped(self.identity(ix)));
        self.after(8, 12, Event::Kill { server: ix, life });
    }

    /// Lame duck: says so, closes its clients one by one, then shuts down.
    pub(super) fn lame_duck(&mut self, ix: usize) {
        if self.servers[ix].health != Health::Running {
            return;
        }
        self.servers[ix].leaving = true;
        self.broadcast(ix, &Fact::Leaving(self.identity(ix)));
        let life = self.servers[ix].life;
        self.after(10_000, 11_000, Event::CloseClients { server: ix, life });
        self.after(12_000, 12_500, Event::Shutdown { server: ix, life });
    }

    pub(super) fn close_clients(&mut self, ix: usize, life: u32) {
        if self.servers[ix].life == life && self.servers[ix].health == Health::Running {
            self.ears_server_died(ix);
        }
    }

    pub(super) fn stats_due(&mut self, ix: usize, life: u32, interval: u64) {
        if self.servers[ix].life != life || self.servers[ix].health == Health::Dead {
            return;
        }
        if self.servers[ix].health == Health::Running {
            let report = self.report(ix, Survey::Stats, false);
            self.broadcast(ix, &report);
            self.reach_everybody(ix);
        }
        let interval = (interval * 2).min(STATS_EVERY);
        self.after(interval, interval, Event::Stats { server: ix, life, interval });
    }

    pub(super) fn identity(&self, ix: usize) -> ServerIdentity {
        let server = &self.servers[ix];
        ServerIdentity {
            id: server.id.clone(),
            name: server.number.to_string().as_str().into(),
            cluster: self.clusters[server.cluster].name.clone(),
            version: Some(server.version),
        }
    }

    /// What the server says of itself now.
    pub(super) fn report(&mut self, ix: usize, what: Survey, asked: bool) -> Fact {
        let made = Some(self.server_time(ix));
        let server = self.identity(ix);
        match what {
            Survey::Stats => Fact::Stats(StatsReport {
                server,
                started: None,
                active_servers: None,
                connections: 10,
                gateways: self.outbounds(ix).map(|(to, gateway)| self.stats_of(to, gateway)).collect(),
                made,
                routes: Some(self.routes(ix)),
                asked,
            }),
            Survey::Gateways => Fact::Gateways(GatewaysReport {
                server,
                outbound: self.outbounds(ix).map(|(to, gateway)| self.row(ix, to, gateway)).collect(),
                inbound: self.inbound(ix),
                made,
            }),
            Survey::Config => Fact::Config(ConfigReport {
                remotes: self.listed_remotes(ix),
                rejects_unknown: self.servers[ix].config.rejects_unknown,
                gateway_tls: self.story.tls,
                certificate_ends: self.certificate_ends(ix),
                made,
                ..ConfigReport::new(server)
            }),
            // Nobody in the simulation has JetStream, and interest crosses with every link.
            Survey::Interest => self.report(ix, Survey::Gateways, asked),
            Survey::JetStream => Fact::JetStream(JetStreamReport { server, streams: Vec::new() }),
        }
    }

    fn server_time(&mut self, ix: usize) -> DateTime<Utc> {
        let wall = self.wall;
        let server = &mut self.servers[ix];
        server.reports += 1;
        wall + TimeDelta::milliseconds(server.skew) + TimeDelta::microseconds(server.reports % 1000)
    }

    /// Servers of its cluster, each is connected with every other.
    fn routes(&self, ix: usize) -> Vec<ServerName> {
        let peers = self.clusters[self.servers[ix].cluster].servers.iter();
        let alive = peers.filter(|&&peer| peer != ix && self.servers[peer].health != Health::Dead);
        let mut names: Vec<ServerName> =
            alive.map(|&peer| self.servers[peer].number.to_string().as_str().into()).collect();
        names.sort();
        names
    }

    fn outbounds(&self, ix: usize) -> impl Iterator<Item = (usize, &Gateway)> {
        let out = self.servers[ix].out.iter().enumerate();
        out.filter_map(|(to, gateway)| Some((to, gateway.as_ref()?)))
    }

    fn stats_of(&self, to: usize, gateway: &Gateway) -> OutboundStats {
        let sent = (self.now - gateway.since) / 10;
        OutboundStats {
            to: self.clusters[to].name.clone(),
            connection: gateway.id,
            sent_messages: sent,
            sent_bytes: sent * 200,
            inbound: 1,
        }
    }

    fn row(&self, ix: usize, to: usize, gateway: &Gateway) -> GatewayConnection {
        GatewayConnection {
            cluster: self.clusters[to].name.clone(),
            peer: self.servers[gateway.peer].id.clone(),
            connection: gateway.id,
            started: None,
            configured: self.is_listed(ix, to),
            idle: None,
            rtt: None,
            accounts: None,
        }
    }

    /// Connections that servers of other clusters have to this one.
    fn inbound(&self, ix: usize) -> Vec<GatewayConnection> {
        let home = self.servers[ix].cluster;
        let others = self.servers.iter().filter_map(|server| {
            let gateway = server.out[home].as_ref().filter(|gateway| gateway.peer == ix)?;
            Some(GatewayConnection {
                cluster: self.clusters[server.cluster].name.clone(),
                peer: server.id.clone(),
                configured: false,
                idle: Some(Duration::from_millis(self.now - gateway.arrived)),
                ..self.row(ix, home, gateway)
            })
        });
        others.collect()
    }
}
