//! Recordings: what is written comes back, what is broken is named, what others recorded is read.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at what must not happen")]

use bytes::Bytes;
use chrono::{DateTime, Utc};
use gatewatch::model::ask::Through;
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::observation::{Disconnect, Fact, Round, Stall, VantageChange, VantageEvent};
use gatewatch::model::probe::{CertificateSeen, GatewayAddress, ProbeFound, ProbeReport, Trust};
use gatewatch::model::time::Mono;
use gatewatch::wire::capture::{CaptureError, Header, Message, Reader, Recorded, Writer};
use gatewatch::wire::sys::Decoder;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

const HEADER: &str =
    r#"{"gatewatch_capture":1,"started":"2026-11-22T15:53:38Z","program":"gatewatch 0.1.0"}"#;

fn header() -> Header {
    Header { started: time("2026-11-22T15:53:38.000001Z"), program: "gatewatch 0.1.0".to_owned() }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn write(recorded: &[Recorded]) -> Vec<u8> {
    let mut writer = Writer::start(Vec::new(), &header()).unwrap();
    for one in recorded {
        writer.write(one).unwrap();
    }
    writer.finish().unwrap()
}

fn error_of(line: &str) -> CaptureError {
    let text = format!("{HEADER}\n{line}\n");
    Reader::open(text.as_bytes()).unwrap().next().unwrap().expect_err(line)
}

#[test]
fn the_format_reads_as_documented() {
    let at = Mono::from_millis(8_250);
    let west = ClusterName::from("west");
    let message = |subject: &str, reply: Option<&str>, payload: &'static [u8]| {
        Recorded::Message(Message {
            at,
            vantage: west.clone(),
            subject: subject.to_owned(),
            reply: reply.map(str::to_owned),
            payload: Bytes::from_static(payload),
        })
    };
    let vantage = |what| Recorded::Vantage(VantageChange { cluster: west.clone(), at, what });
    let happenings = [
        message("s", Some("r"), br#"{"a": 1}"#),
        message("s", None, &[0, 255]),
        message("s", None, b""),
        message("s", None, b"null"),
        message("s", None, b"{\n}"),
        message("s", None, b" {}"),
        vantage(VantageEvent::Dialling),
        vantage(VantageEvent::Connected { server: Some(ServerId::from("N1")) }),
        vantage(VantageEvent::Disconnected(Disconnect::TimedOut)),
        vantage(VantageEvent::Dropped),
        vantage(VantageEvent::BeatsOff),
        Recorded::Asked(Round { cluster: west.clone(), number: 7, at, through: Through::All }),
        Recorded::Stalled(Stall { from: Mono::from_millis(8_000), to: at }),
        Recorded::Mark { at, text: "break".to_owned() },
    ];
    let written = write(&happenings);
    let expected = r#"{"gatewatch_capture":1,"started":"2026-11-22T15:53:38.000001Z","program":"gatewatch 0.1.0"}
{"at":8.25,"vantage":"west","subject":"s","reply":"r","payload":{"a": 1}}
{"at":8.25,"vantage":"west","subject":"s","payload_hex":"00ff"}
{"at":8.25,"vantage":"west","subject":"s","payload_hex":""}
{"at":8.25,"vantage":"west","subject":"s","payload_hex":"6e756c6c"}
{"at":8.25,"vantage":"west","subject":"s","payload_hex":"7b0a7d"}
{"at":8.25,"vantage":"west","subject":"s","payload_hex":"207b7d"}
{"at":8.25,"vantage":"west","connection":"dialling"}
{"at":8.25,"vantage":"west","connection":"connected","server":"N1"}
{"at":8.25,"vantage":"west","connection":"disconnected","why":"timed_out"}
{"at":8.25,"vantage":"west","connection":"dropped"}
{"at":8.25,"vantage":"west","connection":"beats_off"}
{"at":8.25,"asked":{"cluster":"west","number":7,"through":"all"}}
{"at":8.25,"stalled":{"from":8.0}}
{"at":8.25,"mark":"break"}
"#;
    assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
    let reader = Reader::open(written.as_slice()).unwrap();
    assert_eq!(reader.header(), Some(&header()));
    assert_eq!(reader.started(), header().started);
    assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), happenings);
}

#[test]
fn broken_lines_are_named_with_what_would_be_right() {
    let table = [
        ("nonsense", "line 2 is not a line of a recording; mend or remove it"),
        (r#"{"mark":"x"}"#, "line 2 is not a line of a recording; mend or remove it"),
        (r#"{"at":-1,"mark":"x"}"#, "line 2: at is \"-1\", expected seconds from the start"),
        (r#"{"at":1,"weather":"fine"}"#, "line 2 needs \"vantage\" with"),
        (r#"{"at":1,"vantage":"w"}"#, "line 2 needs \"vantage\" with"),
        (r#"{"at":1,"vantage":"w","connection":"odd"}"#, "line 2: connection is \"odd\", expected dialling"),
        (
            r#"{"at":1,"vantage":"w","connection":"disconnected","why":"odd"}"#,
            "line 2: why is \"odd\", expected lost",
        ),
        (r#"{"at":1,"vantage":"w","subject":"s","payload_hex":"0g"}"#, "line 2: payload_hex is \"0g\""),
        (r#"{"at":1,"vantage":"w","subject":"s","payload_hex":"000"}"#, "line 2: payload_hex is \"000\""),
        (
            r#"{"at":1,"asked":{"cluster":"w","number":1,"through":"odd"}}"#,
            "line 2: asked.through is \"odd\", expected home or all",
        ),
    ];
    for (line, begin) in table {
        let error = error_of(line).to_string();
        assert!(error.starts_with(begin), "{line}: {error}");
    }
}

#[test]
fn reading_goes_on_after_a_broken_line() {
    let text = format!("{HEADER}\n\nnonsense\n{}\n", r#"{"at":1,"mark":"x","added_later":{}}"#);
    let read: Vec<_> = Reader::open(text.as_bytes()).unwrap().collect();
    assert!(matches!(read[0], Err(CaptureError::Malformed { line: 3, .. })));
    assert!(matches!(&read[1], Ok(Recorded::Mark { text, .. }) if text == "x"));
    assert_eq!(read.len(), 2);
}

#[test]
fn a_recording_that_was_cut_short_says_where() {
    let text = format!("{HEADER}\n{}\n{}", r#"{"at":1,"mark":"x"}"#, r#"{"at":2,"ma"#);
    let read: Vec<_> = Reader::open(text.as_bytes()).unwrap().collect();
    assert!(read[0].is_ok());
    assert!(matches!(read[1], Err(CaptureError::CutShort { line: 3 })));
    assert_eq!(read.len(), 2);
}

#[test]
fn recordings_of_a_newer_version_and_compressed_ones_are_refused_at_once() {
    let newer = br#"{"gatewatch_capture":2}"#;
    assert!(matches!(Reader::open(newer.as_slice()), Err(CaptureError::TooNew { version: 2 })));
    let gzip = include_bytes!("recordings/stop_cluster_start.ndjson.gz");
    assert!(matches!(Reader::open(gzip.as_slice()), Err(CaptureError::Compressed)));
    let bad_time = br#"{"gatewatch_capture":1,"started":"yesterday"}"#;
    assert!(matches!(Reader::open(bad_time.as_slice()), Err(CaptureError::BadValue { line: 1, .. })));
}

#[test]
fn a_line_without_end_is_refused_before_memory_is() {
    let endless = std::io::repeat(b'x').take(1 << 30);
    let mut reader = Reader::open(HEADER.as_bytes().chain(b"\n".as_slice()).chain(endless)).unwrap();
    assert!(matches!(reader.next(), Some(Err(CaptureError::TooLong { line: 2 }))));
    assert!(reader.next().is_none());
}

#[test]
fn an_empty_recording_has_nothing_in_it() {
    let mut reader = Reader::open(b"".as_slice()).unwrap();
    assert_eq!(reader.started(), DateTime::UNIX_EPOCH);
    assert!(reader.next().is_none());
}

#[test]
fn without_a_header_the_servers_tell_the_time_and_who_speaks_is_connected() {
    let gzip = include_bytes!("recordings/stop_cluster_start.ndjson.gz");
    let reader = Reader::open(flate2::read::GzDecoder::new(gzip.as_slice())).unwrap();
    assert!(reader.header().is_none());
    let (earliest, latest) = (time("2026-11-22T15:40:03.4Z"), time("2026-11-22T15:40:03.6Z"));
    assert!((earliest..latest).contains(&reader.started()), "{}", reader.started());

    let all: Vec<_> = reader.map(Result::unwrap).collect();
    let mut connected = BTreeMap::new();
    for recorded in &all {
        match recorded {
            Recorded::Vantage(change) => {
                connected
                    .insert(change.cluster.clone(), matches!(change.what, VantageEvent::Connected { .. }));
            }
            Recorded::Message(message) => assert!(connected.contains_key(&message.vantage)),
            Recorded::Asked(_) | Recorded::Probed(_) | Recorded::Stalled(_) | Recorded::Mark { .. } => {}
        }
    }
    let connected: Vec<_> = connected.iter().map(|(name, up)| (name.as_str(), *up)).collect();
    assert_eq!(connected, [("central", true), ("east", true), ("west", false)]);
}

#[test]
fn a_real_recording_decodes_without_an_error() {
    let gzip = include_bytes!("recordings/stop_cluster_start.ndjson.gz");
    let reader = Reader::open(flate2::read::GzDecoder::new(gzip.as_slice())).unwrap();
    let mut decoders: BTreeMap<ClusterName, Decoder> = BTreeMap::new();
    let mut stopped = Vec::new();
    for recorded in reader {
        let Recorded::Message(message) = recorded.unwrap() else { continue };
        let decoder = decoders.entry(message.vantage.clone()).or_insert_with_key(|v| Decoder::new(v.clone()));
        let heard = decoder.decode(message.at, &message.subject, &message.payload).unwrap();
        if let Some(Fact::Stopped(server)) = heard.map(|observation| observation.fact) {
            stopped.push((server.name.to_string(), message.vantage.to_string()));
        }
    }
    stopped.sort();
    let heard_of = |name: &str| stopped.iter().filter(|(server, _)| server == name).count();
    assert_eq!(["west-0", "west-1", "west-2"].map(heard_of), [3, 3, 3]);
    assert!(decoders.values().all(|decoder| decoder.counts().decoded > 5));
}

fn moments() -> impl Strategy<Value = Mono> {
    (0u64..999_999_999_999_999).prop_map(|micros| Mono(Duration::from_micros(micros)))
}

fn happenings() -> impl Strategy<Value = Recorded> {
    let name = || any::<String>().prop_map(|name| ClusterName::from(name.as_str()));
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        r#"\{"a":"[ -!#-\[\]-~]{0,9}"\}"#.prop_map(String::into_bytes)
    ];
    let message = (moments(), name(), any::<String>(), any::<Option<String>>(), payload).prop_map(
        |(at, vantage, subject, reply, payload)| {
            Recorded::Message(Message { at, vantage, subject, reply, payload: payload.into() })
        },
    );
    let event = prop_oneof![
        Just(VantageEvent::Dialling),
        Just(VantageEvent::Dropped),
        Just(VantageEvent::BeatsOff),
        any::<Option<String>>()
            .prop_map(|id| VantageEvent::Connected { server: id.map(|id| ServerId::from(id.as_str())) }),
        prop::sample::select(vec![
            Disconnect::Lost,
            Disconnect::Refused,
            Disconnect::TimedOut,
            Disconnect::Unauthorized,
            Disconnect::WrongCluster,
            Disconnect::Other
        ])
        .prop_map(VantageEvent::Disconnected),
    ];
    let vantage = (moments(), name(), event)
        .prop_map(|(at, cluster, what)| Recorded::Vantage(VantageChange { cluster, at, what }));
    let through = prop_oneof![Just(Through::Home), Just(Through::All)];
    let asked = (moments(), name(), any::<u64>(), through)
        .prop_map(|(at, cluster, number, through)| Recorded::Asked(Round { cluster, number, at, through }));
    let stalled = (moments(), moments()).prop_map(|(from, to)| Recorded::Stalled(Stall { from, to }));
    let mark = (moments(), any::<String>()).prop_map(|(at, text)| Recorded::Mark { at, text });
    let probed = (moments(), name(), any::<String>(), any::<u16>(), any::<bool>(), findings()).prop_map(
        |(at, target, host, port, tls, found)| {
            Recorded::Probed(ProbeReport { target, address: GatewayAddress { host, port, tls }, at, found })
        },
    );
    prop_oneof![message, vantage, asked, stalled, mark, probed]
}

fn findings() -> impl Strategy<Value = ProbeFound> {
    let certificate =
        (0..4_000_000_000_i64, 0..4_000_000_000_i64, any::<(String, String, bool)>(), 0..3_usize).prop_map(
            |(before, after, (issuer, subject, names_host), trust)| CertificateSeen {
                not_before: DateTime::from_timestamp(before, 0).unwrap(),
                not_after: DateTime::from_timestamp(after, 0).unwrap(),
                issuer,
                subject,
                names_host,
                trusted: [Trust::Unchecked, Trust::Trusted, Trust::Untrusted][trust],
            },
        );
    let plain = prop::sample::select(vec![
        ProbeFound::Unresolved,
        ProbeFound::ResolveFailed,
        ProbeFound::Unreachable,
        ProbeFound::Refused,
        ProbeFound::Silent,
        ProbeFound::Foreign,
        ProbeFound::TlsFailed,
        ProbeFound::Greeted { tls: None },
    ]);
    prop_oneof![
        plain,
        any::<String>().prop_map(|name| ProbeFound::OtherGateway { name: name.as_str().into() }),
        certificate.prop_map(|seen| ProbeFound::Greeted { tls: Some(seen) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_comes_back(recorded in prop::collection::vec(happenings(), 0..10)) {
        let written = write(&recorded);
        let read: Vec<_> = Reader::open(written.as_slice()).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read, recorded);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(reader) = Reader::open(bytes.as_slice()) {
            let _read = reader.count();
        }
    }
}
