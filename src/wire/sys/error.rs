//! Why a message was refused. Texts are bounded: a hostile payload must not become a hostile log line.

use super::names::NameFault;
use std::fmt;

/// Longest text that is taken over from a payload into an error, in bytes.
const MAX_TEXT: usize = 200;

/// What a message claims to be, by its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Answer to a beat (IDZ).
    Beat,
    /// STATSZ, asked for or broadcast.
    Stats,
    /// Answer to GATEWAYZ.
    Gateways,
    /// Answer to VARZ.
    Config,
    /// Answer to JSZ.
    JetStream,
    /// LAMEDUCK.
    LameDuck,
    /// SHUTDOWN.
    Shutdown,
    /// CLIENT.AUTH.ERR.
    AuthError,
    /// A client's CONNECT.
    Connect,
    /// A client's DISCONNECT.
    Disconnect,
}

impl What {
    /// The lower-case word for counters and logs.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Beat => "beat",
            Self::Stats => "statsz",
            Self::Gateways => "gatewayz",
            Self::Config => "varz",
            Self::JetStream => "jsz",
            Self::LameDuck => "lameduck",
            Self::Shutdown => "shutdown",
            Self::AuthError => "auth_error",
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// Why a message was refused.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The last token of a beat's reply subject is not its number.
    #[error(
        "{what}: the reply subject ends in {found:?} instead of a number; does another program publish there?"
    )]
    BadNumber {
        /// What the message claims to be.
        what: What,
        /// The token.
        found: String,
    },
    /// The payload is larger than [`super::MAX_PAYLOAD`].
    #[error("{what}: a payload of {bytes} bytes is beyond the limit of {}", super::MAX_PAYLOAD)]
    TooBig {
        /// What the message claims to be.
        what: What,
        /// Its size.
        bytes: usize,
    },
    /// The payload is compressed, which nobody asked for: servers compress only what they are asked to.
    #[error("{what}: the payload is compressed; does another program ask servers in the name of gatewatch?")]
    Compressed {
        /// What the message claims to be.
        what: What,
    },
    /// The payload is not JSON, or a field has another type than expected.
    #[error("{what}: the payload cannot be read; is this server of a supported version?")]
    Malformed {
        /// What the message claims to be.
        what: What,
        /// Where and why.
        #[source]
        source: JsonFault,
    },
    /// A part without which the message says nothing is missing.
    #[error("{what}: the payload has no {field:?}")]
    Missing {
        /// What the message claims to be.
        what: What,
        /// The missing part.
        field: &'static str,
    },
    /// The server answered with an error.
    #[error("{what}: the server answered with error {code}: {description:?}")]
    Refused {
        /// What was asked.
        what: What,
        /// The server's code, after HTTP.
        code: i64,
        /// The server's words, shortened.
        description: String,
    },
    /// The subject names another server than the payload.
    #[error("{what}: published by {subject:?} for {payload:?}: servers only speak for themselves")]
    IdMismatch {
        /// What the message claims to be.
        what: What,
        /// Id in the subject.
        subject: String,
        /// Id in the payload.
        payload: String,
    },
    /// The server belongs to no cluster, so it can have no gateways.
    #[error(
        "{what}: server {server:?} belongs to no cluster; give it a cluster name if it should be watched"
    )]
    NotClustered {
        /// What the message claims to be.
        what: What,
        /// Name of the server.
        server: String,
    },
    /// A name cannot be used.
    #[error("{what}: {field} cannot be used")]
    BadName {
        /// What the message claims to be.
        what: What,
        /// Which name.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: NameFault,
    },
    /// A list is longer than [`super::MAX_LISTED`], or too many servers were heard within a second.
    #[error("{what}: {count} {field} are beyond the limit of {}", super::MAX_LISTED)]
    TooMany {
        /// What the message claims to be.
        what: What,
        /// Of what.
        field: &'static str,
        /// How many.
        count: usize,
    },
}

impl DecodeError {
    /// One word for the variant, as a label of counters.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BadNumber { .. } => "bad_number",
            Self::TooBig { .. } => "too_big",
            Self::Compressed { .. } => "compressed",
            Self::Malformed { .. } => "malformed",
            Self::Missing { .. } => "missing",
            Self::Refused { .. } => "refused",
            Self::IdMismatch { .. } => "id_mismatch",
            Self::NotClustered { .. } => "not_clustered",
            Self::BadName { .. } => "bad_name",
            Self::TooMany { .. } => "too_many",
        }
    }

    /// What the message claimed to be.
    #[must_use]
    pub const fn what(&self) -> What {
        match self {
            Self::BadNumber { what, .. }
            | Self::TooBig { what, .. }
            | Self::Compressed { what }
            | Self::Malformed { what, .. }
            | Self::Missing { what, .. }
            | Self::Refused { what, .. }
            | Self::IdMismatch { what, .. }
            | Self::NotClustered { what, .. }
            | Self::BadName { what, .. }
            | Self::TooMany { what, .. } => *what,
        }
    }
}

/// What the JSON parser found wrong, shortened: its own text can hold whole strings of the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct JsonFault {
    text: String,
}

impl From<serde_json::Error> for JsonFault {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let mut short = clip(&text);
        if short.len() < text.len() {
            short.push_str(&format!("… at line {line} column {column}"));
        }
        Self { text: short }
    }
}

/// The text without control characters and cut to a length that fits an error or a log line.
pub(super) fn clip(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().filter(|c| !c.is_control()).collect()
}
