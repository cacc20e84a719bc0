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
//!
//! A message that the stream may hold already though nobody here knows - a former life left it, or it was first tried longer ago than
//! the stream remembers ids - is looked up in the stream before it is sent to be stored again.

use super::message::Message;
use crate::model::incident::IncidentId;
use crate::model::time::Mono;
use crate::nats::backoff::Backoff;
use std::collections::{BTreeSet, HashSet, VecDeque};
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
/// How long a message that a former life left waits, perhaps unheard, for the stream to tell whether it has it. If it was heard, telling
/// it again would page for nothing.
const HOLD_LEFT: Duration = Duration::from_secs(4);

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
    /// Find out which of these the stream holds already.
    Check(Vec<(Ticket, Arc<Message>)>),
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
    /// A former life left it.
    left: bool,
    /// When it was first sent to be stored, as far as its end is not known.
    tried: Option<Mono>,
}

impl Entry {
    /// How long it waits unheard, in a mode that lets messages wait so long.
    fn patience(&self, usual: Duration) -> Duration {
        if self.left && !usual.is_zero() { HOLD_LEFT } else { usual }
    }

    /// Whether the stream may hold it and would not notice if it were stored a second time.
    fn is_doubtful(&self, remembered: Duration, now: Mono) -> bool {
        self.left || self.tried.is_some_and(|tried| now.since(tried) >= remembered)
    }
}

/// The messages for one stream, oldest first.
#[derive(Debug)]
pub(super) struct Lane {
    entries: VecDeque<Entry>,
    /// How many messages may wait. When it is full, the oldest that was heard already makes room, else the oldest.
    most: usize,
    bytes: usize,
    /// How long the stream surely remembers ids.
    remembered: Duration,
    checking: bool,
    issued: u64,
    in_flight: usize,
    mode: Mode,
    backoff: Backoff,
    rejections: u32,
}

impl Lane {
    pub(super) fn new(most: usize, duplicate_window: Duration) -> Self {
        Self {
            entries: VecDeque::new(),
            most,
            bytes: 0,
            // It counts from when a message was sent, not from when it was stored: the rest is for the time between.
            remembered: duplicate_window / 2,
            checking: false,
            issued: 0,
            in_flight: 0,
            mode: Mode::Open,
            backoff: Backoff::default(),
            rejections: 0,
        }
    }

    /// Takes a message in. Returns the one that had to make room for it, if there is no room for one more.
    pub(super) fn push(&mut self, message: Message) -> Option<Arc<Message>> {
        self.put(message, false, false)
    }

    /// Takes in a message that a former life left.
    pub(super) fn take_over(&mut self, message: Message, heard: bool) -> Option<Arc<Message>> {
        self.put(message, true, heard)
    }

    fn put(&mut self, message: Message, left: bool, heard: bool) -> Option<Arc<Message>> {
        let evicted = if self.entries.len() >= self.most { self.evict() } else { None };
        self.issued += 1;
        self.bytes += message.size();
        let (ticket, message) = (Ticket(self.issued), Arc::new(message));
        let entry = Entry { ticket, message, offered: None, heard, in_flight: false, left, tried: None };
        self.entries.push_back(entry);
        evicted
    }

    /// Gives one up to make room: the oldest that was heard, else the oldest.
    pub(super) fn evict(&mut self) -> Option<Arc<Message>> {
        let heard = self.entries.iter().position(|entry| entry.heard && !entry.in_flight);
        self.remove(heard.unwrap_or(0))
    }

    fn remove(&mut self, index: usize) -> Option<Arc<Message>> {
        let entry = self.entries.remove(index)?;
        self.bytes -= entry.message.size();
        Some(entry.message)
    }

    /// Bytes that wait, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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
        let remembered = self.remembered;
        if window > 0 && !self.checking {
            let doubtful = |entry: &&Entry| !entry.in_flight && entry.is_doubtful(remembered, now);
            let doubtful = self.entries.iter().filter(doubtful);
            let check: Vec<_> = doubtful.map(|entry| (entry.ticket, Arc::clone(&entry.message))).collect();
            if !check.is_empty() {
                self.checking = true;
                actions.push(Action::Check(check));
            }
        }
        let mut earlier: HashSet<&IncidentId> = HashSet::new();
        for entry in &mut self.entries {
            let behind = entry.message.incident().is_some_and(|incident| !earlier.insert(incident));
            let offered = *entry.offered.get_or_insert(now);
            if entry.in_flight {
                continue;
            }
            let doubtful = entry.is_doubtful(remembered, now);
            if !behind && !doubtful && self.in_flight < window {
                let (ticket, message) = (entry.ticket, Arc::clone(&entry.message));
                actions.push(Action::Store { ticket, message, again: entry.heard });
                entry.in_flight = true;
                entry.heard = true;
                entry.tried.get_or_insert(now);
                self.in_flight += 1;
            } else if !entry.heard && offered + entry.patience(patience) <= now {
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
                let unheard = self.entries.iter().filter(|entry| !entry.heard);
                let until =
                    |entry: &Entry| entry.offered.map_or_else(Mono::default, |at| at + entry.patience(HOLD));
                unheard.map(until).min()
            }
            Mode::Shut { until } if !self.entries.is_empty() => Some(until),
            Mode::Shut { .. } | Mode::Probing | Mode::Trying => None,
        }
    }

    /// An attempt to store ended. Returns the message if it waits no more.
    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome, now: Mono) -> Option<Arc<Message>> {
        self.in_flight -= 1;
        self.learn(outcome, now);
        let index = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket).ok()?;
        match outcome {
            Outcome::Stored | Outcome::Refused => self.remove(index),
            Outcome::Failed | Outcome::Unsent => {
                let entry = self.entries.get_mut(index)?;
                entry.in_flight = false;
                entry.heard = outcome == Outcome::Failed;
                None
            }
        }
    }

    /// These were looked up: which of them the stream holds, or `None` when that could not be found out. Returns those that wait no more.
    pub(super) fn checked(
        &mut self,
        asked: &[Ticket],
        held: Option<&BTreeSet<Ticket>>,
        now: Mono,
    ) -> Vec<Arc<Message>> {
        self.checking = false;
        let Some(held) = held else {
            if matches!(self.mode, Mode::Open | Mode::Trying) {
                self.mode = Mode::Shut { until: now + self.backoff.next_pause() };
            }
            return Vec::new();
        };
        let mut done = Vec::new();
        for ticket in asked {
            let Ok(index) = self.entries.binary_search_by_key(ticket, |entry| entry.ticket) else { continue };
            if held.contains(ticket) {
                done.extend(self.remove(index));
            } else if let Some(entry) = self.entries.get_mut(index) {
                entry.left = false;
                entry.tried = None;
            }
        }
        done
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
