//! What runs the engine: live in the daemon's one loop, or over a recording in virtual time.
//!
//! ```text
//! fleet --heard--> driver (owns the engine) --> dispatch --> publisher --> alert account
//!   ^                                            |    |
//!   +----------------- requests -----------------+    +--> log
//!                                       driver --watch<Snapshot>--> state (KV), embedders
//! ```

mod dispatch;
mod doubts;
pub mod driver;
pub mod replay;

use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::engine::Policy;
use crate::metrics::Metrics;
use crate::model::snapshot::Snapshot;
use crate::nats::StartError;
use crate::nats::connect::{ConnectionEvent, Role, connect};
use crate::nats::connect_error::ConnectError;
use crate::nats::fleet::{Fleet, Wiring};
use crate::nats::heard::{Tap, relay_probes};
use crate::nats::probe::Prober;
use crate::nats::provision::{Keeper, Provisioning};
use crate::nats::publish::{Publisher, PublisherParts, Unflushed, publisher};
use crate::nats::state::{Listener, StateKeeper};
use crate::wire::advisory::{Advisories, PrefixError};
use dispatch::Dispatch;
use doubts::Doubts;
use driver::{Driver, Wires};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Happenings on their way to the driver. When it is full, readers wait 50 ms, then drop facts and tell of the gap.
const HEARD: usize = 8192;
/// Requests on their way to the connections. When it is full, looks are left out and plans are kept for the next turn.
const REQUESTS: usize = 256;
/// Events of the alert connection that wait to be logged. When it is full they are left out of the log.
const CONNECTION_EVENTS: usize = 64;
/// Findings at gateway addresses on their way to the driver. When it is full, no further address is looked at.
const PROBED: usize = 64;
/// Wishes on their way to the driver, and what became of them on the way back. When it is full, the one who reads the bucket waits,
/// and an answer is left out: the request is then found unanswered after the next start.
const WISHES: usize = 64;
/// How long after the start the first incidents wait for the list of silences, so that none of them pages in spite of one.
const SILENCES_WITHIN: Duration = Duration::from_secs(5);
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
    snapshot: watch::Receiver<Option<Snapshot>>,
    provisioning: watch::Receiver<Provisioning>,
    publisher: Publisher,
    driver: JoinHandle<Dispatch>,
    fleet: Fleet,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    _running: DropGuard,
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
        let advisories = Advisories::new(&settings.alerts.subject_prefix, &settings.instance.name)?;
        let (clock, metrics) = (Clock::start(), Arc::<Metrics>::default());
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        // An error ends what was begun, and so does whoever drops the daemon.
        let running = shutdown.clone().drop_guard();

        let (events, connection_events) = mpsc::channel(CONNECTION_EVENTS);
        let role = Role::new(&settings.instance.name, "alerts");
        let client = connect(&settings.alerts.connection, &role, events)
            .await
            .map_err(|error| RunError::Alerts(error.into()))?;
        tasks.spawn(log_events(connection_events));
        let missing = Arc::new(Notify::new());
        let (progress, provisioning) = watch::channel(Provisioning::default());
        let keeper = Keeper {
            client: client.clone(),
            settings: settings.alerts.clone(),
            missing: Arc::clone(&missing),
            progress,
            metrics: Arc::clone(&metrics),
        };
        tasks.spawn(keeper.run(shutdown.child_token()));
        let parts = PublisherParts {
            client: client.clone(),
            missing: Arc::clone(&missing),
            metrics: Arc::clone(&metrics),
            clock,
        };
        let (publisher, publishing) = publisher(parts, &settings.alerts);
        tasks.spawn(publishing.run());

        let (heard_by_driver, heard) = mpsc::channel(HEARD);
        let (requests, requested) = mpsc::channel(REQUESTS);
        let (reports, probed) = mpsc::channel(PROBED);
        let prober = Prober::start(&settings.probe, clock, &metrics, reports);
        let relay = relay_probes(probed, heard_by_driver.downgrade(), tap.clone(), Arc::clone(&metrics));
        tasks.spawn(relay);
        let wiring = Wiring {
            clock,
            metrics: Arc::clone(&metrics),
            heard: heard_by_driver,
            requests: requested,
            tap,
            shutdown: shutdown.clone(),
        };
        let fleet = Fleet::start(&settings, wiring).await?;
        let (current, snapshot) = watch::channel(None);
        let (memories, memory) = mpsc::channel(1);
        let ((wished, wishes), (outcomes, answers)) = (mpsc::channel(WISHES), mpsc::channel(WISHES));
        let listener = Listener {
            client: client.clone(),
            bucket: settings.alerts.bucket.clone(),
            wishes: wished,
            outcomes: answers,
            clock,
        };
        tasks.spawn(listener.run(shutdown.child_token()));
        let keeper = StateKeeper {
            client,
            bucket: settings.alerts.bucket.clone(),
            memory: memories,
            missing,
            snapshots: snapshot.clone(),
            metrics: Arc::clone(&metrics),
            clock,
        };
        tasks.spawn(keeper.run(shutdown.child_token()));
        let wires = Wires { clock, heard, memory, wishes, snapshot: current };
        let sink = Dispatch {
            requests,
            prober,
            publisher: publisher.clone(),
            advisories,
            metrics: Arc::clone(&metrics),
            outcomes,
            plans: BTreeMap::new(),
            doubts: Doubts::default(),
        };
        let policy = Policy { silences_within: SILENCES_WITHIN, ..policy(&settings) };
        let driver = tokio::spawn(Driver::new(policy, wires, sink).run(shutdown.child_token()));
        Ok(Self {
            clock,
            metrics,
            snapshot,
            provisioning,
            publisher,
            driver,
            fleet,
            tasks,
            shutdown,
            _running: running,
        })
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

    /// Stops: no more verdicts, then everything published is stored, for at most five seconds, then the connections end.
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

async fn log_events(mut events: mpsc::Receiver<ConnectionEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            ConnectionEvent::Connected => tracing::info!("connected to the alert account"),
            ConnectionEvent::Disconnected => tracing::warn!("connection to the alert account lost"),
            ConnectionEvent::LameDuck | ConnectionEvent::Closing => {
                tracing::info!("the server of the alert connection is about to leave");
            }
            ConnectionEvent::SlowConsumer(_) => {}
            ConnectionEvent::AttemptFailed(error) => {
                tracing::warn!(error, "no connection to the alert account");
            }
            ConnectionEvent::ServerError(error) => {
                tracing::warn!(error, "the alert account's server reports an error");
            }
        }
    }
}
