//! What people want of a running gatewatch, as they store it in the bucket: silences, and requests to forget something.
//!
//! Every record has a `version`, as those of [`super::record`] have.

use super::body::{KindWord, ServerBody, SeverityWord, Stamp};
use super::json::ReadError;
use super::record::{read, write};
use super::token;
use crate::model::intent::{Forget, ForgetOutcome, Matcher, Silence, SilenceId};
use crate::wire::body::{forget, forget_names};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Filter for the keys of all silences.
pub const SILENCE_KEYS: &str = "silence.*";

/// Filter for the keys of all requests to forget something.
pub const FORGET_KEYS: &str = "forget.>";

/// Key of a silence.
#[must_use]
pub fn silence_key(id: &SilenceId) -> String {
    format!("silence.{}", token::escape(id.as_str()))
}

/// Key of a request to forget something: `forget.<cluster>` or `forget.<cluster>.<server>`.
#[must_use]
pub fn forget_key(what: &Forget) -> String {
    let (cluster, server) = forget_names(what);
    let cluster = token::escape(&cluster);
    match server {
        None => format!("forget.{cluster}"),
        Some(server) => format!("forget.{cluster}.{}", token::escape(&server)),
    }
}

/// A silence: incidents that match are recorded and marked, not alerted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceBody {
    /// Its id.
    pub id: String,
    /// Which incidents it is about.
    #[serde(rename = "match")]
    pub matcher: MatcherBody,
    /// From when on it holds.
    pub from: Stamp,
    /// Until when it holds.
    pub until: Stamp,
    /// Why.
    #[serde(default)]
    pub comment: String,
    /// Who made it.
    #[serde(default)]
    pub author: String,
}

/// Which incidents are meant: all conditions that are given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatcherBody {
    /// Only this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindWord>,
    /// Only this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<SeverityWord>,
    /// Only incidents whose subject is or has this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Only incidents whose subject has this cluster as well: with `cluster`, the pair, in either order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Only incidents about this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerBody>,
}

/// A request to forget a cluster, or a server of it, that is gone for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgetBody {
    /// The cluster.
    pub cluster: String,
    /// The server's name; absent when the whole cluster is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// When it was asked for.
    pub at: Stamp,
    /// Who asked.
    #[serde(default)]
    pub author: String,
    /// What became of it; absent until the running gatewatch has taken it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeWord>,
}

/// What became of a request to forget something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// It is forgotten.
    Done,
    /// It is not: it is still heard, and would come back at once.
    StillHeard,
    /// It is not: the configuration of gatewatch says that a link of it must exist.
    Required,
    /// There was nothing to forget: nothing of that name is known.
    Unknown,
}

/// A request to forget something, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetRequest {
    /// What.
    pub what: Forget,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// Who asked.
    pub author: String,
    /// What became of it.
    pub outcome: Option<ForgetOutcome>,
}

/// The record of a silence.
#[must_use]
pub fn write_silence(silence: &Silence) -> Vec<u8> {
    write(SilenceBody::from(silence))
}

/// Reads a silence back. A condition that is not known is an error: leaving it out would silence more than was meant.
///
/// # Errors
/// When it is damaged or of a newer version.
pub fn read_silence(record: &[u8]) -> Result<Silence, ReadError> {
    read::<SilenceBody>("a silence", record).map(|body| (&body).into())
}

/// The record of a request to forget something.
#[must_use]
pub fn write_forget(request: &ForgetRequest) -> Vec<u8> {
    let (cluster, server) = forget_names(&request.what);
    write(ForgetBody {
        cluster,
        server,
        at: request.at.into(),
        author: request.author.clone(),
        outcome: request.outcome.map(Into::into),
    })
}

/// Reads a request to forget something back.
///
/// # Errors
/// When it is damaged or of a newer version.
pub fn read_forget(record: &[u8]) -> Result<ForgetRequest, ReadError> {
    let body = read::<ForgetBody>("a request to forget", record)?;
    Ok(ForgetRequest {
        what: forget(&body.cluster, body.server.as_deref()),
        at: body.at.into(),
        author: body.author,
        outcome: body.outcome.map(Into::into),
    })
}

impl From<&Silence> for SilenceBody {
    fn from(silence: &Silence) -> Self {
        Self {
            id: silence.id.to_string(),
            matcher: (&silence.matcher).into(),
            from: silence.from.into(),
            until: silence.until.into(),
            comment: silence.comment.clone(),
            author: silence.author.clone(),
        }
    }
}

impl From<&SilenceBody> for Silence {
    fn from(body: &SilenceBody) -> Self {
        Self {
            id: body.id.as_str().into(),
            matcher: (&body.matcher).into(),
            from: body.from.into(),
            until: body.until.into(),
            comment: body.comment.clone(),
            author: body.author.clone(),
        }
    }
}

impl From<&Matcher> for MatcherBody {
    fn from(matcher: &Matcher) -> Self {
        Self {
            kind: matcher.kind.map(Into::into),
            severity: matcher.severity.map(Into::into),
            cluster: matcher.cluster.as_ref().map(ToString::to_string),
            remote: matcher.remote.as_ref().map(ToString::to_string),
            server: matcher.server.as_ref().map(Into::into),
        }
    }
}

impl From<&MatcherBody> for Matcher {
    fn from(body: &MatcherBody) -> Self {
        Self {
            kind: body.kind.map(Into::into),
            severity: body.severity.map(Into::into),
            cluster: body.cluster.as_deref().map(Into::into),
            remote: body.remote.as_deref().map(Into::into),
            server: body.server.as_ref().map(Into::into),
        }
    }
}

impl From<ForgetOutcome> for OutcomeWord {
    fn from(outcome: ForgetOutcome) -> Self {
        match outcome {
            ForgetOutcome::Done => Self::Done,
            ForgetOutcome::StillHeard => Self::StillHeard,
            ForgetOutcome::Required => Self::Required,
            ForgetOutcome::Unknown => Self::Unknown,
        }
    }
}

impl From<OutcomeWord> for ForgetOutcome {
    fn from(word: OutcomeWord) -> Self {
        match word {
            OutcomeWord::Done => Self::Done,
            OutcomeWord::StillHeard => Self::StillHeard,
            OutcomeWord::Required => Self::Required,
            OutcomeWord::Unknown => Self::Unknown,
        }
    }
}
