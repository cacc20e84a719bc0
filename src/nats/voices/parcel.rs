//! A message as it is put on a connection.

use crate::model::incident::IncidentId;
use async_nats::HeaderMap;
use bytes::Bytes;

/// One message, as it is stored and as it is only heard.
#[derive(Debug, Clone)]
pub(in crate::nats) struct Parcel {
    /// The incident it is about, when it is an alert: revisions of one are told in their order, and told again when a cut may have
    /// swallowed them.
    pub(in crate::nats) incident: Option<IncidentId>,
    /// Its id, the same for each copy.
    pub(in crate::nats) id: String,
    /// Where it is published.
    pub(in crate::nats) subject: String,
    /// The headers of the copy that is stored.
    pub(in crate::nats) headers: HeaderMap,
    /// The headers of a copy that no stream takes.
    pub(in crate::nats) heard_only: HeaderMap,
    /// Its body.
    pub(in crate::nats) body: Bytes,
}
