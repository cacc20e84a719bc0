//! Recordings of raw traffic: what `record` writes and `replay` reads.
//!
//! Newline-delimited JSON, one happening a line, in the order in which it reached gatewatch:
//!
//! ```text
//! {"gatewatch_capture":1,"started":"2026-11-22T15:53:38.000000Z","program":"gatewatch 0.1.0"}
//! {"at":0.0079,"vantage":"west","subject":"_INBOX.x.STATSZ.0","payload":{"server":{..},"statsz":{..}}}
//! {"at":0.0081,"vantage":"west","subject":"odd","payload_hex":"00ff"}
//! {"at":0.25,"asked":{"cluster":"west","number":1,"through":"home"}}
//! {"at":8.0075,"vantage":"west","connection":"disconnected","why":"lost"}
//! {"at":9,"stalled":{"from":8.1}}
//! {"at":9.2,"probed":{"target":"west","host":"gw.west","port":7222,"tls":false,"found":"refused"}}
//! {"at":8,"mark":"what was done to the supercluster, for people"}
//! ```
//!
//! `at` counts seconds from `started`, exact to a microsecond. Unknown fields are ignored, so that version 1 can grow. A
//! recording without the first line is accepted too: see [`Reader::open`].

mod error;
mod line;
mod parse;
mod probed;
mod read;
mod write;

pub use error::CaptureError;
pub use read::Reader;
pub use write::Writer;

use crate::model::ids::ClusterName;
use crate::model::observation::{Round, Stall, VantageChange};
use crate::model::probe::ProbeReport;
use crate::model::time::Mono;
use bytes::Bytes;
use chrono::{DateTime, Utc};

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// One recorded happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// A message, as a vantage heard it.
    Message(Message),
    /// One of our own connections changed.
    Vantage(VantageChange),
    /// A round of beats was asked for.
    Asked(Round),
    /// What was found at a gateway address.
    Probed(ProbeReport),
    /// The process did not run for a while.
    Stalled(Stall),
    /// A note for people: what was done at this moment, or an error that some connection met.
    Mark {
        /// When.
        at: Mono,
        /// What.
        text: String,
    },
}

impl Recorded {
    /// When it happened, counted from the start of the recording.
    #[must_use]
    pub fn at(&self) -> Mono {
        match self {
            Self::Message(message) => message.at,
            Self::Vantage(change) => change.at,
            Self::Asked(round) => round.at,
            Self::Probed(report) => report.at,
            Self::Stalled(stall) => stall.to,
            Self::Mark { at, .. } => *at,
        }
    }
}

/// A message as a vantage heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it was taken off the connection.
    pub at: Mono,
    /// The cluster in which our connection heard it.
    pub vantage: ClusterName,
    /// Its subject.
    pub subject: String,
    /// Where an answer to it is wanted.
    pub reply: Option<String>,
    /// Its body.
    pub payload: Bytes,
}

/// What stands on the first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The wall-clock time from which `at` counts.
    pub started: DateTime<Utc>,
    /// What made the recording.
    pub program: String,
}
