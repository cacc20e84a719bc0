//! Puts a daemon together: every task, and the channels between them.
//!
//! In this order: the way to the alert account, what is published through it, what is heard of the supercluster, the right to speak, the
//! state, our own health, and last the driver, which then finds everything in place.

use super::alerts::Follower;
use super::dispatch::Dispatch;
use super::doubts::Doubts;
use super::driver::{Driver, Wires};
use super::health::{Monitor, Pulse, Readiness, Refusal};
use super::{Daemon, RunError, policy};
use crate::clock::Clock;
use crate::config::settings::{DetectSettings, Settings};
use crate::engine::Policy;
use crate::metrics::Metrics;
use crate::model::health::OwnNews;
use crate::model::incident::Memory;
use crate::model::intent::{Forget, ForgetOutcome, Wish};
use crate::model::probe::ProbeReport;
use crate::model::snapshot::Snapshot;
use crate::nats::connect::{Role, connect};
use crate::nats::fleet::{Fleet, Wiring};
use crate::nats::heard::{Heard, Request, Tap, relay_probes};
use crate::nats::lease::{Duty, Floor, Hearing, LeaseKeeper, floor};
use crate::nats::probe::Prober;
use crate::nats::provision::{Keeper, Provisioning};
use crate::nats::publish::{Publisher, PublisherParts, publisher};
use crate::nats::rights::Rights;
use crate::nats::state::{Listener, StateKeeper};
use crate::nats::voices::{PING_EVERY, Voices, VoicesParts, VoicesTask};
use crate::outbox::{Left, Outbox, OutboxStatus};
use crate::wire::advisory::Advisories;
use async_nats::Client;
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

/// What every part needs.
struct Base {
    settings: Settings,
    clock: Clock,
    metrics: Arc<Metrics>,
    rights: Arc<Rights>,
    advisories: Advisories,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// The way to the alert account.
struct AlertAccount {
    client: Client,
    connected: watch::Receiver<bool>,
    refused: watch::Receiver<Refusal>,
    /// Whether a stream or bucket was found to be missing.
    missing: Arc<Notify>,
    provisioning: watch::Receiver<Provisioning>,
}

/// What publishes.
struct Publishing {
    voices: Voices,
    publisher: Publisher,
    outbox: Option<watch::Receiver<OutboxStatus>>,
    /// What a former life left on disk, and later what it left in the bucket.
    memories: mpsc::Sender<Memory>,
    memory: mpsc::Receiver<Memory>,
}

/// What hears of the supercluster.
struct Watching {
    fleet: Fleet,
    prober: Prober,
    requests: mpsc::Sender<Request>,
    heard: mpsc::Receiver<Heard>,
}

/// The right to speak.
struct Right {
    floor: Floor,
    duty: watch::Receiver<Duty>,
    /// Gives the lease up when dropped.
    leaving: DropGuard,
}

/// What people want, and what became of it.
struct Wishes {
    wishes: mpsc::Receiver<Wish>,
    outcomes: mpsc::Sender<(Forget, ForgetOutcome)>,
}

/// Our own health.
struct Health {
    own: mpsc::Receiver<OwnNews>,
    pulse: Pulse,
    readiness: watch::Receiver<Readiness>,
}

/// Starts everything.
pub(super) async fn start(settings: Settings, tap: Option<Tap>) -> Result<Daemon, RunError> {
    let base = Base::new(settings)?;
    // An error ends what was begun, and so does whoever drops the daemon.
    let state_shutdown = CancellationToken::new();
    let running = [base.shutdown.clone().drop_guard(), state_shutdown.clone().drop_guard()];

    let (current, snapshot) = watch::channel(None);
    let account = base.alert_account().await?;
    let publishing = base.publishing(&account, &snapshot).await;
    let watching = base.watching(tap, &publishing.voices).await?;
    let right = base.contend(&account.client);
    let wished = base.listen(&account.client, &right.duty);
    let state = base.keep_state(&account, &publishing, &snapshot, &right.duty, &state_shutdown);
    let health = base.monitor(&account, &publishing, &snapshot);

    let wires = Wires {
        clock: base.clock,
        heard: watching.heard,
        memory: publishing.memory,
        wishes: wished.wishes,
        floor: right.floor,
        own: health.own,
        pulse: health.pulse.clone(),
        metrics: Arc::clone(&base.metrics),
        snapshot: current,
    };
    let sink = Dispatch {
        requests: watching.requests,
        prober: watching.prober,
        publisher: publishing.publisher.clone(),
        voices: publishing.voices,
        advisories: base.advisories,
        metrics: Arc::clone(&base.metrics),
        outcomes: wished.outcomes,
        hushed: None,
        plans: BTreeMap::new(),
        doubts: Doubts::default(),
    };
    let policy = Policy { silences_within: SILENCES_WITHIN, ..policy(&base.settings) };
    let driver = tokio::spawn(Driver::new(policy, wires, sink).run(base.shutdown.child_token()));
    Ok(Daemon {
        clock: base.clock,
        metrics: base.metrics,
        rights: base.rights,
        snapshot,
        provisioning: account.provisioning,
        duty: right.duty,
        readiness: health.readiness,
        pulse: health.pulse,
        outbox: publishing.outbox,
        publisher: publishing.publisher,
        driver,
        fleet: watching.fleet,
        tasks: base.tasks,
        shutdown: base.shutdown,
        leaving: right.leaving,
        state_shutdown,
        state,
        _running: running,
    })
}

impl Base {
    fn new(settings: Settings) -> Result<Self, RunError> {
        let metrics = Arc::<Metrics>::default();
        Ok(Self {
            clock: Clock::start(),
            rights: Rights::new(&settings.names(), Arc::clone(&metrics)),
            advisories: Advisories::new(&settings.alerts.subject_prefix, &settings.instance.name)?,
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            metrics,
            settings,
        })
    }

    /// Connects, and sees to streams and buckets.
    async fn alert_account(&self) -> Result<AlertAccount, RunError> {
        let alerts = &self.settings.alerts;
        let (events, connection_events) = mpsc::channel(CONNECTION_EVENTS);
        let role = Role { ping_interval: PING_EVERY, ..Role::new(&self.settings.instance.name, "alerts") };
        let client = connect(&alerts.connection, &role, events).await;
        let client = client.map_err(|error| RunError::Alerts(error.into()))?;
        let ((connects, connected), (refuses, refused)) = (watch::channel(false), watch::channel(None));
        let follower = Follower {
            client: client.clone(),
            connection: role.connection_name(),
            events: connection_events,
            rights: Arc::clone(&self.rights),
            clock: self.clock,
            connected: connects,
            refused: refuses,
        };
        self.tasks.spawn(follower.run(self.shutdown.child_token()));
        let missing = Arc::new(Notify::new());
        let (progress, provisioning) = watch::channel(Provisioning::default());
        let keeper = Keeper {
            client: client.clone(),
            settings: alerts.clone(),
            missing: Arc::clone(&missing),
            progress,
            metrics: Arc::clone(&self.metrics),
        };
        self.tasks.spawn(keeper.run(self.shutdown.child_token()));
        Ok(AlertAccount { client, connected, refused, missing, provisioning })
    }

    /// Opens the outbox, and publishes what is handed over.
    async fn publishing(
        &self,
        account: &AlertAccount,
        snapshot: &watch::Receiver<Option<Snapshot>>,
    ) -> Publishing {
        let voices = VoicesParts {
            home: account.client.clone(),
            snapshot: snapshot.clone(),
            provisioning: account.provisioning.clone(),
            noticed_within: noticed_within(&self.settings.detect),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock,
        };
        let voices = Voices::new(voices, &self.settings.alerts);
        let (outbox, left) = match &self.settings.outbox.directory {
            Some(directory) => {
                let (outbox, left) = Outbox::open(directory, self.clock).await;
                (Some(outbox), left)
            }
            None => (None, Left::default()),
        };
        let status = outbox.as_ref().map(Outbox::status);
        log_left(status.as_ref(), &left);
        let (memories, memory) = mpsc::channel(MEMORIES);
        // There is room: it is the first. The engine takes it in before anything that is heard.
        let _ = memories.send(left.memory).await;
        let parts = PublisherParts {
            voices: voices.clone(),
            missing: Arc::clone(&account.missing),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock,
            outbox,
            left: left.messages,
            max_bytes: usize::try_from(self.settings.outbox.max_bytes.get()).unwrap_or(usize::MAX),
        };
        let (publisher, publishing) = publisher(parts, &self.settings.alerts);
        self.tasks.spawn(publishing.run());
        Publishing { voices, publisher, outbox: status, memories, memory }
    }

    /// Connects into the clusters. Returns once a first connection is made.
    async fn watching(&self, tap: Option<Tap>, voices: &Voices) -> Result<Watching, RunError> {
        let (heard_by_driver, heard) = mpsc::channel(HEARD);
        let (requests, requested) = mpsc::channel(REQUESTS);
        let (reports, probed) = mpsc::channel::<ProbeReport>(PROBED);
        let prober = Prober::start(&self.settings.probe, self.clock, &self.metrics, reports);
        let (driver, metrics) = (heard_by_driver.downgrade(), Arc::clone(&self.metrics));
        self.tasks.spawn(relay_probes(probed, driver, tap.clone(), metrics));
        let wiring = Wiring {
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            heard: heard_by_driver,
            requests: requested,
            rights: Arc::clone(&self.rights),
            tap,
            shutdown: self.shutdown.clone(),
        };
        let fleet = Fleet::start(&self.settings, wiring).await?;
        let speaking = VoicesTask::new(voices, &self.settings, fleet.places());
        self.tasks.spawn(speaking.run(self.shutdown.child_token()));
        Ok(Watching { fleet, prober, requests, heard })
    }

    /// Contends for the right to speak: until `shutdown` it hears others, and until it leaves it keeps the lease.
    fn contend(&self, client: &Client) -> Right {
        let leave = CancellationToken::new();
        let leaving = leave.clone().drop_guard();
        if !self.settings.lease.enabled {
            return Right { floor: Floor::always(), duty: watch::channel(Duty::Speaker).1, leaving };
        }
        let (usher, floor) = floor();
        let (changes, duty) = watch::channel(Duty::Standby);
        let advisories = self.advisories.clone();
        let hearing = Hearing { client: client.clone(), advisories, usher: usher.clone() };
        self.tasks.spawn(hearing.run(self.shutdown.child_token()));
        let keeper = LeaseKeeper {
            client: client.clone(),
            alerts: self.settings.alerts.clone(),
            lease: self.settings.lease.clone(),
            instance: self.settings.instance.name.clone(),
            usher,
            duty: changes,
            metrics: Arc::clone(&self.metrics),
            clock: self.clock,
        };
        self.tasks.spawn(keeper.run(leave));
        Right { floor, duty, leaving }
    }

    /// Listens to what people want.
    fn listen(&self, client: &Client, duty: &watch::Receiver<Duty>) -> Wishes {
        let ((wished, wishes), (outcomes, answers)) = (mpsc::channel(WISHES), mpsc::channel(WISHES));
        let listener = Listener {
            client: client.clone(),
            bucket: self.settings.alerts.bucket.clone(),
            duty: duty.clone(),
            wishes: wished,
            outcomes: answers,
            clock: self.clock,
        };
        self.tasks.spawn(listener.run(self.shutdown.child_token()));
        Wishes { wishes, outcomes }
    }

    /// Keeps the state in the bucket, until after everything else has ended.
    fn keep_state(
        &self,
        account: &AlertAccount,
        publishing: &Publishing,
        snapshot: &watch::Receiver<Option<Snapshot>>,
        duty: &watch::Receiver<Duty>,
        shutdown: &CancellationToken,
    ) -> JoinHandle<()> {
        let keeper = StateKeeper {
            client: account.client.clone(),
            bucket: self.settings.alerts.bucket.clone(),
            memory: publishing.memories.clone(),
            links: publishing.publisher.expected_links(),
            missing: Arc::clone(&account.missing),
            snapshots: snapshot.clone(),
            duty: duty.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock,
        };
        tokio::spawn(keeper.run(shutdown.child_token()))
    }

    /// Watches ourselves.
    fn monitor(
        &self,
        account: &AlertAccount,
        publishing: &Publishing,
        snapshot: &watch::Receiver<Option<Snapshot>>,
    ) -> Health {
        let ((news, own), pulse) = (mpsc::channel(OWN_NEWS), Pulse::default());
        let (told, readiness) = watch::channel(Readiness::default());
        let monitor = Monitor {
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            pulse: pulse.clone(),
            alerts: account.connected.clone(),
            refusals: account.refused.clone(),
            provisioning: account.provisioning.clone(),
            outbox: publishing.outbox.clone(),
            waiting: publishing.publisher.waiting(),
            snapshots: snapshot.clone(),
            news,
            readiness: told,
        };
        self.tasks.spawn(monitor.run(self.shutdown.child_token()));
        Health { own, pulse, readiness }
    }
}

/// How long a cut may go unnoticed, with room for a busy machine.
fn noticed_within(detect: &DetectSettings) -> Duration {
    BUSY + 2 * detect.beat_period * (detect.confirm_beats.get() + 1)
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
