//! How long to wait before the next attempt.

use std::time::Duration;

/// The shortest pause. Without one, a load balancer that accepts and closes would be dialled hundreds of times a second.
const FLOOR: Duration = Duration::from_millis(100);
/// The longest pause.
const CAP: Duration = Duration::from_secs(2);
/// The longest pause when only a person can help: no server should have to refuse the same login every other second.
const LONG_CAP: Duration = Duration::from_secs(15);

/// Pauses between attempts: none before the first, then doubling from [`FLOOR`] to [`CAP`], with up to half taken off at random so
/// that the vantages of many processes do not dial in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The pause before the next attempt.
    pub(super) fn next_pause(&mut self) -> Duration {
        self.next(CAP)
    }

    /// The pause before the next attempt, when time alone will hardly help.
    pub(super) fn next_long_pause(&mut self) -> Duration {
        self.next(LONG_CAP)
    }

    fn next(&mut self, cap: Duration) -> Duration {
        let pause = Self::pause(self.attempts, cap, super::inbox::random());
        self.attempts = self.attempts.saturating_add(1);
        pause
    }

    fn pause(attempt: u32, cap: Duration, random: u64) -> Duration {
        let Some(doublings) = attempt.checked_sub(1) else { return Duration::ZERO };
        let full = FLOOR.saturating_mul(2_u32.saturating_pow(doublings)).min(cap);
        let thousandths = u32::try_from(random % 501).unwrap_or(0);
        (full - full / 1000 * thousandths).max(FLOOR)
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, CAP, FLOOR, LONG_CAP};
    use std::time::Duration;

    #[test]
    fn the_first_attempt_is_made_at_once_and_later_ones_ever_more_slowly() {
        let pauses: Vec<u128> = (0..8).map(|attempt| Backoff::pause(attempt, CAP, 0).as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(Backoff::pause(9, LONG_CAP, 0), LONG_CAP);
    }

    #[test]
    fn chance_takes_off_at_most_half_and_never_goes_below_the_floor() {
        assert_eq!(Backoff::pause(u32::MAX, CAP, 500), CAP / 2);
        assert_eq!(Backoff::pause(1, CAP, 500), FLOOR);
    }

    #[test]
    fn a_new_backoff_starts_without_a_pause() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_pause(), Duration::ZERO);
        assert!(backoff.next_pause() >= FLOOR);
    }
}
