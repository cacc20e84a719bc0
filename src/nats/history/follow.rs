//! Alerts and events as they are published, each once.

use super::{HistoryError, NewsFilter};
use crate::nats::jetstream::{JetStreamError, chain, within};
use crate::wire::advisory::{Alert, Event};
use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{SelectAll, select_all};
use std::collections::{HashSet, VecDeque};

/// How many ids are remembered. A message that had to be stored later is heard again then, usually within seconds.
const REMEMBERED: usize = 10_000;

/// One message that was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Its subject.
    pub subject: String,
    /// Its JSON, as it was sent.
    pub body: Bytes,
    /// What it says.
    pub news: News,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// An incident was opened, updated or resolved.
    Alert(Box<Alert>),
    /// Something changed its state.
    Event(Box<Event>),
}

/// A subscription to alerts and events. What is published while the connection is away is missed.
#[derive(Debug)]
pub struct Following {
    messages: SelectAll<Subscriber>,
    alerts: String,
    filter: NewsFilter,
    seen: Seen,
}

impl Following {
    pub(super) async fn subscribe(
        client: &Client,
        prefix: &str,
        filter: NewsFilter,
    ) -> Result<Self, HistoryError> {
        let alerts = format!("{prefix}.alert.");
        let mut subjects = vec![format!("{alerts}>")];
        if !filter.alerts_only {
            subjects.push(format!("{prefix}.event.>"));
        }
        let mut subscribers = Vec::new();
        for subject in subjects {
            let explain = |source| HistoryError::Subscribe { subject: subject.clone(), source };
            let subscribed = within(client, client.subscribe(subject.clone())).await.map_err(explain)?;
            subscribers.push(subscribed.map_err(|error| explain(JetStreamError::Failed(Box::new(error))))?);
        }
        let explain = |source| HistoryError::Subscribe { subject: alerts.clone(), source };
        let written = within(client, client.flush()).await.map_err(explain)?;
        written.map_err(|error| explain(JetStreamError::Failed(Box::new(error))))?;
        Ok(Self { messages: select_all(subscribers), alerts, filter, seen: Seen::default() })
    }

    /// Waits for the next message that is wanted; `None` when the connection was closed for good. What cannot be read is skipped with a
    /// warning. May be dropped and called again without missing anything.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            let message = self.messages.next().await?;
            if let Some(heard) = self.wanted(message) {
                return Some(heard);
            }
        }
    }

    fn wanted(&mut self, message: Message) -> Option<Heard> {
        let news = if message.subject.starts_with(&self.alerts) {
            Alert::read(&message.payload).map(|alert| News::Alert(Box::new(alert)))
        } else {
            Event::read(&message.payload).map(|event| News::Event(Box::new(event)))
        };
        let news = news
            .inspect_err(|error| tracing::warn!(subject = %message.subject, error = chain(error), "a message is skipped"))
            .ok()?;
        let (id, takes) = match &news {
            News::Alert(alert) => (&alert.id, self.filter.takes_alert(&alert.to_model().incident)),
            News::Event(event) => (&event.id, self.filter.takes_event(event)),
        };
        let fresh = self.seen.is_new(id);
        (takes && fresh).then(|| Heard { subject: message.subject.to_string(), body: message.payload, news })
    }
}

/// The ids of the latest messages.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_until_many_others_came_after_it() {
        let mut seen = Seen::default();
        assert!(seen.is_new("first"));
        assert!(!seen.is_new("first"));
        for n in 0..REMEMBERED {
            assert!(seen.is_new(&n.to_string()));
        }
        assert!(seen.is_new("first"));
        assert_eq!((seen.ids.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
    }
}
