//! JSZ: the streams that a server leads, with what each of them copies.
//!
//! A server may be asked to leave out streams that it only follows; those that it lists nevertheless are left out here, so that
//! every stream is told of once. A mirror or source is known to its leader only.

use super::error::{DecodeError, What};
use super::json::{self, Answer, null_default};
use super::names::{Names, bounded};
use super::server::ServerInfo;
use crate::model::jetstream::{JetStreamReport, Origin, StreamInfo};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::time::Duration;

const WHAT: What = What::JetStream;

/// Without JetStream there are no details.
#[derive(Deserialize)]
struct Jsz<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    account_details: Vec<Account<'a>>,
}

#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// In operator mode the account's key; else its name once more.
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    stream_detail: Vec<Stream<'a>>,
}

#[derive(Deserialize)]
struct Stream<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// Absent where JetStream is not clustered.
    #[serde(borrow, default)]
    cluster: Option<Group<'a>>,
    #[serde(default, deserialize_with = "null_default")]
    state: State,
    #[serde(borrow, default)]
    mirror: Option<Copied<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    sources: Vec<Copied<'a>>,
}

#[derive(Deserialize)]
struct Group<'a> {
    /// The name of the server; absent while there is none.
    #[serde(borrow, default)]
    leader: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
struct State {
    #[serde(default, deserialize_with = "null_default")]
    messages: u64,
    #[serde(default, deserialize_with = "null_default")]
    last_seq: u64,
}

#[derive(Deserialize)]
struct Copied<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, deserialize_with = "null_default")]
    lag: u64,
    /// Nanoseconds since it was last heard of; below zero when never.
    #[serde(default)]
    active: Option<i64>,
    #[serde(default)]
    external: Option<IgnoredAny>,
}

/// Decodes an answer to JSZ.
pub(super) fn decode(names: &mut Names, payload: &[u8]) -> Result<JetStreamReport, DecodeError> {
    let answer: Answer<'_, ServerInfo<'_>, Jsz<'_>> = json::parse(WHAT, payload)?;
    let (server, data) = answer.open(WHAT)?;
    let server = server.identity(names, WHAT)?;
    bounded(WHAT, "accounts", data.account_details.len())?;
    bounded(WHAT, "streams", data.account_details.iter().map(|account| account.stream_detail.len()).sum())?;
    let mut streams = Vec::new();
    for account in &data.account_details {
        let name = account_name(account)?;
        let led = |stream: &&Stream<'_>| {
            stream.cluster.as_ref().is_none_or(|group| group.leader == server.name.as_str())
        };
        for stream in account.stream_detail.iter().filter(led) {
            streams.push(info(&name, stream)?);
        }
    }
    Ok(JetStreamReport { server, streams })
}

/// Names of accounts need not be unique in operator mode, so the key goes with them.
fn account_name(account: &Account<'_>) -> Result<String, DecodeError> {
    let name = Names::text(WHAT, "an account's name", &account.name)?;
    if account.id.is_empty() || account.id == account.name {
        return Ok(name);
    }
    let id = Names::text(WHAT, "an account's id", &account.id)?;
    Ok(format!("{name} ({id})"))
}

fn info(account: &str, stream: &Stream<'_>) -> Result<StreamInfo, DecodeError> {
    bounded(WHAT, "sources of a stream", stream.sources.len())?;
    Ok(StreamInfo {
        account: account.to_owned(),
        name: Names::text(WHAT, "a stream's name", &stream.name)?,
        last_sequence: stream.state.last_seq,
        messages: stream.state.messages,
        mirror: stream.mirror.as_ref().map(origin).transpose()?,
        sources: stream.sources.iter().map(origin).collect::<Result<_, _>>()?,
    })
}

fn origin(copied: &Copied<'_>) -> Result<Origin, DecodeError> {
    Ok(Origin {
        stream: Names::text(WHAT, "the name of a copied stream", &copied.name)?,
        lag: copied.lag,
        heard: copied.active.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos),
        external: copied.external.is_some(),
    })
}
