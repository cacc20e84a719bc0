//! How this process itself is doing: found out once a second, told to the engine, and kept for whoever asks whether we are ready.
//!
//! Owns the daemon's idea of ready and live. Judges no cluster; whether something is worth an incident is for the engine to say.
//!
//! ```text
//! driver --pulse--> monitor --news--> driver (incident `gatewatch_impaired`, snapshot)
//!                      |
//!                      +--watch<Readiness>--> sd_notify, embedders
//! ```

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::health::{Lack, OutboxHealth, OwnHealth, OwnNews, PublishingHealth};
use crate::model::snapshot::Snapshot;
use crate::model::states::VantageState;
use crate::model::time::{Mono, Now};
use crate::nats::provision::Provisioning;
use crate::outbox::OutboxStatus;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks in a row between which the driver may stand still. Counted in looks of our own, so a stall of the whole process does not count.
const STILL: u32 = 10;
/// How long a refusal of what was published counts.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// Moves of the wall clock from one turn to the next that are worth telling of. Slow corrections never add up to it.
const JUMP: TimeDelta = TimeDelta::seconds(2);
/// So many alerts and events that wait to be stored are more than a short outage of JetStream explains.
const GROWN: usize = 1_000;
/// How much of the words of a server is kept.
const MAX_WHY: usize = 200;

/// The beat of the one loop: how often it has turned. Copies share the count.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The loop has turned once more.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has turned.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether this process does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// What it lacks; empty when it is ready. Sorted.
    pub lacks: Vec<Lack>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { lacks: vec![Lack::Starting] }
    }
}

impl Readiness {
    /// Whether it watches, and can tell what it finds.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lacks.is_empty()
    }

    /// Whether it is worth waiting for; otherwise only starting it anew helps.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.lacks.contains(&Lack::Stuck)
    }
}

/// Finds out when the clock on the wall was set.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    /// When the monotonic clock was started, by the clock on the wall at the last look.
    began: Option<DateTime<Utc>>,
}

impl ClockWatch {
    /// By how much it was set since the last look.
    pub(super) fn look(&mut self, now: Now) -> Option<TimeDelta> {
        let began = now.wall - TimeDelta::from_std(now.mono.0).unwrap_or_default();
        let by = began - self.began.replace(began)?;
        (by.abs() >= JUMP).then_some(by)
    }
}

/// What a server said when it refused what was published, and when that was.
pub(super) type Refusal = Option<(Mono, String)>;

/// The task that looks.
pub(super) struct Monitor {
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pulse: Pulse,
    /// Whether the connection to the alert account is there.
    pub(super) alerts: watch::Receiver<bool>,
    pub(super) refusals: watch::Receiver<Refusal>,
    pub(super) provisioning: watch::Receiver<Provisioning>,
    /// How the outbox stands; `None` when there is none.
    pub(super) outbox: Option<watch::Receiver<OutboxStatus>>,
    /// How much waits to be stored.
    pub(super) waiting: watch::Receiver<usize>,
    pub(super) snapshots: watch::Receiver<Option<Snapshot>>,
    /// To the driver. When it is full the news are left out: the next are as good.
    pub(super) news: mpsc::Sender<OwnNews>,
    pub(super) readiness: watch::Sender<Readiness>,
}

impl Monitor {
    /// Looks until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.keep_looking()).await;
    }

    async fn keep_looking(&self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut turned, mut still, mut counted) = (self.pulse.count(), 0, Counted::of(&self.metrics));
        loop {
            looks.tick().await;
            let now = self.pulse.count();
            still = if std::mem::replace(&mut turned, now) == now { still + 1 } else { 0 };
            let before = std::mem::replace(&mut counted, Counted::of(&self.metrics));
            let lacks = self.lacks(still >= STILL);
            let health = OwnHealth {
                lacks: lacks.clone(),
                dropped: counted.unread - before.unread,
                outbox: self.outbox(),
                publishing: self.publishing(counted.given_up - before.given_up),
            };
            let _full = self.news.try_send(OwnNews::Health(health));
            self.tell(Readiness { lacks });
        }
    }

    fn tell(&self, readiness: Readiness) {
        self.readiness.send_if_modified(|before| {
            if *before == readiness {
                return false;
            }
            let lacks: Vec<&str> = readiness.lacks.iter().map(|lack| lack.token()).collect();
            if readiness.is_ready() {
                tracing::info!("ready");
            } else {
                tracing::warn!(?lacks, "not ready");
            }
            *before = readiness;
            true
        });
    }

    fn lacks(&self, stuck: bool) -> Vec<Lack> {
        let sees = {
            let snapshot = self.snapshots.borrow();
            match &*snapshot {
                None => Some(Lack::Starting),
                Some(snapshot) if snapshot.clusters.is_empty() => Some(Lack::Starting),
                Some(snapshot) if !hears(snapshot) => Some(Lack::Blind),
                Some(_) => None,
            }
        };
        let mute = (!*self.alerts.borrow()).then_some(Lack::Mute);
        let mut lacks: Vec<Lack> = stuck.then_some(Lack::Stuck).into_iter().chain(sees).chain(mute).collect();
        lacks.sort_unstable();
        lacks
    }

    fn outbox(&self) -> OutboxHealth {
        let status = self.outbox.as_ref().map(|status| status.borrow().clone());
        if let Some(OutboxStatus::Away(trouble)) = status {
            return OutboxHealth::Unavailable { why: trouble.to_string().chars().take(MAX_WHY).collect() };
        }
        let waiting = *self.waiting.borrow();
        if waiting < GROWN {
            return OutboxHealth::Fine;
        }
        OutboxHealth::Growing { waiting: u64::try_from(waiting).unwrap_or(u64::MAX) }
    }

    fn publishing(&self, given_up: u64) -> PublishingHealth {
        let refused = |why: &str| PublishingHealth::Refused { why: why.chars().take(MAX_WHY).collect() };
        if !*self.alerts.borrow() {
            return PublishingHealth::Away;
        }
        if let Some((at, why)) = &*self.refusals.borrow()
            && self.clock.mono().since(*at) < REFUSED_FOR
        {
            return refused(why);
        }
        if let Provisioning::Failing(error) = &*self.provisioning.borrow()
            && !error.is_transient()
        {
            return refused(&error.chain());
        }
        if given_up > 0 {
            return refused("alerts were given up before they were stored");
        }
        PublishingHealth::Fine
    }
}

/// Whether any connection of ours hears its cluster.
fn hears(snapshot: &Snapshot) -> bool {
    snapshot.vantages.iter().any(|vantage| vantage.state == VantageState::Sound)
}

/// Counters that only grow, at one moment.
struct Counted {
    unread: u64,
    given_up: u64,
}

impl Counted {
    fn of(metrics: &Metrics) -> Self {
        Self {
            unread: metrics.driver_full.get() + metrics.slow_consumer.get(),
            given_up: metrics.alerts_dropped.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(mono: u64, wall: i64) -> Now {
        Now { mono: Mono::from_millis(mono * 1_000), wall: DateTime::UNIX_EPOCH + TimeDelta::seconds(wall) }
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once_and_a_stall_is_no_jump() {
        let mut watch = ClockWatch::default();
        assert_eq!(watch.look(now(10, 1_010)), None);
        assert_eq!(watch.look(now(70, 1_070)), None, "both clocks went on while nothing ran");
        assert_eq!(watch.look(now(71, 4_671)), Some(TimeDelta::hours(1)));
        assert_eq!(watch.look(now(72, 4_672)), None);
        assert_eq!(watch.look(now(73, 1_073)), Some(TimeDelta::hours(-1)));
    }

    #[test]
    fn a_clock_that_is_corrected_slowly_never_jumps() {
        let mut watch = ClockWatch::default();
        for second in 0..10_000_u32 {
            let wall = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(i64::from(second) * 1_500);
            let mono = Mono::from_millis(u64::from(second) * 1_000);
            assert_eq!(watch.look(Now { mono, wall }), None);
        }
    }

    #[test]
    fn not_ready_is_not_dead() {
        let lacking = |lack| Readiness { lacks: vec![lack] };
        assert!(!lacking(Lack::Blind).is_ready() && lacking(Lack::Blind).is_live());
        assert!(!lacking(Lack::Stuck).is_ready() && !lacking(Lack::Stuck).is_live());
        assert!(!Readiness::default().is_ready() && Readiness::default().is_live());
    }
}
