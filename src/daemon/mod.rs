//! What runs the engine: live in the daemon's one loop, or over a recording in virtual time.
//!
//! ```text
//! fleet --heard--> driver (owns the engine) --> dispatch --> publisher --> alert account
//!   ^                                            |    |
//!   +----------------- requests -----------------+    +--> log
//! lease --floor--> driver: whether anything is put out at all
//!                                       driver --watch<Snapshot>--> state (KV), embedders
//! ```

mod alerts;
mod dispatch;
mod doubts;
pub mod driver;
pub mod health;
pub mod replay;
mod start;

use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::engine::Policy;
use crate::metrics::Metrics;
use crate::model::ids::InstanceName;
use crate::model::snapshot::Snapshot;
use crate::nats::StartError;
use crate::nats::connect_error::ConnectError;
use crate::nats::fleet::Fleet;
use crate::nats::heard::Tap;
use crate::nats::lease::Duty;
use crate::nats::provision::Provisioning;
use crate::nats::publish::{Publisher, Unflushed};
use crate::nats::rights::{Lack, Rights};
use crate::outbox::OutboxStatus;
use crate::wire::advisory::PrefixError;
use dispatch::Dispatch;
use health::{Pulse, Readiness};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long stopping may take to have everything stored.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The subject prefix cannot be used.
    #[error("alerts.subject_prefix")]
    Prefix(#[from] PrefixError),
    /// The connection to the alert account cannot even be tried.
    #[error("the connection to the alert account")]
    Alerts(#[source] Box<ConnectError>),
    /// No system-account connection can be made, and waiting would not help.
    #[error("the connections to the system account")]
    System(#[from] StartError),
}

/// A running gatewatch. Dropping it ends it too, without waiting until all is stored: see [`Daemon::stop`].
#[derive(Debug)]
pub struct Daemon {
    clock: Clock,
    metrics: Arc<Metrics>,
    rights: Arc<Rights>,
    snapshot: watch::Receiver<Option<Snapshot>>,
    provisioning: watch::Receiver<Provisioning>,
    duty: watch::Receiver<Duty>,
    readiness: watch::Receiver<Readiness>,
    pulse: Pulse,
    outbox: Option<watch::Receiver<OutboxStatus>>,
    publisher: Publisher,
    driver: JoinHandle<Dispatch>,
    fleet: Fleet,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Dropped once everything is stored: others may speak then.
    leaving: DropGuard,
    /// Ends what keeps the state: after everything else, so that what it stores last is the last there is.
    state_shutdown: CancellationToken,
    state: JoinHandle<()>,
    _running: [DropGuard; 2],
}

impl Daemon {
    /// Connects and watches. Returns once a first system-account connection is made; the alert account may come later.
    ///
    /// # Errors
    /// [`RunError`], only for what a person must mend. What may pass is waited for and logged.
    pub async fn start(settings: Settings) -> Result<Self, RunError> {
        Self::start_with(settings, None).await
    }

    /// As [`Daemon::start`], copying everything that is heard to `tap`.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub async fn start_with(settings: Settings, tap: Option<Tap>) -> Result<Self, RunError> {
        start::start(settings, tap).await
    }

    /// All current truth; `None` before the first.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Option<Snapshot>> {
        self.snapshot.clone()
    }

    /// How far streams and bucket are provisioned.
    #[must_use]
    pub fn provisioning(&self) -> watch::Receiver<Provisioning> {
        self.provisioning.clone()
    }

    /// What this one may say, among several.
    #[must_use]
    pub fn duty(&self) -> watch::Receiver<Duty> {
        self.duty.clone()
    }

    /// Whether this process does its work. It is judged once a second.
    #[must_use]
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.clone()
    }

    /// The beat of the one loop: when it stands still, everything does.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// What our users may not do though they should, with what is lost without it; empty when all is well.
    #[must_use]
    pub fn lacks(&self) -> watch::Receiver<Vec<Lack>> {
        self.rights.lacks()
    }

    /// Whether what is published is on disk before it is sent; `None` when there is no directory for it.
    #[must_use]
    pub fn outbox(&self) -> Option<watch::Receiver<OutboxStatus>> {
        self.outbox.clone()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The clock by which everything is stamped.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Stops, in this order: no more verdicts; everything published is stored, for at most five seconds; the state as it is then is
    /// stored, for at most two; the connections end.
    ///
    /// # Errors
    /// [`Unflushed`] says what is not known to be stored.
    pub async fn stop(self) -> Result<(), Unflushed> {
        self.shutdown.cancel();
        // A driver that panicked has nothing left to hand on.
        drop(self.driver.await);
        self.fleet.stop().await;
        let flushed = self.publisher.flush(FLUSH_WITHIN).await;
        drop(self.publisher);
        self.state_shutdown.cancel();
        // Whoever takes the lease over then finds the last state.
        drop(self.state.await);
        drop(self.leaving);
        self.tasks.close();
        self.tasks.wait().await;
        flushed
    }
}

/// The engine's numbers from the settings; what the settings do not offer keeps its default.
#[must_use]
pub fn policy(settings: &Settings) -> Policy {
    let detect = &settings.detect;
    Policy {
        instance: InstanceName::from(settings.instance.name.as_str()),
        beat_period: detect.beat_period,
        confirm_beats: detect.confirm_beats.get(),
        latency_slack: detect.latency_slack,
        latency_ceiling: detect.latency_ceiling,
        alert_after: detect.alert_after,
        clear_after: detect.clear_after,
        join_grace: detect.join_grace,
        checks: settings.checks.clone(),
        expect: settings.expect.clone(),
        probe: settings.probe.enabled,
        probe_every: settings.probe.every,
        ask_jetstream: settings.survey.jetstream_every.is_some(),
        ask_interest: settings.survey.interest_every.is_some(),
        ..Policy::default()
    }
}
