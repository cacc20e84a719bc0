//! The one loop: sole owner of the engine. Feeds it what was heard, ticks it when it is due, hands its outputs on.
//!
//! Never waits for a sink. A batch is fed whole before its tick, so queued good news beats overdue timers. When this process itself did
//! not run for a while, the engine is told first: beats of that span prove nothing. Among several gatewatch it also sees to it that nothing is
//! put out when it is not ours to speak.

use super::health::{ClockWatch, Pulse};
use crate::clock::Clock;
use crate::engine::{Engine, Input, Output, Policy, Refusals};
use crate::metrics::Metrics;
use crate::model::health::OwnNews;
use crate::model::incident::Memory;
use crate::model::intent::Wish;
use crate::model::observation::Stall;
use crate::model::snapshot::Snapshot;
use crate::model::time::{Mono, Now};
use crate::nats::heard::Heard;
use crate::nats::lease::{Call, Floor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How many happenings are fed before a tick. A flood beyond it cannot keep the timers of others waiting.
const BATCH: usize = 1024;
/// The snapshot is renewed at least this often while anything is heard, for latencies and counts.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// The loop turns at least this often, whether there is anything to do or not: so it is known to live.
const TURN_EVERY: Duration = Duration::from_secs(1);

/// What a driver is connected to.
#[derive(Debug)]
pub struct Wires {
    /// Reads the clocks.
    pub clock: Clock,
    /// What the connections hear. When its senders are gone, the driver ends.
    pub heard: mpsc::Receiver<Heard>,
    /// What a former life left, once it could be read.
    pub memory: mpsc::Receiver<Memory>,
    /// What people want.
    pub wishes: mpsc::Receiver<Wish>,
    /// When it is ours to speak.
    pub floor: Floor,
    /// What this process finds out about itself.
    pub own: mpsc::Receiver<OwnNews>,
    /// Beats with every turn.
    pub pulse: Pulse,
    /// Counts what happens to this process.
    pub metrics: Arc<Metrics>,
    /// Where current truth is kept for whoever wants it.
    pub snapshot: watch::Sender<Option<Snapshot>>,
}

/// Takes the engine's outputs. Must not block.
pub trait Sink {
    /// Takes one output, put out at `now`.
    fn put(&mut self, output: Output, now: Now);
    /// Called when it becomes ours to speak, with the time since which nobody has, and with `None` when it is not any more. In the
    /// beginning it is.
    fn speaks(&mut self, _untold_since: Option<Mono>) {}
    /// Called when more was not believed or not taken in than before: all of it so far.
    fn doubted(&mut self, _refusals: Refusals, _now: Now) {}
    /// Called at the end of every turn.
    fn turned(&mut self) {}
}

/// The engine with its loop.
#[derive(Debug)]
pub struct Driver<S> {
    engine: Engine,
    wires: Wires,
    sink: S,
    /// Whether it was said last that it is ours to speak, and whether we do.
    called: bool,
    speaks: bool,
    /// Since when nobody has spoken when we began to.
    untold_since: Mono,
    stall_after: Duration,
    wall: ClockWatch,
    last_turn: Mono,
    last_snapshot: Mono,
    out: Vec<Output>,
    /// What was not believed or not taken in, as last told.
    refusals: Refusals,
}

impl<S: Sink> Driver<S> {
    /// A driver of a new engine.
    #[must_use]
    pub fn new(policy: Policy, wires: Wires, sink: S) -> Self {
        let now = wires.clock.mono();
        let stall_after = policy.beat_period * 2;
        let engine = Engine::new(policy);
        Self {
            engine,
            called: !wires.floor.is_given(),
            wires,
            sink,
            speaks: true,
            untold_since: Mono::default(),
            stall_after,
            wall: ClockWatch::default(),
            last_turn: now,
            last_snapshot: now,
            out: Vec::new(),
            refusals: Refusals::default(),
        }
    }

    /// Runs until `shutdown`, or until nothing can be heard any more. Leaves a last snapshot, and returns the sink.
    pub async fn run(mut self, shutdown: CancellationToken) -> S {
        let mut batch = Vec::with_capacity(BATCH);
        let mut restoring = true;
        loop {
            let turn = self.last_turn + TURN_EVERY;
            let due = self.engine.next_deadline().map_or(turn, |due| due.at.min(turn));
            let wake = self.wires.clock.instant(due);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                memory = self.wires.memory.recv(), if restoring => {
                    restoring = memory.is_some();
                    self.turn(due, memory.map(Input::Restored).into_iter());
                }
                call = self.wires.floor.next() => {
                    let input = self.take(call);
                    self.turn(due, input.into_iter());
                }
                Some(wish) = self.wires.wishes.recv() => self.turn(due, std::iter::once(wanted(wish))),
                count = self.wires.heard.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.turn(due, batch.drain(..).map(input));
                }
                Some(news) = self.wires.own.recv() => self.turn(due, std::iter::once(Input::Own(news))),
                () = tokio::time::sleep_until(wake) => self.turn(due, std::iter::empty()),
            }
        }
        self.wires.snapshot.send_replace(Some(self.engine.snapshot(self.wires.clock.now())));
        self.sink
    }

    fn take(&mut self, call: Call) -> Option<Input> {
        match call {
            Call::Speak { stored, untold_since } => {
                (self.called, self.untold_since) = (true, untold_since);
                stored.map(Input::Stored)
            }
            Call::Hush => {
                self.called = false;
                None
            }
            Call::Heard(event) => Some(Input::Heard(event)),
            Call::Stored(incidents) => Some(Input::Stored(incidents)),
            Call::Known { given, over } => Some(Input::Known { given, over }),
        }
    }

    /// Whoever did not run for a while finds out here that its time is up, before anything is put out.
    fn follow_the_floor(&mut self, now: Now, may_begin: bool) {
        let speaks = self.called && self.wires.floor.lasts(now.mono);
        if speaks == self.speaks || (speaks && !may_begin) {
            return;
        }
        self.speaks = speaks;
        self.sink.speaks(speaks.then_some(self.untold_since));
        let input = if speaks { Input::Speak } else { Input::Hush };
        self.engine.handle_into(input, now, &mut self.out);
    }

    fn turn(&mut self, due: Mono, inputs: impl Iterator<Item = Input>) {
        let now = self.wires.clock.now();
        self.wires.pulse.beat();
        self.follow_the_floor(now, false);
        self.look_at_clocks(due, now);
        for input in inputs {
            self.engine.handle_into(input, now, &mut self.out);
        }
        // Only now, with what is stored and heard.
        self.follow_the_floor(now, true);
        self.engine.handle_into(Input::Tick, now, &mut self.out);
        self.last_turn = now.mono;
        self.renew_snapshot(now);
        for output in self.out.drain(..) {
            self.sink.put(output, now);
        }
        let refusals = self.engine.refusals();
        if refusals != self.refusals {
            self.refusals = refusals;
            self.sink.doubted(refusals, now);
        }
        self.sink.turned();
    }

    /// Whether this process did not run for a while, and whether the clock on the wall was set.
    fn look_at_clocks(&mut self, due: Mono, now: Now) {
        if now.mono.since(due) > self.stall_after {
            let stall = Stall { from: self.last_turn, to: now.mono };
            let span = now.mono.since(stall.from);
            tracing::warn!(
                seconds = span.as_secs_f64(),
                "this process did not run: beats of that span are void"
            );
            self.wires.metrics.stalls.bump();
            self.wires.metrics.stalled_ms.add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
            self.engine.handle_into(Input::Stalled(stall), now, &mut self.out);
        }
        if let Some(by) = self.wall.look(now) {
            let seconds = by.as_seconds_f64();
            tracing::warn!(seconds, "the clock on the wall was set; verdicts do not depend on it");
            self.wires.metrics.clock_jumps.bump();
            self.engine.handle_into(Input::Own(OwnNews::ClockJumped { by }), now, &mut self.out);
        }
    }

    fn renew_snapshot(&mut self, now: Now) {
        let changed =
            self.out.iter().any(|output| matches!(output, Output::Transition(_) | Output::Incident(_)));
        if changed || now.mono.since(self.last_snapshot) >= SNAPSHOT_EVERY {
            self.last_snapshot = now.mono;
            self.wires.snapshot.send_replace(Some(self.engine.snapshot(now)));
        }
    }
}

fn input(heard: Heard) -> Input {
    match heard {
        Heard::Observed(observation) => Input::Observed(observation),
        Heard::Asked(round) => Input::Asked(round),
        Heard::Vantage(change) => Input::Vantage(change),
        Heard::Probed(report) => Input::Probed(report),
    }
}

fn wanted(wish: Wish) -> Input {
    match wish {
        Wish::Silences(list) => Input::Silences(list),
        Wish::Forget(what) => Input::Forget(what),
    }
}
