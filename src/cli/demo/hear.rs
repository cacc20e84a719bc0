//! What plain subscribers hear: nothing here knows more than any client of the application account.

use super::step::EventWord;
use crate::lab::{ConnectError, Supercluster};
use crate::wire::advisory::{Alert, Event};
use crate::wire::body::{ChangeBody, ClusterStateBody, LinkStateBody};
use futures::StreamExt;
use futures::stream::SelectAll;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

/// One message.
#[derive(Debug)]
pub(super) enum Heard {
    Alert(Box<Alert>),
    Event(Box<Event>),
}

type Stream = Pin<Box<dyn futures::Stream<Item = (String, async_nats::Message)> + Send>>;

/// A plain subscriber in every cluster.
pub(super) struct Ears {
    messages: SelectAll<Stream>,
    seen: BTreeSet<String>,
    /// In which clusters each alert was heard.
    places: BTreeMap<String, BTreeSet<String>>,
}

impl Ears {
    /// Subscribes in every cluster, with a client that stays with the servers of that cluster.
    pub(super) async fn open(lab: &Supercluster) -> Result<Self, ConnectError> {
        let mut messages = SelectAll::new();
        for cluster in lab.clusters() {
            let Some(server) = lab.servers().iter().find(|server| server.key().cluster == cluster) else {
                continue;
            };
            let client = server.app_client().await?;
            // A subscription fails only on a client that was closed.
            let Ok(subscriber) = client.subscribe("gatewatch.>").await else { continue };
            let _ = client.flush().await;
            let name = cluster.to_string();
            let stream = subscriber.map(move |message| {
                // Each message keeps the client it came through alive.
                let _client = &client;
                (name.clone(), message)
            });
            messages.push(Box::pin(stream) as Stream);
        }
        Ok(Self { messages, seen: BTreeSet::new(), places: BTreeMap::new() })
    }

    /// The next message that was not heard anywhere before. May be dropped and called again without missing anything.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            let Some((cluster, message)) = self.messages.next().await else {
                // All connections are closed for good: nothing more is to be heard.
                return std::future::pending().await;
            };
            if let Some(heard) = self.take(cluster, &message) {
                return heard;
            }
        }
    }

    fn take(&mut self, cluster: String, message: &async_nats::Message) -> Option<Heard> {
        if message.subject.contains(".alert.") {
            let alert = Alert::read(&message.payload).ok()?;
            self.places.entry(alert.id.clone()).or_default().insert(cluster);
            return self.seen.insert(alert.id.clone()).then(|| Heard::Alert(Box::new(alert)));
        }
        let event = Event::read(&message.payload).ok()?;
        self.seen.insert(event.id.clone()).then(|| Heard::Event(Box::new(event)))
    }

    /// In which clusters this alert was heard so far.
    pub(super) fn places(&self, alert: &str) -> Vec<String> {
        self.places.get(alert).into_iter().flatten().cloned().collect()
    }
}

/// Whether an event is worth a line: links and clusters that are lost or back, not their parts.
pub(super) fn word_of(event: &Event) -> Option<EventWord> {
    match &event.change {
        ChangeBody::Link { to, .. } => match to {
            LinkStateBody::Up => Some(EventWord::Back),
            LinkStateBody::Degraded { .. } | LinkStateBody::Down => Some(EventWord::Lost),
            LinkStateBody::Unknown | LinkStateBody::Retired | LinkStateBody::Resynced { .. } => None,
        },
        ChangeBody::Cluster { to, .. } => match to {
            ClusterStateBody::Healthy => Some(EventWord::Back),
            ClusterStateBody::Isolated | ClusterStateBody::Offline { .. } => Some(EventWord::Lost),
            ClusterStateBody::Unknown
            | ClusterStateBody::Degraded
            | ClusterStateBody::Draining
            | ClusterStateBody::Unreachable => None,
        },
        ChangeBody::ServerLink { .. } | ChangeBody::Server { .. } | ChangeBody::Vantage { .. } => None,
    }
}
