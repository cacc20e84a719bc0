//! Older and newer formats: version 1 stays readable, fields that are not known are tolerated, and what a newer gatewatch wrote is refused
//! by name. The files in `tests/golden/v1` are never rewritten.

#![expect(clippy::unwrap_used, reason = "a test stops at what must not happen")]

use gatewatch::model::intent::ForgetOutcome;
use gatewatch::model::states::LinkState;
use gatewatch::wire::advisory::{Alert, Event};
use gatewatch::wire::capture::{CaptureError, Reader, Recorded};
use gatewatch::wire::{ReadError, record, wish};
use serde_json::{Value, json};
use std::path::PathBuf;

fn kept(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(name)).unwrap()
}

/// The body within a message of `tests/golden`, or a record.
fn body(name: &str) -> Value {
    let whole: Value = serde_json::from_slice(&kept(name)).unwrap();
    whole.get("body").cloned().unwrap_or(whole)
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// The same with a field of a later version in every object.
fn grown(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), grown(value)));
            fields.chain([("of_a_later_version".to_owned(), json!({ "deep": [1, null] }))]).collect()
        }
        Value::Array(values) => values.iter().map(grown).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain.clone(),
    }
}

const ALERTS: [&str; 4] = [
    "alert.gateway_down_both.updated.json",
    "alert.gateway_down_both.silenced.json",
    "alert.cluster_offline_crash.resolved.json",
    "alert.server_lost.opened.json",
];
const EVENTS: [&str; 4] = [
    "event.server_link_down.json",
    "event.link_degraded.json",
    "event.link_resynced.json",
    "event.vantage_gone.json",
];

#[test]
fn alerts_and_events_of_version_1_are_read_also_when_they_have_grown() {
    for name in ALERTS {
        let body = body(name);
        let (old, new) = (Alert::read(&bytes(&body)).unwrap(), Alert::read(&bytes(&grown(&body))).unwrap());
        assert_eq!(old.to_model(), new.to_model(), "{name}");
        assert!(!old.to_model().incident.evidence.is_empty(), "{name}");
    }
    for name in EVENTS {
        let body = body(name);
        assert_eq!(
            Event::read(&bytes(&body)).unwrap(),
            Event::read(&bytes(&grown(&body))).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn records_of_version_1_are_read_also_when_they_have_grown() {
    for of in [|value: &Value| value.clone(), grown] {
        let read = |name| bytes(&of(&body(name)));
        let incident = record::read_incident(&read("record.incident.json")).unwrap();
        assert!(incident.revision > 0 && !incident.scope.links.is_empty());
        let links = record::read_links(&read("record.links.json")).unwrap();
        assert_eq!(
            links.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["east -> west", "west -> east"]
        );
        let snapshot = record::read_snapshot(&read("record.snapshot.json")).unwrap();
        assert!(snapshot.links.iter().any(|link| matches!(link.state, LinkState::Degraded { .. })));
        let request = wish::read_forget(&read("record.forget_server_done.json")).unwrap();
        assert_eq!(request.outcome, Some(ForgetOutcome::Done));
    }
    assert!(wish::read_silence(&bytes(&body("record.silence_pair.json"))).is_ok());
}

#[test]
fn a_silence_that_has_grown_is_read_but_never_one_with_a_condition_that_is_not_known() {
    let mut silence = body("record.silence_pair.json");
    silence["of_a_later_version"] = json!(true);
    assert!(wish::read_silence(&bytes(&silence)).is_ok());
    silence["match"]["of_a_later_version"] = json!(true);
    assert!(wish::read_silence(&bytes(&silence)).is_err(), "it would silence more than was meant");
}

#[test]
fn recordings_of_version_1_are_read() {
    let lines: Vec<Recorded> = Reader::open(&*kept("capture.ndjson")).unwrap().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 10);
    let messages = lines.iter().filter(|line| matches!(line, Recorded::Message(_)));
    assert_eq!(messages.count(), 2);
}

#[test]
fn what_a_newer_gatewatch_wrote_is_refused_by_name() {
    for version in [json!(2), json!(4_294_967_296_u64)] {
        let mut newer = body("record.incident.json");
        newer["version"] = version.clone();
        newer["scope"] = json!("of another form");
        assert!(record::is_newer(&bytes(&newer)));
        let error = record::read_incident(&bytes(&newer)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("an incident of a newer version ({version}); read it with a newer gatewatch")
        );
    }
    for name in ["record.links.json", "record.snapshot.json", "record.incident.json"] {
        assert!(!record::is_newer(&bytes(&body(name))), "{name}");
    }
    assert!(!record::is_newer(b"damaged"));
    let mut alert = body(ALERTS[0]);
    alert["type"] = json!("io.gatewatch.advisory.v2.incident_opened");
    let refused = Alert::read(&bytes(&alert));
    assert!(matches!(refused, Err(ReadError::TooNew { found, .. }) if found == "v2"));
    let recording = String::from_utf8(kept("capture.ndjson")).unwrap();
    let newer = recording.replacen("\"gatewatch_capture\":1", "\"gatewatch_capture\":2", 1);
    assert!(matches!(Reader::open(newer.as_bytes()), Err(CaptureError::TooNew { version: 2 })));
}
