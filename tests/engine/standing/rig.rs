//! A small supercluster that reports of itself, each server as it is configured here. Nothing is asked and nothing beats.

use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::engine::{Engine, Input, Output, Policy};
use gatewatch::model::ids::{ServerId, ServerName};
use gatewatch::model::incident::{Incident, IncidentEvent, IncidentKind, Memory, Stage};
use gatewatch::model::observation::{
    ConfigReport, ConfiguredRemote, Fact, GatewaysReport, Observation, OutboundStats, ServerIdentity,
    ServerVersion, StatsReport, VantageChange, VantageEvent,
};
use gatewatch::model::time::{Mono, Now};

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * 60 * 60;

/// One server, as it reports of itself.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) cluster: &'static str,
    pub(super) name: String,
    pub(super) life: u32,
    /// Second of this life's start.
    pub(super) started: u64,
    pub(super) version: (u16, u16, u16),
    /// Configured remotes with the addresses it knows.
    pub(super) remotes: Vec<(&'static str, Vec<String>)>,
    pub(super) rejects: bool,
    pub(super) certificate: Option<DateTime<Utc>>,
    /// Servers that it has no route to.
    pub(super) unrouted: Vec<String>,
    /// Its clock is ahead by so many milliseconds.
    pub(super) skew: i64,
    /// It says nothing.
    pub(super) silent: bool,
}

/// Several servers with an engine that hears them. Time is in seconds.
pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) policy: Policy,
    pub(super) now: u64,
    /// Our wall clock is ahead by so many milliseconds.
    pub(super) our_skew: i64,
    pub(super) servers: Vec<Server>,
    pub(super) told: Vec<(u64, IncidentEvent)>,
}

pub(super) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

pub(super) fn urls(cluster: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{cluster}-{number}:7222")).collect()
}

impl Rig {
    /// Three clusters of three, healthy.
    pub(super) fn new() -> Self {
        Self::of(&["east", "north", "west"], 3, Policy::default())
    }

    pub(super) fn of(clusters: &[&'static str], size: usize, policy: Policy) -> Self {
        let mut servers = Vec::new();
        for &cluster in clusters {
            let others = || clusters.iter().filter(|other| **other != cluster);
            for number in 1..=size {
                servers.push(Server {
                    cluster,
                    name: format!("{cluster}-{number}"),
                    life: 1,
                    started: 0,
                    version: (2, 15, 1),
                    remotes: others().map(|other| (*other, urls(other, size))).collect(),
                    rejects: false,
                    certificate: None,
                    unrouted: Vec::new(),
                    skew: 0,
                    silent: false,
                });
            }
        }
        let engine = Engine::new(policy.clone());
        let mut rig = Self { engine, policy, now: 0, our_skew: 0, servers, told: Vec::new() };
        rig.connect();
        rig
    }

    pub(super) fn connect(&mut self) {
        let clusters: std::collections::BTreeSet<_> = self.servers.iter().map(|one| one.cluster).collect();
        for cluster in clusters {
            let what = VantageEvent::Connected { server: None };
            let at = Mono::from_millis(self.now * 1_000);
            self.feed(Input::Vantage(VantageChange { cluster: cluster.into(), at, what }));
        }
    }

    pub(super) fn wall(&self) -> DateTime<Utc> {
        start() + TimeDelta::seconds(i64::try_from(self.now).unwrap())
    }

    pub(super) fn feed(&mut self, input: Input) {
        let wall = self.wall() + TimeDelta::milliseconds(self.our_skew);
        let now = Now { mono: Mono::from_millis(self.now * 1_000), wall };
        for output in self.engine.handle(input, now) {
            if let Output::Incident(event) = output {
                self.told.push((self.now, *event));
            }
        }
    }

    pub(super) fn server(&mut self, name: &str) -> &mut Server {
        self.servers.iter_mut().find(|server| server.name == name).unwrap()
    }

    pub(super) fn each(&mut self, cluster: &str, change: impl Fn(&mut Server)) {
        self.servers.iter_mut().filter(|server| server.cluster == cluster).for_each(change);
    }

    /// Restarts a server by plan, changed.
    pub(super) fn restart(&mut self, name: &str, change: impl Fn(&mut Server)) {
        let now = self.now;
        let server = self.server(name);
        let stopped = identity(server);
        server.life += 1;
        server.started = now + 1;
        change(server);
        self.hear(server_cluster(&stopped), Fact::Stopped(stopped));
    }

    pub(super) fn hear(&mut self, vantage: &str, fact: Fact) {
        let at = Mono::from_millis(self.now * 1_000);
        self.feed(Input::Observed(Observation { vantage: vantage.into(), at, fact }));
    }

    /// Lets time pass: every server reports at a second of its own.
    pub(super) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            for (place, server) in self.servers.clone().into_iter().enumerate() {
                let phase = self.now + place as u64;
                if !server.silent && self.now >= server.started {
                    self.report(&server, phase);
                }
            }
            self.feed(Input::Tick);
        }
    }

    pub(super) fn report(&mut self, server: &Server, phase: u64) {
        let made = Some(self.wall() + TimeDelta::milliseconds(server.skew));
        if phase.is_multiple_of(10) {
            let stats = self.stats(server, made);
            self.hear(server.cluster, Fact::Stats(stats));
        }
        if phase.is_multiple_of(30) {
            let (outbound, inbound) = (Vec::new(), Vec::new());
            let report = GatewaysReport { server: identity(server), outbound, inbound, made };
            if server.remotes.is_empty() {
                self.hear(server.cluster, Fact::Gateways(report));
            }
        }
        // The first question is asked as soon as a server is heard of.
        if phase.is_multiple_of(60) || self.now == server.started + 2 {
            let remotes = server.remotes.iter();
            let remotes = remotes
                .map(|(name, urls)| ConfiguredRemote { cluster: (*name).into(), urls: urls.clone() })
                .collect();
            self.hear(
                server.cluster,
                Fact::Config(ConfigReport {
                    remotes,
                    rejects_unknown: server.rejects,
                    gateway_tls: server.certificate.is_some(),
                    certificate_ends: server.certificate,
                    made,
                    ..ConfigReport::new(identity(server))
                }),
            );
        }
    }

    pub(super) fn stats(&self, server: &Server, made: Option<DateTime<Utc>>) -> StatsReport {
        let peers = self.servers.iter().filter(|peer| {
            peer.cluster == server.cluster
                && peer.name != server.name
                && !server.unrouted.contains(&peer.name)
        });
        let mut routes: Vec<ServerName> = peers.map(|peer| peer.name.as_str().into()).collect();
        routes.sort();
        let gateways = server.remotes.iter().enumerate().map(|(place, (remote, _))| OutboundStats {
            to: (*remote).into(),
            connection: place as u64 + 5,
            sent_messages: 0,
            sent_bytes: 0,
            inbound: 1,
        });
        StatsReport {
            server: identity(server),
            started: None,
            active_servers: None,
            connections: 0,
            gateways: gateways.collect(),
            routes: Some(routes),
            made,
            asked: true,
        }
    }

    /// Ends this process and starts another one with what it left.
    pub(super) fn restart_gatewatch(&mut self) {
        let incidents: Vec<Incident> = self.open().into_iter().cloned().collect();
        let wall = self.wall();
        let links = self.engine.snapshot(Now { mono: Mono::from_millis(self.now * 1_000), wall }).links;
        let links = links.into_iter().map(|link| link.link).collect();
        self.engine = Engine::new(self.policy.clone());
        self.feed(Input::Restored(Memory { links, incidents, ..Memory::default() }));
        self.connect();
    }

    /// Incidents that are open, as last told.
    pub(super) fn open(&self) -> Vec<&Incident> {
        let mut open: Vec<&Incident> = Vec::new();
        for (_, event) in &self.told {
            open.retain(|one| one.id != event.incident.id);
            if event.stage != Stage::Resolved {
                open.push(&event.incident);
            }
        }
        open
    }

    /// The one incident that is open.
    pub(super) fn the_one(&self) -> &Incident {
        let open = self.open();
        let [one] = open[..] else { panic!("not one incident is open: {:?}", kinds(&open)) };
        one
    }

    pub(super) fn nothing_told(&self) {
        let told: Vec<_> =
            self.told.iter().map(|(at, event)| (at, event.stage, event.incident.kind)).collect();
        assert!(told.is_empty(), "{told:?}");
    }

    pub(super) fn all_resolved(&self) {
        assert!(self.open().is_empty(), "{:?}", kinds(&self.open()));
    }
}

pub(super) fn kinds(incidents: &[&Incident]) -> Vec<(IncidentKind, String)> {
    incidents.iter().map(|one| (one.kind, format!("{:?}", one.subject))).collect()
}

pub(super) fn server_cluster(who: &ServerIdentity) -> &'static str {
    match who.cluster.as_str() {
        "east" => "east",
        "north" => "north",
        _ => "west",
    }
}

pub(super) fn identity(server: &Server) -> ServerIdentity {
    let (major, minor, patch) = server.version;
    ServerIdentity {
        id: ServerId::from(format!("{}.{}", server.name, server.life).as_str()),
        name: server.name.as_str().into(),
        cluster: server.cluster.into(),
        version: Some(ServerVersion { major, minor, patch }),
    }
}
