//! Two kinds of time that are never converted into each other.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// A point on the process's monotonic clock: time since that clock was started.
///
/// Deadlines, latencies and "how long already" are computed on `Mono`; a jump of the wall clock cannot move them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub Duration);

impl Mono {
    /// A point `ms` milliseconds after the clock was started.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Mono {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

/// One reading of both clocks: `mono` to compute with, `wall` to show to people and to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time, for deadlines.
    pub mono: Mono,
    /// Wall-clock time (UTC), for people.
    pub wall: DateTime<Utc>,
}
