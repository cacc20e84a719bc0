//! A supercluster in virtual time, with gatewatch's engine listening to it.
//!
//! No threads and no clock: one queue of events, drained in order of time. What servers, gateways and connections do follows what was
//! measured on real ones; chance (who dials whom, jitter, when a dead connection is noticed) comes from the story's seed.

mod chaos;
mod config;
mod driver;
mod ears;
mod gateways;
mod mail;
mod operator;
mod rng;
mod servers;
mod steps;

pub(crate) use rng::Rng;

use crate::story::{Between, Cut, Moment, Sel, Step, Story};
use chrono::{DateTime, TimeDelta, Utc};
use driver::Driver;
use ears::Ears;
use gatewatch::engine::{Input, Policy};
use gatewatch::model::ask::Survey;
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::incident::IncidentEvent;
use gatewatch::model::observation::{Disconnect, Fact};
use gatewatch::model::probe::GatewayAddress;
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::transition::Transition;
use mail::Question;
use operator::Operator;
use servers::Server;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// How long gatewatch has listened when a story begins, unless the story is about its start. Milliseconds.
const SETTLED: u64 = 12_000;

/// The whole simulation.
pub(crate) struct Sim {
    /// Milliseconds since it began.
    now: u64,
    /// The same on the clocks of people.
    wall: DateTime<Utc>,
    /// When the story begins.
    start: u64,
    story: Story,
    policy: Policy,
    /// What people want of the engine, each at its time.
    wishes: Vec<Input>,
    rng: Rng,
    queue: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    clusters: Vec<Cluster>,
    servers: Vec<Server>,
    ids: BTreeMap<ServerId, (usize, u32)>,
    /// Its steps, with what repeats written out: when, which step it belongs to, what.
    parts: Vec<(u64, usize, Step)>,
    operator: Operator,
    /// When each step was begun and done.
    pub(crate) moments: Vec<Moment>,
    cuts: Vec<(Cut, Between)>,
    /// Cuts that concern new connections only.
    dial_cuts: Vec<(Cut, Between)>,
    /// Connections on which each message takes longer: by so many milliseconds and a random part of the jitter.
    slow: Vec<(Between, (u64, u64))>,
    /// Connections on which so many of a hundred messages must be sent again.
    lossy: Vec<(Between, u64)>,
    /// Servers take questions of ours.
    may_ask: bool,
    connections: u64,
    ears: Vec<Ears>,
    driver: Driver,
    /// All that happened and all that was told, in order, by milliseconds from the start of the story.
    pub(crate) told: Vec<(i64, Told)>,
}

/// One line of what a simulation tells.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// What the story says.
    Step(String),
    /// What the engine says of a state.
    Transition(Box<Transition>),
    /// What the engine says of an incident.
    Incident(Box<IncidentEvent>),
}

/// One cluster.
struct Cluster {
    name: ClusterName,
    servers: Vec<usize>,
    /// Clusters that its servers are configured with.
    remotes: Vec<usize>,
    /// One way to each cluster: milliseconds and jitter.
    wan: Vec<(u64, u64)>,
}

/// Something that will happen.
#[derive(Debug)]
enum Event {
    Step(usize),
    Wish(usize),
    Beat { life: u32 },
    Sweep { life: u32, what: Survey },
    Ask { cluster: usize, servers: Vec<ServerId>, what: Survey, everywhere: bool },
    StallEnds { life: u32 },
    Looked { life: u32, target: ClusterName, address: GatewayAddress },
    EarsDial { at: usize, epoch: u32 },
    EarsUp { at: usize, epoch: u32, server: usize },
    EarsFail { at: usize, epoch: u32, why: Disconnect },
    EarsWanted { at: usize },
    EarsSilent { at: usize, epoch: u32 },
    Heard { at: usize, epoch: u32, fact: Box<Fact> },
    Asked { server: usize, life: u32, question: Question },
    Stats { server: usize, life: u32, interval: u64 },
    Redial { server: usize, life: u32, to: usize },
    Linked { server: usize, life: u32, to: usize, peer: usize, peer_life: u32 },
    Stale { server: usize, to: usize, connection: u64, since: u64 },
    Unstick { server: usize, to: usize, connection: u64, since: u64 },
    Operate,
    Start { server: usize },
    Kill { server: usize, life: u32 },
    CloseClients { server: usize, life: u32 },
    Shutdown { server: usize, life: u32 },
}

#[derive(Debug)]
struct Due {
    at: u64,
    sequence: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl Sim {
    /// A healthy supercluster with gatewatch about to start.
    pub(crate) fn new(story: &Story) -> Self {
        Self::with_policy(story, Policy::default())
    }

    /// As [`Sim::new`], judged by other numbers and expectations.
    pub(crate) fn with_policy(story: &Story, policy: Policy) -> Self {
        let mut sim = Self {
            now: 0,
            wall: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
            start: if story.cold { 0 } else { SETTLED },
            story: story.clone(),
            policy,
            wishes: Vec::new(),
            rng: Rng::new(story.seed),
            queue: BinaryHeap::new(),
            sequence: 0,
            clusters: Vec::new(),
            servers: Vec::new(),
            ids: BTreeMap::new(),
            parts: parts(story),
            operator: Operator::default(),
            moments: vec![Moment::default(); story.steps.len()],
            cuts: Vec::new(),
            dial_cuts: Vec::new(),
            slow: Vec::new(),
            lossy: Vec::new(),
            may_ask: true,
            connections: 0,
            ears: Vec::new(),
            driver: Driver::default(),
            told: Vec::new(),
        };
        sim.lay_out();
        story.given.iter().for_each(|step| sim.given(step));
        sim.boot();
        for part in 0..sim.parts.len() {
            let due = sim.start + sim.parts[part].0;
            sim.at(due, Event::Step(part));
        }
        sim.start_gatewatch(None);
        sim
    }

    /// Runs the story to its end.
    pub(crate) fn run(&mut self) {
        while let Some(next) = self.next_moment().filter(|&next| next <= self.end()) {
            self.set_now(next);
            while let Some(due) = self.queue.pop_if_due(next) {
                self.happen(due.event);
            }
            self.tick();
        }
        self.set_now(self.end());
    }

    /// As [`Sim::run`]; servers that are drained or stopped are waited for, as on real ones, before the story goes on.
    pub(crate) fn run_patiently(&mut self) {
        self.operator.patient = true;
        self.run();
    }

    /// When the story ends, as far as known: what takes long moves it.
    fn end(&self) -> u64 {
        self.start + self.story.end + self.operator.moves_end_by(self.now)
    }

    /// Has the clocks of people show an earlier time.
    pub(crate) fn set_clock_back(&mut self, ms: u64) {
        self.wall -= TimeDelta::milliseconds(i64::try_from(ms).unwrap());
    }

    /// Has the engine told something at this time of the story.
    pub(crate) fn wish(&mut self, at: u64, wish: Input) {
        self.wishes.push(wish);
        self.at(self.start + at, Event::Wish(self.wishes.len() - 1));
    }

    /// The time on the clocks of people at this time of the story.
    pub(crate) fn wall_at(&self, at: u64) -> DateTime<Utc> {
        self.wall + TimeDelta::milliseconds(i64::try_from(self.start + at - self.now).unwrap())
    }

    /// What the engine holds for true now; `None` while gatewatch does not run.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.driver.snapshot(self.now, self.wall)
    }

    fn next_moment(&self) -> Option<u64> {
        let queued = self.queue.peek().map(|due| due.0.at);
        queued.into_iter().chain(self.driver.deadline()).min().map(|at| at.max(self.now))
    }

    fn lay_out(&mut self) {
        let story = self.story.clone();
        let place = |name: &str| story.clusters.iter().position(|cluster| cluster.name == name);
        for (ix, spec) in story.clusters.iter().enumerate() {
            let meant = |other: usize| {
                let name = &story.clusters[other].name;
                let named = |(a, b): &(String, String)| {
                    (a == name && *b == spec.name) || (b == name && *a == spec.name)
                };
                let there = !spec.absent && !story.clusters[other].absent;
                there && (story.links.is_empty() || story.links.iter().any(named))
            };
            self.clusters.push(Cluster {
                name: spec.name.as_str().into(),
                servers: Vec::new(),
                remotes: (0..story.clusters.len()).filter(|&other| other != ix && meant(other)).collect(),
                wan: (0..story.clusters.len())
                    .map(|other| if other == ix { (1, 1) } else { (4, 3) })
                    .collect(),
            });
            self.ears.push(Ears::new(spec.vantage && !spec.absent));
        }
        for (ix, spec) in story.clusters.iter().enumerate().filter(|(_, spec)| !spec.absent) {
            for _ in 0..spec.servers {
                self.add_server(ix);
            }
        }
        for wan in &story.wan {
            if let (Some(a), Some(b)) = (place(&wan.ends.0), place(&wan.ends.1)) {
                self.set_wan(a, b, (wan.ms, wan.jitter));
            }
        }
    }

    fn set_wan(&mut self, a: usize, b: usize, latency: (u64, u64)) {
        self.clusters[a].wan[b] = latency;
        self.clusters[b].wan[a] = latency;
    }

    fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Due { at, sequence: self.sequence, event }));
    }

    fn after(&mut self, from: u64, to: u64, event: Event) {
        let at = self.now + self.rng.within(from, to);
        self.at(at, event);
    }

    fn tell(&mut self, told: Told) {
        let at = i64::try_from(self.now).unwrap() - i64::try_from(self.start).unwrap();
        self.told.push((at, told));
    }

    fn set_now(&mut self, now: u64) {
        self.wall += TimeDelta::milliseconds(i64::try_from(now - self.now).unwrap());
        self.now = now;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step(at) => self.step(at),
            Event::Wish(at) => self.feed(self.wishes[at].clone()),
            Event::Beat { life } => self.beat(life),
            Event::Sweep { life, what } => self.sweep(life, what),
            Event::Ask { cluster, servers, what, everywhere } => {
                self.survey(cluster, &servers, what, everywhere);
            }
            Event::StallEnds { life } => self.stall_ends(life),
            Event::Looked { life, target, address } => self.looked(life, target, address),
            Event::EarsDial { at, epoch } => self.ears_dial(at, epoch),
            Event::EarsUp { at, epoch, server } => self.ears_up(at, epoch, server),
            Event::EarsFail { at, epoch, why } => self.ears_fail(at, epoch, why),
            Event::EarsWanted { at } => self.ears_wanted(at),
            Event::EarsSilent { at, epoch } => self.ears_silent(at, epoch),
            Event::Heard { at, epoch, fact } => self.heard(at, epoch, *fact),
            Event::Asked { server, life, question } => self.asked(server, life, question),
            Event::Stats { server, life, interval } => self.stats_due(server, life, interval),
            Event::Redial { server, life, to } => self.redial(server, life, to),
            Event::Linked { server, life, to, peer, peer_life } => {
                self.linked(server, life, to, (peer, peer_life));
            }
            Event::Stale { server, to, connection, since } => self.stale(server, to, connection, since),
            Event::Unstick { server, to, connection, since } => self.unstick(server, to, connection, since),
            Event::Operate => self.operate(),
            Event::Start { server } => self.start_server(server),
            Event::Kill { server, life } => self.kill_life(server, life),
            Event::CloseClients { server, life } => self.close_clients(server, life),
            Event::Shutdown { server, life } => self.shutdown(server, life),
        }
    }

    /// The servers that are meant.
    fn selected(&self, sel: &Sel) -> Vec<usize> {
        (0..self.servers.len()).filter(|&ix| self.is_meant(ix, sel)).collect()
    }

    fn is_meant(&self, server: usize, sel: &Sel) -> bool {
        let server = &self.servers[server];
        let cluster = self.clusters[server.cluster].name.as_str();
        match sel {
            Sel::Any => true,
            Sel::Cluster(name) => cluster == name,
            Sel::Server(name, number) => cluster == name && server.number == *number,
        }
    }

    fn find(&self, cluster: &str) -> Option<usize> {
        self.clusters.iter().position(|one| one.name.as_str() == cluster)
    }

    fn place(&self, cluster: &str) -> usize {
        self.find(cluster).unwrap_or_else(|| panic!("the story has no cluster {cluster}"))
    }
}

/// The steps of a story in order of time, with what repeats written out.
fn parts(story: &Story) -> Vec<(u64, usize, Step)> {
    let steps = story.steps.iter().enumerate();
    let mut parts: Vec<_> = steps
        .flat_map(|(of, (at, step))| {
            step.unfolded().into_iter().map(move |(after, step)| (at + after, of, step))
        })
        .collect();
    parts.sort_by_key(|(at, ..)| *at);
    parts
}

trait PopIfDue {
    fn pop_if_due(&mut self, now: u64) -> Option<Due>;
}

impl PopIfDue for BinaryHeap<Reverse<Due>> {
    fn pop_if_due(&mut self, now: u64) -> Option<Due> {
        if self.peek()?.0.at > now { None } else { self.pop().map(|due| due.0) }
    }
}
