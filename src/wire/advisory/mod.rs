//! What gatewatch publishes: alerts about incidents, events about state changes.
//!
//! ```text
//! <prefix>.alert.<severity>.<kind>.<cluster or _>.<remote or _>
//! <prefix>.silenced.<severity>.<kind>.<cluster or _>.<remote or _>      instead, while a silence holds
//! <prefix>.event.<entity>.<state>.<cluster>.<remote, server or _>
//! ```
//!
//! Names are escaped ([`crate::wire::token`]) and the tokens fixed in number, so wildcards pick severity, kind, cluster or
//! remote; what is about a gatewatch itself and no cluster has neither. Cluster and remote of an alert stay the same from opening to resolution; severity and kind follow the incident. Bodies
//! carry `type`, `id` and `timestamp` as advisories of this ecosystem do, headers those of CloudEvents and `Nats-Msg-Id`.

mod alert;
mod event;

pub use alert::Alert;
pub use event::Event;

use super::{json, token};
use crate::model::incident::IncidentEvent;
use crate::model::transition::Transition;
use crate::wire::body::Stamp;

/// What every `type` begins with; v1 only grows.
pub const TYPE_PREFIX: &str = "io.gatewatch.advisory.v1.";

/// One message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// Where.
    pub subject: String,
    /// Id by which JetStream drops duplicates; also among the headers.
    pub id: String,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// Why a subject prefix cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("subject prefix {prefix:?}: {problem}; use something like \"gatewatch\" or \"ops.gatewatch\"")]
pub struct PrefixError {
    prefix: String,
    problem: &'static str,
}

/// Makes advisories under one subject prefix, in the name of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisories {
    prefix: String,
    source: String,
}

impl Advisories {
    /// `instance` is the name of this gatewatch among several; it becomes `source` and `ce-source`.
    ///
    /// # Errors
    /// When the prefix is not made of plain subject tokens, or begins with `$`, which is the servers' own.
    pub fn new(prefix: &str, instance: &str) -> Result<Self, PrefixError> {
        let refused = |problem| PrefixError { prefix: prefix.to_owned(), problem };
        if prefix.starts_with('$') {
            return Err(refused("subjects that begin with $ belong to the servers"));
        }
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '*' | '>');
        if !prefix.split('.').all(|token| !token.is_empty() && token.chars().all(plain)) {
            return Err(refused(
                "it must be one or more tokens without spaces and wildcards, joined by dots",
            ));
        }
        Ok(Self { prefix: prefix.to_owned(), source: format!("gatewatch/{}", token::escape(instance)) })
    }

    /// Subject filter for every alert.
    #[must_use]
    pub fn alerts(&self) -> String {
        format!("{}.alert.>", self.prefix)
    }

    /// Subject filter for what would be an alert, did no silence hold.
    #[must_use]
    pub fn silenced(&self) -> String {
        format!("{}.silenced.>", self.prefix)
    }

    /// Subject filter for every event.
    #[must_use]
    pub fn events(&self) -> String {
        format!("{}.event.>", self.prefix)
    }

    /// The alert about a step of an incident.
    #[must_use]
    pub fn alert(&self, event: &IncidentEvent) -> Advisory {
        let body = self.alert_body(event);
        self.message(
            &alert::subject(&event.incident),
            &body.id,
            &body.type_name,
            body.timestamp,
            json::write(&body),
        )
    }

    /// The event about a state change.
    #[must_use]
    pub fn event(&self, transition: &Transition) -> Advisory {
        let body = self.event_body(transition);
        self.message(
            &event::subject(&body.change),
            &body.id,
            &body.type_name,
            body.timestamp,
            json::write(&body),
        )
    }

    /// The body of [`Self::alert`].
    #[must_use]
    pub fn alert_body(&self, event: &IncidentEvent) -> Alert {
        Alert::new(event, &self.source)
    }

    /// The body of [`Self::event`].
    #[must_use]
    pub fn event_body(&self, transition: &Transition) -> Event {
        Event::new(transition, &self.source)
    }

    fn message(&self, subject: &str, id: &str, type_name: &str, time: Stamp, body: Vec<u8>) -> Advisory {
        let headers = vec![
            ("Nats-Msg-Id", id.to_owned()),
            ("content-type", "application/json".to_owned()),
            ("ce-specversion", "1.0".to_owned()),
            ("ce-id", id.to_owned()),
            ("ce-type", type_name.to_owned()),
            ("ce-source", self.source.clone()),
            ("ce-time", time.to_string()),
        ];
        Advisory { subject: format!("{}.{subject}", self.prefix), id: id.to_owned(), headers, body }
    }
}
