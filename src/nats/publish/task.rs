//! The task that carries out what the lanes decide: sends, awaits confirmations, asks whether streams answer.
//!
//! Every wait has a limit, so a connection that is gone or takes nothing, or a disk that hangs, holds up nothing but what must wait for
//! it. Stopping it leaves what is not stored yet in the outbox, for the next start.

mod disk;

use super::lane::{Action, Lane, Outcome, Ticket};
use super::message::Message;
use super::{Flush, PublisherParts, Unflushed, lookup};
use crate::config::settings::AlertsSettings;
use crate::model::ids::Link;
use crate::model::time::Mono;
use crate::nats::jetstream::{self, JetStreamError};
use crate::nats::voices::Ack;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{Context, ErrorCode};
use disk::{Appending, news_of};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// How long the connection may take to accept a message.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(1);
/// How often a connection that is not there is looked at while something waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Alerts that wait to be stored, whole incidents of some kilobytes each. When full, the oldest make room, are counted and logged.
const ALERTS: usize = 8192;
/// Events that wait to be stored. When full, the oldest make room, are counted and logged.
const EVENTS: usize = 8192;
/// Messages taken in at a time.
const BATCH: usize = 256;

/// The task's ends of the channels.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) alerts: mpsc::Receiver<Message>,
    pub(super) events: mpsc::Receiver<Message>,
    pub(super) flushes: mpsc::Receiver<Flush>,
    pub(super) links: watch::Receiver<Vec<Link>>,
    pub(super) waiting: watch::Sender<usize>,
}

/// The task behind a [`super::Publisher`].
#[derive(Debug)]
pub struct PublisherTask {
    parts: PublisherParts,
    ends: Ends,
    alerts: Track,
    events: Track,
    pending: FuturesUnordered<BoxFuture<'static, News>>,
    flush: Option<(Mono, Flush)>,
    /// Subjects of ours begin with it.
    prefix: String,
    /// What is being written to disk before it is sent.
    appending: Option<Appending>,
    /// When the outbox is told at the latest what is stored by now.
    tidy_by: Option<Mono>,
}

/// A lane with the stream it leads to.
#[derive(Debug)]
struct Track {
    lane: Lane,
    stream: String,
    /// Messages given up since the lane was last empty.
    given_up: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Alerts,
    Events,
}

/// What an await in the background brought.
#[derive(Debug)]
enum News {
    Settled(Which, Ticket, Outcome),
    Probed(Which, bool),
    /// Of these, the stream holds those; `None`: that is not known.
    Checked(Which, Vec<Ticket>, Option<BTreeSet<Ticket>>),
}

/// Whether a message went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Yes,
    /// The connection takes nothing at the moment.
    No,
    /// The connection will never take this one.
    Never,
}

impl PublisherTask {
    pub(super) fn new(parts: PublisherParts, settings: &AlertsSettings, ends: Ends) -> Self {
        let window = settings.duplicate_window;
        let track = |most, stream: &str| Track {
            lane: Lane::new(most, window),
            stream: stream.to_owned(),
            given_up: 0,
        };
        Self {
            alerts: track(ALERTS, &settings.alerts_stream),
            events: track(EVENTS, &settings.events_stream),
            parts,
            ends,
            pending: FuturesUnordered::new(),
            flush: None,
            prefix: format!("{}.", settings.subject_prefix),
            appending: None,
            tidy_by: None,
        }
    }

    /// Publishes until the last [`super::Publisher`] is gone.
    pub async fn run(mut self) {
        let (mut alerts, mut events) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let left = std::mem::take(&mut self.parts.left);
        self.take_over(left);
        loop {
            let wake = self.act().await;
            let pause = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(self.parts.clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            // One batch at a time: what comes meanwhile is written together.
            let takes = self.appending.is_none();
            tokio::select! {
                biased;
                Some(news) = self.pending.next() => self.take_in(news),
                news = news_of(&mut self.parts.outbox) => self.heard_of_disk(news),
                count = self.ends.alerts.recv_many(&mut alerts, BATCH), if takes => {
                    if count == 0 {
                        break;
                    }
                    self.append(Which::Alerts, &mut alerts);
                }
                Some(first) = self.ends.events.recv(), if takes => {
                    events.push(first);
                    while events.len() < BATCH && let Ok(event) = self.ends.events.try_recv() {
                        events.push(event);
                    }
                    self.append(Which::Events, &mut events);
                }
                Some(flush) = self.ends.flushes.recv(), if takes && self.flush.is_none() => {
                    self.flush = Some((self.now() + flush.limit, flush));
                }
                Ok(()) = self.ends.links.changed() => self.remember_links(),
                () = pause => {}
            }
        }
        if let Some(outbox) = self.parts.outbox {
            outbox.close().await;
        }
    }

    fn now(&self) -> Mono {
        self.parts.clock.mono()
    }

    fn track(&mut self, which: Which) -> &mut Track {
        match which {
            Which::Alerts => &mut self.alerts,
            Which::Events => &mut self.events,
        }
    }

    fn push(&mut self, which: Which, message: Message) {
        self.make_room(which, message.size());
        let evicted = self.track(which).lane.push(message);
        evicted.into_iter().for_each(|evicted| self.gave_up(which, &evicted));
    }

    /// Events make room before alerts.
    fn make_room(&mut self, which: Which, size: usize) {
        while self.alerts.lane.bytes() + self.events.lane.bytes() + size > self.parts.max_bytes {
            let event = self.events.lane.evict().map(|evicted| (Which::Events, evicted));
            let alert = || self.alerts.lane.evict().map(|evicted| (Which::Alerts, evicted));
            let evicted = match which {
                Which::Alerts => event.or_else(alert),
                Which::Events => event,
            };
            let Some((which, evicted)) = evicted else { return };
            self.gave_up(which, &evicted);
        }
    }

    fn gave_up(&mut self, which: Which, message: &Message) {
        self.remove(message);
        match which {
            Which::Alerts => self.parts.metrics.alerts_dropped.bump(),
            Which::Events => self.parts.metrics.events_dropped.bump(),
        }
        let track = self.track(which);
        if track.given_up == 0 {
            tracing::error!(
                stream = track.stream,
                "too much is waiting to be stored: the oldest is given up"
            );
        }
        track.given_up += 1;
    }

    fn take_in(&mut self, news: News) {
        self.apply(news);
        // All that is ready at once, so that the lanes decide once.
        while let Some(Some(news)) = futures::FutureExt::now_or_never(self.pending.next()) {
            self.apply(news);
        }
    }

    fn apply(&mut self, news: News) {
        let now = self.now();
        match news {
            News::Probed(which, answers) => self.track(which).lane.probed(answers, now),
            News::Checked(which, asked, held) => {
                for message in self.track(which).lane.checked(&asked, held.as_ref(), now) {
                    self.parts.metrics.already_stored.bump();
                    self.remove(&message);
                }
            }
            News::Settled(which, ticket, outcome) => {
                self.count(which, outcome);
                let settled = self.track(which).lane.settle(ticket, outcome, now);
                settled.into_iter().for_each(|message| self.remove(&message));
                let track = self.track(which);
                if track.given_up > 0 && track.lane.unstored() == 0 {
                    tracing::warn!(
                        stream = track.stream,
                        lost = track.given_up,
                        "everything that was not given up is stored"
                    );
                    track.given_up = 0;
                }
            }
        }
    }

    fn count(&self, which: Which, outcome: Outcome) {
        let metrics = &self.parts.metrics;
        match (outcome, which) {
            (Outcome::Stored, _) => metrics.stored.bump(),
            (Outcome::Failed | Outcome::Unsent, _) => metrics.store_failures.bump(),
            (Outcome::Refused, Which::Alerts) => metrics.alerts_dropped.bump(),
            (Outcome::Refused, Which::Events) => metrics.events_dropped.bump(),
        }
    }

    /// Does what is due. Returns when to do so again at the latest.
    async fn act(&mut self) -> Option<Mono> {
        let now = self.now();
        let disk = self.tend_disk(now);
        let waiting = self.alerts.lane.unstored() + self.events.lane.unstored();
        self.ends.waiting.send_replace(waiting);
        let look_again = if !self.parts.voices.can_speak() {
            (waiting > 0).then_some(now + LOOK_EVERY)
        } else if self.carry_out(Which::Alerts, now).await && self.carry_out(Which::Events, now).await {
            [self.alerts.lane.deadline(), self.events.lane.deadline()].into_iter().flatten().min()
        } else {
            Some(now + LOOK_EVERY)
        };
        let flush_by = self.flush_if_due().await;
        [disk, look_again, flush_by].into_iter().flatten().min()
    }

    /// Returns whether the connection takes messages.
    async fn carry_out(&mut self, which: Which, now: Mono) -> bool {
        let mut takes = true;
        for action in self.track(which).lane.due(now) {
            match action {
                Action::Store { ticket, message, again } => {
                    let sent =
                        if takes { self.store(which, ticket, &message, again).await } else { Sent::No };
                    match sent {
                        Sent::Yes => {}
                        Sent::Never => self.apply(News::Settled(which, ticket, Outcome::Refused)),
                        Sent::No => self.apply(News::Settled(which, ticket, Outcome::Unsent)),
                    }
                    takes = sent != Sent::No;
                }
                Action::Tell(ticket, message) => {
                    takes = takes && self.tell(&message).await;
                    if !takes {
                        self.track(which).lane.untold(ticket);
                    }
                }
                Action::Probe => self.probe(which),
                Action::Check(wanted) => self.check(which, wanted),
            }
        }
        takes
    }

    async fn store(&mut self, which: Which, ticket: Ticket, message: &Message, again: bool) -> Sent {
        match timeout(WRITE_WITHIN, self.parts.voices.store(message.parcel(), again)).await {
            Ok(Ok(ack)) => {
                let counter =
                    if again { &self.parts.metrics.republished } else { &self.parts.metrics.published };
                counter.bump();
                self.mark_heard(message);
                let refusable = again && message.may_be_left_out;
                let confirmed = confirmed(ack, Arc::clone(&self.parts.missing), refusable);
                self.pending.push(Box::pin(async move { News::Settled(which, ticket, confirmed.await) }));
                Sent::Yes
            }
            Ok(Err(error)) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                let (subject, bytes) = (&message.subject, message.body.len());
                tracing::error!(subject, bytes, "the server takes no message this large: it is lost");
                Sent::Never
            }
            Ok(Err(_)) | Err(_) => Sent::No,
        }
    }

    fn check(&mut self, which: Which, wanted: Vec<(Ticket, Arc<Message>)>) {
        let asked = wanted.iter().map(|(ticket, _)| *ticket).collect();
        let stream = self.track(which).stream.clone();
        let held = lookup::held(self.parts.voices.context(), stream, wanted, Arc::clone(&self.parts.missing));
        self.pending.push(Box::pin(async move { News::Checked(which, asked, held.await) }));
    }

    fn probe(&mut self, which: Which) {
        let stream = self.track(which).stream.clone();
        let answers = answers(self.parts.voices.context(), stream, Arc::clone(&self.parts.missing));
        self.pending.push(Box::pin(async move { News::Probed(which, answers.await) }));
    }

    async fn tell(&mut self, message: &Message) -> bool {
        let told =
            timeout(WRITE_WITHIN, self.parts.voices.tell(message.parcel())).await.is_ok_and(|told| told);
        if told {
            self.mark_heard(message);
            self.parts.metrics.published.bump();
        }
        told
    }

    /// Answers a wish to flush once nothing waits any more or its time is up. Returns when its time is up.
    async fn flush_if_due(&mut self) -> Option<Mono> {
        let (by, flush) = self.flush.take()?;
        // None is being written while a wish to flush is taken, but some may be handed over later.
        let (alerts, events) = (self.alerts.lane.unstored(), self.events.lane.unstored());
        let unheard = self.alerts.lane.unheard() + self.events.lane.unheard();
        let stored = alerts + events == 0;
        if !stored && self.now() < by {
            self.flush = Some((by, flush));
            return Some(by);
        }
        let written = self.parts.voices.flush(WRITE_WITHIN).await;
        // Nobody may be waiting any more.
        let _ = flush.done.send(if stored && written {
            Ok(())
        } else {
            Err(Unflushed::Waiting { alerts, events, unheard })
        });
        None
    }
}

/// Whether the stream of this name answers.
async fn answers(context: Context, stream: String, missing: Arc<tokio::sync::Notify>) -> bool {
    match jetstream::ask::<IgnoredAny>(&context, format!("STREAM.INFO.{stream}"), &()).await {
        Ok(_) => true,
        Err(error) => {
            if matches!(&error, JetStreamError::Refused { code, .. } if *code == ErrorCode::STREAM_NOT_FOUND)
            {
                missing.notify_one();
            }
            tracing::debug!(%error, stream, "the stream does not answer yet");
            false
        }
    }
}

/// `refusable`: the stream has answered since, so that when nobody takes the message it is the subject that the stream lacks.
async fn confirmed(ack: Ack, missing: Arc<tokio::sync::Notify>, refusable: bool) -> Outcome {
    match ack.await {
        Ok(_) => Outcome::Stored,
        Err(error) if refusable && error.kind() == PublishErrorKind::StreamNotFound => {
            tracing::warn!("a silenced incident is not kept: the alerts stream does not take its subject");
            Outcome::Refused
        }
        Err(error) => {
            let outcome = judge(&error);
            match outcome {
                Outcome::Refused => {
                    tracing::error!(
                        error = jetstream::chain(&error),
                        "the stream refused a message for good"
                    );
                }
                Outcome::Stored | Outcome::Failed | Outcome::Unsent => {
                    tracing::debug!(error = jetstream::chain(&error), "storing a message was not confirmed");
                }
            }
            if error.kind() == PublishErrorKind::StreamNotFound {
                missing.notify_one();
            }
            outcome
        }
    }
}

fn judge(error: &PublishError) -> Outcome {
    let for_good = [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
    let reason = error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    if reason.is_some_and(|reason| for_good.contains(&reason.error_code())) {
        Outcome::Refused
    } else {
        Outcome::Failed
    }
}
