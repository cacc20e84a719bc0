//! The engine: a function of (state, input, now).
//!
//! Owns every verdict. Does no IO, reads no clock, spawns nothing, knows no byte format; the same inputs give the same outputs.
//! Its parts, in the order in which a tick runs them:
//!
//! ```text
//! observe    facts in: what an observation proves at once
//! aging      what has been gone for so long that nobody waits for it
//! vantages   are our own connections sound?        (their silence is never evidence about servers)
//! servers    who is live, leaving, stopped, lost?
//! links      who cannot send where?                (server links, then the links made of them)
//! flaps      links that break and come back again and again
//! clusters   offline, isolated, unreachable?
//! asks       what must be looked at now
//! intent     what people want: links that must or must not exist, silences, things to forget
//! own        how this process itself is doing     (never evidence about servers)
//! probes     what our own host finds at gateway addresses
//! impact     what is asked for, counted and waited for about what a loss costs
//! correlate  which root causes explain all that?   -> findings
//! checks     what is not as it should be, though nothing broke just now?   -> findings
//! book       findings -> incidents opened, updated, resolved
//! ```
//!
//! A new verdict rule goes into the file of the thing it judges; a new kind of incident into `correlate`, a new
//! standing condition into `checks`.

mod aging;
mod asks;
mod book;
mod cause;
mod checks;
mod clusters;
mod correlate;
mod flaps;
mod impact;
mod intent;
mod latency;
mod links;
mod observe;
mod own;
mod policy;
mod probes;
mod rounds;
mod servers;
mod snapshot;
mod traffic;
mod turn;
mod vantages;
mod world;

pub use policy::{Checks, Policy};
pub use world::Refusals;

use crate::model::ask::{BeatPlan, SurveyRequest};
use crate::model::health::OwnNews;
use crate::model::ids::Link;
use crate::model::incident::{Family, Incident, IncidentEvent, IncidentId, IncidentKind, Memory};
use crate::model::intent::{Forget, ForgetOutcome, Silence};
use crate::model::observation::{Observation, Round, Stall, VantageChange};
use crate::model::probe::{ProbeReport, ProbeRequest};
use crate::model::snapshot::Snapshot;
use crate::model::time::{Mono, Now};
use crate::model::transition::Transition;
use book::Book;
use std::collections::BTreeSet;
use turn::Turn;
use world::World;

/// Everything that can reach the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// One decoded fact.
    Observed(Observation),
    /// A round of beats was asked for.
    Asked(Round),
    /// One of our own connections changed.
    Vantage(VantageChange),
    /// What our own host found at a gateway address.
    Probed(ProbeReport),
    /// This process did not run for a while.
    Stalled(Stall),
    /// What this process found out about itself. It is never evidence about servers.
    Own(OwnNews),
    /// What a former life of this process left; given once, before anything else.
    Restored(Memory),
    /// All silences that there are, each time the list changes.
    Silences(Vec<Silence>),
    /// Somebody says that this is gone for good.
    Forget(Forget),
    /// Another gatewatch speaks: follow everything, and put no incident out until [`Input::Speak`]. Transitions are put out all the same.
    Hush,
    /// Put incidents out, first of all those that nobody told of. So it is in the beginning.
    Speak,
    /// Some gatewatch told this, perhaps this one.
    Heard(Box<IncidentEvent>),
    /// All incidents that are open by what is stored.
    Stored(Vec<Incident>),
    /// All ids that were given in the last minutes: none of them is given again. Without it, ids of the first minute agree with nobody's.
    Known {
        /// All of them.
        given: Vec<IncidentId>,
        /// Those whose incidents are over.
        over: Vec<IncidentId>,
    },
    /// Time has passed: judge what is due.
    Tick,
}

/// Everything that leaves the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A state changed.
    Transition(Transition),
    /// An incident was opened, updated or resolved.
    Incident(Box<IncidentEvent>),
    /// Look at these servers now.
    Ask(SurveyRequest),
    /// Ask these servers for beats from now on.
    Beat(BeatPlan),
    /// What became of an [`Input::Forget`].
    Forgotten(Forget, ForgetOutcome),
    /// Look at these gateway addresses from this host; only with [`Policy::probe`].
    Probe(ProbeRequest),
}

/// When the engine wants a [`Input::Tick`] at the latest, and why. Earlier and extra ticks do no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Mono,
    /// Why.
    pub why: Why,
}

/// Reasons to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// An answer to a beat may be overdue.
    BeatDue,
    /// A server or a vantage had time enough to come up.
    JoinGrace,
    /// A server that sends reports only may have fallen silent.
    ReportSilence,
    /// A suspected or cut server is to be looked at again.
    LookAgain,
    /// A bad state has lasted long enough for an incident.
    Alert,
    /// It is to be asked anew what a loss costs.
    Weigh,
    /// It has been watched long enough how things settle after a heal.
    Settle,
    /// A good state has lasted long enough to resolve one.
    Clear,
    /// A silence may begin or end, or the list of them may be late.
    Silence,
}

/// The state machine of a whole supercluster.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Policy,
    world: World,
    book: Book,
    wake: Option<Deadline>,
    dirty: bool,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let world = World::new(&policy);
        Self { policy, world, book: Book::default(), wake: None, dirty: false }
    }

    /// Takes one input in. Infallible: what makes no sense is ignored.
    ///
    /// Only [`Input::Tick`] judges silence and lasting states, so feed everything that has arrived before ticking: queued good news
    /// then beats overdue timers.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Output> {
        let mut out = Vec::new();
        self.handle_into(input, now, &mut out);
        out
    }

    /// As [`Engine::handle`], into a vector of the caller's.
    pub fn handle_into(&mut self, input: Input, now: Now, out: &mut Vec<Output>) {
        if matches!(input, Input::Tick) {
            return self.tick(now, out);
        }
        let mut turn = Turn { policy: &self.policy, world: &mut self.world, now, out, wake: &mut self.wake };
        self.dirty |= match input {
            Input::Observed(seen) => turn.observed(&seen),
            Input::Asked(round) => {
                turn.asked(&round);
                false
            }
            Input::Vantage(change) => {
                turn.vantage_changed(&change);
                true
            }
            Input::Probed(report) => turn.probed(report),
            Input::Stalled(stall) => {
                turn.stalled(&stall);
                turn.own_stalled(&stall);
                self.book.stalled(&stall);
                true
            }
            Input::Own(news) => {
                turn.own_news(news);
                true
            }
            Input::Restored(memory) => {
                let links = memory.links.clone();
                let fresh = self.book.restore(&turn, memory);
                turn.restored(&links, &fresh, self.book.open());
                true
            }
            Input::Hush => {
                self.book.hush(&mut turn);
                true
            }
            Input::Speak => {
                self.book.speak(&mut turn);
                true
            }
            Input::Heard(event) => {
                self.book.heard(&turn, *event);
                true
            }
            Input::Stored(incidents) => {
                self.book.stored(&mut turn, incidents);
                true
            }
            Input::Known { given, over } => {
                self.book.know(&turn, given, over);
                true
            }
            Input::Silences(list) => {
                turn.silences(list);
                true
            }
            Input::Forget(what) => {
                let (gone, outcome) = turn.forget(what.clone());
                if outcome == ForgetOutcome::Done {
                    self.book.forget(&mut turn, &gone);
                }
                turn.out.push(Output::Forgotten(what, outcome));
                true
            }
            Input::Tick => false,
        };
    }

    /// When to tick next, and why; `None` when nothing is pending.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.wake
    }

    /// Whether something was taken in that a tick must judge, whatever the deadline.
    #[must_use]
    pub fn wants_tick(&self) -> bool {
        self.dirty
    }

    /// All current truth.
    #[must_use]
    pub fn snapshot(&self, now: Now) -> Snapshot {
        snapshot::take(&self.policy, &self.world, &self.book, now)
    }

    /// What was not believed or not taken in so far.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.world.refused
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        if !self.dirty && self.wake.is_none_or(|due| due.at > now.mono) {
            return;
        }
        self.dirty = false;
        self.wake = None;
        let mut turn = Turn { policy: &self.policy, world: &mut self.world, now, out, wake: &mut self.wake };
        for (gone, silent_for) in turn.age() {
            self.book.give_up(&mut turn, &gone, silent_for);
        }
        turn.judge();
        self.book.step(&mut turn);
    }
}

impl Turn<'_> {
    fn judge(&mut self) {
        self.begin();
        self.world.prove_clusters();
        self.judge_own();
        let clusters: Vec<_> = self.world.clusters_by_name().collect();
        let servers: Vec<_> = self.world.servers_by_key().collect();
        for &ix in &clusters {
            self.judge_vantage(ix);
        }
        for &ix in &servers {
            self.judge_server(ix);
        }
        for &ix in &servers {
            self.judge_outbounds(ix);
            self.look_again(ix);
            self.look_at_far_ends(ix);
            self.look_at_neighbours(ix);
        }
        for &from in &clusters {
            let remotes: Vec<_> = self.world.clusters[from].links.keys().copied().collect();
            for to in remotes {
                self.judge_link(from, to);
            }
        }
        for &ix in &clusters {
            self.judge_cluster(ix);
        }
        for &ix in &clusters {
            self.look_around(ix);
            self.plan_beats(ix);
            self.look_at_unbeaten_ends(ix);
        }
        self.inquire();
    }

    /// Takes over what was expected: the links that are remembered, and those that the open incidents are about.
    fn restored<'b>(&mut self, links: &[Link], fresh: &[Incident], open: impl Iterator<Item = &'b Incident>) {
        for incident in fresh {
            self.flaps_restored(incident);
        }
        for link in links.iter().cloned().chain(fresh.iter().flat_map(lost_links)) {
            let (from, to) = (
                self.world.claimed_cluster(&link.from, self.now),
                self.world.claimed_cluster(&link.to, self.now),
            );
            if let (Some(from), Some(to)) = (from, to) {
                let link = self.world.ensure_link(from, to, self.now);
                (link.remembered, link.was_up) = (true, true);
            }
        }
        let never = open.filter(|incident| incident.kind == IncidentKind::GatewayNeverUp);
        for link in never.flat_map(|incident| &incident.scope.links) {
            let (from, to) = (self.world.cluster(&link.from), self.world.cluster(&link.to));
            if let Some(link) =
                from.zip(to).and_then(|(from, to)| self.world.clusters[from].links.get_mut(&to))
            {
                link.was_up = false;
            }
        }
    }
}

/// The links that an incident says are lost: they existed.
fn lost_links(incident: &Incident) -> BTreeSet<Link> {
    match incident.kind.family() {
        Family::Cluster | Family::Cut => {
            let parts = incident.scope.server_links.iter();
            let parts = parts.map(|part| Link { from: part.server.cluster.clone(), to: part.to.clone() });
            incident.scope.links.iter().cloned().chain(parts).collect()
        }
        Family::View | Family::Server | Family::Flapping | Family::Presence | Family::Standing => {
            BTreeSet::new()
        }
    }
}
