//! What people want, in the bucket: silences, and requests to forget something.
//!
//! The verbs write them, the daemon reads them. Nobody else writes these keys, and every write is whole and may be repeated.

use super::StateError;
use super::bucket::{Bucket, PutError};
use crate::model::intent::{Forget, Silence, SilenceId};
use crate::nats::jetstream::{JetStreamError, chain};
use crate::nats::scan::ScanError;
use crate::wire::wish::{self, ForgetRequest};
use async_nats::Client;

/// The wishes in one bucket.
#[derive(Debug, Clone)]
pub struct Wishes {
    kept: Bucket,
    bucket: String,
}

impl Wishes {
    /// Those in this bucket.
    #[must_use]
    pub fn new(client: &Client, bucket: &str) -> Self {
        Self { kept: Bucket::new(client, bucket), bucket: bucket.to_owned() }
    }

    /// Every silence that is stored, also those that are over, sorted by id. What cannot be read is skipped with a warning.
    ///
    /// # Errors
    /// When the bucket is not there or cannot be read.
    pub async fn silences(&self) -> Result<Vec<Silence>, StateError> {
        let stored = self.kept.all(wish::SILENCE_KEYS).await;
        let stored = stored.map_err(|error| StateError::new(&self.bucket, error))?;
        let mut silences: Vec<Silence> = stored
            .iter()
            .filter_map(|(key, bytes)| {
                let read = wish::read_silence(bytes);
                read.inspect_err(|error| tracing::warn!(key, error = chain(error), "a silence is skipped"))
                    .ok()
            })
            .collect();
        silences.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(silences)
    }

    /// Stores a silence.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn add_silence(&self, silence: &Silence) -> Result<(), StateError> {
        self.put(&wish::silence_key(&silence.id), wish::write_silence(silence)).await
    }

    /// Deletes a silence, whether or not it is there.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub async fn remove_silence(&self, id: &SilenceId) -> Result<(), StateError> {
        self.delete(&wish::silence_key(id)).await
    }

    /// Stores a request to forget something, or what became of it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn put_forget(&self, request: &ForgetRequest) -> Result<(), StateError> {
        self.put(&wish::forget_key(&request.what), wish::write_forget(request)).await
    }

    /// A request to forget something as it stands; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn forget(&self, what: &Forget) -> Result<Option<ForgetRequest>, StateError> {
        let stored = self.kept.get(&wish::forget_key(what)).await;
        let Some(bytes) = stored.map_err(|error| StateError::new(&self.bucket, error))? else {
            return Ok(None);
        };
        let read = wish::read_forget(&bytes);
        read.map(Some).map_err(|source| StateError::Record { bucket: self.bucket.clone(), source })
    }

    /// Deletes a request to forget something.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub async fn remove_forget(&self, what: &Forget) -> Result<(), StateError> {
        self.delete(&wish::forget_key(what)).await
    }

    pub(super) fn unreadable(&self, error: ScanError) -> StateError {
        StateError::new(&self.bucket, error)
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.kept
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), StateError> {
        self.kept.put(key, value).await.map(|_| ()).map_err(|error| self.explain(error))
    }

    async fn delete(&self, key: &str) -> Result<(), StateError> {
        self.kept.delete(key).await.map(|_| ()).map_err(|error| self.explain(error))
    }

    fn explain(&self, error: PutError) -> StateError {
        let bucket = self.bucket.clone();
        match error {
            PutError::Failed(JetStreamError::Refused { code, .. })
                if code == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND =>
            {
                StateError::NoBucket { bucket }
            }
            PutError::Failed(source) => StateError::JetStream { bucket, source },
            PutError::TooLarge => StateError::TooLarge { bucket },
        }
    }
}
