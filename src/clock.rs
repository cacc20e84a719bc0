//! The only reader of clocks. Everything else is handed a [`Now`] or asks a [`Clock`] it was given.

#![expect(clippy::disallowed_methods, reason = "this module is the one reader of clocks")]

use crate::model::time::{Mono, Now};
use std::time::{Duration, Instant};

/// Both clocks count as read at the same time when no more than this has passed in between.
const TOGETHER: Duration = Duration::from_millis(10);
/// How often reading them is repeated when this process did not run in between.
const ATTEMPTS: u32 = 8;

/// A monotonic clock with an origin, paired with the wall clock. Copies share the origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts a clock: its monotonic time is zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Reads both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let read = || {
            let before = self.mono();
            let wall = chrono::Utc::now();
            let now = Now { mono: self.mono(), wall };
            (now, now.mono.since(before) <= TOGETHER)
        };
        let (mut now, mut together) = read();
        for _ in 1..ATTEMPTS {
            if together {
                break;
            }
            (now, together) = read();
        }
        now
    }

    /// Reads the monotonic clock only.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono(self.origin.elapsed())
    }

    /// The instant to sleep until for a deadline on this clock, for [`tokio::time::sleep_until`].
    #[must_use]
    pub fn instant(&self, at: Mono) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.origin + at.0)
    }
}
