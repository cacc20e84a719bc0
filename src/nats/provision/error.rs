//! Why a stream or the bucket is not there, in words that tell how to mend it.

use crate::nats::jetstream::JetStreamError;

/// Why there is no place to keep alerts, events or state.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// JetStream could not be asked whether it exists.
    #[error("cannot look up stream {stream}")]
    Lookup {
        /// The stream.
        stream: String,
        /// Why.
        source: JetStreamError,
    },
    /// It exists, but cannot serve.
    #[error(
        "stream {stream} cannot be used: {}; change it with `nats stream edit {stream}`, remove it, or name another one in {named_by}",
        conflicts.join("; ")
    )]
    Conflict {
        /// The stream.
        stream: String,
        /// What is wrong with it.
        conflicts: Vec<String>,
        /// The setting that names it.
        named_by: &'static str,
    },
    /// Another stream already keeps these subjects.
    #[error(
        "cannot create stream {stream}: stream {holder} already takes messages on {subject}; name that one in {named_by}, take the \
         subject off it, or choose another alerts.subject_prefix"
    )]
    SubjectTaken {
        /// The stream.
        stream: String,
        /// The subject.
        subject: String,
        /// The stream that has it.
        holder: String,
        /// The setting that names the stream.
        named_by: &'static str,
    },
    /// Not enough servers, or not enough room on them.
    #[error(
        "cannot create stream {stream} with {replicas} replica(s) in cluster {cluster}: not enough JetStream servers there are up or have \
         room; set alerts.replicas, lower the *_max_bytes limits under [alerts], or create the stream by hand where it fits"
    )]
    NoRoom {
        /// The stream.
        stream: String,
        /// How many replicas were tried last.
        replicas: usize,
        /// Where.
        cluster: String,
        /// The server's words.
        source: JetStreamError,
    },
    /// The account's limits do not allow it.
    #[error(
        "cannot create stream {stream}: the account's JetStream limits do not allow it; raise them, or adapt alerts.replicas and the \
         *_max_bytes limits under [alerts]"
    )]
    AccountLimits {
        /// The stream.
        stream: String,
        /// The server's words.
        source: JetStreamError,
    },
    /// It could not be created for another reason.
    #[error("cannot create stream {stream}")]
    Create {
        /// The stream.
        stream: String,
        /// Why.
        source: JetStreamError,
    },
}

impl ProvisionError {
    /// Whether it may well heal by itself; otherwise somebody has to act.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lookup { source, .. } | Self::Create { source, .. } => source.is_transient(),
            Self::Conflict { .. }
            | Self::SubjectTaken { .. }
            | Self::NoRoom { .. }
            | Self::AccountLimits { .. } => false,
        }
    }

    /// The text with those of all causes, for one line of a log.
    #[must_use]
    pub fn chain(&self) -> String {
        crate::nats::jetstream::chain(self)
    }
}
