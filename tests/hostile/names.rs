//! Names and payloads that no server of good will sends.

use crate::rig::{Rig, literal};
use gatewatch::model::ids::ClusterName;
use gatewatch::model::time::Mono;
use gatewatch::wire::sys::{Decoder, MAX_PAYLOAD};
use gatewatch::wire::token;
use serde_json::{Value, json};
use std::time::Duration;

const ODD: [&str; 12] =
    ["a.b", "*", ">", "a b", "a\tb", "a\r\nPUB x 1", "\u{0}", "\u{202e}evil", "é", "_", "=2E", "$SYS.REQ"];

/// A report in which one name of each kind is `name`.
fn reports(name: &str) -> Vec<(String, Value)> {
    let time = "2026-11-22T15:53:38Z";
    let server = |id: &str, server: &str, cluster: &str| json!({ "name": server, "host": "h", "id": id, "cluster": cluster, "ver": "2.15.1", "time": time });
    let good = || server("NX", "x", "east");
    vec![
        (format!("$SYS.SERVER.{name}.STATSZ"), json!({ "server": server(name, "x", "east"), "statsz": {} })),
        ("$SYS.SERVER.NX.STATSZ".into(), json!({ "server": server("NX", name, "east"), "statsz": {} })),
        ("$SYS.SERVER.NX.STATSZ".into(), json!({ "server": server("NX", "x", name), "statsz": {} })),
        ("$SYS.SERVER.NX.SHUTDOWN".into(), server("NX", "x", name)),
        ("$SYS.SERVER.NX.LAMEDUCK".into(), server("NX", name, "east")),
        (
            "$SYS.SERVER.NX.STATSZ".into(),
            json!({ "server": good(), "statsz": { "gateways": [{ "gwid": 1, "name": name }], "routes": [{ "name": name }] } }),
        ),
        (
            "_INBOX.i.GATEWAYZ.1".into(),
            json!({ "server": good(), "data": { "outbound_gateways": { name: { "connection": { "cid": 1, "name": name } } } } }),
        ),
        (
            "_INBOX.i.VARZ.1".into(),
            json!({ "server": good(), "data": { "connect_urls": [name], "host": name, "config_digest": name,
                "system_account": name, "gateway": { "gateways": [{ "name": name, "urls": [name] }] } } }),
        ),
        (
            "_INBOX.i.JSZ.1".into(),
            json!({ "server": good(), "data": { "account_details": [{ "name": name, "id": name, "stream_detail": [
                { "name": name, "cluster": { "leader": "x" }, "mirror": { "name": name } }] }] } }),
        ),
        (
            "$SYS.SERVER.NX.CLIENT.AUTH.ERR".into(),
            json!({ "server": good(), "client": { "kind": "Gateway", "name": name }, "reason": name }),
        ),
        ("$SYS.ACCOUNT.A.CONNECT".into(), json!({ "server": server("NX", name, "east") })),
    ]
}

#[test]
fn odd_names_become_plain_tokens_or_are_refused_and_counted() {
    let long = "x".repeat(64 << 10);
    for name in ODD.into_iter().chain([long.as_str()]) {
        let mut rig = Rig::new(1);
        for (subject, body) in reports(name) {
            rig.hear(0, &subject, body.to_string().as_bytes());
        }
        rig.run(Duration::from_secs(20));
        for cluster in rig.snapshot().clusters {
            let escaped = token::escape(cluster.name.as_str());
            literal(&escaped);
            assert_eq!(token::unescape(&escaped).unwrap().as_deref(), Some(cluster.name.as_str()));
            assert!(!cluster.name.as_str().contains(char::is_control));
        }
        if name.len() > 256 || name.contains(char::is_control) {
            assert!(rig.undecodable("bad_name") > 0, "{name:.20?}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let mut decoder = Decoder::new(ClusterName::from("east"));
    let mut body = br#"{"server":{"id":"NX","name":"x","cluster":"ea"#.to_vec();
    body.extend([0xff, 0xfe, 0xc0]);
    body.extend(br#"st"},"statsz":{}}"#);
    let refused = decoder.decode(Mono::default(), "$SYS.SERVER.NX.STATSZ", &body).unwrap_err();
    assert_eq!(refused.kind(), "malformed");
}

#[test]
fn payloads_of_megabytes_are_refused_unread_and_long_lists_whole() {
    let mut decoder = Decoder::new(ClusterName::from("east"));
    let mut kind = |body: &[u8]| {
        decoder.decode(Mono::default(), "_INBOX.i.STATSZ.1", body).err().map(|error| error.kind())
    };
    assert_eq!(kind(&vec![b' '; MAX_PAYLOAD + 1]), Some("too_big"));
    assert_eq!(kind(&vec![b'['; 3 << 20]), Some("malformed"));
    let gateways: Vec<Value> = (0..40_000).map(|n| json!({ "gwid": n, "name": format!("c{n}") })).collect();
    let server = json!({ "id": "NX", "name": "x", "cluster": "east" });
    let many = json!({ "server": server, "statsz": { "gateways": gateways } }).to_string();
    assert_eq!(kind(many.as_bytes()), Some("too_many"));
}

#[test]
fn compressed_answers_that_nobody_asked_for_are_named_as_such() {
    let mut decoder = Decoder::new(ClusterName::from("east"));
    let snappy = [&b"\xff\x06\x00\x00sNaPpY"[..], &[0; 100]].concat();
    let s2 = [&b"\xff\x06\x00\x00S2sTwO"[..], &[0; 100]].concat();
    let gzip = [&[0x1f, 0x8b, 8, 0][..], &[7; 100]].concat();
    for body in [snappy, s2, gzip] {
        for subject in ["_INBOX.i.STATSZ.1", "_INBOX.i.VARZ.1", "$SYS.SERVER.NX.STATSZ"] {
            let refused = decoder.decode(Mono::default(), subject, &body).unwrap_err();
            assert_eq!(refused.kind(), "compressed", "{subject}");
        }
    }
}

#[test]
fn a_span_beyond_all_time_breaks_no_sum() {
    let mut rig = Rig::new(1);
    rig.servers[0].cut.insert(1);
    rig.run(Duration::from_secs(5));
    let (far, near) = (rig.servers[1].clone(), rig.servers[0].clone());
    for idle in ["18446744073709549568s2047s999ms", "584542046090y", "1e5s"] {
        let body = json!({ "server": rig.info(&far), "data": { "inbound_gateways": { "east": [
            { "connection": { "cid": 1, "name": near.id, "idle": idle, "rtt": idle } }] } } });
        rig.hear(1, "_INBOX.i.GATEWAYZ.1", body.to_string().as_bytes());
        rig.run(Duration::from_secs(1));
    }
}
