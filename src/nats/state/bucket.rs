//! The key-value bucket, by its stream: reading and writing one key, each within seconds.
//!
//! One task writes a key; others only read. `put` gives the revision back, which is what a compare-and-set would need.

use crate::nats::jetstream::{self, JetStreamError, within};
use crate::nats::provision::bucket_stream;
use crate::nats::scan::{Scan, ScanError, scan};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{LastRawMessageError, LastRawMessageErrorKind};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;

/// Header that marks a deleted key.
const OPERATION: &str = "KV-Operation";

/// The bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    context: Context,
    stream: String,
    prefix: String,
}

/// One message of the bucket.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) key: String,
    /// Its number in the stream.
    pub(super) sequence: u64,
    /// The value; `None` when the key was deleted.
    pub(super) value: Option<Bytes>,
}

/// Why a key could not be written.
#[derive(Debug)]
pub(super) enum PutError {
    /// The server takes no value this large.
    TooLarge,
    /// Anything else; worth another try.
    Failed(JetStreamError),
}

impl Bucket {
    pub(super) fn new(client: &Client, name: &str) -> Self {
        let context = jetstream::context(client, 16);
        Self { context, stream: bucket_stream(name), prefix: format!("$KV.{name}.") }
    }

    /// Writes a value. Returns its revision.
    pub(super) async fn put(&self, key: &str, value: Vec<u8>) -> Result<u64, PutError> {
        self.publish(key, PublishMessage::build().payload(value.into())).await
    }

    /// Marks a key as deleted; whoever watches the bucket hears of it.
    pub(super) async fn delete(&self, key: &str) -> Result<u64, PutError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        self.publish(key, PublishMessage::build().headers(headers)).await
    }

    async fn publish(&self, key: &str, message: PublishMessage) -> Result<u64, PutError> {
        let publish =
            async { self.context.send_publish(format!("{}{key}", self.prefix), message).await?.await };
        match within(&self.context.client(), publish).await.map_err(PutError::Failed)? {
            Ok(ack) => Ok(ack.sequence),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => Err(PutError::TooLarge),
            Err(error) => Err(PutError::Failed(reason(error))),
        }
    }

    /// The value of a key, asked of the stream's leader; `None` when it has none.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, ScanError> {
        let subject = format!("{}{key}", self.prefix);
        let get = async {
            let stream = self.context.get_stream_no_info(&self.stream).await;
            let stream = stream.map_err(|error| JetStreamError::Failed(Box::new(error)))?;
            found(stream.get_last_raw_message_by_subject(&subject).await)
        };
        let message = within(&self.context.client(), get).await??;
        Ok(message.and_then(|message| (!is_deleted(&message.headers)).then_some(message.payload)))
    }

    /// The first message at or after this number whose key matches `filter`, asked of the stream's leader.
    pub(super) async fn next(&self, filter: &str, from: u64) -> Result<Option<Kept>, ScanError> {
        let subject = format!("{}{filter}", self.prefix);
        let get = async {
            let stream = self.context.get_stream_no_info(&self.stream).await;
            let stream = stream.map_err(|error| JetStreamError::Failed(Box::new(error)))?;
            found(stream.get_first_raw_message_by_subject(&subject, from).await)
        };
        let message = within(&self.context.client(), get).await??;
        Ok(message.and_then(|message| {
            let key = message.subject.strip_prefix(self.prefix.as_str())?.to_owned();
            let value = (!is_deleted(&message.headers)).then_some(message.payload);
            Some(Kept { key, sequence: message.sequence, value })
        }))
    }

    /// All keys that match `filter`, with their values.
    pub(super) async fn all(&self, filter: &str) -> Result<Vec<(String, Bytes)>, ScanError> {
        let mut found = Vec::new();
        let subject = format!("{}{filter}", self.prefix);
        let what =
            Scan { stream: &self.stream, subject, from: DeliverPolicy::LastPerSubject, headers_only: false };
        scan(&self.context, what, |message| {
            if !message.headers.as_ref().is_some_and(is_deleted)
                && let Some(key) = message.subject.strip_prefix(self.prefix.as_str())
            {
                found.push((key.to_owned(), message.payload.clone()));
            }
        })
        .await?;
        Ok(found)
    }
}

/// A message that was asked for, if there is one.
fn found(
    answer: Result<StreamMessage, LastRawMessageError>,
) -> Result<Option<StreamMessage>, JetStreamError> {
    let error = match answer {
        Ok(message) => return Ok(Some(message)),
        Err(error) => error,
    };
    match error.kind() {
        LastRawMessageErrorKind::NoMessageFound => Ok(None),
        LastRawMessageErrorKind::JetStream(reason) => Err(reason.into()),
        LastRawMessageErrorKind::InvalidSubject | LastRawMessageErrorKind::Other => {
            Err(JetStreamError::Failed(Box::new(error)))
        }
    }
}

fn is_deleted(headers: &HeaderMap) -> bool {
    headers.get(OPERATION).is_some_and(|operation| matches!(operation.as_str(), "DEL" | "PURGE"))
}

fn reason(error: PublishError) -> JetStreamError {
    match error.kind() {
        PublishErrorKind::TimedOut => JetStreamError::Silent,
        PublishErrorKind::StreamNotFound => JetStreamError::Refused {
            code: ErrorCode::STREAM_NOT_FOUND,
            description: "the bucket is not there".to_owned(),
        },
        PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::MaxPayloadExceeded
        | PublishErrorKind::Other => JetStreamError::Failed(Box::new(error)),
    }
}
