//! What is handed over to be published.

use crate::model::incident::IncidentId;
use crate::nats::voices::Parcel;
use crate::wire::advisory::Advisory;
use async_nats::HeaderMap;
use bytes::Bytes;

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
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether it is given up when the stream answers and yet does not take its subject: one that somebody made before there were
    /// silences, or without them. It must not keep what comes after it from being stored.
    pub(super) may_be_left_out: bool,
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
        Self { kind, subject: advisory.subject, headers, body: advisory.body.into(), may_be_left_out: false }
    }

    pub(super) fn incident(&self) -> Option<&IncidentId> {
        match &self.kind {
            Kind::Alert(incident) => Some(incident),
            Kind::Event => None,
        }
    }

    /// As it is put on a connection.
    pub(super) fn parcel(&self) -> Parcel {
        let id = self.headers.get(async_nats::header::NATS_MESSAGE_ID);
        Parcel {
            incident: self.incident().cloned(),
            id: id.map(ToString::to_string).unwrap_or_default(),
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
