//! One supercluster with JetStream for all tests of the store, names of their own for each, and things to publish.

use async_nats::{Client, Subscriber, jetstream};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::config::connection::{ConnectionSettings, Credentials, TlsSettings};
use gatewatch::config::secret::{Secret, SecretSource};
use gatewatch::config::settings::{AlertsSettings, Replicas};
use gatewatch::lab::{LabServer, Supercluster};
use gatewatch::metrics::Metrics;
use gatewatch::model::ids::{ClusterName, Link};
use gatewatch::model::incident::{Incident, IncidentEvent, IncidentKind, Scope, Severity, Stage, Subject};
use gatewatch::model::states::ClusterState;
use gatewatch::model::time::{Mono, Now};
use gatewatch::model::transition::{Change, Transition};
use gatewatch::nats::connect::{Role, connect};
use gatewatch::nats::provision::{Keeper, Provisioning};
use gatewatch::nats::publish::{Message, Publisher, PublisherParts, publisher};
use gatewatch::nats::voices::{Voices, VoicesParts};
use gatewatch::wire::advisory::{Advisories, Alert};
use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// East with three servers, west with one. Lives on a thread of its own, because tests come and go with their runtimes.
static SHARED: LazyLock<Arc<Supercluster>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let lab = Supercluster::builder().cluster("east", 3).cluster("west", 1).start().await.unwrap();
            lab.ready(Duration::from_secs(60)).await.unwrap();
            sender.send(Arc::new(lab)).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().expect("the shared supercluster starts")
});

pub(crate) async fn shared() -> Arc<Supercluster> {
    tokio::task::spawn_blocking(|| Arc::clone(&SHARED)).await.unwrap()
}

/// A place for one test: a connection, and settings whose names nobody else uses.
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) settings: AlertsSettings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) missing: Arc<Notify>,
}

impl Place {
    /// In the shared supercluster, at this server.
    pub(crate) async fn at(server: &str, name: &str) -> Self {
        let lab = shared().await;
        Self::with(&lab, lab.server(server).unwrap(), name).await
    }

    pub(crate) async fn with(lab: &Supercluster, server: &LabServer, name: &str) -> Self {
        let settings = settings(lab, server, name);
        let (events, _) = tokio::sync::mpsc::channel(16);
        let client = connect(&settings.connection, &Role::new("test", name), events).await.unwrap();
        let state = || client.connection_state() == async_nats::connection::State::Connected;
        eventually("the client connects", async || state().then_some(())).await;
        Self { client, settings, metrics: Arc::default(), missing: Arc::default() }
    }

    pub(crate) fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    /// Waits until a stream that was just made takes messages at this server.
    pub(crate) async fn until_stored(&self, subject: &str) {
        eventually("the stream takes a message", async || {
            let ack = self.jetstream().publish(subject.to_owned(), "x".into()).await.unwrap();
            ack.await.ok()
        })
        .await;
    }

    /// The bucket, ready to be written to.
    pub(crate) async fn bucket(&self) -> jetstream::kv::Store {
        let name = &self.settings.bucket;
        self.until_stored(&format!("$KV.{name}.ready")).await;
        self.jetstream().get_key_value(name).await.unwrap()
    }

    /// A running publisher.
    pub(crate) fn publisher(&self) -> Publisher {
        let parts = PublisherParts {
            voices: self.voices(),
            missing: Arc::clone(&self.missing),
            metrics: Arc::clone(&self.metrics),
            clock: Clock::start(),
            outbox: None,
            left: Vec::new(),
            max_bytes: 64 * 1024 * 1024,
        };
        let (publisher, task) = publisher(parts, &self.settings);
        tokio::spawn(task.run());
        publisher
    }

    /// The connection alone.
    pub(crate) fn voices(&self) -> Voices {
        let parts = VoicesParts {
            home: self.client.clone(),
            snapshot: watch::channel(None).1,
            provisioning: watch::channel(Provisioning::Pending).1,
            noticed_within: Duration::from_secs(5),
            metrics: Arc::clone(&self.metrics),
            clock: Clock::start(),
        };
        Voices::new(parts, &self.settings)
    }

    /// A running keeper of streams and bucket, and how far it is.
    pub(crate) fn keeper(&self) -> (watch::Receiver<Provisioning>, DropGuard) {
        let (progress, watched) = watch::channel(Provisioning::Pending);
        let keeper = Keeper {
            client: self.client.clone(),
            settings: self.settings.clone(),
            missing: Arc::clone(&self.missing),
            progress,
            metrics: Arc::clone(&self.metrics),
        };
        let shutdown = CancellationToken::new();
        tokio::spawn(keeper.run(shutdown.clone()));
        (watched, shutdown.drop_guard())
    }

    pub(crate) fn advisories(&self) -> Advisories {
        Advisories::new(&self.settings.subject_prefix, "test").unwrap()
    }

    pub(crate) fn alert(&self, incident: &Incident) -> Message {
        let stage = match (incident.revision, incident.resolved) {
            (_, Some(_)) => Stage::Resolved,
            (1, None) => Stage::Opened,
            (_, None) => Stage::Updated,
        };
        let event = IncidentEvent { stage, incident: incident.clone() };
        Message::alert(&incident.id, self.advisories().alert(&event))
    }

    pub(crate) fn event(&self, seconds: i64) -> Message {
        let change = Change::Cluster {
            cluster: "east".into(),
            from: ClusterState::Healthy,
            to: ClusterState::Degraded,
        };
        let at = Now { mono: Mono::default(), wall: at(seconds) };
        Message::event(self.advisories().event(&Transition { at, change, basis: None, evidence: Vec::new() }))
    }

    /// What is stored of alerts, as `<incident>.<revision>` in the order of the stream.
    pub(crate) async fn stored(&self) -> Vec<String> {
        let Ok(stream) = self.jetstream().get_stream(&self.settings.alerts_stream).await else {
            return Vec::new();
        };
        let state = stream.cached_info().state.clone();
        let mut ids = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            ids.push(Alert::read(&message.payload).unwrap().id);
        }
        ids
    }

    /// A plain subscriber to all alerts, known to the server.
    pub(crate) async fn ear(&self) -> Ear {
        let subject = format!("{}.alert.>", self.settings.subject_prefix);
        let messages = self.client.subscribe(subject).await.unwrap();
        round_trip(&self.client).await;
        Ear { messages }
    }
}

/// Hears alerts.
pub(crate) struct Ear {
    messages: Subscriber,
}

impl Ear {
    /// The ids of the next so many alerts.
    pub(crate) async fn hear(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let message = tokio::time::timeout(SOON, self.messages.next()).await;
            let message = message.unwrap_or_else(|_| panic!("heard only {ids:?} of {count} alerts")).unwrap();
            ids.push(Alert::read(&message.payload).unwrap().id);
        }
        ids
    }

    /// The ids of what was heard besides by now.
    pub(crate) async fn rest(&mut self, client: &Client) -> Vec<String> {
        round_trip(client).await;
        let mut ids = Vec::new();
        while let Some(Some(message)) = futures::FutureExt::now_or_never(self.messages.next()) {
            ids.push(Alert::read(&message.payload).unwrap().id);
        }
        ids
    }
}

/// When it returns, the server has handled everything sent before on this connection, and we everything it sent before.
pub(crate) async fn round_trip(client: &Client) {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    tokio::time::timeout(SOON, echo.next()).await.expect("an echo in time").unwrap();
}

/// Polls until there is something.
pub(crate) async fn eventually<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let poll = async {
        loop {
            match poll().await {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(SOON, poll).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

fn settings(lab: &Supercluster, server: &LabServer, name: &str) -> AlertsSettings {
    // Each test has names of its own, which the listed permissions do not cover.
    let app = lab.own_app();
    AlertsSettings {
        connection: ConnectionSettings {
            servers: vec![server.client_url().parse().unwrap()],
            credentials: Credentials::UserPassword {
                user: app.user.clone(),
                password: SecretSource::Inline(Secret::new(app.password.clone())),
            },
            tls: TlsSettings::default(),
            inbox_prefix: "_INBOX".to_owned(),
        },
        subject_prefix: name.to_owned(),
        alerts_stream: format!("{name}_ALERTS"),
        events_stream: format!("{name}_EVENTS"),
        bucket: name.to_owned(),
        replicas: Replicas::Auto,
        alerts_max_age: Duration::from_secs(3600),
        events_max_age: Duration::from_secs(60),
        alerts_max_bytes: NonZeroU64::new(1024 * 1024),
        events_max_bytes: None,
        duplicate_window: Duration::from_secs(600),
        everywhere: true,
    }
}

/// A moment of the present, in microseconds as bodies are.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    static BEGIN: LazyLock<DateTime<Utc>> = LazyLock::new(|| Clock::start().now().wall.trunc_subsecs(6));
    *BEGIN + TimeDelta::seconds(seconds)
}

/// A revision of an incident about a pair of clusters; `id` also orders by time of opening.
pub(crate) fn incident(id: u32, revision: u32) -> Incident {
    let (east, west): (ClusterName, ClusterName) = ("east".into(), "west".into());
    let name = format!("01KAP2D7Z000000000000{id:05}");
    let what = (IncidentKind::GatewayDown, Severity::Critical);
    let subject = Subject::Pair(east.clone(), west.clone());
    let began = at(i64::from(id));
    Incident {
        revision,
        scope: Scope { clusters: vec![east, west], ..Scope::default() },
        updated: at(i64::from(id) + i64::from(revision)),
        ..Incident::new(name.as_str().into(), what, subject, (began, began))
    }
}

pub(crate) fn resolved(incident: Incident) -> Incident {
    Incident { resolved: Some(incident.updated), ..incident }
}

/// The id of an alert.
pub(crate) fn id(incident: &Incident) -> String {
    format!("{}.{}", incident.id, incident.revision)
}

pub(crate) fn link(from: &str, to: &str) -> Link {
    Link { from: from.into(), to: to.into() }
}
