//! gatewatch's one loop, as far as the engine can tell: feeds what has arrived, then ticks, and does what the engine asks for.

use super::mail::Question;
use super::{Event, Sim, Told};
use chrono::{DateTime, Utc};
use gatewatch::engine::{Engine, Input, Output};
use gatewatch::model::ask::{BeatPlan, Survey, Through};
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::incident::Memory;
use gatewatch::model::observation::{Round, Stall};
use gatewatch::model::probe::{GatewayAddress, ProbeReport, ProbeRequest};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::LinkState;
use gatewatch::model::time::{Mono, Now};
use std::collections::BTreeMap;

/// Time between two rounds. Milliseconds.
const BEAT_EVERY: u64 = 250;
/// Surveys by the clock. Milliseconds.
const GATEWAYZ_EVERY: u64 = 30_000;
const VARZ_EVERY: u64 = 60_000;
/// Shortest time between two equal questions. Milliseconds.
const SPARE: u64 = 500;

/// One life of gatewatch's process after the other.
#[derive(Default)]
pub(super) struct Driver {
    engine: Option<Engine>,
    /// Counts lives.
    life: u32,
    /// When this life began: its monotonic clock starts there.
    began: u64,
    plans: BTreeMap<usize, Plan>,
    rounds: u64,
    surveyed: BTreeMap<(usize, Option<ServerId>, Survey), u64>,
    /// Since when the process has not run.
    stalled: Option<u64>,
    /// What arrived meanwhile.
    backlog: Vec<Input>,
    /// What a former life left.
    left: Memory,
}

struct Plan {
    everywhere: bool,
    servers: Vec<(usize, u32)>,
}

impl Driver {
    pub(super) fn deadline(&self) -> Option<u64> {
        let engine = self.engine.as_ref().filter(|_| self.stalled.is_none())?;
        let at = engine.next_deadline()?.at.0.as_nanos().div_ceil(1_000_000);
        Some(self.began + u64::try_from(at).unwrap())
    }

    pub(super) fn snapshot(&self, now: u64, wall: DateTime<Utc>) -> Option<Snapshot> {
        let mono = Mono::from_millis(now - self.began);
        Some(self.engine.as_ref()?.snapshot(Now { mono, wall }))
    }
}

impl Sim {
    pub(super) fn mono(&self) -> Mono {
        Mono::from_millis(self.now - self.driver.began)
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.driver.stalled.is_some()
    }

    pub(super) fn start_gatewatch(&mut self, memory: Option<Memory>) {
        self.driver = Driver {
            engine: Some(Engine::new(self.policy.clone())),
            life: self.driver.life + 1,
            began: self.now,
            ..Driver::default()
        };
        let life = self.driver.life;
        if let Some(memory) = memory {
            self.feed(Input::Restored(memory));
        }
        self.start_ears();
        self.at(self.now + BEAT_EVERY, Event::Beat { life });
        self.at(self.now + GATEWAYZ_EVERY, Event::Sweep { life, what: Survey::Gateways });
        self.at(self.now + VARZ_EVERY, Event::Sweep { life, what: Survey::Config });
    }

    pub(super) fn stop_gatewatch(&mut self) {
        let Some(snapshot) = self.snapshot() else { return };
        let expected = |state| !matches!(state, LinkState::Unknown | LinkState::Retired);
        let links = snapshot.links.into_iter().filter(|link| expected(link.state)).map(|link| link.link);
        self.driver.left =
            Memory { links: links.collect(), incidents: snapshot.incidents, ..Memory::default() };
        self.driver.engine = None;
        self.driver.life += 1;
        self.stop_ears();
    }

    pub(super) fn restart_gatewatch(&mut self) {
        let left = std::mem::take(&mut self.driver.left);
        self.start_gatewatch(Some(left));
    }

    pub(super) fn stall(&mut self, span: u64) {
        self.driver.stalled = Some(self.now);
        let life = self.driver.life;
        self.at(self.now + span, Event::StallEnds { life });
    }

    pub(super) fn stall_ends(&mut self, life: u32) {
        if self.driver.life != life {
            return;
        }
        let Some(from) = self.driver.stalled.take() else { return };
        let to = self.mono();
        let from = Mono::from_millis(from - self.driver.began);
        self.feed(Input::Stalled(Stall { from, to }));
        for mut input in std::mem::take(&mut self.driver.backlog) {
            match &mut input {
                Input::Observed(seen) => seen.at = to,
                Input::Vantage(change) => change.at = to,
                Input::Probed(report) => report.at = to,
                Input::Asked(_)
                | Input::Stalled(_)
                | Input::Restored(_)
                | Input::Silences(_)
                | Input::Forget(_)
                | Input::Tick => {}
            }
            self.feed(input);
        }
    }

    pub(super) fn feed(&mut self, input: Input) {
        let now = Now { mono: self.mono(), wall: self.wall };
        if self.is_stalled() {
            return self.driver.backlog.push(input);
        }
        let Some(engine) = &mut self.driver.engine else { return };
        for output in engine.handle(input, now) {
            self.obey(output);
        }
    }

    pub(super) fn tick(&mut self) {
        if !self.is_stalled() {
            self.feed(Input::Tick);
            let deadline = self.driver.deadline();
            assert!(deadline.is_none_or(|at| at > self.now), "a deadline in the past at {} ms", self.now);
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Transition(transition) => self.tell(Told::Transition(Box::new(transition))),
            Output::Incident(event) => self.tell(Told::Incident(event)),
            Output::Beat(plan) => self.plan(&plan),
            Output::Forgotten(what, outcome) => self.tell(Told::Step(format!("{what}: {outcome}"))),
            Output::Probe(request) => self.probe(request),
            Output::Ask(request) => {
                // A name that some configuration has wrong stands for nobody.
                let Some(cluster) = self.find(request.cluster.as_str()) else { return };
                let everywhere = request.through == Through::All;
                let event = Event::Ask { cluster, servers: request.servers, what: request.what, everywhere };
                self.at(self.now + 1, event);
            }
        }
    }

    fn probe(&mut self, request: ProbeRequest) {
        let life = self.driver.life;
        for address in request.addresses {
            self.at(self.now + 20, Event::Looked { life, target: request.target.clone(), address });
        }
    }

    pub(super) fn looked(&mut self, life: u32, target: ClusterName, address: GatewayAddress) {
        if self.driver.life == life {
            let found = self.found_at(&address);
            self.feed(Input::Probed(ProbeReport { target, address, at: self.mono(), found }));
        }
    }

    fn plan(&mut self, plan: &BeatPlan) {
        let Some(cluster) = self.find(plan.cluster.as_str()) else { return };
        let servers = plan.servers.iter().filter_map(|id| self.ids.get(id).copied()).collect();
        self.driver.plans.insert(cluster, Plan { everywhere: plan.through == Through::All, servers });
    }

    /// One round, over all clusters that can be asked now.
    pub(super) fn beat(&mut self, life: u32) {
        if self.driver.life != life {
            return;
        }
        self.at(self.now + BEAT_EVERY, Event::Beat { life });
        if self.is_stalled() {
            return;
        }
        let open = |at: &usize| self.ears[*at].server.is_some();
        let everyone: Vec<usize> = (0..self.ears.len()).filter(open).collect();
        let mut asked = Vec::new();
        for (&cluster, plan) in &self.driver.plans {
            let home: Vec<usize> = everyone.iter().copied().filter(|&at| at == cluster).collect();
            let askers = if plan.everywhere { everyone.clone() } else { home };
            if !askers.is_empty() && !plan.servers.is_empty() {
                asked.push((cluster, plan.everywhere, plan.servers.clone(), askers));
            }
        }
        self.driver.rounds += u64::from(!asked.is_empty());
        let number = self.driver.rounds;
        for (cluster, everywhere, ..) in &asked {
            let through = if *everywhere { Through::All } else { Through::Home };
            let cluster = self.clusters[*cluster].name.clone();
            self.feed(Input::Asked(Round { cluster, number, at: self.mono(), through }));
        }
        for (_, _, servers, askers) in asked {
            for &(server, life) in &servers {
                for &ears in &askers {
                    self.ask_through(ears, server, life, Question::Beat(number));
                }
            }
        }
    }

    /// The slow look at everything, by the clock.
    pub(super) fn sweep(&mut self, life: u32, what: Survey) {
        if self.driver.life != life {
            return;
        }
        let every = if what == Survey::Config { VARZ_EVERY } else { GATEWAYZ_EVERY };
        self.at(self.now + every, Event::Sweep { life, what });
        for cluster in 0..self.clusters.len() {
            self.survey(cluster, &[], what, false);
        }
    }

    /// Asks servers of a cluster; all of them when none is named.
    pub(super) fn survey(&mut self, cluster: usize, servers: &[ServerId], what: Survey, everywhere: bool) {
        if self.is_stalled() || self.driver.engine.is_none() {
            return;
        }
        let open = |at: &usize| self.ears[*at].server.is_some();
        let askers: Vec<usize> = if !everywhere && open(&cluster) {
            vec![cluster]
        } else {
            (0..self.ears.len()).filter(open).collect()
        };
        let mut whom = Vec::new();
        if servers.is_empty() && self.spare(cluster, None, what) {
            whom.extend(self.clusters[cluster].servers.iter().map(|&ix| (ix, self.servers[ix].life)));
        }
        for id in servers {
            if self.spare(cluster, Some(id.clone()), what) {
                whom.extend(self.ids.get(id).copied());
            }
        }
        for (server, life) in whom {
            for &ears in &askers {
                self.ask_through(ears, server, life, Question::Report(what));
            }
        }
    }

    /// Whether the same was not asked just now; notes that it is.
    fn spare(&mut self, cluster: usize, server: Option<ServerId>, what: Survey) -> bool {
        let now = self.now;
        let last = self.driver.surveyed.insert((cluster, server, what), now);
        last.is_none_or(|last| now - last >= SPARE)
    }
}
