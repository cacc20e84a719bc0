//! Draining one connection: stamp, decode, hand on.
//!
//! Owns nothing that could block it: a subscription that is not drained loses its newest messages. What it hears about where clusters
//! are goes to the fleet as well. What cannot be decoded is counted and dropped; a hostile message must not end a connection.

use super::dial::Line;
use super::heard::{Facts, Outlet};
use super::notice::Notice;
use crate::model::ids::ClusterName;
use crate::model::observation::{Fact, Observation};
use crate::wire::capture::{self, Recorded};
use crate::wire::sys::{DecodeError, Decoder};
use async_nats::{Message, Subject, Subscriber};
use futures::StreamExt;
use futures::stream::{SelectAll, select_all};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// How often sums are closed and gaps are told when nothing else is heard.
const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// Clusters a reader remembers to have reported. Beyond them every sighting is reported again, which costs time and nothing else.
const MAX_SEEN: usize = 1024;

/// Takes everything off one connection, from its first message to its end.
pub(super) struct Reader {
    messages: SelectAll<Subscriber>,
    echo: Subject,
    /// The number of the last echo that came back.
    echoed: Arc<AtomicU64>,
    cluster: ClusterName,
    decoder: Decoder,
    facts: Facts,
    outlet: Outlet,
    notices: mpsc::Sender<Notice>,
    seen: BTreeSet<ClusterName>,
}

impl Reader {
    /// A reader for this connection; takes its subscriptions.
    pub(super) fn new(line: &mut Line, outlet: Outlet, notices: mpsc::Sender<Notice>) -> Self {
        let cluster = line.cluster.clone();
        Self {
            messages: select_all(std::mem::take(&mut line.subscriptions)),
            echo: line.echo.clone(),
            echoed: Arc::default(),
            decoder: Decoder::new(cluster.clone()),
            facts: Facts::new(outlet.clone(), cluster.clone()),
            seen: BTreeSet::from([cluster.clone()]),
            cluster,
            outlet,
            notices,
        }
    }

    /// Where the number of the last echo that came back can be read.
    pub(super) fn echoed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.echoed)
    }

    /// Reads until the connection ends. `gaps` counts what the connection itself dropped.
    pub(super) async fn run(&mut self, gaps: &AtomicU64) {
        let mut settle = interval(SETTLE_EVERY);
        settle.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                message = self.messages.next() => match message {
                    Some(message) => self.take(message).await,
                    None => return,
                },
                _ = settle.tick() => self.settle(gaps).await,
            }
        }
    }

    async fn take(&mut self, message: Message) {
        let at = self.outlet.clock.mono();
        if message.subject == self.echo {
            self.note_echo(&message.payload);
            return;
        }
        self.outlet.metrics.messages.bump();
        self.outlet.tap(|| {
            Recorded::Message(capture::Message {
                at,
                vantage: self.cluster.clone(),
                subject: message.subject.to_string(),
                reply: message.reply.as_ref().map(ToString::to_string),
                payload: message.payload.clone(),
            })
        });
        match self.decoder.decode(at, &message.subject, &message.payload) {
            Ok(Some(observation)) => self.hand_on(observation).await,
            Ok(None) => self.outlet.metrics.ignored.bump(),
            Err(error) => self.refuse(&message.subject, &error),
        }
    }

    async fn hand_on(&mut self, observation: Observation) {
        self.outlet.metrics.observations.bump();
        if let Some(notice) = self.notice(&observation.fact) {
            // Full: the fleet is busy with what it knows already, and servers repeat themselves.
            let _ = self.notices.try_send(notice);
        }
        self.facts.put(observation).await;
    }

    /// What the fleet should know of a fact: where clients connect, and clusters met for the first time.
    fn notice(&mut self, fact: &Fact) -> Option<Notice> {
        match fact {
            Fact::Config(report) => Some(Notice::Config(report.clone())),
            Fact::Stats(report) if !self.seen.contains(&report.server.cluster) => {
                if self.seen.len() < MAX_SEEN {
                    self.seen.insert(report.server.cluster.clone());
                }
                Some(Notice::Seen(report.server.cluster.clone()))
            }
            Fact::Stats(_)
            | Fact::Beat { .. }
            | Fact::Gateways(_)
            | Fact::Leaving(_)
            | Fact::Stopped(_)
            | Fact::AuthError(_)
            | Fact::Clients(_)
            | Fact::JetStream(_) => None,
        }
    }

    fn refuse(&self, subject: &Subject, error: &DecodeError) {
        self.outlet.metrics.undecodable.bump(error.kind());
        tracing::debug!(vantage = %self.cluster, %subject, %error, "message dropped");
    }

    fn note_echo(&self, payload: &[u8]) {
        if let Ok(number) = payload.try_into().map(u64::from_be_bytes) {
            self.echoed.fetch_max(number, Ordering::Relaxed);
        }
    }

    /// Closes the sums of seconds that are over, and tells what was lost.
    async fn settle(&mut self, gaps: &AtomicU64) {
        if gaps.swap(0, Ordering::Relaxed) > 0 {
            self.facts.note_gap();
        }
        self.facts.tell_gap();
        let sums: Vec<_> = self.decoder.churn(self.outlet.clock.mono()).collect();
        for observation in sums {
            self.facts.put(observation).await;
        }
    }
}
