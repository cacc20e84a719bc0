//! Decoding JSZ, and GATEWAYZ with accounts: real answers of nats-server 2.15.1 and 2.10.25, and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test stops at what must not happen")]

use gatewatch::model::ids::ClusterName;
use gatewatch::model::jetstream::{JetStreamReport, Origin, StreamInfo};
use gatewatch::model::observation::{AccountInterest, Fact};
use gatewatch::model::time::Mono;
use gatewatch::wire::sys::{DecodeError, Decoder, MAX_LISTED, MAX_NAME};
use serde_json::{Value, json};
use std::time::Duration;

/// One message each, as real servers sent it.
const MESSAGES: &str = include_str!("recordings/messages.ndjson");
/// Inboxes of the recordings, by the version of the servers.
const VERSIONS: [&str; 2] = ["_INBOX.v2_15_1", "_INBOX.v2_10_25"];

/// The answer of one cluster's server to a question in this inbox.
fn recorded(inbox: &str, question: &str, cluster: &str) -> Fact {
    let lines = MESSAGES.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let subject = format!("{inbox}.{question}.9");
    let mut wanted = lines.filter(|line| line["subject"] == subject.as_str() && line["vantage"] == cluster);
    decode(&subject, &wanted.next().unwrap()["payload"]).unwrap()
}

fn decode(subject: &str, payload: &Value) -> Result<Fact, DecodeError> {
    let mut decoder = Decoder::new(ClusterName::from("east"));
    let seen = decoder.decode(Mono::default(), subject, payload.to_string().as_bytes())?;
    Ok(seen.unwrap().fact)
}

fn streams(inbox: &str, cluster: &str) -> Vec<StreamInfo> {
    let Fact::JetStream(report) = recorded(inbox, "JSZ", cluster) else { panic!("not a JSZ") };
    assert_eq!(report.server.cluster.as_str(), cluster);
    report.streams
}

#[test]
fn a_stream_is_told_of_by_its_leader() {
    for inbox in VERSIONS {
        let expected = StreamInfo {
            account: "APP".to_owned(),
            name: "ORDERS".to_owned(),
            last_sequence: 20,
            messages: 20,
            mirror: None,
            sources: Vec::new(),
        };
        assert_eq!(streams(inbox, "east"), [expected]);
    }
}

#[test]
fn mirrors_and_sources_name_what_they_copy() {
    for inbox in VERSIONS {
        let mut streams = streams(inbox, "west");
        streams.sort_by(|a, b| b.name.cmp(&a.name));
        let [mirror, all] = streams.as_slice() else { panic!("{streams:#?}") };
        assert_eq!((mirror.name.as_str(), all.name.as_str()), ("ORDERS_WEST", "ALL"));
        for origin in [mirror.mirror.as_ref().unwrap(), &all.sources[0]] {
            assert_eq!((origin.stream.as_str(), origin.lag, origin.external), ("ORDERS", 0, false));
            assert!(origin.heard.unwrap() < Duration::from_secs(2), "{origin:?}");
        }
        assert!(mirror.sources.is_empty() && all.mirror.is_none());
    }
}

#[test]
fn a_source_in_another_domain_is_known_to_be_external() {
    for inbox in VERSIONS {
        let far = Origin { stream: "THERE".to_owned(), lag: 0, heard: None, external: true };
        assert_eq!(streams(inbox, "central")[0].sources, [far]);
    }
}

#[test]
fn accounts_with_interest_are_those_with_subscriptions() {
    for inbox in VERSIONS {
        let Fact::Gateways(report) = recorded(inbox, "GATEWAYZ", "east") else { panic!("not a GATEWAYZ") };
        let west = report.outbound.iter().find(|row| row.cluster.as_str() == "west").unwrap();
        let interest = west.accounts.as_ref().unwrap();
        let names: Vec<_> = interest.subscriptions.keys().collect();
        assert_eq!(names, ["APP", "SYS"], "an account without subscriptions has no interest");
        assert_eq!((interest.total, interest.subscriptions["APP"]), (2, 3));
    }
}

#[test]
fn of_many_accounts_the_first_are_kept_and_all_are_counted() {
    let accounts: Vec<_> =
        (0..100).map(|n| json!({"name": format!("A{n:03}"), "num_queue_subs": 2})).collect();
    let row = json!({"connection": {"cid": 1, "name": "NREMOTE"}, "accounts": accounts});
    let payload = json!({"server": server(), "data": {"outbound_gateways": {"west": row}}});
    let Fact::Gateways(report) = decode("i.GATEWAYZ.1", &payload).unwrap() else { panic!("not a GATEWAYZ") };
    let interest: &AccountInterest = report.outbound[0].accounts.as_ref().unwrap();
    assert_eq!((interest.total, interest.subscriptions.len()), (100, 64));
    assert_eq!(interest.subscriptions.last_key_value().unwrap(), (&"A063".to_owned(), &2));
}

fn server() -> Value {
    json!({"id": "N1", "name": "east-1", "cluster": "east", "ver": "2.15.1"})
}

fn answer(data: &Value) -> Result<JetStreamReport, DecodeError> {
    let fact = decode("i.JSZ.1", &json!({"server": server(), "data": data}))?;
    let Fact::JetStream(report) = fact else { panic!("not a JSZ: {fact:?}") };
    Ok(report)
}

fn of_streams(streams: &Value) -> Result<JetStreamReport, DecodeError> {
    answer(&json!({"account_details": [{"name": "APP", "id": "APP", "stream_detail": streams}]}))
}

#[test]
fn streams_that_the_server_only_follows_are_left_out() {
    let led_by = |leader: &str| json!({"name": leader, "cluster": {"name": "east", "leader": leader}});
    let report =
        of_streams(&json!([led_by("east-1"), led_by("east-2"), {"name": "none", "cluster": {"name": "east"}}, {"name": "alone"}]))
            .unwrap();
    let names: Vec<_> = report.streams.iter().map(|stream| stream.name.as_str()).collect();
    assert_eq!(names, ["east-1", "alone"], "without a group there is nobody else to lead");
}

#[test]
fn a_server_without_jetstream_has_no_streams() {
    assert_eq!(answer(&json!({"disabled": true, "account_details": null})).unwrap().streams, []);
    assert_eq!(of_streams(&Value::Null).unwrap().streams, []);
}

#[test]
fn accounts_that_go_by_a_key_are_told_with_it() {
    let details =
        json!({"account_details": [{"name": "ACME", "id": "AKEY", "stream_detail": [{"name": "S"}]}]});
    assert_eq!(answer(&details).unwrap().streams[0].account, "ACME (AKEY)");
}

#[test]
fn hostile_answers_are_refused_by_name() {
    let copied = |name: &str| json!([{"name": "S", "mirror": {"name": name}}]);
    let many = |value: Value| Value::from(vec![value; MAX_LISTED + 1]);
    let long = "x".repeat(MAX_NAME + 1);
    let table = [
        ("malformed", of_streams(&json!({}))),
        ("malformed", of_streams(&json!([{"name": 7}]))),
        ("malformed", of_streams(&json!([{}]))),
        ("malformed", of_streams(&json!([{"name": "S", "state": {"last_seq": -1}}]))),
        ("malformed", of_streams(&json!([{"name": "S", "mirror": {"lag": 1}}]))),
        ("bad_name", of_streams(&json!([{"name": ""}]))),
        ("bad_name", of_streams(&json!([{"name": "a\nb"}]))),
        ("bad_name", of_streams(&copied(&long))),
        ("bad_name", answer(&json!({"account_details": [{"name": long}]}))),
        ("bad_name", answer(&json!({"account_details": [{"name": "A", "id": long}]}))),
        ("too_many", of_streams(&many(json!({"name": "S"})))),
        ("too_many", of_streams(&json!([{"name": "S", "sources": many(json!({"name": "O"}))}]))),
        ("too_many", answer(&json!({"account_details": many(json!({"name": "A"}))}))),
    ];
    for (n, (kind, outcome)) in table.into_iter().enumerate() {
        assert_eq!(outcome.expect_err(kind).kind(), kind, "{n}");
    }
    let refused = decode("i.JSZ.1", &json!({"server": {"id": ""}, "error": {"code": 500}}));
    assert_eq!(refused.unwrap_err().kind(), "refused");
}
