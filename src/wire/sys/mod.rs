//! Subjects and payloads of `$SYS`: what the servers publish, and what they answer when asked.
//!
//! Owns the recognition of subjects, the payload formats and their bounds. A message is decoded whole or refused whole: a
//! report with one unreadable gateway must not look like a report without that gateway.

mod advisory;
mod beat;
mod churn;
mod config;
mod error;
mod gateways;
pub mod greeting;
mod jetstream;
mod json;
mod names;
mod server;
mod stats;
pub mod subject;

pub use error::{DecodeError, JsonFault, What};
pub use names::{MAX_LISTED, MAX_NAME, NameFault};
pub(crate) use server::version;

use crate::model::ids::ClusterName;
use crate::model::observation::{Fact, Observation};
use crate::model::time::Mono;
use churn::Churn;
use names::Names;
use std::collections::BTreeMap;
use subject::Heard;

/// Largest payload that is looked at, in bytes. Real ones are below 100 KiB; a server's default limit is 1 MiB.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// How gzip, snappy and s2 streams begin: the compressions that servers know.
const COMPRESSED: [&[u8]; 3] = [b"\x1f\x8b", b"\xff\x06\x00\x00sNaPpY", b"\xff\x06\x00\x00S2sTwO"];

/// Decodes what one vantage hears.
///
/// Keeps state only to hand out shared names without allocating, to add up connection advisories, and to count.
#[derive(Debug)]
pub struct Decoder {
    vantage: ClusterName,
    names: Names,
    churn: Churn,
    counts: Counts,
}

/// What a [`Decoder`] has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that became an observation, or were added up to become one.
    pub decoded: u64,
    /// Messages that are none of ours, and empty answers.
    pub ignored: u64,
    /// Messages that were refused, by what they should have been and by [`DecodeError::kind`].
    pub failed: BTreeMap<(What, &'static str), u64>,
}

impl Decoder {
    /// A decoder for the connection into this cluster.
    #[must_use]
    pub fn new(vantage: ClusterName) -> Self {
        let churn = Churn::new(vantage.clone());
        Self { vantage, names: Names::default(), churn, counts: Counts::default() }
    }

    /// Decodes one message taken off the connection at `at`.
    ///
    /// `None` means that there is nothing to observe: the subject is none of ours, an answer is empty (the server's way to say
    /// that nobody listens to the question), or the message only counts towards [`Self::churn`]. A beat from a known server
    /// is decoded without allocating.
    ///
    /// # Errors
    /// When the subject is one of ours but the payload is not what it promises. The message is then of no use at all.
    pub fn decode(
        &mut self,
        at: Mono,
        subject: &str,
        payload: &[u8],
    ) -> Result<Option<Observation>, DecodeError> {
        match self.message(at, subject, payload) {
            Ok(Decoded::Fact(fact)) => {
                self.counts.decoded += 1;
                Ok(Some(Observation { vantage: self.vantage.clone(), at, fact }))
            }
            Ok(Decoded::AddedUp) => {
                self.counts.decoded += 1;
                Ok(None)
            }
            Ok(Decoded::Nothing) => {
                self.counts.ignored += 1;
                Ok(None)
            }
            Err(error) => {
                *self.counts.failed.entry((error.what(), error.kind())).or_default() += 1;
                Err(error)
            }
        }
    }

    /// Takes the connection advisories of all seconds that are over at `now`, added up per server and second.
    pub fn churn(&mut self, now: Mono) -> impl Iterator<Item = Observation> {
        let vantage = self.vantage.clone();
        self.churn.take(now).map(move |(at, churn)| Observation {
            vantage: vantage.clone(),
            at,
            fact: Fact::Clients(churn),
        })
    }

    /// What was seen so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn message(&mut self, at: Mono, subject: &str, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let Some(heard) = Heard::parse(subject)? else { return Ok(Decoded::Nothing) };
        let what = heard.what();
        if payload.len() > MAX_PAYLOAD {
            return Err(DecodeError::TooBig { what, bytes: payload.len() });
        }
        if payload.is_empty() && heard.is_answer() {
            return Ok(Decoded::Nothing);
        }
        if COMPRESSED.iter().any(|magic| payload.starts_with(magic)) {
            return Err(DecodeError::Compressed { what });
        }
        let names = &mut self.names;
        let fact = match heard {
            Heard::Beat { number } => beat::decode(names, number, payload)?,
            Heard::Stats => Fact::Stats(stats::decode(names, None, payload)?),
            Heard::StatsOf { id } => Fact::Stats(stats::decode(names, Some(id), payload)?),
            Heard::Gateways => Fact::Gateways(gateways::decode(names, payload)?),
            Heard::Config => Fact::Config(config::decode(names, payload)?),
            Heard::JetStream => Fact::JetStream(jetstream::decode(names, payload)?),
            Heard::Leaving { id } => Fact::Leaving(advisory::departure(names, what, id, payload)?),
            Heard::Stopped { id } => Fact::Stopped(advisory::departure(names, what, id, payload)?),
            Heard::AuthError { id } => Fact::AuthError(advisory::auth_error(names, id, payload)?),
            Heard::ClientConnected | Heard::ClientDisconnected => {
                let added = self.churn.add(names, at, what, payload)?;
                return Ok(if added { Decoded::AddedUp } else { Decoded::Nothing });
            }
        };
        Ok(Decoded::Fact(fact))
    }
}

/// What became of a message.
enum Decoded {
    Fact(Fact),
    AddedUp,
    Nothing,
}
