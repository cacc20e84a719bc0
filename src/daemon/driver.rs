//! The one loop: sole owner of the engine. Feeds it what was heard, ticks it when it is due, hands its outputs on.
//!
//! Never waits for a sink. A batch is fed whole before its tick, so queued good news beats overdue timers. When this process itself did
//! not run for a while, the engine is told first: beats of that span prove nothing.

use crate::clock::Clock;
use crate::engine::{Engine, Input, Output, Policy, Refusals};
use crate::model::incident::Memory;
use crate::model::intent::Wish;
use crate::model::observation::Stall;
use crate::model::snapshot::Snapshot;
use crate::model::time::{Mono, Now};
use crate::nats::heard::Heard;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How many happenings are fed before a tick. A flood beyond it cannot keep the timers of others waiting.
const BATCH: usize = 1024;
/// The snapshot is renewed at least this often while anything is heard, for latencies and counts.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);

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
    /// Where current truth is kept for whoever wants it.
    pub snapshot: watch::Sender<Option<Snapshot>>,
}

/// Takes the engine's outputs. Must not block.
pub trait Sink {
    /// Takes one output, put out at `now`.
    fn put(&mut self, output: Output, now: Now);
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
    stall_after: Duration,
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
            wires,
            sink,
            stall_after,
            last_turn: now,
            last_snapshot: now,
            out: Vec::new(),
            refusals: Refusals::default(),
        }
    }

    /// Runs until `shutdown`, or until nothing can be heard any more. Returns the sink.
    pub async fn run(mut self, shutdown: CancellationToken) -> S {
        let mut batch = Vec::with_capacity(BATCH);
        let mut restoring = true;
        loop {
            let due = self.engine.next_deadline().map(|due| due.at);
            let wake = self.wires.clock.instant(due.unwrap_or_default());
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                memory = self.wires.memory.recv(), if restoring => {
                    restoring = memory.is_some();
                    self.turn(due, memory.map(Input::Restored).into_iter());
                }
                Some(wish) = self.wires.wishes.recv() => self.turn(due, std::iter::once(wanted(wish))),
                count = self.wires.heard.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.turn(due, batch.drain(..).map(input));
                }
                () = tokio::time::sleep_until(wake), if due.is_some() => self.turn(due, std::iter::empty()),
            }
        }
        self.sink
    }

    fn turn(&mut self, due: Option<Mono>, inputs: impl Iterator<Item = Input>) {
        let now = self.wires.clock.now();
        if due.is_some_and(|due| now.mono.since(due) > self.stall_after) {
            let stall = Stall { from: self.last_turn, to: now.mono };
            tracing::warn!(
                seconds = now.mono.since(stall.from).as_secs_f64(),
                "this process did not run: beats of that span are void"
            );
            self.engine.handle_into(Input::Stalled(stall), now, &mut self.out);
        }
        for input in inputs {
            self.engine.handle_into(input, now, &mut self.out);
        }
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
