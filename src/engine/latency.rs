//! How long an answer may take on one path: adapts to the latency and jitter measured there.

use std::time::Duration;

/// Smoothed latency and deviation of one path, after the retransmission timer of RFC 6298.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Latency {
    smoothed: Option<Duration>,
    deviation: Duration,
}

impl Latency {
    /// Takes one measured latency in.
    pub(super) fn sample(&mut self, measured: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(measured);
                self.deviation = measured / 2;
            }
            Some(smoothed) => {
                self.deviation = (self.deviation * 3 + smoothed.abs_diff(measured)) / 4;
                self.smoothed = Some((smoothed * 7 + measured) / 8);
            }
        }
    }

    /// The smoothed latency; `None` before the first sample.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// How long an answer may take before it counts as missed: the smoothed latency and four deviations, but at least `slack`
    /// beyond the smoothed latency and never more than `ceiling`. A path without a sample is given four times the slack.
    pub(super) fn allowed(&self, slack: Duration, ceiling: Duration) -> Duration {
        match self.smoothed {
            None => slack * 4,
            Some(smoothed) => smoothed + slack.max(self.deviation * 4),
        }
        .min(ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: Duration = Duration::from_millis(150);
    const CEILING: Duration = Duration::from_secs(5);

    fn settled(ms: u64) -> Latency {
        let mut path = Latency::default();
        for _ in 0..100 {
            path.sample(Duration::from_millis(ms));
        }
        path
    }

    fn allowed(path: &Latency) -> u128 {
        path.allowed(SLACK, CEILING).as_millis()
    }

    #[test]
    fn a_quick_path_is_given_little_more_than_the_slack() {
        assert_eq!(allowed(&settled(3)), 153);
    }

    #[test]
    fn an_ocean_is_given_its_time() {
        assert!((449..=452).contains(&allowed(&settled(300))), "{}", allowed(&settled(300)));
    }

    #[test]
    fn one_slow_answer_widens_at_once_and_is_forgotten_within_seconds() {
        let mut path = settled(5);
        path.sample(Duration::from_secs(1));
        assert!(allowed(&path) > 1000);
        for _ in 0..20 {
            path.sample(Duration::from_millis(5));
        }
        assert!(allowed(&path) < 200, "{}", allowed(&path));
    }

    #[test]
    fn no_path_is_given_more_than_the_ceiling() {
        assert_eq!(allowed(&settled(60_000)), 5000);
    }
}
