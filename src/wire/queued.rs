//! One message that waits in the outbox: a line of JSON that says where it belongs, then its body exactly as it is published.
//!
//! The line has a `version` as every record has. Both parts are plain text, so that what waits can be read out of the file with the
//! simplest of tools.

use super::body::Stamp;
use super::json::ReadError;
use super::record;
use crate::model::incident::IncidentId;
use chrono::{DateTime, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

const WHAT: &str = "a message of the outbox";

/// A message on its way into a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The incident that it is a revision of; `None` for an event.
    pub incident: Option<IncidentId>,
    /// Where it is published.
    pub subject: String,
    /// Its `Nats-Msg-Id`.
    pub id: String,
    /// All its headers, the id among them.
    pub headers: Vec<(String, String)>,
    /// When it was handed over to be published.
    pub at: DateTime<Utc>,
    /// Whether it is given up when the stream does not take its subject.
    pub may_be_left_out: bool,
    /// Its body.
    pub body: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
    #[serde(deserialize_with = "subject")]
    subject: String,
    id: String,
    headers: Vec<(String, String)>,
    at: Stamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    may_be_left_out: bool,
}

/// A subject that can be published on: one that cannot would keep what comes after it from being stored.
fn subject<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let subject = String::deserialize(deserializer)?;
    let is_token = |token: &str| {
        !matches!(token, "" | "*" | ">")
            && !token.contains(|char: char| char.is_whitespace() || char.is_control())
    };
    if subject.split('.').all(is_token) {
        Ok(subject)
    } else {
        Err(D::Error::custom("not a subject to publish on"))
    }
}

/// The record of a message.
#[must_use]
pub fn write(message: &Queued) -> Vec<u8> {
    let mut written = record::write(Head {
        incident: message.incident.as_ref().map(|id| id.as_str().to_owned()),
        subject: message.subject.clone(),
        id: message.id.clone(),
        headers: message.headers.clone(),
        at: message.at.into(),
        may_be_left_out: message.may_be_left_out,
    });
    written.push(b'\n');
    written.extend_from_slice(&message.body);
    written
}

/// Reads a message back.
///
/// # Errors
/// When it is damaged or of a newer version.
pub fn read(written: &[u8]) -> Result<Queued, ReadError> {
    // JSON in one line holds no line break; without one the whole is taken for the line, and refused for what it is.
    let end = written.iter().position(|byte| *byte == b'\n').unwrap_or(written.len());
    let (head, body) = written.split_at(end);
    let head: Head = record::read(WHAT, head)?;
    let body = body.get(1..).unwrap_or_default();
    Ok(Queued {
        incident: head.incident.as_deref().map(IncidentId::from),
        subject: head.subject,
        id: head.id,
        headers: head.headers,
        at: head.at.into(),
        may_be_left_out: head.may_be_left_out,
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(incident: Option<&str>) -> Queued {
        Queued {
            incident: incident.map(IncidentId::from),
            subject: "gatewatch.alert.critical.gateway_down.east.west".to_owned(),
            id: "I.1".to_owned(),
            headers: vec![("Nats-Msg-Id".to_owned(), "I.1".to_owned())],
            at: DateTime::UNIX_EPOCH,
            may_be_left_out: incident.is_some(),
            body: b"{\"id\":\"I.1\"}\n".to_vec(),
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        for one in [message(Some("I")), message(None)] {
            assert_eq!(read(&write(&one)).unwrap(), one);
        }
    }

    #[test]
    fn its_text_is_this() {
        let text = String::from_utf8(write(&message(Some("I")))).unwrap();
        assert_eq!(
            text,
            "{\"version\":1,\"incident\":\"I\",\"subject\":\"gatewatch.alert.critical.gateway_down.east.west\",\"id\":\"I.1\",\
             \"headers\":[[\"Nats-Msg-Id\",\"I.1\"]],\"at\":\"1970-01-01T00:00:00.000000Z\",\"may_be_left_out\":true}\n\
             {\"id\":\"I.1\"}\n"
        );
    }

    #[test]
    fn a_newer_and_a_damaged_one_are_refused_by_name() {
        let newer = read(b"{\"version\":2,\"what\":\"ever\"}\n{}").unwrap_err();
        assert!(matches!(newer, ReadError::TooNew { .. }), "{newer:?}");
        for damaged in [&b""[..], b"\n", b"{\"version\":1", b"\xff\xfe\n{}", b"{\"version\":1}\n{}"] {
            let error = read(damaged).unwrap_err();
            assert!(matches!(error, ReadError::Malformed { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_subject_that_nobody_can_publish_on_is_refused() {
        for subject in ["", "a..b", "gatewatch.>", "a.*", "a b", "a.b\r\nPUB c", ".a", "a."] {
            let written = write(&Queued { subject: subject.to_owned(), ..message(None) });
            assert!(matches!(read(&written), Err(ReadError::Malformed { .. })), "{subject:?}");
        }
    }
}
