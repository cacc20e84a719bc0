//! A supercluster as bytes, in virtual time: what its servers say goes through the decoders into the engine, as in the daemon.

#![allow(dead_code, reason = "each user of the rig has its own part of it")]

use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::engine::{Engine, Input, Output, Policy};
use gatewatch::model::ask::Through;
use gatewatch::model::ids::ClusterName;
use gatewatch::model::incident::{IncidentEvent, Stage};
use gatewatch::model::observation::{Round, VantageChange, VantageEvent};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::time::{Mono, Now};
use gatewatch::wire::advisory::Advisories;
use gatewatch::wire::sys::Decoder;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) const CLUSTERS: [&str; 3] = ["east", "north", "west"];
const PERIOD: Duration = Duration::from_millis(250);
/// Servers report every so many rounds.
const REPORT_EVERY: u64 = 40;

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) cluster: usize,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) up: bool,
    /// Clusters that do not hear it.
    pub(crate) cut: BTreeSet<usize>,
}

/// The servers, and gatewatch listening to them.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) servers: Vec<Server>,
    decoders: Vec<Decoder>,
    advisories: Advisories,
    now: Duration,
    round: u64,
    lives: u64,
    out: Vec<Output>,
    pub(crate) incidents: Vec<IncidentEvent>,
    /// Everything that was put out, counted.
    pub(crate) outputs: u64,
    /// Servers asked in the largest plan of beats.
    pub(crate) widest_plan: usize,
}

impl Rig {
    /// Three clusters, sound and known.
    pub(crate) fn new(per_cluster: usize) -> Self {
        let mut rig = Self {
            engine: Engine::new(Policy::default()),
            servers: Vec::new(),
            decoders: CLUSTERS.iter().map(|name| Decoder::new(ClusterName::from(*name))).collect(),
            advisories: Advisories::new("gatewatch", "rig").unwrap(),
            now: Duration::from_secs(1),
            round: 0,
            lives: 0,
            out: Vec::new(),
            incidents: Vec::new(),
            outputs: 0,
            widest_plan: 0,
        };
        for cluster in CLUSTERS {
            let what = VantageEvent::Connected { server: None };
            let change = VantageChange { cluster: cluster.into(), at: rig.mono(), what };
            rig.feed(Input::Vantage(change));
        }
        for n in 0..per_cluster * CLUSTERS.len() {
            let (cluster, number) = (n % CLUSTERS.len(), n / CLUSTERS.len());
            let name = format!("{}-{number}", CLUSTERS[cluster]);
            let id = rig.new_id();
            rig.servers.push(Server { cluster, name, id, up: true, cut: BTreeSet::new() });
            rig.introduce(n);
        }
        rig.run(Duration::from_secs(20));
        rig
    }

    pub(crate) fn new_id(&mut self) -> String {
        self.lives += 1;
        format!("N{:0>55}", self.lives)
    }

    /// A server that has just started says who it is.
    pub(crate) fn introduce(&mut self, ix: usize) {
        let Server { cluster, .. } = self.servers[ix];
        self.broadcast(ix);
        for question in ["VARZ", "GATEWAYZ"] {
            let answer = self.answer(ix, question);
            self.hear(cluster, &format!("_INBOX.rig.{question}.1"), &answer);
        }
    }

    /// Starts a server anew under a new id, and under a new name where it has none of its own.
    pub(crate) fn restart(&mut self, ix: usize, nameless: bool) {
        let id = self.new_id();
        if nameless {
            self.servers[ix].name.clone_from(&id);
        }
        self.servers[ix].id = id;
        self.servers[ix].up = true;
        self.introduce(ix);
    }

    /// Stops a server; `said` when it says so.
    pub(crate) fn stop(&mut self, ix: usize, said: bool) {
        self.servers[ix].up = false;
        if said {
            let body = self.info(&self.servers[ix]).to_string();
            let subject = format!("$SYS.SERVER.{}.SHUTDOWN", self.servers[ix].id);
            self.everywhere(&subject, body.as_bytes());
        }
    }

    /// Lets time pass, with beats and reports.
    pub(crate) fn run(&mut self, span: Duration) {
        let rounds = u32::try_from(span.as_millis() / PERIOD.as_millis()).unwrap();
        (0..rounds).for_each(|_| self.one_round());
    }

    fn one_round(&mut self) {
        self.round += 1;
        for cluster in CLUSTERS {
            let (at, through) = (self.mono(), Through::Home);
            self.feed(Input::Asked(Round { cluster: cluster.into(), number: self.round, at, through }));
        }
        self.pass(Duration::from_millis(3));
        for ix in 0..self.servers.len() {
            let server = self.servers[ix].clone();
            if !server.up {
                continue;
            }
            let body = json!({ "name": server.name, "host": "h", "id": server.id }).to_string();
            for vantage in (0..CLUSTERS.len()).filter(|vantage| !server.cut.contains(vantage)) {
                self.hear(vantage, &format!("_INBOX.rig.BEAT.{}", self.round), body.as_bytes());
            }
            if self.round.wrapping_add(ix as u64).is_multiple_of(REPORT_EVERY) {
                self.broadcast(ix);
            }
        }
        self.feed(Input::Tick);
        self.pass(PERIOD - Duration::from_millis(3));
    }

    /// A report that nobody asked for, heard wherever the server can be heard.
    fn broadcast(&mut self, ix: usize) {
        let server = self.servers[ix].clone();
        let (subject, body) = (format!("$SYS.SERVER.{}.STATSZ", server.id), self.answer(ix, "STATSZ"));
        for vantage in (0..CLUSTERS.len()).filter(|vantage| !server.cut.contains(vantage)) {
            self.hear(vantage, &subject, &body);
        }
    }

    fn answer(&self, ix: usize, question: &str) -> Vec<u8> {
        let server = &self.servers[ix];
        let others = (0..CLUSTERS.len()).filter(|other| *other != server.cluster);
        let (key, data) = match question {
            "STATSZ" => (
                "statsz",
                json!({ "connections": 1, "routes": self.routes_of(ix), "gateways": others.map(|other| json!({
                    "gwid": 7 + other, "name": CLUSTERS[other], "sent": { "msgs": 5, "bytes": 5 }
                })).collect::<Vec<_>>() }),
            ),
            "VARZ" => (
                "data",
                json!({ "gateway": { "gateways": others.map(|other| json!({
                    "name": CLUSTERS[other], "urls": [format!("gw.{}:7222", CLUSTERS[other])]
                })).collect::<Vec<_>>() } }),
            ),
            _ => (
                "data",
                json!({ "outbound_gateways": others.map(|other| (CLUSTERS[other].to_owned(), json!({
                    "configured": true,
                    "connection": { "cid": 7 + other, "name": self.peer_in(other), "idle": "0s" }
                }))).collect::<serde_json::Map<_, _>>() }),
            ),
        };
        let mut body = json!({ "server": self.info(server) });
        body[key] = data;
        body.to_string().into_bytes()
    }

    fn routes_of(&self, ix: usize) -> Vec<Value> {
        let own = &self.servers[ix];
        let peers =
            self.servers.iter().filter(|peer| peer.up && peer.cluster == own.cluster && peer.id != own.id);
        peers.map(|peer| json!({ "name": peer.name })).collect()
    }

    fn peer_in(&self, cluster: usize) -> String {
        self.servers
            .iter()
            .find(|server| server.cluster == cluster)
            .map_or("N".into(), |peer| peer.id.clone())
    }

    pub(crate) fn info(&self, server: &Server) -> Value {
        info(&server.id, &server.name, CLUSTERS[server.cluster], self.wall())
    }

    /// A message at every vantage.
    pub(crate) fn everywhere(&mut self, subject: &str, payload: &[u8]) {
        (0..CLUSTERS.len()).for_each(|vantage| self.hear(vantage, subject, payload));
    }

    /// A message at one vantage.
    pub(crate) fn hear(&mut self, vantage: usize, subject: &str, payload: &[u8]) {
        let at = self.mono();
        let decoder = &mut self.decoders[vantage];
        let mut seen: Vec<_> = decoder.churn(at).collect();
        seen.extend(decoder.decode(at, subject, payload).ok().flatten());
        for observation in seen {
            self.feed(Input::Observed(observation));
        }
    }

    /// How many messages were refused, of this kind of error.
    pub(crate) fn undecodable(&self, kind: &str) -> u64 {
        let counts = self.decoders.iter().flat_map(|decoder| &decoder.counts().failed);
        counts.filter(|((_, error), _)| *error == kind).map(|(_, count)| count).sum()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.engine.snapshot(self.clock())
    }

    /// Kinds and subjects of incidents that are open.
    pub(crate) fn open(&self) -> Vec<String> {
        let open = self.snapshot().incidents;
        open.iter().map(|incident| format!("{} {:?}", incident.kind, incident.subject)).collect()
    }

    /// Kinds and subjects of incidents that were opened.
    pub(crate) fn opened(&self) -> Vec<String> {
        let opened = self.incidents.iter().filter(|event| event.stage == Stage::Opened);
        opened.map(|event| format!("{} {:?}", event.incident.kind, event.incident.subject)).collect()
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.engine.next_deadline().filter(|due| due.at.0 <= until) {
            self.now = self.now.max(due.at.0);
            self.feed(Input::Tick);
        }
        self.now = until;
    }

    pub(crate) fn feed(&mut self, input: Input) {
        let now = self.clock();
        let mut out = std::mem::take(&mut self.out);
        self.engine.handle_into(input, now, &mut out);
        for output in out.drain(..) {
            self.outputs += 1;
            match output {
                Output::Transition(transition) => literal(&self.advisories.event(&transition).subject),
                Output::Incident(event) => {
                    literal(&self.advisories.alert(&event).subject);
                    self.incidents.push(*event);
                }
                Output::Beat(plan) => self.widest_plan = self.widest_plan.max(plan.servers.len()),
                Output::Ask(_) | Output::Probe(_) | Output::Forgotten(..) => {}
            }
        }
        self.out = out;
    }

    pub(crate) fn mono(&self) -> Mono {
        Mono(self.now)
    }

    pub(crate) fn wall(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_362_818, 0).unwrap() + TimeDelta::from_std(self.now).unwrap()
    }

    fn clock(&self) -> Now {
        Now { mono: self.mono(), wall: self.wall() }
    }
}

/// The object with which a server says who it is.
pub(crate) fn info(id: &str, name: &str, cluster: &str, time: DateTime<Utc>) -> Value {
    json!({ "name": name, "host": "h", "id": id, "cluster": cluster, "ver": "2.15.1", "jetstream": true,
        "time": time.to_rfc3339() })
}

/// # Panics
/// When a server would not take it as the subject of one message.
pub(crate) fn literal(subject: &str) {
    let plain = |token: &str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'*' | b'>'))
    };
    assert!(subject.len() < 3_000 && subject.split('.').all(plain), "{subject:?}");
}

/// Memory of this process that is in use now, in bytes.
pub(crate) fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}
