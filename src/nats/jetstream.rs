//! Requests to JetStream in the alert account, each with a limit of time, and the words for what can be wrong with all of them.
//!
//! Speaks the plain API by subject: the client's typed calls either fail on older servers or lose the reason on the way.

use async_nats::connection::State;
use async_nats::jetstream::context::{ContextBuilder, RequestError, RequestErrorKind};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, jetstream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::time::Duration;

/// How long an answer may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The client's own limit starts only once the request is queued, and the queue may be full: this one always holds.
const HARD_LIMIT: Duration = Duration::from_secs(6);

/// Why JetStream did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum JetStreamError {
    /// The connection is not there.
    #[error("not connected to the alert account; the connection is being retried")]
    NotConnected,
    /// No answer.
    #[error(
        "JetStream did not answer within {} s; it may be electing a leader, or this user lacks a permission (`gatewatch permissions \
         --alerts` prints what is needed), or this is the system account, which cannot use JetStream",
        ANSWER_WITHIN.as_secs()
    )]
    Silent,
    /// Nobody listens for requests: this account cannot use JetStream.
    #[error(
        "JetStream is not enabled for the alert account; enable it with `jetstream {{ }}` on the servers and `jetstream: enabled` in \
         the account (it cannot be the system account), or give credentials of another account under [alerts]"
    )]
    NotEnabled,
    /// No leader, so nothing can be created or found for now.
    #[error(
        "JetStream has no leader at the moment ({description}); this heals once most JetStream servers reach each other again"
    )]
    NoLeader {
        /// The server's words.
        description: String,
    },
    /// The server refused.
    #[error("the server refused: {description} (JetStream error {})", code.0)]
    Refused {
        /// The server's code.
        code: ErrorCode,
        /// The server's words.
        description: String,
    },
    /// The request failed, or its answer could not be read.
    #[error("the request failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl JetStreamError {
    /// Whether it may well heal by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotConnected | Self::Silent | Self::NoLeader { .. } | Self::Failed(_) => true,
            Self::NotEnabled | Self::Refused { .. } => false,
        }
    }

    /// The server's code, when it gave a reason.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotConnected
            | Self::Silent
            | Self::NotEnabled
            | Self::NoLeader { .. }
            | Self::Failed(_) => None,
        }
    }
}

impl From<jetstream::Error> for JetStreamError {
    fn from(error: jetstream::Error) -> Self {
        let description = error.to_string();
        match error.error_code() {
            ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_NOT_LEADER
            | ErrorCode::CLUSTER_INCOMPLETE => Self::NoLeader { description },
            ErrorCode::JETSTREAM_NOT_ENABLED
            | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
            | ErrorCode::NO_ACCOUNT => Self::NotEnabled,
            code => Self::Refused { code, description },
        }
    }
}

impl From<RequestError> for JetStreamError {
    fn from(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::NoResponders => Self::NotEnabled,
            RequestErrorKind::TimedOut => Self::Silent,
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => Self::Failed(Box::new(error)),
        }
    }
}

/// A context with our limits. `acks` is how many publishes may wait for their ack at a time.
pub(super) fn context(client: &Client, acks: usize) -> Context {
    ContextBuilder::new()
        .timeout(ANSWER_WITHIN)
        .ack_timeout(ANSWER_WITHIN)
        .max_ack_inflight(acks)
        .build(client.clone())
}

/// Whether requests make sense at all. While disconnected they would only pile up in the client's queue.
pub(super) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// One request to the API (`subject` without `$JS.API.`), answered or failed within seconds.
pub(super) async fn ask<A: DeserializeOwned>(
    context: &Context,
    subject: String,
    body: &(impl Serialize + Sync),
) -> Result<A, JetStreamError> {
    let client = context.client();
    let answer = within(&client, context.request::<_, _, Response<A>>(subject, body)).await?;
    match answer? {
        Response::Ok(answer) => Ok(answer),
        Response::Err { error } => Err(error.into()),
    }
}

/// Runs something that talks to the server: not at all while disconnected, and never longer than the limit.
pub(super) async fn within<T>(client: &Client, work: impl Future<Output = T>) -> Result<T, JetStreamError> {
    if !is_connected(client) {
        return Err(JetStreamError::NotConnected);
    }
    tokio::time::timeout(HARD_LIMIT, work).await.map_err(|_| JetStreamError::Silent)
}

/// The text of an error with those of all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
