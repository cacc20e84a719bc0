//! From one line to what it says.

use super::error::CaptureError;
use super::line::{AskedLine, HeaderLine, Line, moment, through, why};
use super::{Header, Message, Recorded, VERSION};
use crate::model::ids::ClusterName;
use crate::model::observation::{Disconnect, Round, Stall, VantageChange, VantageEvent};
use crate::model::time::Mono;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::borrow::Cow;

/// One line as it stands in the file.
pub(super) struct RawLine {
    pub(super) text: Vec<u8>,
    /// Whether it ends in a newline: the last line of a recording that was cut short does not.
    pub(super) complete: bool,
}

pub(super) fn parse_header(number: u64, text: &[u8]) -> Result<Option<Header>, CaptureError> {
    #[derive(Deserialize)]
    struct Version {
        gatewatch_capture: Option<u32>,
    }
    let Ok(Version { gatewatch_capture: Some(version) }) = serde_json::from_slice(text) else {
        return Ok(None);
    };
    if version > VERSION {
        return Err(CaptureError::TooNew { version });
    }
    let malformed = |error: serde_json::Error| CaptureError::Malformed { line: number, source: error.into() };
    let header: HeaderLine = serde_json::from_slice(text).map_err(malformed)?;
    let started = DateTime::parse_from_rfc3339(&header.started).map_err(|_| CaptureError::BadValue {
        line: number,
        field: "started",
        found: shown(&header.started),
        expected: "a time like 2026-11-22T15:53:38Z (RFC 3339)",
    })?;
    Ok(Some(Header { started: started.with_timezone(&Utc), program: header.program }))
}

pub(super) fn parse_line(number: u64, line: &RawLine) -> Result<Recorded, CaptureError> {
    let parsed = serde_json::from_slice::<Line<'_>>(&line.text).map_err(|error| {
        if error.is_eof() && !line.complete {
            CaptureError::CutShort { line: number }
        } else {
            CaptureError::Malformed { line: number, source: error.into() }
        }
    })?;
    let at = time(number, "at", parsed.at)?;
    if let Some(asked) = &parsed.asked {
        return round(number, at, asked);
    }
    if let Some(probed) = parsed.probed {
        return probed.report(number, at).map(Recorded::Probed);
    }
    if let Some(stalled) = &parsed.stalled {
        let from = time(number, "stalled.from", stalled.from)?;
        return Ok(Recorded::Stalled(Stall { from, to: at }));
    }
    if let Some(mark) = &parsed.mark {
        return Ok(Recorded::Mark { at, text: mark.to_string() });
    }
    let expected = "\"vantage\" with \"subject\" or \"connection\", or one of \"asked\", \"probed\", \"stalled\", \"mark\"";
    let vantage = parsed.vantage.as_deref().ok_or(CaptureError::Incomplete { line: number, expected })?;
    let vantage = ClusterName::from(vantage);
    match (&parsed.connection, &parsed.subject) {
        (Some(word), _) => connection(number, at, vantage, word, &parsed),
        (None, Some(subject)) => Ok(Recorded::Message(Message {
            at,
            vantage,
            subject: subject.to_string(),
            reply: parsed.reply.as_deref().map(str::to_owned),
            payload: payload(number, &parsed)?,
        })),
        (None, None) => Err(CaptureError::Incomplete { line: number, expected }),
    }
}

fn round(number: u64, at: Mono, asked: &AskedLine<'_>) -> Result<Recorded, CaptureError> {
    let Some(through) = through(&asked.through) else {
        let (field, found) = ("asked.through", shown(&asked.through));
        return Err(CaptureError::BadValue { line: number, field, found, expected: "home or all" });
    };
    let cluster = ClusterName::from(asked.cluster.as_ref());
    Ok(Recorded::Asked(Round { cluster, number: asked.number, at, through }))
}

fn connection(
    number: u64,
    at: Mono,
    cluster: ClusterName,
    word: &str,
    line: &Line<'_>,
) -> Result<Recorded, CaptureError> {
    let what = match word {
        "dialling" => VantageEvent::Dialling,
        "connected" | "reconnected" => {
            VantageEvent::Connected { server: line.server.as_deref().map(Into::into) }
        }
        "disconnected" => VantageEvent::Disconnected(disconnect(number, line.why.as_deref())?),
        "dropped" => VantageEvent::Dropped,
        "beats_off" => VantageEvent::BeatsOff,
        // An error that a connection met says nothing about its state; what it led to has a line of its own.
        error if error.starts_with("error") => {
            return Ok(Recorded::Mark { at, text: format!("{cluster}: {error}") });
        }
        other => {
            let expected = "dialling, connected, reconnected, disconnected, dropped, beats_off, or a text that begins with error";
            return Err(CaptureError::BadValue {
                line: number,
                field: "connection",
                found: shown(other),
                expected,
            });
        }
    };
    Ok(Recorded::Vantage(VantageChange { cluster, at, what }))
}

fn disconnect(number: u64, word: Option<&str>) -> Result<Disconnect, CaptureError> {
    let Some(word) = word else { return Ok(Disconnect::Lost) };
    why(word).ok_or_else(|| CaptureError::BadValue {
        line: number,
        field: "why",
        found: shown(word),
        expected: "lost, refused, timed_out, unauthorized, wrong_cluster or other",
    })
}

fn payload(number: u64, line: &Line<'_>) -> Result<Bytes, CaptureError> {
    match (&line.payload, &line.payload_hex) {
        (Some(raw), _) => Ok(Bytes::copy_from_slice(raw.get().as_bytes())),
        (None, Some(hex)) => unhex(hex).ok_or_else(|| CaptureError::BadValue {
            line: number,
            field: "payload_hex",
            found: shown(hex),
            expected: "two hex digits per byte",
        }),
        (None, None) => Ok(Bytes::new()),
    }
}

fn unhex(text: &str) -> Option<Bytes> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

fn time(number: u64, field: &'static str, seconds: f64) -> Result<Mono, CaptureError> {
    moment(seconds).ok_or_else(|| CaptureError::BadValue {
        line: number,
        field,
        found: seconds.to_string(),
        expected: "seconds from the start of the recording, from 0 to below 1e9",
    })
}

/// A value of the file, short enough for an error.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// When the recording started, by the clock of the server that sent this message.
pub(super) fn started_by_a_server(recorded: &Recorded) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Payload<'a> {
        #[serde(borrow)]
        server: Clock<'a>,
    }
    #[derive(Deserialize)]
    struct Clock<'a> {
        #[serde(borrow)]
        time: Cow<'a, str>,
    }
    let Recorded::Message(message) = recorded else { return None };
    let payload: Payload<'_> = serde_json::from_slice(&message.payload).ok()?;
    let time = DateTime::parse_from_rfc3339(&payload.server.time).ok()?.with_timezone(&Utc);
    time.checked_sub_signed(chrono::TimeDelta::from_std(message.at.0).ok()?)
}
