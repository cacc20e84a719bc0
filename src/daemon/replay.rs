//! Runs a recording through the same decoder and engine as live traffic, in virtual time.
//!
//! Time is what the recording says, so a replay gives the same transitions and incidents each time, whatever the machine does.
//! What the engine asks for goes nowhere: the answers are in the recording, or they are not.

use crate::engine::{Engine, Input, Output, Policy};
use crate::model::ids::ClusterName;
use crate::model::observation::{VantageChange, VantageEvent};
use crate::model::snapshot::Snapshot;
use crate::model::time::{Mono, Now};
use crate::wire::capture::{CaptureError, Message, Reader, Recorded};
use crate::wire::sys::Decoder;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::io::BufRead;

/// Something a replay shows, in the order of its time.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// The engine put something out.
    Output(Output),
    /// A note in the recording: what was done to the supercluster at that moment.
    Mark(String),
}

/// What a whole replay came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// All truth at the end.
    pub snapshot: Snapshot,
    /// How long the recording lasts.
    pub lasted: Mono,
    /// Lines that were read.
    pub lines: u64,
    /// Messages that could not be decoded, by vantage.
    pub undecodable: u64,
}

/// Replays a recording, handing everything it shows to `show` with its time.
///
/// # Errors
/// When a line cannot be read; what came before it has been shown.
pub fn replay<R: BufRead>(
    mut reader: Reader<R>,
    policy: Policy,
    mut show: impl FnMut(Now, Shown),
) -> Result<Replayed, CaptureError> {
    let mut player = Player {
        engine: Engine::new(policy),
        started: reader.started(),
        vantages: BTreeMap::new(),
        out: Vec::new(),
        lines: 0,
        undecodable: 0,
    };
    let mut last = Mono::default();
    while let Some(recorded) = reader.next().transpose()? {
        last = last.max(recorded.at());
        player.until(last, &mut show);
        player.take(recorded, last, &mut show);
    }
    let now = player.now(last);
    Ok(Replayed {
        snapshot: player.engine.snapshot(now),
        lasted: last,
        lines: player.lines,
        undecodable: player.undecodable,
    })
}

struct Player {
    engine: Engine,
    started: DateTime<Utc>,
    vantages: BTreeMap<ClusterName, Decoder>,
    out: Vec<Output>,
    lines: u64,
    undecodable: u64,
}

impl Player {
    fn now(&self, at: Mono) -> Now {
        Now { mono: at, wall: self.started + TimeDelta::from_std(at.0).unwrap_or_default() }
    }

    /// Lets everything happen that is due before `at`.
    fn until(&mut self, at: Mono, show: &mut impl FnMut(Now, Shown)) {
        while let Some(due) = self.engine.next_deadline().filter(|due| due.at < at) {
            self.feed(Input::Tick, due.at, show);
        }
    }

    fn take(&mut self, recorded: Recorded, at: Mono, show: &mut impl FnMut(Now, Shown)) {
        self.lines += 1;
        match recorded {
            Recorded::Mark { text, .. } => show(self.now(at), Shown::Mark(text)),
            Recorded::Asked(round) => self.feed(Input::Asked(round), at, show),
            Recorded::Probed(report) => self.feed(Input::Probed(report), at, show),
            Recorded::Stalled(stall) => self.feed(Input::Stalled(stall), at, show),
            Recorded::Vantage(change) => {
                self.decoder(&change.cluster);
                self.feed(Input::Vantage(change), at, show);
            }
            Recorded::Message(message) => self.message(&message, at, show),
        }
        if self.engine.wants_tick() {
            self.feed(Input::Tick, at, show);
        }
    }

    fn message(&mut self, message: &Message, at: Mono, show: &mut impl FnMut(Now, Shown)) {
        // A recording may begin after its connections were made: what hears is connected.
        if !self.vantages.contains_key(&message.vantage) {
            let what = VantageEvent::Connected { server: None };
            let change = VantageChange { cluster: message.vantage.clone(), at, what };
            self.feed(Input::Vantage(change), at, show);
        }
        let decoder = self.decoder(&message.vantage);
        let mut seen: Vec<_> = decoder.churn(at).collect();
        match decoder.decode(at, &message.subject, &message.payload) {
            Ok(fact) => seen.extend(fact),
            Err(_) => self.undecodable += 1,
        }
        for observation in seen {
            self.feed(Input::Observed(observation), at, show);
        }
    }

    fn decoder(&mut self, vantage: &ClusterName) -> &mut Decoder {
        self.vantages.entry(vantage.clone()).or_insert_with(|| Decoder::new(vantage.clone()))
    }

    fn feed(&mut self, input: Input, at: Mono, show: &mut impl FnMut(Now, Shown)) {
        let now = self.now(at);
        self.engine.handle_into(input, now, &mut self.out);
        for output in self.out.drain(..) {
            show(now, Shown::Output(output));
        }
    }
}
