//! Reading JSON the way Go writes it: nil slices as `null`, signed counters, the zero time for "never".

use super::error::{DecodeError, What, clip};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::time::Duration;

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

/// Longer than any server has run, and short enough that sums with it stay far from every bound.
const LONGEST: Duration = Duration::from_secs(1_000 * 365 * 86_400);

/// A span as the servers write it: `1y2d3h4m5s`, and `1.5ms` or `250µs` where Go's own form is used. `None` when it is neither, or
/// beyond all time.
pub(super) fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        total = total
            .checked_add(Duration::try_from_secs_f64(number * seconds_in(&rest[digits..unit])?).ok()?)?;
        rest = &rest[unit..];
    }
    (!text.is_empty() && total <= LONGEST).then_some(total)
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "y" => 365.0 * 86_400.0,
        "d" => 86_400.0,
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_both_of_the_servers_grammars() {
        let table = [
            ("0s", 0.0),
            ("5s", 5.0),
            ("1m2s", 62.0),
            ("1y2d3h4m5s", 31_719_845.0),
            ("1.5ms", 0.0015),
            ("250µs", 0.00025),
            ("1m0.5s", 60.5),
        ];
        for (text, seconds) in table {
            assert_eq!(span(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for bad in ["", "5", "s", "1x", "-1s", "1..5s", "1e400s", "99999999999999999999y"] {
            assert_eq!(span(bad), None, "{bad:?}");
        }
    }
}
