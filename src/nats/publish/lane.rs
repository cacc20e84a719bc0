//! What waits to be stored in one stream, and what to do about it next: pure, driven by [`super::task`].
//!
//! ```text
//!        a store failed                    the pause is over         the stream answers
//! Open ------------------> Shut(until t) --------------------> Probing ----------------> Trying
//!   ^                          ^                                  |                      |  |
//!   |                          +----------------------------------+----------------------+  |
//!   +--------------- the first store is confirmed -----------------------------------------+
//! ```
//!
//! `Open`: every message is sent at once to be heard and stored. Otherwise it is sent at once to be heard only, and stored later;
//! so a subscriber hears a message at most twice (but for the oldest one, when the stream answers and yet stores nothing), and the
//! messages of one incident are never stored out of order.

use super::message::Message;
use crate::model::incident::IncidentId;
use crate::model::time::Mono;
use crate::nats::backoff::Backoff;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Pause after a stream answered but did not take the message, because each attempt is heard again; doubles up to
/// [`REJECTED_CAP`].
const REJECTED_FLOOR: Duration = Duration::from_secs(1);
/// The longest such pause.
const REJECTED_CAP: Duration = Duration::from_secs(60);
/// How many messages may wait for their confirmation at a time. Beyond it, the next ones wait for their turn.
pub(super) const WINDOW: usize = 1024;
/// How long a message waits, unheard, for its turn to be stored.
pub(super) const HOLD: Duration = Duration::from_millis(250);

/// Names one message of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What to do next.
#[derive(Debug)]
pub(super) enum Action {
    /// Send it, and wait for the stream to confirm it. `again`: it was sent before.
    Store { ticket: Ticket, message: Arc<Message>, again: bool },
    /// Send it to be heard only.
    Tell(Ticket, Arc<Message>),
    /// Find out whether the stream answers.
    Probe,
}

/// How an attempt to store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The stream has it.
    Stored,
    /// The stream will never take it.
    Refused,
    /// Not confirmed; it may or may not be stored.
    Failed,
    /// It was not even sent.
    Unsent,
}

/// How much may wait. When it is full, the oldest message that was heard already makes room, else the oldest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Shut { until: Mono },
    Probing,
    Trying,
}

#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    message: Arc<Message>,
    /// When it could first have been sent.
    offered: Option<Mono>,
    heard: bool,
    in_flight: bool,
}

/// The messages for one stream, oldest first.
#[derive(Debug)]
pub(super) struct Lane {
    entries: VecDeque<Entry>,
    bounds: Bounds,
    bytes: usize,
    issued: u64,
    in_flight: usize,
    mode: Mode,
    backoff: Backoff,
    rejections: u32,
}

impl Lane {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            entries: VecDeque::new(),
            bounds,
            bytes: 0,
            issued: 0,
            in_flight: 0,
            mode: Mode::Open,
            backoff: Backoff::default(),
            rejections: 0,
        }
    }

    /// Takes a message in. Returns how many others had to make room for it.
    pub(super) fn push(&mut self, message: Message) -> usize {
        let size = message.size();
        let mut evicted = 0;
        while !self.entries.is_empty()
            && (self.entries.len() >= self.bounds.messages || self.bytes + size > self.bounds.bytes)
        {
            self.evict();
            evicted += 1;
        }
        self.issued += 1;
        self.bytes += size;
        let (ticket, message) = (Ticket(self.issued), Arc::new(message));
        self.entries.push_back(Entry { ticket, message, offered: None, heard: false, in_flight: false });
        evicted
    }

    fn evict(&mut self) {
        let heard = self.entries.iter().position(|entry| entry.heard && !entry.in_flight);
        self.remove(heard.unwrap_or(0));
    }

    fn remove(&mut self, index: usize) {
        if let Some(entry) = self.entries.remove(index) {
            self.bytes -= entry.message.size();
        }
    }

    /// What to do now. The caller is expected to do all of it.
    pub(super) fn due(&mut self, now: Mono) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.entries.is_empty() && matches!(self.mode, Mode::Shut { until } if until <= now) {
            self.mode = Mode::Probing;
            actions.push(Action::Probe);
        }
        let (window, patience) = match self.mode {
            Mode::Open => (WINDOW, HOLD),
            Mode::Trying => (1, Duration::ZERO),
            Mode::Shut { .. } | Mode::Probing => (0, Duration::ZERO),
        };
        let mut earlier: HashSet<&IncidentId> = HashSet::new();
        for entry in &mut self.entries {
            let behind = entry.message.incident().is_some_and(|incident| !earlier.insert(incident));
            let offered = *entry.offered.get_or_insert(now);
            if entry.in_flight {
                continue;
            }
            if !behind && self.in_flight < window {
                let (ticket, message) = (entry.ticket, Arc::clone(&entry.message));
                actions.push(Action::Store { ticket, message, again: entry.heard });
                entry.in_flight = true;
                entry.heard = true;
                self.in_flight += 1;
            } else if !entry.heard && offered + patience <= now {
                entry.heard = true;
                actions.push(Action::Tell(entry.ticket, Arc::clone(&entry.message)));
            }
        }
        actions
    }

    /// When [`Lane::due`] has something to do, unless something happens before.
    pub(super) fn deadline(&self) -> Option<Mono> {
        match self.mode {
            Mode::Open => {
                let unheard = self.entries.iter().find(|entry| !entry.heard)?;
                Some(unheard.offered.map_or_else(Mono::default, |offered| offered + HOLD))
            }
            Mode::Shut { until } if !self.entries.is_empty() => Some(until),
            Mode::Shut { .. } | Mode::Probing | Mode::Trying => None,
        }
    }

    /// An attempt to store ended.
    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome, now: Mono) {
        self.in_flight -= 1;
        self.learn(outcome, now);
        let Ok(index) = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket) else { return };
        match outcome {
            Outcome::Stored | Outcome::Refused => self.remove(index),
            Outcome::Failed | Outcome::Unsent => {
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.in_flight = false;
                    entry.heard = outcome == Outcome::Failed;
                }
            }
        }
    }

    /// What the end of an attempt says about the stream. Late news from before it was shut does not open it.
    fn learn(&mut self, outcome: Outcome, now: Mono) {
        let works = matches!(outcome, Outcome::Stored | Outcome::Refused);
        match self.mode {
            Mode::Open | Mode::Trying if works => {
                self.mode = Mode::Open;
                self.backoff = Backoff::default();
                self.rejections = 0;
            }
            Mode::Open => self.mode = Mode::Shut { until: now + self.backoff.next_pause() },
            Mode::Trying => {
                let pause =
                    REJECTED_FLOOR.saturating_mul(2_u32.saturating_pow(self.rejections)).min(REJECTED_CAP);
                self.rejections = self.rejections.saturating_add(1);
                self.mode = Mode::Shut { until: now + pause };
            }
            Mode::Shut { .. } | Mode::Probing => {}
        }
    }

    /// Whether the stream answers, as asked for by [`Action::Probe`].
    pub(super) fn probed(&mut self, answers: bool, now: Mono) {
        if self.mode == Mode::Probing {
            self.mode =
                if answers { Mode::Trying } else { Mode::Shut { until: now + self.backoff.next_pause() } };
        }
    }

    /// A copy to be heard could not be sent.
    pub(super) fn untold(&mut self, ticket: Ticket) {
        if let Ok(index) = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket)
            && let Some(entry) = self.entries.get_mut(index)
        {
            entry.heard = false;
        }
    }

    /// How many messages are not known to be stored.
    pub(super) fn unstored(&self) -> usize {
        self.entries.len()
    }

    /// How many messages nobody could hear yet.
    pub(super) fn unheard(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.heard).count()
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
