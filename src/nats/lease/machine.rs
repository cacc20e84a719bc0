//! Who speaks, given what the lease's store answers and when: pure.
//!
//! ```text
//!             won                        lapsed: not renewed in time
//! Standby ------------> Speaker ------------------------------------> Standby
//!    |  ^                  ^                                             |
//!    |  +-- an answer -----+------------- Open <-------------------------+
//!    +--------------------------------->        the store failed to answer for `open_after`
//! ```
//!
//! The lease is one record, written by compare-and-set only. Its holder counts its time from the moment *before* the winning write was
//! sent, so it lapses here before it can have expired anywhere else; it needs no answer, and no clock but its own, to know that. Others
//! take it once the store has dropped it, or once they themselves have seen it unchanged for its whole time: so it also passes on where
//! the store keeps records for longer.
//!
//! `Open` is for when nobody can tell who holds it: then each speaks. Only attempts that were made and failed lead there, never time
//! that has merely passed: a process that was stopped for a minute has not found the store silent.

use crate::model::time::Mono;
use std::time::Duration;

/// What a gatewatch may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// Another one speaks, or it is not known yet who does.
    Standby,
    /// It holds the lease.
    Speaker,
    /// The lease cannot be reached: each speaks.
    Open,
}

impl Duty {
    /// Whether it publishes.
    #[must_use]
    pub const fn speaks(self) -> bool {
        match self {
            Self::Speaker | Self::Open => true,
            Self::Standby => false,
        }
    }

    /// As one word.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Speaker => "speaker",
            Self::Open => "open",
        }
    }
}

/// All spans, from the one that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long the lease holds without being renewed.
    pub ttl: Duration,
    /// Time between two renewals.
    pub renew: Duration,
    /// Time between two looks of who does not hold it.
    pub look: Duration,
    /// How long an answer may take.
    pub within: Duration,
    /// For how long attempts must have failed until each speaks.
    pub open_after: Duration,
    /// How long before its end the holder gives it up: for clocks that do not run alike, and for what is on its way out.
    pub margin: Duration,
}

impl Timing {
    /// The spans that go with this time to live.
    #[must_use]
    pub fn of(ttl: Duration) -> Self {
        Self {
            ttl,
            renew: ttl / 3,
            look: ttl / 6,
            within: ttl / 3,
            open_after: ttl * 2 / 3,
            margin: ttl / 10,
        }
    }
}

/// Something to ask of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Read who holds it.
    Look,
    /// Write our record, if the last one has this revision; zero is none at all.
    Claim(u64),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is no record.
    Free,
    /// There is one, by this holder.
    Held(u64, Holder),
    /// Our record was written, with this revision.
    Won(u64),
    /// Another one was faster.
    Lost,
    /// No answer, or none that helps.
    Failed,
}

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// This process.
    Own,
    /// Another one.
    Other,
    /// One that has given it up.
    Nobody,
}

/// The state of one contender.
#[derive(Debug)]
pub(super) struct Machine {
    timing: Timing,
    /// The revision of our record, and until when it makes us the speaker.
    held: Option<(u64, Mono)>,
    /// The record of another, and when it was first seen.
    seen: Option<(u64, Mono)>,
    /// Until when another has spoken for all we know: it would have renewed by then.
    others_until: Mono,
    /// The first of the failures that no answer has interrupted: when it was sent; and when the last one ended.
    failing: Option<(Mono, Mono)>,
    /// Until when it is open.
    open_until: Mono,
    /// What was asked and not answered, and when.
    asked: Option<(Action, Mono)>,
    /// What to ask next, and when.
    next: (Action, Mono),
}

impl Machine {
    pub(super) fn new(timing: Timing, now: Mono) -> Self {
        Self {
            timing,
            held: None,
            seen: None,
            others_until: Mono::default(),
            failing: None,
            open_until: Mono::default(),
            asked: None,
            next: (Action::Look, now),
        }
    }

    /// Until when it may speak, unless it hears something else before; a moment that has passed when it may not.
    pub(super) fn speaks_until(&self) -> Mono {
        self.held.map_or(Mono::default(), |(_, until)| until).max(self.open_until)
    }

    pub(super) fn duty(&self, now: Mono) -> Duty {
        match self.held {
            Some((_, until)) if now < until => Duty::Speaker,
            Some(_) | None if now < self.open_until => Duty::Open,
            Some(_) | None => Duty::Standby,
        }
    }

    /// What happened since then nobody has told of, if nobody speaks now.
    pub(super) fn untold_since(&self) -> Mono {
        self.others_until
    }

    /// What to ask now. It counts as sent at `now`, which must have been read before it is.
    pub(super) fn due(&mut self, now: Mono) -> Option<Action> {
        let (action, at) = self.next;
        if self.asked.is_some() || now < at {
            return None;
        }
        // A lease that has lapsed is contended for anew: it may have passed to another and back since.
        let action = match (action, self.duty(now)) {
            (Action::Claim(revision), Duty::Standby | Duty::Open) if self.is_own(revision) => Action::Look,
            (action, Duty::Standby | Duty::Speaker | Duty::Open) => action,
        };
        self.asked = Some((action, now));
        Some(action)
    }

    /// When there is something to ask, unless an answer is awaited.
    pub(super) fn wake(&self) -> Mono {
        self.next.1
    }

    /// What is needed to give it up: the revision of our record.
    pub(super) fn held(&self) -> Option<u64> {
        self.held.map(|(revision, _)| revision)
    }

    /// Takes the answer to what was asked.
    pub(super) fn answered(&mut self, answer: Answer, now: Mono) {
        let Some((action, sent)) = self.asked.take() else { return };
        if answer == Answer::Failed {
            return self.failed(sent, now);
        }
        let timing = self.timing;
        match answer {
            Answer::Won(revision) => {
                self.settled();
                self.held = Some((revision, sent + (timing.ttl - timing.margin)));
                self.seen = None;
                self.next = (Action::Claim(revision), sent + timing.renew);
            }
            // A store may be able to read and not to write, as one without a quorum: only what is written shows that it is whole.
            Answer::Free => self.claim(0, now),
            // Written by us, though we never heard so: its time is not known, so it is written anew.
            Answer::Held(revision, Holder::Own) => {
                self.held = self.held.filter(|(_, until)| now < *until);
                self.claim(revision, now);
            }
            Answer::Held(revision, Holder::Nobody) => {
                self.held = None;
                self.claim(revision, now);
            }
            Answer::Held(revision, Holder::Other) => {
                self.held = None;
                let since = match self.seen {
                    Some((seen, since)) if seen == revision => since,
                    Some(_) | None => now,
                };
                self.seen = Some((revision, since));
                self.others_until = since + timing.renew;
                if now.since(since) >= timing.ttl {
                    self.claim(revision, now);
                } else {
                    self.settled();
                    self.next = (Action::Look, sent + timing.look);
                }
            }
            Answer::Lost => {
                // Whoever renews has lost it; whoever merely tried looks at once who has it.
                self.settled();
                self.held = None;
                self.next = (Action::Look, now);
            }
            Answer::Failed => debug_assert!(false, "handled above, asked {action:?}"),
        }
    }

    /// Whether the store has failed, and nothing has shown since that it is whole.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    fn settled(&mut self) {
        self.failing = None;
        self.open_until = Mono::default();
    }

    fn claim(&mut self, over: u64, now: Mono) {
        self.next = (Action::Claim(over), now);
    }

    fn is_own(&self, revision: u64) -> bool {
        self.held.is_some_and(|(own, _)| own == revision)
    }

    fn failed(&mut self, sent: Mono, now: Mono) {
        let timing = self.timing;
        // What was asked may have been done. Only a look tells.
        self.next = (Action::Look, now.max(sent + timing.look) + timing.within / 20);
        // It waited for longer than it would have if it had run: that says nothing about the store.
        if now.since(sent) > timing.within * 2 {
            return self.settled();
        }
        let first = match self.failing {
            Some((first, last)) if now.since(last) <= timing.ttl => first,
            Some(_) | None => sent,
        };
        self.failing = Some((first, now));
        if now.since(first) >= timing.open_after {
            self.open_until = now + timing.ttl;
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
