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

use crate::clock::Clock;
use crate::config::settings::{DetectSettings, Settings};
use crate::engine::Policy;
use crate::metrics::Metrics;
use crate::model::ids::InstanceName;
use crate::model::snapshot::Snapshot;
use crate::nats::StartError;
use crate::nats::connect::{Role, connect};
use crate::nats::connect_error::ConnectError;
use crate::nats::fleet::{Fleet, Wiring};
use crate::nats::heard::{Tap, relay_probes};
use crate::nats::lease::{Duty, Floor, Hearing, LeaseKeeper, floor};
use crate::nats::probe::Prober;
use crate::nats::provision::{Keeper, Provisioning};
use crate::nats::publish::{Publisher, PublisherParts, Unflushed, publisher};
use crate::nats::rights::{Lack, Rights};
use crate::nats::state::{Listener, StateKeeper};
use crate::nats::voices::{PING_EVERY, Voices, VoicesParts, VoicesTask};
use crate::outbox::{Left, Outbox, OutboxStatus};
use crate::wire::advisory::{Advisories, PrefixError};
use alerts::Follower;
use async_nats::Client;
use dispatch::Dispatch;
use doubts::Doubts;
use driver::{Driver, Wires};
use health::{Monitor, Pulse, Readiness};
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
/// What this process finds out about itself on its way to the driver. When it is full, it is left out: the next is as good.
const OWN_NEWS: usize = 4;
/// Memories on their way to the driver: that of the disk, then that of the bucket.
const MEMORIES: usize = 2;
/// How long after the start the first incidents wait for the list of silences, so that none of them pages in spite of one.
const SILENCES_WITHIN: Duration = Duration::from_secs(5);
/// What a busy machine may add to the time in which a cut is noticed.
const BUSY: Duration = Duration::from_secs(4);
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
        let advisories = Advisories::new(&settings.alerts.subject_prefix, &settings.instance.name)?;
        let (clock, metrics) = (Clock::start(), Arc::<Metrics>::default());
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        // An error ends what was begun, and so does whoever drops the daemon.
        let state_shutdown = CancellationToken::new();
        let running = [shutdown.clone().drop_guard(), state_shutdown.clone().drop_guard()];

        let (events, connection_events) = mpsc::channel(CONNECTION_EVENTS);
        let role = Role { ping_interval: PING_EVERY, ..Role::new(&settings.instance.name, "alerts") };
        let client = connect(&settings.alerts.connection, &role, events)
            .await
            .map_err(|error| RunError::Alerts(error.into()))?;
        let ((connected, alerts), (refused, refusals)) = (watch::channel(false), watch::channel(None));
        let rights = Rights::new(&settings.names(), Arc::clone(&metrics));
        let follower = Follower {
            client: client.clone(),
            connection: role.connection_name(),
            events: connection_events,
            rights: Arc::clone(&rights),
            clock,
            connected,
            refused,
        };
        tasks.spawn(follower.run(shutdown.child_token()));
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
        let (current, snapshot) = watch::channel(None);
        let voices = VoicesParts {
            home: client.clone(),
            snapshot: snapshot.clone(),
            provisioning: provisioning.clone(),
            noticed_within: noticed_within(&settings.detect),
            metrics: Arc::clone(&metrics),
            clock,
        };
        let voices = Voices::new(voices, &settings.alerts);
        let (memories, memory) = mpsc::channel(MEMORIES);
        let (outbox, left) = match &settings.outbox.directory {
            Some(directory) => {
                let (outbox, left) = Outbox::open(directory, clock).await;
                (Some(outbox), left)
            }
            None => (None, Left::default()),
        };
        let status = outbox.as_ref().map(Outbox::status);
        log_left(status.as_ref(), &left);
        // There is room: it is the first. The engine takes it in before anything that is heard.
        let _ = memories.send(left.memory).await;
        let parts = PublisherParts {
            voices: voices.clone(),
            missing: Arc::clone(&missing),
            metrics: Arc::clone(&metrics),
            clock,
            outbox,
            left: left.messages,
            max_bytes: usize::try_from(settings.outbox.max_bytes.get()).unwrap_or(usize::MAX),
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
            rights: Arc::clone(&rights),
            tap,
            shutdown: shutdown.clone(),
        };
        let fleet = Fleet::start(&settings, wiring).await?;
        let speaking = VoicesTask::new(&voices, &settings, fleet.places());
        tasks.spawn(speaking.run(shutdown.child_token()));
        let ((wished, wishes), (outcomes, answers)) = (mpsc::channel(WISHES), mpsc::channel(WISHES));
        let leave = CancellationToken::new();
        let leaving = leave.clone().drop_guard();
        let (floor, duty) =
            contend(&settings, &client, &advisories, &metrics, clock, &tasks, (&shutdown, leave));
        let listener = Listener {
            client: client.clone(),
            bucket: settings.alerts.bucket.clone(),
            duty: duty.clone(),
            wishes: wished,
            outcomes: answers,
            clock,
        };
        tasks.spawn(listener.run(shutdown.child_token()));
        let keeper = StateKeeper {
            client,
            bucket: settings.alerts.bucket.clone(),
            memory: memories,
            links: publisher.expected_links(),
            missing,
            snapshots: snapshot.clone(),
            duty: duty.clone(),
            metrics: Arc::clone(&metrics),
            clock,
        };
        let state = tokio::spawn(keeper.run(state_shutdown.child_token()));
        let ((news, own), pulse) = (mpsc::channel(OWN_NEWS), Pulse::default());
        let (told, readiness) = watch::channel(Readiness::default());
        let monitor = Monitor {
            clock,
            metrics: Arc::clone(&metrics),
            pulse: pulse.clone(),
            alerts,
            refusals,
            provisioning: provisioning.clone(),
            outbox: status.clone(),
            waiting: publisher.waiting(),
            snapshots: snapshot.clone(),
            news,
            readiness: told,
        };
        tasks.spawn(monitor.run(shutdown.child_token()));
        let (pulse_of_driver, counts) = (pulse.clone(), Arc::clone(&metrics));
        let wires = Wires {
            clock,
            heard,
            memory,
            wishes,
            floor,
            own,
            pulse: pulse_of_driver,
            metrics: counts,
            snapshot: current,
        };
        let sink = Dispatch {
            requests,
            prober,
            publisher: publisher.clone(),
            voices,
            advisories,
            metrics: Arc::clone(&metrics),
            outcomes,
            hushed: None,
            plans: BTreeMap::new(),
            doubts: Doubts::default(),
        };
        let policy = Policy { silences_within: SILENCES_WITHIN, ..policy(&settings) };
        let driver = tokio::spawn(Driver::new(policy, wires, sink).run(shutdown.child_token()));
        Ok(Self {
            clock,
            metrics,
            rights,
            snapshot,
            provisioning,
            duty,
            readiness,
            pulse,
            outbox: status,
            publisher,
            driver,
            fleet,
            tasks,
            shutdown,
            leaving,
            state_shutdown,
            state,
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

/// Contends for the right to speak: until `shutdown` it hears others, and until `leave` it keeps the lease.
fn contend(
    settings: &Settings,
    client: &Client,
    advisories: &Advisories,
    metrics: &Arc<Metrics>,
    clock: Clock,
    tasks: &TaskTracker,
    (shutdown, leave): (&CancellationToken, CancellationToken),
) -> (Floor, watch::Receiver<Duty>) {
    if !settings.lease.enabled {
        return (Floor::always(), watch::channel(Duty::Speaker).1);
    }
    let (usher, floor) = floor();
    let (changes, duty) = watch::channel(Duty::Standby);
    let hearing = Hearing { client: client.clone(), advisories: advisories.clone(), usher: usher.clone() };
    tasks.spawn(hearing.run(shutdown.child_token()));
    let keeper = LeaseKeeper {
        client: client.clone(),
        alerts: settings.alerts.clone(),
        lease: settings.lease.clone(),
        instance: settings.instance.name.clone(),
        usher,
        duty: changes,
        metrics: Arc::clone(metrics),
        clock,
    };
    tasks.spawn(keeper.run(leave));
    (floor, duty)
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

fn log_left(status: Option<&watch::Receiver<OutboxStatus>>, left: &Left) {
    match status.map(|status| status.borrow().clone()) {
        None => tracing::warn!(
            "there is no home directory, so nothing is kept on disk: alerts that JetStream has not stored yet are lost with this process; \
             set outbox.directory"
        ),
        Some(OutboxStatus::Working) => {
            let (waiting, incidents) = (left.messages.len(), left.memory.incidents.len());
            tracing::info!(waiting, incidents, "the outbox is open");
        }
        // It has been said.
        Some(OutboxStatus::Opening | OutboxStatus::Away(_)) => {}
    }
}

/// How long a cut may go unnoticed, with room for a busy machine.
fn noticed_within(detect: &DetectSettings) -> Duration {
    BUSY + 2 * detect.beat_period * (detect.confirm_beats.get() + 1)
}
