//! What is handed over to be published.

use crate::model::incident::{Incident, IncidentId};
use crate::nats::voices::Parcel;
use crate::outbox::Row;
use crate::wire::advisory::Advisory;
use crate::wire::queued::Queued;
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use chrono::{DateTime, Utc};

/// What a message is about; decides which stream keeps it and what must stay in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A revision of this incident. Revisions of one incident are stored in the order in which they were handed over.
    Alert(IncidentId),
    /// A transition.
    Event,
}

/// One message to be published and stored.
#[derive(Debug, Clone)]
pub struct Message {
    pub(super) kind: Kind,
    pub(super) subject: String,
    /// Its `Nats-Msg-Id`.
    pub(super) id: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether it is given up when the stream answers and yet does not take its subject: one that somebody made before there were
    /// silences, or without them. It must not keep what comes after it from being stored.
    pub(super) may_be_left_out: bool,
    /// The incident as it stands with this alert, to be remembered along with it.
    pub(super) incident: Option<Box<Incident>>,
    /// When it was handed over.
    pub(super) at: DateTime<Utc>,
    /// Where it is in the outbox.
    pub(super) row: Option<Row>,
}

impl Message {
    /// An alert about this incident.
    #[must_use]
    pub fn alert(incident: &IncidentId, advisory: Advisory) -> Self {
        Self::new(Kind::Alert(incident.clone()), advisory)
    }

    /// The same about an incident that is silenced.
    #[must_use]
    pub fn silenced(incident: &IncidentId, advisory: Advisory) -> Self {
        Self { may_be_left_out: true, ..Self::alert(incident, advisory) }
    }

    /// With the incident as it stands now: it is remembered on disk along with the message.
    #[must_use]
    pub fn remembering(self, incident: &Incident) -> Self {
        Self { incident: Some(Box::new(incident.clone())), ..self }
    }

    /// An event.
    #[must_use]
    pub fn event(advisory: Advisory) -> Self {
        Self::new(Kind::Event, advisory)
    }

    /// The advisory's id goes into `Nats-Msg-Id`: what was stored under it is not stored again within the streams' duplicate window,
    /// and subscribers can tell a repeated copy by it.
    fn new(kind: Kind, advisory: Advisory) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &advisory.headers {
            headers.insert(*name, value.as_str());
        }
        headers.insert(async_nats::header::NATS_MESSAGE_ID, advisory.id.as_str());
        Self {
            kind,
            subject: advisory.subject,
            id: advisory.id,
            headers,
            body: advisory.body.into(),
            may_be_left_out: false,
            incident: None,
            at: DateTime::UNIX_EPOCH,
            row: None,
        }
    }

    /// One that a former life left in the outbox.
    pub(super) fn left(row: Row, queued: Queued) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &queued.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                headers.append(name, value);
            }
        }
        Self {
            kind: queued.incident.map_or(Kind::Event, Kind::Alert),
            subject: queued.subject,
            id: queued.id,
            headers,
            body: queued.body.into(),
            may_be_left_out: queued.may_be_left_out,
            incident: None,
            at: queued.at,
            row: Some(row),
        }
    }

    /// What the outbox keeps of it.
    pub(super) fn queued(&self) -> Queued {
        let pairs = self.headers.iter().flat_map(|(name, values)| {
            values.iter().map(|value| (name.to_string(), value.as_str().to_owned()))
        });
        Queued {
            incident: self.incident().cloned(),
            subject: self.subject.clone(),
            id: self.id.clone(),
            headers: pairs.collect(),
            at: self.at,
            may_be_left_out: self.may_be_left_out,
            body: self.body.to_vec(),
        }
    }

    pub(super) fn incident(&self) -> Option<&IncidentId> {
        match &self.kind {
            Kind::Alert(incident) => Some(incident),
            Kind::Event => None,
        }
    }

    /// As it is put on a connection.
    pub(super) fn parcel(&self) -> Parcel {
        Parcel {
            incident: self.incident().cloned(),
            id: self.id.clone(),
            subject: self.subject.clone(),
            headers: self.headers.clone(),
            heard_only: self.heard_only(),
            body: self.body.clone(),
        }
    }

    /// The copy that is only to be heard: the stream refuses it, so that it cannot be stored before what belongs ahead of it.
    fn heard_only(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(async_nats::header::NATS_EXPECTED_STREAM, HEARD_ONLY);
        headers
    }

    /// Bytes it takes, roughly.
    pub(super) fn size(&self) -> usize {
        self.subject.len() + self.body.len()
    }
}

/// No stream can have this name.
const HEARD_ONLY: &str = "(none: the same Nats-Msg-Id is stored later)";
