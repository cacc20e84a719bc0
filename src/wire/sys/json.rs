//! Reading JSON the way Go writes it: nil slices as `null`, signed counters, the zero time for "never".

use super::error::{DecodeError, What, clip};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// Parses a payload, naming what it should have been when that fails.
pub(super) fn parse<'a, T: Deserialize<'a>>(what: What, payload: &'a [u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(payload).map_err(|error| DecodeError::Malformed { what, source: error.into() })
}

/// For `#[serde(deserialize_with)]`: `null` is the default value.
pub(super) fn null_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The envelope of an answer: data or an error, and who answers.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a, S: Deserialize<'de>, T: Deserialize<'de>"))]
pub(super) struct Answer<'a, S, T> {
    server: Option<S>,
    #[serde(alias = "statsz")]
    data: Option<T>,
    #[serde(borrow)]
    error: Option<ApiError<'a>>,
}

#[derive(Deserialize)]
struct ApiError<'a> {
    #[serde(default, deserialize_with = "null_default")]
    code: i64,
    #[serde(borrow, default)]
    description: Cow<'a, str>,
}

impl<S, T> Answer<'_, S, T> {
    /// Who answers and what, or the error the server answered with.
    pub(super) fn open(self, what: What) -> Result<(S, T), DecodeError> {
        if let Some(error) = self.error {
            let description = clip(&error.description);
            return Err(DecodeError::Refused { what, code: error.code, description });
        }
        let server = self.server.ok_or(DecodeError::Missing { what, field: "server" })?;
        let data = self.data.ok_or(DecodeError::Missing { what, field: "data" })?;
        Ok((server, data))
    }
}

/// A server's timestamp; `None` when there is none, when it is Go's zero time or cannot be read.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (time.year() > 1).then_some(time)
}

/// A counter that Go keeps signed; below zero counts as zero.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// The same for small numbers; beyond `u32` it stays at the largest.
pub(super) fn small(value: i64) -> u32 {
    u32::try_from(count(value)).unwrap_or(u32::MAX)
}

/// Free text of a server, shortened; `None` when it is empty.
pub(super) fn text(text: &str) -> Option<String> {
    let text = clip(text);
    (!text.is_empty()).then_some(text)
}
