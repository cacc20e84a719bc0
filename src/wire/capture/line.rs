//! The lines as they stand in the file, and the words in them.

use super::probed::ProbedLine;
use crate::model::ask::Through;
use crate::model::observation::Disconnect;
use crate::model::time::Mono;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeaderLine {
    pub(super) gatewatch_capture: u32,
    pub(super) started: String,
    #[serde(default)]
    pub(super) program: String,
}

/// Any other line: `at`, and the fields of one kind of happening.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) at: f64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) vantage: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) reply: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) payload_hex: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) connection: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<AskedLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) probed: Option<ProbedLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stalled: Option<StalledLine>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) mark: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AskedLine<'a> {
    #[serde(borrow)]
    pub(super) cluster: Cow<'a, str>,
    pub(super) number: u64,
    #[serde(borrow)]
    pub(super) through: Cow<'a, str>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StalledLine {
    pub(super) from: f64,
}

/// Longest recording, in seconds (31 years): below it a float holds every microsecond.
const MAX_SECONDS: f64 = 1e9;

/// Seconds for a file, cut to the microsecond.
pub(super) fn seconds(at: Mono) -> f64 {
    let micros = u64::try_from(at.0.as_micros()).unwrap_or(u64::MAX);
    micros as f64 / 1e6
}

/// Seconds from a file.
pub(super) fn moment(seconds: f64) -> Option<Mono> {
    let fits = (0.0..MAX_SECONDS).contains(&seconds);
    fits.then(|| Mono(Duration::from_micros((seconds * 1e6).round() as u64)))
}

pub(super) const fn through_word(through: Through) -> &'static str {
    match through {
        Through::Home => "home",
        Through::All => "all",
    }
}

pub(super) fn through(word: &str) -> Option<Through> {
    [Through::Home, Through::All].into_iter().find(|through| through_word(*through) == word)
}

pub(super) const fn why_word(why: Disconnect) -> &'static str {
    match why {
        Disconnect::Lost => "lost",
        Disconnect::Refused => "refused",
        Disconnect::TimedOut => "timed_out",
        Disconnect::Unauthorized => "unauthorized",
        Disconnect::WrongCluster => "wrong_cluster",
        Disconnect::Tls => "tls",
        Disconnect::Other => "other",
    }
}

pub(super) fn why(word: &str) -> Option<Disconnect> {
    let all = [
        Disconnect::Lost,
        Disconnect::Refused,
        Disconnect::TimedOut,
        Disconnect::Unauthorized,
        Disconnect::WrongCluster,
        Disconnect::Tls,
        Disconnect::Other,
    ];
    all.into_iter().find(|why| why_word(*why) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_microsecond_survives_the_file() {
        for micros in [0, 1, 999_999, 7_900, 86_400_000_001, 999_999_999_999_999] {
            let at = Mono(Duration::from_micros(micros));
            let text = serde_json::to_string(&seconds(at)).unwrap();
            assert_eq!(moment(serde_json::from_str(&text).unwrap()), Some(at), "{text}");
        }
    }

    #[test]
    fn times_that_cannot_be_are_refused() {
        for seconds in [-0.001, 1e9, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(moment(seconds), None, "{seconds}");
        }
    }
}
