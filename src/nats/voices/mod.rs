//! Where alerts are spoken, so that every cluster hears them, also one that is cut off from home.
//!
//! ```text
//! publisher --parcel--> Voices --stored copy--> the voice that reaches the stream      <--confirmation-- any voice
//!    ^                    |  |
//!    +--- confirmation ---+  +---copies to be heard only---> the other voices that are needed
//! ```
//!
//! A **voice** is a connection of the alert account: the one at home, and one into each other cluster, at the addresses at which vantages
//! connect and with the login of `[alerts]`. A gateway is one hop, so a message has to be published where it is heard by all; through
//! which voices that is, `cover` decides from who is heard where (`reach`). While nothing is cut, home speaks alone.
//!
//! One copy is the one to be stored, the others are refused by every stream. What was told in the moment of a cut, before it was known,
//! is told once more to those who may have missed it (`ledger`).
//!
//! What is promised to a subscriber: each message once, a second copy with the same `Nats-Msg-Id` around the moments at which a cut begins
//! and heals. A cluster that can be reached by no gateway and into which no voice can be had hears nothing.

mod answers;
mod cover;
#[cfg(test)]
mod fixtures;
mod keep;
mod ledger;
mod parcel;
mod reach;
mod voice;

pub use keep::{PING_EVERY, VoicesTask};
pub(super) use parcel::Parcel;

use super::jetstream::{self, ANSWER_WITHIN};
use super::provision::Provisioning;
use crate::clock::Clock;
use crate::config::settings::AlertsSettings;
use crate::metrics::Metrics;
use crate::model::ids::ClusterName;
use crate::model::incident::IncidentId;
use crate::model::snapshot::Snapshot;
use answers::Answers;
use async_nats::client::PublishErrorKind as ClientErrorKind;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::{Client, HeaderMap};
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, join_all};
use ledger::Ledger;
use reach::{Attached, Reach, VoiceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Confirmations the client at home keeps track of; above what both lanes of the publisher have in flight.
const ACKS: usize = 4096;
/// How long a voice may take to accept a copy. Less than the publisher waits for all of them.
const COPY_WITHIN: Duration = Duration::from_millis(500);

/// What a stream says to a message.
pub(super) type Ack = BoxFuture<'static, Result<PublishAck, PublishError>>;

/// What voices work with.
#[derive(Debug)]
pub struct VoicesParts {
    /// The connection at home.
    pub home: Client,
    /// All current truth: who is heard where.
    pub snapshot: watch::Receiver<Option<Snapshot>>,
    /// Where the streams are.
    pub provisioning: watch::Receiver<Provisioning>,
    /// How long a cut may go unnoticed where beats prove it, latency aside.
    pub noticed_within: Duration,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// Times repeats.
    pub clock: Clock,
}

/// All voices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Voices {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    home: Client,
    context: Context,
    /// Whether anybody but home may speak.
    everywhere: bool,
    snapshot: watch::Receiver<Option<Snapshot>>,
    provisioning: watch::Receiver<Provisioning>,
    /// The connections into other clusters, by the cluster into which they were made.
    choir: Mutex<BTreeMap<ClusterName, (Client, Attached)>>,
    answers: Answers,
    /// Whether home listens for answers as the others do.
    home_listens: AtomicBool,
    ledger: Mutex<Ledger>,
    plan: Mutex<Option<Arc<Plan>>>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// Who speaks, as long as nothing changes.
#[derive(Debug)]
struct Plan {
    /// When what it rests on was true.
    as_of: Option<DateTime<Utc>>,
    stream: Option<ClusterName>,
    clients: Vec<Client>,
    /// As many as there are clients.
    reaches: Vec<Reach>,
    /// Those who speak.
    speakers: Vec<usize>,
    /// The one of them whose copy is stored.
    storing: Option<usize>,
    /// The one to store through what was heard already.
    quietest: Option<usize>,
    /// Clusters that should hear what is told.
    everybody: BTreeSet<ClusterName>,
}

impl Voices {
    /// Home and, with `alerts.everywhere`, whatever connections [`VoicesTask`] makes.
    #[must_use]
    pub fn new(parts: VoicesParts, settings: &AlertsSettings) -> Self {
        let shared = Shared {
            context: jetstream::context(&parts.home, ACKS),
            home: parts.home,
            everywhere: settings.everywhere,
            snapshot: parts.snapshot,
            provisioning: parts.provisioning,
            choir: Mutex::default(),
            answers: Answers::new(&settings.connection.inbox_prefix),
            home_listens: AtomicBool::new(false),
            ledger: Mutex::new(Ledger::new(parts.noticed_within)),
            plan: Mutex::default(),
            metrics: parts.metrics,
            clock: parts.clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Whether anybody can speak at the moment.
    pub(super) fn can_speak(&self) -> bool {
        !self.shared.plan().speakers.is_empty()
    }

    /// Where JetStream can be asked from at the moment.
    pub(super) fn context(&self) -> Context {
        let plan = self.shared.plan();
        match plan.storing.or(plan.quietest).filter(|at| !plan.reaches[*at].voice.home) {
            Some(at) => jetstream::context(&plan.clients[at], 1),
            None => self.shared.context.clone(),
        }
    }

    /// Publishes a message so that everybody hears it and its stream keeps it. What was heard before (`again`) is published for the
    /// stream's sake, with as few hearing it again as can be.
    ///
    /// # Errors
    /// When nobody took it, or it is too large.
    pub(super) async fn store(&self, parcel: Parcel, again: bool) -> Result<Ack, PublishError> {
        let (shared, parcel) = (&self.shared, Arc::new(parcel));
        shared.tell_missed_before(&parcel).await;
        let plan = shared.plan();
        if again {
            return shared.store_again(&plan, &parcel).await;
        }
        shared.note(&plan, &parcel);
        let stored = async {
            match plan.storing {
                Some(at) => shared.send_stored(&plan, at, &parcel).await,
                None => Err(unsent()),
            }
        };
        let others: Vec<usize> =
            plan.speakers.iter().copied().filter(|at| Some(*at) != plan.storing).collect();
        let (stored, told) = tokio::join!(stored, shared.send_copies(&plan, &others, &parcel));
        match stored {
            // Somebody heard it; it is stored later.
            Err(error) if told > 0 && error.kind() != PublishErrorKind::MaxPayloadExceeded => {
                Ok(Box::pin(async { Err(error) }))
            }
            stored => stored,
        }
    }

    /// Publishes a message to be heard only. Returns whether anybody took it.
    pub(super) async fn tell(&self, parcel: Parcel) -> bool {
        let (shared, parcel) = (&self.shared, Arc::new(parcel));
        shared.tell_missed_before(&parcel).await;
        let plan = shared.plan();
        shared.note(&plan, &parcel);
        shared.send_copies(&plan, &plan.speakers, &parcel).await > 0
    }

    /// Another gatewatch speaks from now on: nothing that was told from here is told once more.
    pub fn hush(&self) {
        self.shared.ledger().forget();
    }

    /// Whether everything that was taken is written.
    pub(super) async fn flush(&self, limit: Duration) -> bool {
        let clients: Vec<Client> = self.shared.connected().into_iter().map(|(client, _)| client).collect();
        let flushed = clients.iter().map(|client| timeout(limit, client.flush()));
        let flushed = join_all(flushed).await;
        !flushed.is_empty() && flushed.into_iter().all(|flushed| flushed.is_ok_and(|flushed| flushed.is_ok()))
    }
}

impl Shared {
    /// Every connection that is up, home first.
    fn connected(&self) -> Vec<(Client, Attached)> {
        let home = self.home.try_server_info().filter(|_| jetstream::is_connected(&self.home));
        let home = home.map(|info| (self.home.clone(), voice::attached(&info, true)));
        let others =
            self.choir().values().filter(|(client, _)| jetstream::is_connected(client)).cloned().collect();
        home.into_iter().chain::<Vec<_>>(others).collect()
    }

    /// Who speaks now. Worked out anew when a connection, the engine's truth or the place of the stream changed.
    fn plan(&self) -> Arc<Plan> {
        let connected = self.connected();
        let stream = match &*self.provisioning.borrow() {
            Provisioning::Ready(found) => found.alerts.cluster.clone(),
            Provisioning::Pending | Provisioning::Failing(_) => None,
        };
        let mut kept = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = kept.as_ref().filter(|plan| plan.stream == stream && plan.is_of(&connected)) {
            let as_of = self.snapshot.borrow().as_ref().map(|snapshot| snapshot.at);
            if plan.as_of == as_of {
                return Arc::clone(plan);
            }
        }
        let plan = Arc::new(self.work_out(connected, stream));
        if kept.as_ref().is_none_or(|before| before.speakers() != plan.speakers()) {
            tracing::debug!(through = ?plan.speakers(), "alerts are told");
        }
        *kept = Some(Arc::clone(&plan));
        plan
    }

    fn work_out(&self, connected: Vec<(Client, Attached)>, stream: Option<ClusterName>) -> Plan {
        let (clients, attached): (Vec<Client>, Vec<Attached>) = connected.into_iter().unzip();
        // Not longer than it takes to read it: the driver waits meanwhile.
        let known = self.snapshot.borrow().as_ref().filter(|_| self.everywhere).map(|snapshot| {
            let everybody = reach::alive(snapshot).cloned().collect();
            (snapshot.at, reach::reaches(&attached, snapshot), everybody)
        });
        let as_of = self.snapshot.borrow().as_ref().map(|snapshot| snapshot.at);
        let home_at = attached.iter().position(|voice| voice.home);
        let (as_of, reaches, everybody) = match known {
            Some((at, reaches, everybody)) => (Some(at), reaches, everybody),
            None => (as_of, attached.iter().map(Reach::of_own).collect(), BTreeSet::new()),
        };
        let mut speakers =
            if as_of.is_some() && self.everywhere { reach::for_all(&reaches) } else { Vec::new() };
        if speakers.is_empty() {
            // Nothing is known of anybody.
            speakers = home_at.into_iter().collect();
        }
        let home_cluster = home_at.and_then(|at| attached.get(at)).map(|voice| voice.cluster.clone());
        let target = stream.clone().or(home_cluster);
        let storing = storing(&reaches, &speakers, target.as_ref());
        let all: Vec<usize> = (0..reaches.len()).collect();
        let quietest = quietest(&reaches, &all, target.as_ref()).or(home_at.filter(|_| target.is_none()));
        Plan { as_of, stream, clients, reaches, speakers, storing, quietest, everybody }
    }

    /// A later alert of an incident is not to be heard before an earlier one.
    async fn tell_missed_before(&self, parcel: &Parcel) {
        if let Some(incident) = &parcel.incident {
            self.tell_missed(Some(incident)).await;
        }
    }

    /// Tells once more what somebody may have missed.
    async fn tell_missed(&self, incident: Option<&IncidentId>) {
        if self.ledger().is_empty() {
            return;
        }
        let plan = self.plan();
        let again = {
            let snapshot = self.snapshot.borrow();
            let Some(snapshot) = snapshot.as_ref() else { return };
            let attached: BTreeSet<VoiceId> =
                plan.reaches.iter().map(|reach| reach.voice.id.clone()).collect();
            let (now, mut ledger) = (self.clock.mono(), self.ledger());
            ledger.look(now, &attached, snapshot);
            ledger.due(now, incident.map(|incident| (incident, &*plan.speakers)), &plan.reaches)
        };
        for (parcel, through) in again {
            let clusters = through.iter().map(|at| plan.reaches[*at].voice.cluster.as_str());
            let clusters: Vec<&str> = clusters.collect();
            tracing::info!(id = parcel.id, through = ?clusters, "an alert may not have been heard everywhere: told again");
            self.metrics.retold.bump();
            self.send_copies(&plan, &through, &parcel).await;
        }
    }

    fn note(&self, plan: &Plan, parcel: &Arc<Parcel>) {
        if self.everywhere && parcel.incident.is_some() && plan.as_of.is_some() {
            let through: Vec<&Reach> = plan.speakers.iter().map(|at| &plan.reaches[*at]).collect();
            self.ledger().note(self.clock.mono(), parcel, &through, &plan.everybody);
        }
    }

    async fn store_again(&self, plan: &Plan, parcel: &Arc<Parcel>) -> Result<Ack, PublishError> {
        let Some(at) = plan.quietest else {
            // It was heard, so it waits as one that was sent.
            return Ok(Box::pin(async { Err(unsent()) }));
        };
        self.ledger().note_again(&parcel.id, &plan.reaches[at]);
        self.send_stored(plan, at, parcel).await
    }

    async fn send_stored(&self, plan: &Plan, at: usize, parcel: &Parcel) -> Result<Ack, PublishError> {
        let (client, reach) = (&plan.clients[at], &plan.reaches[at]);
        let at_home =
            reach.voice.home && plan.stream.as_ref().is_none_or(|stream| *stream == reach.voice.cluster);
        if at_home || !self.home_listens.load(Ordering::Acquire) {
            let copy = PublishMessage::build().headers(parcel.headers.clone()).payload(parcel.body.clone());
            let context = if reach.voice.home { self.context.clone() } else { jetstream::context(client, 1) };
            let ack = context.send_publish(parcel.subject.clone(), copy).await?;
            return Ok(Box::pin(ack.into_future()));
        }
        let (reply, answer) = self.answers.expect();
        let (subject, headers, body) = (parcel.subject.clone(), parcel.headers.clone(), parcel.body.clone());
        let sent = client.publish_with_reply_and_headers(subject, reply, headers, body).await;
        sent.map_err(|error| match error.kind() {
            ClientErrorKind::MaxPayloadExceeded => {
                PublishError::with_source(PublishErrorKind::MaxPayloadExceeded, error)
            }
            ClientErrorKind::InvalidSubject | ClientErrorKind::Send => {
                PublishError::with_source(PublishErrorKind::Other, error)
            }
        })?;
        Ok(Box::pin(async {
            match timeout(ANSWER_WITHIN, answer).await {
                Ok(Ok(answer)) => answers::read(&answer),
                Ok(Err(_)) => Err(PublishError::new(PublishErrorKind::BrokenPipe)),
                Err(_) => Err(PublishError::new(PublishErrorKind::TimedOut)),
            }
        }))
    }

    /// Sends copies to be heard only. Returns how many were taken.
    async fn send_copies(&self, plan: &Plan, through: &[usize], parcel: &Parcel) -> usize {
        let sends = through.iter().map(|at| async move {
            let (subject, body) = (parcel.subject.clone(), parcel.body.clone());
            let headers: HeaderMap = parcel.heard_only.clone();
            let send = plan.clients[*at].publish_with_headers(subject, headers, body);
            let taken = matches!(timeout(COPY_WITHIN, send).await, Ok(Ok(())));
            if !taken {
                self.ledger().unsent(&parcel.id, &plan.reaches[*at].voice.id);
            } else if !plan.reaches[*at].voice.home {
                self.metrics.copies.bump();
            }
            taken
        });
        join_all(sends).await.into_iter().filter(|taken| *taken).count()
    }

    fn choir(&self) -> MutexGuard<'_, BTreeMap<ClusterName, (Client, Attached)>> {
        self.choir.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// Whether it is about exactly these connections.
    fn is_of(&self, connected: &[(Client, Attached)]) -> bool {
        self.reaches.iter().map(|reach| &reach.voice).eq(connected.iter().map(|(_, attached)| attached))
    }

    /// Clusters in which it is spoken.
    fn speakers(&self) -> Vec<&ClusterName> {
        self.speakers.iter().map(|at| &self.reaches[*at].voice.cluster).collect()
    }
}

/// Through whom to store: one who speaks anyway and reaches the stream, best from its own cluster.
fn storing(reaches: &[Reach], speakers: &[usize], stream: Option<&ClusterName>) -> Option<usize> {
    let able = speakers.iter().copied().filter(|at| reaches_stream(&reaches[*at], stream));
    able.min_by_key(|at| (Some(&reaches[*at].voice.cluster) != stream, !reaches[*at].voice.home, *at))
}

/// Through whom to store what was heard already: one who reaches the stream and few others.
fn quietest(reaches: &[Reach], all: &[usize], stream: Option<&ClusterName>) -> Option<usize> {
    let able = all.iter().copied().filter(|at| reaches_stream(&reaches[*at], stream));
    able.min_by_key(|at| {
        let reach = &reaches[*at];
        (reach.hears.len(), Some(&reach.voice.cluster) != stream, !reach.voice.home, *at)
    })
}

fn reaches_stream(reach: &Reach, stream: Option<&ClusterName>) -> bool {
    stream.is_some_and(|stream| reach.voice.cluster == *stream || reach.hears.contains(stream))
}

fn unsent() -> PublishError {
    PublishError::new(PublishErrorKind::BrokenPipe)
}
