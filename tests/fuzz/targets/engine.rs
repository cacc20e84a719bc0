//! Bytes as a sequence of inputs to the engine, sensible and hostile ones, with names and numbers at their bounds.

use super::outputs::Judge;
use crate::invariants::Invariants;
use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::engine::{Engine, Input, Policy};
use gatewatch::model::ask::Through;
use gatewatch::model::ids::{ClusterName, ServerId, ServerKey};
use gatewatch::model::incident::Memory;
use gatewatch::model::intent::Forget;
use gatewatch::model::jetstream::{JetStreamReport, Origin, StreamInfo};
use gatewatch::model::observation::{
    AccountInterest, AuthError, ClientChurn, ConfigReport, ConfiguredRemote, Disconnect, Fact,
    GatewayConnection, GatewaysReport, Observation, OutboundStats, Round, ServerIdentity, ServerVersion,
    Stall, StatsReport, VantageChange, VantageEvent,
};
use gatewatch::model::probe::{GatewayAddress, ProbeFound, ProbeReport};
use gatewatch::model::time::{Mono, Now};
use std::time::Duration;

const MAX_STEPS: usize = 200;
/// None is a part of another: what is forgotten is known by its name.
const CLUSTERS: [&str; 6] = ["east", "west", "north", "a.b *>", "\u{202e}é=", "$SYS"];
const URLS: [&str; 6] = ["gw.west:7222", "[::1]:1", ":", "[", "a:0", "nats://u:p@h:4222"];

/// Bytes as steps: what, and with which numbers.
pub(super) fn operations(data: &[u8]) {
    let mut player = Player {
        bytes: data,
        engine: Engine::new(Policy::default()),
        judge: Judge::new(Invariants::default()),
        now: Duration::from_secs(1),
        round: 0,
    };
    for _ in 0..MAX_STEPS {
        if player.bytes.is_empty() {
            break;
        }
        player.step();
    }
    player.pass(Duration::from_secs(40));
    let now = player.now();
    let stored = gatewatch::wire::record::write_snapshot(&player.engine.snapshot(now));
    gatewatch::wire::record::read_snapshot(&stored).unwrap();
}

struct Player<'a> {
    bytes: &'a [u8],
    engine: Engine,
    judge: Judge,
    now: Duration,
    round: u64,
}

impl Player<'_> {
    fn step(&mut self) {
        let what = self.byte();
        self.pass(Duration::from_millis(u64::from(what >> 5) * 125));
        match what & 31 {
            0..=7 => self.healthy_round(),
            8 => {
                let span = Duration::from_millis(u64::from(self.byte()) * 50);
                self.pass(span);
            }
            9 => {
                let event = match self.byte() % 6 {
                    0 => VantageEvent::Dialling,
                    1 | 2 => VantageEvent::Connected { server: None },
                    3 => VantageEvent::Disconnected(Disconnect::Refused),
                    4 => VantageEvent::Disconnected(Disconnect::Lost),
                    _ => VantageEvent::Dropped,
                };
                let change = VantageChange { cluster: self.cluster(), at: self.mono(), what: event };
                self.feed(Input::Vantage(change));
            }
            10 => {
                let (cluster, number) = (self.cluster(), self.number());
                let through = if number & 1 == 0 { Through::Home } else { Through::All };
                self.feed(Input::Asked(Round { cluster, number, at: self.mono(), through }));
            }
            11 => {
                let from = Mono(self.now.saturating_sub(Duration::from_millis(self.number() >> 44)));
                let to = self.mono();
                self.feed(Input::Stalled(Stall { from, to }));
            }
            12 => {
                let identity = self.identity();
                let key = ServerKey { cluster: identity.cluster, name: identity.name };
                let whole = self.byte() & 1 == 0;
                let what = if whole { Forget::Cluster(key.cluster) } else { Forget::Server(key) };
                self.feed(Input::Forget(what));
            }
            13 => self.restart(),
            14 => {
                let address = GatewayAddress { host: "gw.west".to_owned(), port: 7222, tls: false };
                let found = match self.byte() % 4 {
                    0 => ProbeFound::Refused,
                    1 => ProbeFound::OtherGateway { name: self.cluster() },
                    2 => ProbeFound::Greeted { tls: None },
                    _ => ProbeFound::Silent,
                };
                let report = ProbeReport { target: self.cluster(), address, at: self.mono(), found };
                self.feed(Input::Probed(report));
            }
            _ => {
                let (vantage, fact) = (self.cluster(), self.fact());
                self.feed(Input::Observed(Observation { vantage, at: self.mono(), fact }));
            }
        }
        self.feed(Input::Tick);
    }

    /// Every cluster is asked and answers; a byte says which of its servers do not, another at whose vantage they are not heard.
    fn healthy_round(&mut self) {
        self.round += 1;
        let (silent, cut) = (self.byte(), self.byte());
        for cluster in CLUSTERS.into_iter().take(3) {
            let round = Round {
                cluster: cluster.into(),
                number: self.round,
                at: self.mono(),
                through: Through::Home,
            };
            self.feed(Input::Asked(round));
        }
        self.now += Duration::from_millis(3);
        for server in (0..6_u8).filter(|server| silent & (1 << server) == 0) {
            for vantage in 0..3_u8 {
                let home = server % 3 == vantage;
                if home || cut & (1 << ((server + vantage) % 8)) == 0 {
                    let fact = Fact::Beat { server: id(server), number: self.round };
                    let vantage = ClusterName::from(CLUSTERS[usize::from(vantage)]);
                    self.feed(Input::Observed(Observation { vantage, at: self.mono(), fact }));
                }
            }
        }
        self.feed(Input::Tick);
        self.pass(Duration::from_millis(247));
    }

    fn restart(&mut self) {
        let snapshot = self.engine.snapshot(self.now());
        let open = snapshot.incidents.iter().map(|incident| (incident.id.clone(), incident.revision));
        self.judge = Judge::new(Invariants::with_open(open));
        self.engine = Engine::new(Policy::default());
        let links = snapshot.links.into_iter().map(|link| link.link).collect();
        self.feed(Input::Restored(Memory { links, incidents: snapshot.incidents, ..Memory::default() }));
    }

    fn fact(&mut self) -> Fact {
        let server = self.identity();
        match self.byte() % 9 {
            0 => Fact::Beat { server: server.id, number: self.number() },
            1 => Fact::Leaving(server),
            2 => Fact::Stopped(server),
            3 => Fact::AuthError(AuthError {
                server,
                gateway: true,
                peer: Some(self.identity().id.to_string()),
                reason: None,
            }),
            4 => Fact::Clients(ClientChurn { server, connected: 1, disconnected: u32::MAX }),
            5 => Fact::JetStream(JetStreamReport { server, streams: self.streams() }),
            6 => Fact::Config(ConfigReport {
                remotes: self.few(|player| ConfiguredRemote {
                    cluster: player.cluster(),
                    urls: player.few(|player| URLS[usize::from(player.byte()) % URLS.len()].to_owned()),
                }),
                made: self.moment(),
                loaded: self.moment(),
                certificate_ends: self.moment(),
                ..ConfigReport::new(server)
            }),
            7 => Fact::Gateways(GatewaysReport {
                outbound: self.few(Self::connection),
                inbound: self.few(Self::connection),
                made: self.moment(),
                server,
            }),
            _ => Fact::Stats(StatsReport {
                started: self.moment(),
                active_servers: None,
                connections: self.number(),
                gateways: self.few(|player| OutboundStats {
                    to: player.cluster(),
                    connection: player.number(),
                    sent_messages: player.number(),
                    sent_bytes: player.number(),
                    inbound: u32::MAX,
                }),
                routes: Some(self.few(|player| player.identity().name)),
                made: self.moment(),
                asked: self.byte() & 1 == 0,
                server,
            }),
        }
    }

    fn connection(&mut self) -> GatewayConnection {
        GatewayConnection {
            cluster: self.cluster(),
            peer: self.identity().id,
            connection: self.number(),
            started: self.moment(),
            configured: self.byte() & 1 == 0,
            idle: Some(Duration::from_secs(self.number())),
            rtt: Some(Duration::from_secs(self.number())),
            accounts: Some(AccountInterest { total: self.number(), ..AccountInterest::default() }),
        }
    }

    fn streams(&mut self) -> Vec<StreamInfo> {
        self.few(|player| StreamInfo {
            account: "A".to_owned(),
            name: player.cluster().to_string(),
            last_sequence: player.number(),
            messages: player.number(),
            mirror: Some(Origin {
                stream: player.cluster().to_string(),
                lag: player.number(),
                heard: Some(Duration::from_nanos(player.number())),
                external: false,
            }),
            sources: Vec::new(),
        })
    }

    /// Lets time pass, waking whenever the engine wants.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.engine.next_deadline().filter(|due| due.at.0 <= until) {
            assert!(due.at.0 >= self.now || span.is_zero(), "a deadline in the past: {due:?}");
            self.now = self.now.max(due.at.0);
            self.feed(Input::Tick);
            let next = self.engine.next_deadline();
            assert!(next.is_none_or(|next| next.at.0 > self.now), "it would never sleep: {next:?}");
        }
        self.now = until;
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        for output in self.engine.handle(input, now) {
            self.judge.output(&output);
        }
    }

    fn mono(&self) -> Mono {
        Mono(self.now)
    }

    fn now(&self) -> Now {
        Now { mono: self.mono(), wall: began() + TimeDelta::from_std(self.now).unwrap() }
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// Small ones mostly, and those at the ends.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::MAX >> 1,
            253 => u64::MAX - 1,
            byte @ 240..=252 => 1 << ((byte - 240) * 5),
            byte => u64::from(byte),
        }
    }

    fn moment(&mut self) -> Option<DateTime<Utc>> {
        match self.byte() {
            0 => None,
            255 => DateTime::parse_from_rfc3339("9999-12-31T23:59:59.999999999Z").ok().map(Into::into),
            254 => DateTime::parse_from_rfc3339("0002-01-01T00:00:00Z").ok().map(Into::into),
            byte => Some(self.now().wall + TimeDelta::milliseconds((i64::from(byte) - 128) * 100)),
        }
    }

    fn cluster(&mut self) -> ClusterName {
        ClusterName::from(CLUSTERS[usize::from(self.byte()) % CLUSTERS.len()])
    }

    /// Six servers of the first three clusters under their own ids; now and then another's id, name or cluster is claimed.
    fn identity(&mut self) -> ServerIdentity {
        let byte = self.byte();
        let server = byte % 6;
        let of = if byte & 64 == 0 { usize::from(server % 3) } else { usize::from(byte) % CLUSTERS.len() };
        ServerIdentity {
            id: id(if byte & 128 == 0 { server } else { byte }),
            name: (server / 3).to_string().as_str().into(),
            cluster: CLUSTERS[of].into(),
            version: (byte % 7 != 6).then_some(ServerVersion { major: 2, minor: 12, patch: 0 }),
        }
    }

    fn few<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 5).map(|_| one(self)).collect()
    }
}

fn id(number: u8) -> ServerId {
    ServerId::from(format!("N{number}").as_str())
}

fn began() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_362_818, 0).unwrap()
}
