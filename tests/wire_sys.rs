//! Decoding `$SYS`: real messages of nats-server 2.15.1, hostile ones, and arbitrary bytes.

#![expect(clippy::unwrap_used, reason = "a test stops at what must not happen")]

use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::observation::{Fact, Observation};
use gatewatch::model::time::Mono;
use gatewatch::wire::sys::{DecodeError, Decoder, MAX_LISTED, MAX_NAME, MAX_PAYLOAD, What};
use proptest::prelude::*;

/// One message each, as real servers sent it.
const MESSAGES: &str = include_str!("recordings/messages.ndjson");

const A0: &str = "NANDRRJVN652WZM454NLHIXKPXK5YOWNJNCB5UUYZDLNNMZTS6BRHV4T";

struct Recorded {
    vantage: String,
    subject: String,
    payload: Vec<u8>,
}

/// The `n`th (from 0) recorded message whose subject contains `part`.
fn recorded(part: &str, n: usize) -> Recorded {
    let lines = MESSAGES.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
    let line = lines.filter(|line| text(line, "subject").contains(part)).nth(n).unwrap();
    Recorded {
        vantage: text(&line, "vantage"),
        subject: text(&line, "subject"),
        payload: line["payload"].to_string().into_bytes(),
    }
}

fn decode(message: &Recorded) -> Result<Option<Observation>, DecodeError> {
    let mut decoder = Decoder::new(ClusterName::from(message.vantage.as_str()));
    decoder.decode(Mono::from_millis(5), &message.subject, &message.payload)
}

fn fact(part: &str, n: usize) -> Fact {
    decode(&recorded(part, n)).unwrap().unwrap().fact
}

fn decode_one(subject: &str, payload: &[u8]) -> Result<Option<Observation>, DecodeError> {
    Decoder::new(ClusterName::from("east")).decode(Mono::default(), subject, payload)
}

#[test]
fn a_statsz_answer_lists_the_links_that_are_up() {
    let Fact::Stats(report) = fact("_INBOX.rec.west.STATSZ", 0) else { panic!("not a STATSZ") };
    assert_eq!(report.server.name.as_str(), "east-1");
    assert_eq!(report.server.cluster.as_str(), "east");
    assert_eq!(report.server.version.unwrap().to_string(), "2.15.1");
    assert_eq!(report.active_servers, Some(9));
    assert_eq!(report.started.unwrap().to_rfc3339(), "2026-11-22T15:53:23.465993630+00:00");
    assert!(report.asked);
    let links: Vec<_> = report.gateways.iter().map(|g| (g.to.as_str(), g.connection)).collect();
    assert_eq!(links, [("central", 21), ("west", 22)]);
    assert!(report.gateways.iter().all(|g| g.sent_bytes > 0));
}

#[test]
fn a_statsz_answer_after_a_reset_lacks_the_link() {
    let Fact::Stats(report) = fact("_INBOX.rec.east.STATSZ", 0) else { panic!("not a STATSZ") };
    let links: Vec<_> = report.gateways.iter().map(|g| g.to.as_str()).collect();
    assert_eq!(links, ["central"]);
}

#[test]
fn a_statsz_broadcast_was_not_asked_for() {
    let message = recorded("$SYS.SERVER.N", 0);
    assert!(message.subject.ends_with(".STATSZ"));
    let Some(Observation { fact: Fact::Stats(report), vantage, at }) = decode(&message).unwrap() else {
        panic!("not a STATSZ")
    };
    assert!(!report.asked);
    assert_eq!(report.gateways.len(), 2);
    assert_eq!(report.routes.map(|peers| peers.len()), Some(2));
    assert_eq!(vantage.as_str(), message.vantage);
    assert_eq!(at, Mono::from_millis(5));
}

#[test]
fn gatewayz_tells_both_directions_with_their_peers() {
    let Fact::Gateways(report) = fact("GATEWAYZ", 0) else { panic!("not a GATEWAYZ") };
    let rows = |rows: &[gatewatch::model::observation::GatewayConnection]| {
        rows.iter().map(|r| (r.cluster.to_string(), r.peer.to_string(), r.configured)).collect::<Vec<_>>()
    };
    let row = |cluster: &str, peer: &str, configured| (cluster.to_owned(), peer.to_owned(), configured);
    let central = "NANXJAIRWQW3YQABODXOJLQ66G6PHKUNSDZOSB7M7OVVIAML4WBGKFVJ";
    let east_1 = "NC4NB5UR6TPT2HJQA3ZVTXSN7AQKWIDUUPUPLRW2QD7N5DXC4EWURL64";
    let east_0 = "ND3DWZ5LMSDH363LVFGU2TQXNAHFCUDXDIN645ZNTHLZWGXFSSWT6EYG";
    assert_eq!(rows(&report.outbound), [row("central", central, true), row("east", east_1, true)]);
    assert_eq!(rows(&report.inbound), [row("central", central, false), row("east", east_0, false)]);
    assert!(report.outbound.iter().all(|r| r.started.is_some() && r.connection > 0));
    assert!(report.inbound.iter().all(|r| r.idle.is_some() && r.rtt.is_some()), "{:?}", report.inbound);
}

#[test]
fn varz_tells_the_configured_remotes_without_the_own_cluster() {
    let Fact::Config(report) = fact("VARZ", 0) else { panic!("not a VARZ") };
    let names: Vec<_> = report.remotes.iter().map(|remote| remote.cluster.as_str()).collect();
    assert_eq!(names, ["central", "east"]);
    assert_eq!(report.connect_urls, ["10.77.2.1:4222", "10.77.2.2:4222", "10.77.2.3:4222"]);
    assert!(report.remotes.iter().all(|remote| !remote.urls.is_empty()), "{:?}", report.remotes);
    assert!(!report.tls_required && !report.gateway_tls && !report.rejects_unknown);
    assert!(report.loaded.is_some() && report.made.is_some() && report.certificate_ends.is_none());
    assert!(report.digest.unwrap().starts_with("sha256:18c4"));
    assert_eq!(report.system_account.as_deref(), Some("SYS"));
}

#[test]
fn varz_after_a_gateway_was_removed_from_the_configuration_lacks_it() {
    let Fact::Config(report) = fact("VARZ", 1) else { panic!("not a VARZ") };
    assert_eq!(report.server.name.as_str(), "east-0");
    let names: Vec<_> = report.remotes.iter().map(|remote| remote.cluster.as_str()).collect();
    assert_eq!(names, ["central"]);
}

#[test]
fn departures_name_the_server() {
    let Fact::Stopped(server) = fact("SHUTDOWN", 0) else { panic!("not a SHUTDOWN") };
    assert_eq!(server.cluster.as_str(), "west");
    let Fact::Leaving(server) = fact("LAMEDUCK", 0) else { panic!("not a LAMEDUCK") };
    assert_eq!(server.name.as_str(), "east-0");
}

#[test]
fn a_beat_names_the_server_and_its_number() {
    assert_eq!(fact("BEAT", 0), Fact::Beat { server: ServerId::from(A0), number: 7 });
}

#[test]
fn a_beat_of_a_known_server_is_decoded_without_a_new_name() {
    let mut decoder = Decoder::new(ClusterName::from("A"));
    let message = recorded("BEAT", 0);
    let mut beat = |subject: &str| match decoder.decode(Mono::default(), subject, &message.payload) {
        Ok(Some(Observation { fact: Fact::Beat { server, .. }, vantage, .. })) => (server, vantage),
        other => panic!("not a beat: {other:?}"),
    };
    let (first, vantage) = beat("_INBOX.x.BEAT.1");
    let (second, again) = beat("_INBOX.x.BEAT.2");
    assert!(std::ptr::eq(first.as_str(), second.as_str()));
    assert!(std::ptr::eq(vantage.as_str(), again.as_str()));
}

#[test]
fn a_refused_gateway_is_told_from_a_refused_client() {
    let message = recorded("AUTH.ERR", 0);
    let Some(Observation { fact: Fact::AuthError(error), .. }) = decode(&message).unwrap() else {
        panic!("not an AUTH.ERR")
    };
    assert!(error.gateway);
    assert_eq!(error.peer.as_deref(), Some("NCRUEOZGJ5FG25YHFWOJTRWV2UCHTUDNBBTX66HBBG6FMB7KF7OD4RVN"));
    assert_eq!(error.reason.as_deref(), Some("Authentication Failure"));

    let text =
        String::from_utf8(message.payload).unwrap().replace(r#""kind":"Gateway""#, r#""kind":"Client""#);
    let observation = decode_one(&message.subject, text.as_bytes()).unwrap().unwrap();
    let Fact::AuthError(error) = observation.fact else { panic!("not an AUTH.ERR") };
    assert!(!error.gateway);
}

#[test]
fn an_error_of_the_server_is_an_error_of_its_own() {
    let Err(error) = decode(&recorded("GATEWAYZ", 2)) else { panic!("decoded") };
    assert_eq!((error.what(), error.kind()), (What::Gateways, "refused"));
    assert!(error.to_string().contains("error 400"), "{error}");
}

#[test]
fn connection_advisories_are_added_up_at_the_home_vantage_only() {
    let (connect, disconnect) = (recorded(".CONNECT", 0), recorded(".DISCONNECT", 0));
    let mut home = Decoder::new(ClusterName::from("east"));
    let mut away = Decoder::new(ClusterName::from("central"));
    for decoder in [&mut home, &mut away] {
        for ms in [1_100, 1_200, 2_100] {
            let heard = decoder.decode(Mono::from_millis(ms), &connect.subject, &connect.payload);
            assert_eq!(heard.unwrap(), None);
        }
        // Of a server in west: neither of the two counts it.
        decoder.decode(Mono::from_millis(1_300), &disconnect.subject, &disconnect.payload).unwrap();
    }
    assert_eq!(away.churn(Mono::from_millis(9_000)).count(), 0);

    assert_eq!(home.churn(Mono::from_millis(1_999)).count(), 0, "the second is not over");
    let over: Vec<_> = home.churn(Mono::from_millis(2_500)).collect();
    let [Observation { at, fact: Fact::Clients(churn), .. }] = over.as_slice() else { panic!("{over:?}") };
    assert_eq!((*at, churn.connected, churn.disconnected), (Mono::from_millis(1_200), 2, 0));
    assert_eq!(churn.server.name.as_str(), "east-1");
    assert_eq!(home.churn(Mono::from_millis(3_000)).count(), 1);
    assert_eq!(home.churn(Mono::from_millis(9_000)).count(), 0);
}

#[test]
fn an_empty_answer_means_that_nobody_listens_and_is_no_error() {
    for subject in ["i.BEAT.1", "i.STATSZ.1", "i.GATEWAYZ.1", "i.VARZ.1", "i.JSZ.1"] {
        assert_eq!(decode_one(subject, b"").unwrap(), None, "{subject}");
    }
    assert_eq!(decode_one("$SYS.SERVER.N.SHUTDOWN", b"").unwrap_err().kind(), "malformed");
}

#[test]
fn what_is_none_of_ours_is_ignored_and_counted() {
    let mut decoder = Decoder::new(ClusterName::from("west"));
    let conns = recorded("CONNS", 0);
    assert_eq!(decoder.decode(Mono::default(), &conns.subject, &conns.payload).unwrap(), None);
    decoder.decode(Mono::default(), "i.BEAT.1", br#"{"id":"N"}"#).unwrap();
    decoder.decode(Mono::default(), "i.BEAT.x", b"{}").unwrap_err();
    decoder.decode(Mono::default(), "i.BEAT.x", b"{}").unwrap_err();
    let counts = decoder.counts();
    assert_eq!((counts.decoded, counts.ignored), (1, 1));
    assert_eq!(counts.failed.iter().collect::<Vec<_>>(), [(&(What::Beat, "bad_number"), &2)]);
}

#[test]
fn a_server_cannot_speak_for_another() {
    for part in ["$SYS.SERVER.N", "SHUTDOWN", "LAMEDUCK", "AUTH.ERR"] {
        let mut message = recorded(part, 0);
        let tokens: Vec<_> = message.subject.split('.').enumerate().collect();
        let other = tokens.iter().map(|(n, token)| if *n == 2 { "NOTHER" } else { token });
        message.subject = other.collect::<Vec<_>>().join(".");
        assert_eq!(decode(&message).unwrap_err().kind(), "id_mismatch", "{part}");
    }
}

fn stats(server: &str, gateways: &str) -> String {
    format!(r#"{{"server":{server},"statsz":{{"gateways":{gateways}}}}}"#)
}

#[test]
fn hostile_payloads_are_refused_by_name() {
    let server = r#"{"id":"N1","name":"s","cluster":"east","ver":"2.15.1"}"#;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(r#"[{{"gwid":1,"name":"{}"}}]"#, "x".repeat(MAX_NAME + 1));
    let many = format!("[{}]", vec![r#"{"gwid":1,"name":"w"}"#; MAX_LISTED + 1].join(","));
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("malformed", b"{".to_vec()),
        ("malformed", b"null".to_vec()),
        ("malformed", b"[]".to_vec()),
        ("malformed", b"\xff\xfe".to_vec()),
        ("malformed", b"{\"server\":{\"id\":\"\xff\"}}".to_vec()),
        ("malformed", deep.clone().into_bytes()),
        ("malformed", stats(r#"{"id":7}"#, "[]").into_bytes()),
        ("malformed", stats(server, r#"{"gwid":1}"#).into_bytes()),
        ("malformed", stats(server, r#"[{"gwid":-1,"name":"w"}]"#).into_bytes()),
        ("malformed", stats(server, r#"[{"gwid":1e400,"name":"w"}]"#).into_bytes()),
        ("malformed", stats(server, r#"[{"gwid":99999999999999999999,"name":"w"}]"#).into_bytes()),
        ("malformed", stats(server, r#"[{"name":"w"}]"#).into_bytes()),
        ("malformed", stats(server, &deep).into_bytes()),
        ("malformed", format!(r#"{{"server":{server},"server":{server}}}"#).into_bytes()),
        ("missing", b"{}".to_vec()),
        ("missing", format!(r#"{{"server":{server}}}"#).into_bytes()),
        ("missing", br#"{"server":null,"statsz":{}}"#.to_vec()),
        ("refused", br#"{"server":{"id":""},"error":{"code":500}}"#.to_vec()),
        ("not_clustered", stats(r#"{"id":"N1","name":"s"}"#, "[]").into_bytes()),
        ("bad_name", stats(r#"{"id":"N.1","name":"s","cluster":"c"}"#, "[]").into_bytes()),
        ("bad_name", stats(r#"{"id":"","name":"s","cluster":"c"}"#, "[]").into_bytes()),
        ("bad_name", stats(r#"{"id":"N","name":"","cluster":"c"}"#, "[]").into_bytes()),
        ("bad_name", stats(r#"{"id":"N","name":"s","cluster":"\u0007"}"#, "[]").into_bytes()),
        ("bad_name", stats(server, r#"[{"gwid":1,"name":""}]"#).into_bytes()),
        ("bad_name", stats(server, &long).into_bytes()),
        ("too_many", stats(server, &many).into_bytes()),
        ("too_big", vec![b' '; MAX_PAYLOAD + 1]),
    ];
    for (kind, payload) in table {
        let shown: String = String::from_utf8_lossy(&payload).chars().take(120).collect();
        let error = decode_one("i.STATSZ.1", &payload).expect_err(&shown);
        assert_eq!(error.kind(), kind, "{shown}");
    }
}

#[test]
fn what_go_writes_for_nothing_is_nothing() {
    let server = r#"{"id":"N1","name":"s","cluster":"ea\u0073t","tags":null}"#;
    let body = format!(
        r#"{{"server":{server},"statsz":{{"start":"0001-01-01T00:00:00Z","gateways":null,"connections":-1}}}}"#
    );
    let Fact::Stats(report) = decode_one("i.STATSZ.1", body.as_bytes()).unwrap().unwrap().fact else {
        panic!("not a STATSZ")
    };
    assert_eq!((report.started, report.connections, report.active_servers), (None, 0, None));
    assert_eq!(report.server.cluster.as_str(), "east");
    assert!(report.gateways.is_empty());

    let body = format!(
        r#"{{"server":{server},"data":{{"outbound_gateways":null,"inbound_gateways":{{"w":null}}}}}}"#
    );
    assert_eq!(decode_one("i.GATEWAYZ.1", body.as_bytes()).unwrap_err().kind(), "malformed");
    let body = format!(r#"{{"server":{server},"data":{{"gateway":null,"connect_urls":null}}}}"#);
    let Fact::Config(report) = decode_one("i.VARZ.1", body.as_bytes()).unwrap().unwrap().fact else {
        panic!("not a VARZ")
    };
    assert!(report.remotes.is_empty() && report.connect_urls.is_empty());
}

#[test]
fn errors_stay_short_whatever_the_payload_says() {
    let long = "x".repeat(100_000);
    let wrong_type = format!(r#"{{"server":{{"id":"N"}},"statsz":"{long}"}}"#);
    let refused = format!(r#"{{"server":{{"id":"N"}},"error":{{"code":1,"description":"{long}\n"}}}}"#);
    for body in [wrong_type, refused] {
        let mut error: Option<&dyn std::error::Error> =
            Some(&decode_one("i.STATSZ.1", body.as_bytes()).unwrap_err() as &dyn std::error::Error);
        while let Some(cause) = error {
            assert!(cause.to_string().len() < 500);
            error = cause.source();
        }
    }
}

fn subjects() -> impl Strategy<Value = String> {
    let shaped = prop_oneof![
        Just("i.BEAT.1"),
        Just("i.STATSZ.1"),
        Just("i.GATEWAYZ.1"),
        Just("i.VARZ.1"),
        Just("i.JSZ.1"),
        Just("$SYS.SERVER.N.STATSZ"),
        Just("$SYS.SERVER.N.SHUTDOWN"),
        Just("$SYS.SERVER.N.LAMEDUCK"),
        Just("$SYS.SERVER.N.CLIENT.AUTH.ERR"),
        Just("$SYS.ACCOUNT.A.CONNECT"),
        Just("$SYS.ACCOUNT.A.DISCONNECT"),
    ];
    prop_oneof![shaped.prop_map(str::to_owned), any::<String>(), r"[.$*>A-Z]{0,30}"]
}

/// A real payload with a few bytes changed and perhaps cut short: it gets deeper into the decoder than arbitrary bytes do.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let real: Vec<Vec<u8>> = (0..MESSAGES.lines().count()).map(|n| recorded("", n).payload).collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(real), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut payload, changes, end, cut)| {
            for (index, byte) in changes {
                let at = index.index(payload.len());
                payload[at] = byte;
            }
            if cut {
                payload.truncate(end.index(payload.len()));
            }
            payload
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_messages_never_panic_and_are_all_counted(
        messages in prop::collection::vec(
            (subjects(), prop_oneof![prop::collection::vec(any::<u8>(), 0..200), damaged()]),
            0..20,
        )
    ) {
        let mut decoder = Decoder::new(ClusterName::from("east"));
        let total = messages.len() as u64;
        for (subject, payload) in messages {
            let _outcome = decoder.decode(Mono::from_millis(1), &subject, &payload);
        }
        let counts = decoder.counts();
        prop_assert_eq!(counts.decoded + counts.ignored + counts.failed.values().sum::<u64>(), total);
    }
}
