//! Reading what a stream holds, from a point on to its present end.
//!
//! Uses a short-lived pull consumer, deleted after use; should that fail, the server deletes it by itself soon after.

use super::jetstream::{self, JetStreamError, within};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{Context, ErrorCode, Message};
use futures::StreamExt;
use serde::de::IgnoredAny;
use serde_json::json;
use std::time::Duration;

/// Messages asked for at a time; well below what a subscription holds.
const BATCH: usize = 500;
/// When the server deletes a consumer that nobody uses any more.
const FORGET_AFTER: Duration = Duration::from_secs(15);

/// How often a consumer that does not answer is asked again.
const TRIES: u32 = 100;
/// Pause before asking again.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// What to read.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) stream: &'a str,
    pub(super) subject: String,
    pub(super) from: DeliverPolicy,
    /// Without the bodies.
    pub(super) headers_only: bool,
}

/// Why it could not be read.
#[derive(Debug)]
pub(super) enum ScanError {
    /// There is no such stream.
    NoStream,
    /// Anything else.
    JetStream(JetStreamError),
}

impl From<JetStreamError> for ScanError {
    fn from(error: JetStreamError) -> Self {
        match error.code() {
            Some(ErrorCode::STREAM_NOT_FOUND) => Self::NoStream,
            Some(_) | None => Self::JetStream(error),
        }
    }
}

/// Hands every message to `each`, in the order in which they were stored.
pub(super) async fn scan(
    context: &Context,
    what: Scan<'_>,
    each: impl FnMut(Message),
) -> Result<(), ScanError> {
    let stream = what.stream.to_owned();
    let consumer = create(context, what).await?;
    let read = read(context, &consumer, each).await;
    let delete = format!("CONSUMER.DELETE.{stream}.{}", consumer.cached_info().name);
    if let Err(error) = jetstream::ask::<IgnoredAny>(context, delete, &json!({})).await {
        tracing::debug!(%error, stream, "the server will remove the consumer by itself");
    }
    Ok(read?)
}

async fn create(context: &Context, what: Scan<'_>) -> Result<Consumer<pull::Config>, ScanError> {
    // Without a name: the subject on which such are created allows no lasting ones.
    let config = pull::Config {
        description: Some("gatewatch reads once".to_owned()),
        ack_policy: AckPolicy::None,
        deliver_policy: what.from,
        filter_subject: what.subject,
        headers_only: what.headers_only,
        inactive_threshold: FORGET_AFTER,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let created = within(&context.client(), context.create_consumer_on_stream(config, what.stream)).await?;
    created.map_err(|error| JetStreamError::from(error).into())
}

async fn read(
    context: &Context,
    consumer: &Consumer<pull::Config>,
    mut each: impl FnMut(Message),
) -> Result<(), JetStreamError> {
    let client = context.client();
    let mut pending = consumer.cached_info().num_pending;
    let mut failures = 0;
    while pending > 0 {
        let mut count = 0;
        let batch = within(&client, consumer.fetch().max_messages(BATCH).messages()).await?;
        let mut batch = batch.map_err(|error| JetStreamError::Failed(Box::new(error)))?;
        let end = loop {
            match within(&client, batch.next()).await? {
                Some(Ok(message)) => {
                    count += 1;
                    pending = message.info().map(|info| info.pending).map_err(JetStreamError::Failed)?;
                    each(message);
                }
                Some(Err(error)) => break Err(JetStreamError::Failed(error)),
                None => break Ok(()),
            }
        };
        match end {
            // A consumer that was just made may not be known yet to the server we are connected to.
            Err(error) if count == 0 && failures < TRIES => {
                failures += 1;
                tracing::debug!(error = jetstream::chain(&error), "the consumer does not answer yet");
                tokio::time::sleep(TRY_EVERY).await;
            }
            Err(error) => return Err(error),
            // What was pending may have expired meanwhile.
            Ok(()) if count == 0 => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

impl From<ConsumerError> for JetStreamError {
    fn from(error: ConsumerError) -> Self {
        match error.kind() {
            ConsumerErrorKind::TimedOut => Self::Silent,
            ConsumerErrorKind::JetStream(reason) => reason.into(),
            ConsumerErrorKind::Request
            | ConsumerErrorKind::InvalidConsumerType
            | ConsumerErrorKind::InvalidName
            | ConsumerErrorKind::Other => Self::Failed(Box::new(error)),
        }
    }
}
