//! Writing a recording.

use super::line::{AskedLine, HeaderLine, Line, StalledLine, seconds, through_word, why_word};
use super::{Header, Message, Recorded, VERSION};
use crate::model::observation::{VantageChange, VantageEvent};
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes a recording, one line per happening. It does not buffer: hand it a [`std::io::BufWriter`].
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
}

impl<W: Write> Writer<W> {
    /// Starts a recording with its header.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn start(mut output: W, header: &Header) -> io::Result<Self> {
        let line = HeaderLine {
            gatewatch_capture: VERSION,
            started: header.started.to_rfc3339_opts(SecondsFormat::Micros, true),
            program: header.program.clone(),
        };
        write_line(&mut output, &line)?;
        Ok(Self { output })
    }

    /// Adds a happening. Times are cut to the microsecond.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(&mut self, recorded: &Recorded) -> io::Result<()> {
        let at = seconds(recorded.at());
        let line = match recorded {
            Recorded::Message(message) => message_line(message),
            Recorded::Vantage(change) => vantage_line(change),
            Recorded::Asked(round) => Line {
                asked: Some(AskedLine {
                    cluster: round.cluster.as_str().into(),
                    number: round.number,
                    through: through_word(round.through).into(),
                }),
                ..Line::default()
            },
            Recorded::Probed(report) => Line { probed: Some(report.into()), ..Line::default() },
            Recorded::Stalled(stall) => {
                Line { stalled: Some(StalledLine { from: seconds(stall.from) }), ..Line::default() }
            }
            Recorded::Mark { text, .. } => Line { mark: Some(text.into()), ..Line::default() },
        };
        write_line(&mut self.output, &Line { at, ..line })
    }

    /// Hands everything on that the output holds back.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Gives the output back, flushed.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

fn write_line<W: Write, T: Serialize>(output: &mut W, line: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    output.write_all(&text)
}

fn message_line(message: &Message) -> Line<'_> {
    let payload = raw_json(&message.payload);
    Line {
        vantage: Some(message.vantage.as_str().into()),
        subject: Some(message.subject.as_str().into()),
        reply: message.reply.as_deref().map(Cow::from),
        payload,
        payload_hex: payload.is_none().then(|| hex(&message.payload).into()),
        ..Line::default()
    }
}

/// The payload as JSON, when it can stand in a line byte for byte.
fn raw_json(payload: &[u8]) -> Option<&RawValue> {
    let object = payload.first() == Some(&b'{') && !payload.contains(&b'\n') && !payload.contains(&b'\r');
    let raw: &RawValue = object.then(|| serde_json::from_slice(payload).ok()).flatten()?;
    (raw.get().len() == payload.len()).then_some(raw)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn vantage_line(change: &VantageChange) -> Line<'_> {
    let (connection, why, server) = match &change.what {
        VantageEvent::Dialling => ("dialling", None, None),
        VantageEvent::Connected { server } => ("connected", None, server.as_ref()),
        VantageEvent::Disconnected(why) => ("disconnected", Some(why_word(*why)), None),
        VantageEvent::Dropped => ("dropped", None, None),
        VantageEvent::BeatsOff => ("beats_off", None, None),
    };
    Line {
        vantage: Some(change.cluster.as_str().into()),
        connection: Some(connection.into()),
        why: why.map(Cow::from),
        server: server.map(|id| id.as_str().into()),
        ..Line::default()
    }
}
