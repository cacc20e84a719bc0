//! Reading the state back.

use super::bucket::Bucket;
use crate::model::incident::Memory;
use crate::model::snapshot::Snapshot;
use crate::nats::jetstream::{JetStreamError, chain};
use crate::nats::scan::ScanError;
use crate::wire::ReadError;
use crate::wire::record;
use async_nats::Client;

/// Why the stored state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is no such bucket in this account.
    #[error(
        "there is no key-value bucket {bucket} in this account; has `gatewatch run` been started with the same [alerts] settings \
         (account, bucket)?"
    )]
    NoBucket {
        /// The bucket.
        bucket: String,
    },
    /// Nothing was ever stored in it.
    #[error(
        "bucket {bucket} holds no state yet; has `gatewatch run` been started, and can it write there (see its log)?"
    )]
    Empty {
        /// The bucket.
        bucket: String,
    },
    /// The record cannot be understood.
    #[error("the state in bucket {bucket} cannot be read")]
    Record {
        /// The bucket.
        bucket: String,
        /// Why.
        source: ReadError,
    },
    /// The server takes no value this large.
    #[error("this is larger than a message may be: it cannot be stored in bucket {bucket}")]
    TooLarge {
        /// The bucket.
        bucket: String,
    },
    /// JetStream did not do as it was asked.
    #[error("cannot read bucket {bucket}")]
    JetStream {
        /// The bucket.
        bucket: String,
        /// Why.
        source: JetStreamError,
    },
}

impl StateError {
    pub(in crate::nats) fn new(bucket: &str, error: ScanError) -> Self {
        let bucket = bucket.to_owned();
        match error {
            ScanError::NoStream => Self::NoBucket { bucket },
            ScanError::JetStream(source) => Self::JetStream { bucket, source },
        }
    }
}

/// Reads what a former life left: expected links and open incidents. Records that are damaged or of a newer version are skipped with
/// a warning and left alone.
///
/// # Errors
/// When the bucket is not there or cannot be read; never [`StateError::Empty`] or [`StateError::Record`].
pub async fn read_memory(client: &Client, bucket: &str) -> Result<Memory, StateError> {
    let explain = |error| StateError::new(bucket, error);
    let kept = Bucket::new(client, bucket);
    let links = kept.get(record::LINKS_KEY).await.map_err(explain)?;
    let links = links.and_then(|bytes| readable(record::LINKS_KEY, record::read_links(&bytes)));
    let incidents = kept.all(record::INCIDENT_KEYS).await.map_err(explain)?;
    let incidents = incidents.iter().filter_map(|(key, bytes)| {
        let incident = readable(key, record::read_incident(bytes))?;
        if record::incident_key(&incident.id) == *key {
            return Some(incident);
        }
        tracing::warn!(key, incident = %incident.id, "this record is kept under the key of another: skipped");
        None
    });
    let mut memory =
        Memory { links: links.unwrap_or_default(), incidents: incidents.collect(), ..Memory::default() };
    memory.incidents.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(memory)
}

/// Reads the latest snapshot; [`Snapshot::at`] tells how old it is.
///
/// # Errors
/// When there is none, or it cannot be read.
pub async fn read_snapshot(client: &Client, bucket: &str) -> Result<Snapshot, StateError> {
    let found = Bucket::new(client, bucket).get(record::SNAPSHOT_KEY).await;
    match found.map_err(|error| StateError::new(bucket, error))? {
        Some(bytes) => record::read_snapshot(&bytes)
            .map_err(|source| StateError::Record { bucket: bucket.to_owned(), source }),
        None => Err(StateError::Empty { bucket: bucket.to_owned() }),
    }
}

fn readable<T>(key: &str, read: Result<T, ReadError>) -> Option<T> {
    read.inspect_err(|error| {
        tracing::warn!(key, error = chain(error), "a stored record is skipped and left alone");
    })
    .ok()
}
