//! Advisories and records: subjects, ids, and reading what other versions wrote.

#![expect(clippy::unwrap_used, reason = "a test stops at what must not happen")]

mod wire_support;

use gatewatch::model::cause::{CauseKind, Confidence};
use gatewatch::model::ids::ClusterName;
use gatewatch::model::incident::{IncidentEvent, IncidentId, IncidentKind, Severity, Stage, Subject};
use gatewatch::model::intent::Forget;
use gatewatch::wire::advisory::{Advisories, Alert, Event};
use gatewatch::wire::body::{CauseWord, KindWord};
use gatewatch::wire::lines::Lines;
use gatewatch::wire::{ReadError, record, text, wish};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wire_support::{
    alerts, at, cluster, down_both, events, every_evidence, forgets, incident, resolved, server, silences,
    snapshot,
};

fn advisories() -> Advisories {
    Advisories::new("ops.gatewatch", "home").unwrap()
}

fn opened(incident: gatewatch::model::incident::Incident) -> IncidentEvent {
    IncidentEvent { stage: Stage::Opened, incident }
}

#[test]
fn every_subject_has_the_same_number_of_tokens() {
    let subjects = alerts().into_iter().map(|(_, event)| advisories().alert(&event).subject);
    let subjects = subjects.chain(events().into_iter().map(|(_, event)| advisories().event(&event).subject));
    for subject in subjects {
        assert_eq!(subject.split('.').count(), 7, "{subject}");
        assert!(subject.split('.').all(|token| !token.is_empty()), "{subject}");
        assert!(!subject.contains(['*', '>', ' ']), "{subject}");
    }
}

#[test]
fn an_incident_keeps_its_place_in_the_subject_whichever_direction_is_cut() {
    let both = down_both();
    let mut one_way = both.clone();
    one_way.scope.links.remove(0);
    let subject = |incident| advisories().alert(&opened(incident)).subject;
    assert_eq!(subject(both), "ops.gatewatch.alert.critical.gateway_down.east.west");
    assert_eq!(subject(one_way), "ops.gatewatch.alert.critical.gateway_down.east.west");
}

#[test]
fn ids_are_unique_and_the_same_for_the_same_thing() {
    let ids: Vec<_> = events().iter().map(|(_, event)| advisories().event(event).id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    let again: Vec<_> = events().iter().map(|(_, event)| advisories().event(event).id).collect();
    assert_eq!(ids, again);
    assert_eq!(ids[0], "server_link.east.east-1.west.down.1795362819801605");

    let alert = advisories().alert(&opened(down_both()));
    assert_eq!(alert.id, "01KAP2D7Z0000000000000EAST.1");
    assert!(alert.headers.contains(&("Nats-Msg-Id", alert.id.clone())));
    assert!(alert.headers.contains(&("ce-source", "gatewatch/home".to_owned())));
}

#[test]
fn a_prefix_is_plain_tokens() {
    for good in ["gatewatch", "ops.gatewatch", "a.b-c.d_e"] {
        assert!(Advisories::new(good, "x").is_ok(), "{good}");
    }
    for bad in ["", ".", "a.", ".a", "a..b", "a b", "*", "a.>", "$SYS", "$SYS.x", "a\n"] {
        assert!(Advisories::new(bad, "x").is_err(), "{bad:?}");
    }
    assert_eq!(advisories().alerts(), "ops.gatewatch.alert.>");
    assert_eq!(advisories().events(), "ops.gatewatch.event.>");
}

#[test]
fn fields_of_a_later_version_are_ignored() {
    let mut body: Value = serde_json::from_slice(&advisories().alert(&opened(down_both())).body).unwrap();
    body["later"] = json!({ "deep": [1, 2, 3] });
    body["impact"]["later"] = json!(7);
    body["evidence"][0]["later"] = json!("x");
    let alert = Alert::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(alert.to_model().incident, down_both());

    let mut body: Value = serde_json::from_slice(&record::write_snapshot(&snapshot())).unwrap();
    body["later"] = json!(1);
    body["links"][0]["later"] = json!(1);
    assert_eq!(record::read_snapshot(body.to_string().as_bytes()).unwrap(), snapshot());
}

#[test]
fn evidence_that_only_a_later_version_knows_is_left_out_and_the_rest_kept() {
    let mut body: Value = serde_json::from_slice(&record::write_incident(&down_both())).unwrap();
    let newer =
        json!({ "at": "2026-11-22T15:53:38Z", "says": "dns_changed", "host": "x", "text": "DNS changed" });
    body["evidence"].as_array_mut().unwrap().insert(0, newer);
    assert_eq!(record::read_incident(body.to_string().as_bytes()).unwrap(), down_both());

    let mut body: Value = serde_json::from_slice(&advisories().alert(&opened(down_both())).body).unwrap();
    body["evidence"] =
        json!([{ "at": "2026-11-22T15:53:38Z", "says": "dns_changed", "text": "DNS changed" }]);
    let alert = Alert::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(alert.incident.evidence[0].text, "DNS changed");
    assert!(serde_json::to_string(&alert).is_ok(), "it can be printed again");
}

#[test]
fn fields_that_an_earlier_version_did_not_write_are_left_at_their_default() {
    let minimal = json!({
        "version": 1, "incident": "01X", "revision": 1, "kind": "server_lost", "severity": "warning",
        "subject": { "about": "server", "server": { "cluster": "east", "name": "east-1" } },
        "began": at(0).to_rfc3339(), "opened": at(3).to_rfc3339(), "updated": at(3).to_rfc3339(),
        "cause": { "kind": "unknown", "confidence": "possible" },
    });
    let subject = Subject::Server(server("east", "east-1"));
    let mut expected = incident(IncidentKind::ServerLost, Severity::Warning, subject);
    expected.id = IncidentId::from("01X");
    assert_eq!(record::read_incident(minimal.to_string().as_bytes()).unwrap(), expected);
}

#[test]
fn what_is_newer_is_told_from_what_is_damaged() {
    for bad in ["", "null", "{}", "[]", r#"{"version":"1"}"#, r#"{"version":1}"#] {
        assert!(matches!(record::read_incident(bad.as_bytes()), Err(ReadError::Malformed { .. })), "{bad}");
        assert!(matches!(record::read_links(bad.as_bytes()), Err(ReadError::Malformed { .. })), "{bad}");
    }
    let newer = br#"{"version":2,"shape":"another"}"#;
    assert!(matches!(record::read_snapshot(newer), Err(ReadError::TooNew { .. })));

    let newer = br#"{"type":"io.gatewatch.advisory.v2.incident_opened"}"#;
    assert!(matches!(Alert::read(newer), Err(ReadError::TooNew { .. })));
    assert!(matches!(Event::read(newer), Err(ReadError::TooNew { .. })));
    let foreign = br#"{"type":"io.nats.jetstream.advisory.v1.api_audit","id":"x"}"#;
    assert!(matches!(Alert::read(foreign), Err(ReadError::Malformed { .. })));
    let event = advisories().event(&events()[0].1).body;
    assert!(matches!(Alert::read(&event), Err(ReadError::Malformed { .. })), "an event is no alert");
}

#[test]
fn keys_of_incidents_are_one_token_after_the_first() {
    assert_eq!(record::incident_key(&IncidentId::from("01KAP")), "incident.01KAP");
    assert_eq!(record::incident_key(&IncidentId::from("a.b")), "incident.a=2Eb");
}

#[test]
fn lines_are_the_bodies_one_by_one() {
    let mut lines = Lines::new(Vec::new(), advisories());
    lines.transition(&events()[0].1).unwrap();
    lines.incident(&opened(down_both())).unwrap();
    let text = String::from_utf8(lines.finish().unwrap()).unwrap();
    let (first, second) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(first.as_bytes(), advisories().event(&events()[0].1).body);
    assert_eq!(second.as_bytes(), advisories().alert(&opened(down_both())).body);
}

#[test]
fn every_kind_and_cause_has_texts_that_say_something() {
    let subjects = [
        Subject::Pair(cluster("east"), cluster("west")),
        Subject::Cluster(cluster("east")),
        Subject::Server(server("east", "east-1")),
        Subject::Instance("east".into()),
    ];
    let kinds = KindWord::ALL.iter().map(|&word| IncidentKind::from(word));
    for (kind, cause) in
        kinds.flat_map(|kind| CauseWord::ALL.iter().map(move |&word| (kind, CauseKind::from(word))))
    {
        for subject in &subjects {
            let mut open = incident(kind, Severity::Warning, subject.clone());
            open.cause.kind = cause;
            let title = text::title(&open);
            assert!(title.contains("east") && title.len() < 140 && !title.contains('\n'), "{title}");
            let sentences = text::summary(&open).matches(". ").count() + 1;
            assert!((2..=4).contains(&sentences), "{kind} {cause}: {}", text::summary(&open));
            assert!(!text::remedy(&open).is_empty(), "{kind} {cause}");
            assert!(text::remedy(&resolved(open.clone())).is_empty());
            assert!(text::title(&resolved(open)).ends_with(" for 1 min"));
        }
    }
}

#[test]
fn a_likely_cause_is_not_told_as_a_proven_one() {
    let mut down = down_both();
    let texts = [Confidence::Proven, Confidence::Likely, Confidence::Possible].map(|confidence| {
        down.cause.confidence = confidence;
        text::summary(&down)
    });
    assert!(texts[0].contains("Cause (proven): packets are dropped"));
    assert!(texts[1].contains("Probable cause: packets are dropped"));
    assert!(texts[2].contains("Possible cause: packets are dropped"));
}

#[test]
fn the_texts_name_what_was_found() {
    let down = down_both();
    assert_eq!(text::title(&down), "gateway east <-> west is down: nothing crosses in either direction");
    let summary = text::summary(&down);
    assert!(summary.contains("will notice by 2026-11-22 15:54:23 UTC at the latest"), "{summary}");
    let names =
        every_evidence().iter().map(|evidence| text::evidence(&evidence.says)).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), every_evidence().len(), "every kind of evidence reads differently");
}

#[test]
fn names_with_dots_and_wildcards_do_not_change_the_shape_of_a_subject() {
    let mut down = down_both();
    down.subject = Subject::Pair(ClusterName::from("eu.west"), ClusterName::from("us >"));
    let subject = advisories().alert(&opened(down)).subject;
    assert_eq!(subject, "ops.gatewatch.alert.critical.gateway_down.eu=2Ewest.us=20=3E");
}

#[test]
fn a_silence_with_a_condition_that_is_not_known_is_refused_not_widened() {
    let (_, silence) = silences().swap_remove(0);
    let mut stored: Value = serde_json::from_slice(&wish::write_silence(&silence)).unwrap();
    stored["match"]["account"] = json!("ORDERS");
    assert!(wish::read_silence(stored.to_string().as_bytes()).is_err());
}

#[test]
fn keys_of_wishes_hold_whatever_names_hold() {
    let keys: Vec<_> = forgets().iter().map(|(_, request)| wish::forget_key(&request.what)).collect();
    assert_eq!(keys, ["forget.west", "forget.west.west-4"]);
    let odd = wish::forget_key(&Forget::Cluster("a.b*c".into()));
    assert!(odd.matches('.').count() == 1 && !odd.contains('*'), "{odd}");
    let odd = wish::forget_key(&Forget::Server(server("a.b", "c.d")));
    assert_eq!(odd.matches('.').count(), 2, "{odd}");
}
