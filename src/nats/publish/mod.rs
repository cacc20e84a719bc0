//! Publishes alerts and events in the alert account, and sees to it that they are stored.
//!
//! A subscriber hears a message as soon as a connection carries it ([`super::voices`]), whatever JetStream does. Storing is confirmed, or retried with
//! the same `Nats-Msg-Id` until it is. Nothing here ever makes the producer wait.
//!
//! What is handed over is on disk before it is sent ([`crate::outbox`]), and leaves the disk when it is stored; what a former life left
//! there is taken up first. Should the disk not take it at once, it is sent all the same.
//!
//! When JetStream is away for long, alerts and events wait, together within `outbox.max_bytes`: events make room before alerts, the
//! oldest first. What had to make room has been heard, if the connection was there, and is missing only in the history.

mod lane;
mod lookup;
mod message;
mod task;

pub use message::Message;
pub use task::PublisherTask;

use crate::clock::Clock;
use crate::config::settings::AlertsSettings;
use crate::metrics::Metrics;
use crate::model::ids::Link;
use crate::nats::voices::Voices;
use crate::outbox::{LeftMessage, Outbox};
use message::Kind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Messages of one kind on their way to the task, which takes them off at once. When it is full, which means that the task does not
/// run, the message is dropped, counted, and the first one of a burst is logged.
const HANDOVER: usize = 4096;
/// Wishes to flush that wait. When full, the wish waits within its own limit.
const FLUSHES: usize = 4;

/// Where messages are handed over. Cheap to clone; when the last one is gone, the task ends.
#[derive(Debug, Clone)]
pub struct Publisher {
    alerts: mpsc::Sender<Message>,
    events: mpsc::Sender<Message>,
    flushes: mpsc::Sender<Flush>,
    links: watch::Sender<Vec<Link>>,
    waiting: watch::Receiver<usize>,
    metrics: Arc<Metrics>,
    dropping: Arc<AtomicBool>,
}

/// A wish to be told when everything is stored.
#[derive(Debug)]
struct Flush {
    limit: Duration,
    done: oneshot::Sender<Result<(), Unflushed>>,
}

/// Why not everything is known to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unflushed {
    /// The time was up.
    #[error(
        "{alerts} alert(s) and {events} event(s) are not known to be stored, {unheard} of them were not even sent; JetStream or the \
         connection to the alert account was away"
    )]
    Waiting {
        /// Alerts that are not known to be stored.
        alerts: usize,
        /// Events that are not known to be stored.
        events: usize,
        /// How many of both could not be sent.
        unheard: usize,
    },
    /// The publisher's task does not run any more, or does not answer.
    #[error("the publisher has ended: what it had not stored by then is lost")]
    Ended,
}

/// What a publisher works with.
#[derive(Debug)]
pub struct PublisherParts {
    /// The connections to the alert account.
    pub voices: Voices,
    /// Notified when a stream turns out to be missing.
    pub missing: Arc<Notify>,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// Times retries.
    pub clock: Clock,
    /// Where what waits is kept on disk; `None` keeps it in memory only.
    pub outbox: Option<Outbox>,
    /// What a former life left there.
    pub left: Vec<LeftMessage>,
    /// How many bytes may wait to be stored.
    pub max_bytes: usize,
}

/// A publisher and the task that does its work: to be spawned, ends when the last [`Publisher`] is gone.
#[must_use]
pub fn publisher(parts: PublisherParts, settings: &AlertsSettings) -> (Publisher, PublisherTask) {
    let (alerts, alerts_end) = mpsc::channel(HANDOVER);
    let (events, events_end) = mpsc::channel(HANDOVER);
    let (flushes, flushes_end) = mpsc::channel(FLUSHES);
    let ((links, links_end), (wait, waiting)) = (watch::channel(Vec::new()), watch::channel(0));
    let metrics = Arc::clone(&parts.metrics);
    let ends = task::Ends {
        alerts: alerts_end,
        events: events_end,
        flushes: flushes_end,
        links: links_end,
        waiting: wait,
    };
    let publisher = Publisher { alerts, events, flushes, links, waiting, metrics, dropping: Arc::default() };
    (publisher, PublisherTask::new(parts, settings, ends))
}

impl Publisher {
    /// Hands a message over; never waits. A message that cannot be taken is dropped and counted.
    pub fn publish(&self, message: Message) {
        let (lane, dropped) = match message.kind {
            Kind::Alert(_) => (&self.alerts, &self.metrics.alerts_dropped),
            Kind::Event => (&self.events, &self.metrics.events_dropped),
        };
        if lane.try_send(message).is_ok() {
            self.dropping.store(false, Ordering::Relaxed);
            return;
        }
        dropped.bump();
        if !self.dropping.swap(true, Ordering::Relaxed) {
            tracing::error!("publishing does not keep up or has ended: messages are lost");
        }
    }

    /// Where links that are expected to exist are put, to be remembered on disk.
    #[must_use]
    pub fn expected_links(&self) -> watch::Sender<Vec<Link>> {
        self.links.clone()
    }

    /// How many alerts and events wait to be stored.
    #[must_use]
    pub fn waiting(&self) -> watch::Receiver<usize> {
        self.waiting.clone()
    }

    /// Waits until everything handed over before is stored and written, for at most `limit`. For the end: stop the producers, flush,
    /// then drop.
    ///
    /// # Errors
    /// [`Unflushed`] says what was left when the time was up.
    pub async fn flush(&self, limit: Duration) -> Result<(), Unflushed> {
        let (done, answer) = oneshot::channel();
        let ask = async {
            self.flushes.send(Flush { limit, done }).await.map_err(|_| Unflushed::Ended)?;
            answer.await.map_err(|_| Unflushed::Ended)?
        };
        // The task keeps the limit, and gets a little longer to say what is left.
        tokio::time::timeout(limit + task::WRITE_WITHIN * 2, ask).await.unwrap_or(Err(Unflushed::Ended))
    }
}
