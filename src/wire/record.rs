//! What is stored in the key-value bucket: current truth, open incidents, links that are expected to exist. What people store there
//! for gatewatch is in [`super::wish`].
//!
//! Every record has a `version`. A record of a newer version is refused by name instead of misread; unknown fields of the same
//! version are ignored.

use super::body::{IncidentBody, LinkBody, SnapshotBody, Stamp};
use super::json::{self, ReadError};
use super::token;
use crate::model::ids::Link;
use crate::model::incident::{Incident, IncidentId};
use crate::model::snapshot::Snapshot;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// Key of the latest snapshot.
pub const SNAPSHOT_KEY: &str = "snapshot";

/// Key of the links that are expected to exist.
pub const LINKS_KEY: &str = "links";

/// Key of the lease, in a bucket of its own.
pub const LEASE_KEY: &str = "speaker";

/// Filter for the keys of all open incidents.
pub const INCIDENT_KEYS: &str = "incident.*";

/// Key of an open incident; the record is removed when the incident is resolved.
#[must_use]
pub fn incident_key(id: &IncidentId) -> String {
    format!("incident.{}", token::escape(id.as_str()))
}

/// A record: a body and its version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record<T> {
    /// Version of the record's format.
    pub version: u32,
    /// What is stored.
    #[serde(flatten)]
    pub content: T,
}

/// Links that are expected to exist, remembered across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinksBody {
    /// When it was stored.
    pub at: Stamp,
    /// The links.
    #[serde(default)]
    pub links: Vec<LinkBody>,
}

/// Which of several gatewatch speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// Its instance name.
    pub instance: String,
    /// Tells its process from others of the same name. Empty: it has given the lease up.
    pub process: String,
    /// Since when it speaks.
    pub since: Stamp,
}

/// The record of a lease.
#[must_use]
pub fn write_lease(lease: &Lease) -> Vec<u8> {
    write(lease)
}

/// Reads a lease back.
///
/// # Errors
/// When it is damaged or of a newer version.
pub fn read_lease(record: &[u8]) -> Result<Lease, ReadError> {
    read::<Lease>("a lease", record)
}

/// Whether a record is of a newer version than this program knows: it may be read by name only, and must not be written over.
#[must_use]
pub fn is_newer(record: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    serde_json::from_slice(record).is_ok_and(|Versioned { version }| version > u64::from(VERSION))
}

/// The record of a snapshot.
#[must_use]
pub fn write_snapshot(snapshot: &Snapshot) -> Vec<u8> {
    write(SnapshotBody::from(snapshot))
}

/// Reads a snapshot back.
///
/// # Errors
/// When it is damaged or of a newer version.
pub fn read_snapshot(record: &[u8]) -> Result<Snapshot, ReadError> {
    read::<SnapshotBody>("a snapshot", record).map(|body| (&body).into())
}

/// The record of an open incident: the body of its alert, without what belongs to the message.
#[must_use]
pub fn write_incident(incident: &Incident) -> Vec<u8> {
    write(IncidentBody::from(incident))
}

/// Reads an incident back.
///
/// # Errors
/// When it is damaged or of a newer version.
pub fn read_incident(record: &[u8]) -> Result<Incident, ReadError> {
    read::<IncidentBody>("an incident", record).map(|body| (&body).into())
}

/// The record of the expected links, as of `at`.
#[must_use]
pub fn write_links(links: &[Link], at: DateTime<Utc>) -> Vec<u8> {
    write(LinksBody { at: at.into(), links: links.iter().map(Into::into).collect() })
}

/// Reads the expected links back.
///
/// # Errors
/// When they are damaged or of a newer version.
pub fn read_links(record: &[u8]) -> Result<Vec<Link>, ReadError> {
    read::<LinksBody>("a list of links", record).map(|body| body.links.iter().map(Into::into).collect())
}

pub(super) fn write<T: Serialize>(content: T) -> Vec<u8> {
    json::write(&Record { version: VERSION, content })
}

pub(super) fn read<T: DeserializeOwned>(what: &'static str, record: &[u8]) -> Result<T, ReadError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let Versioned { version } = json::read(what, record)?;
    if version > u64::from(VERSION) {
        return Err(ReadError::TooNew { what, found: version.to_string() });
    }
    json::read::<Record<T>>(what, record).map(|record| record.content)
}
