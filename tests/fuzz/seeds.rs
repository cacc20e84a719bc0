//! What each target begins with: its kept corpus, and what this repository holds of real messages and documents.

use gatewatch::wire::capture::{Reader, Recorded};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest seed: mutation and replay of longer ones teach nothing more.
const MAX_SEED: usize = 64 << 10;

/// Every seed of a target with its name.
pub(crate) fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = files(&root().join("fuzz/corpus").join(target));
    match target {
        "advisory" => ["alert", "event"].iter().for_each(|kind| seeds.extend(golden(kind))),
        "record" => {
            seeds.extend(golden("record"));
            seeds.extend([
                text("lease", "{\"version\":1,\"instance\":\"a\",\"process\":\"01M\",\"since\":\"2026-01-01T00:00:00.000000Z\"}"),
                text("queued", "{\"version\":1,\"subject\":\"a.b\",\"id\":\"I.1\",\"headers\":[[\"Nats-Msg-Id\",\"I.1\"]],\"at\":\"2026-01-01T00:00:00.000000Z\"}\n{}"),
            ]);
        }
        "capture" | "replay" => seeds.extend(recordings()),
        "config" => seeds.extend(files(&root().join("../examples")).into_iter().filter(|(name, _)| name.ends_with("toml"))),
        "greeting" => seeds.push(text("own", "INFO {\"server_id\":\"NA\",\"gateway\":\"east\",\"gateway_nrp\":true} \r\n")),
        "token" => seeds.extend(["eu=2Ewest", "=", "_", "gatewatch.ops"].map(|seed| text(seed, seed))),
        "jetstream" => seeds.extend([
            text("error", r#"{"type":"io.nats.jetstream.api.v1.stream_info_response","error":{"code":404,"err_code":10059,"description":"stream not found"}}"#),
            text("ack", r#"{"stream":"GATEWATCH_ALERTS","seq":3,"duplicate":true,"domain":"d"}"#),
        ]),
        "rights" => seeds.extend([
            text("refusal", "Permissions Violation for Publish to \"$SYS.REQ.SERVER.NA.IDZ\"\n"),
            text("granted", "\n{\"server\":{},\"data\":{\"user\":\"u\",\"permissions\":{\"publish\":{\"allow\":[\"$JS.API.>\"],\"deny\":null},\"subscribe\":{\"allow\":[\"_INBOX.*\"]}}}}"),
        ]),
        "system" => seeds.extend(messages()),
        "engine" => seeds.extend([
            ("quiet".to_owned(), vec![0; 90]),
            ("busy".to_owned(), (0..=255).cycle().take(600).collect()),
            ("connected".to_owned(), [[9, 1, 0], [9, 1, 1], [9, 1, 2]].concat()),
        ]),
        other => panic!("no seeds are known of {other}"),
    }
    seeds.retain(|(_, seed)| seed.len() <= MAX_SEED);
    seeds
}

fn root() -> PathBuf {
    // Built as a test of the package, or as the package in `fuzz/guided`.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if package.ends_with("guided") { package.join("../..") } else { package.join("tests") }
}

fn text(name: &str, text: &str) -> (String, Vec<u8>) {
    (name.to_owned(), text.as_bytes().to_vec())
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(listed) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

fn golden(kind: &str) -> Vec<(String, Vec<u8>)> {
    files(&root().join("golden").join(kind))
}

/// The beginnings of the recordings.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let packed = files(&root().join("recordings")).into_iter().filter(|(name, _)| name.ends_with(".gz"));
    let beginning = |(name, packed): (String, Vec<u8>)| {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*packed).take(48 << 10).read_to_end(&mut text).unwrap();
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        (name, text)
    };
    packed.map(beginning).collect()
}

/// One real message of each kind and length, and the beginnings of recordings as sequences of messages.
fn messages() -> Vec<(String, Vec<u8>)> {
    let all = fs::read(root().join("recordings/messages.ndjson")).unwrap();
    let mut kinds: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for line in Reader::open(&*all).unwrap().map(Result::unwrap) {
        if let Recorded::Message(message) = line {
            let bytes = [message.subject.as_bytes(), b"\n", &message.payload].concat();
            let kind: Vec<&str> = message.subject.split('.').filter(|token| token.len() < 12).collect();
            kinds.entry(kind.join(".")).or_insert(bytes);
        }
    }
    let mut seeds: Vec<_> = kinds.into_iter().collect();
    for (name, text) in recordings() {
        let lines = Reader::open(&*text).unwrap().filter_map(Result::ok);
        let messages = lines.filter_map(|line| match line {
            Recorded::Message(message) => {
                Some([message.subject.as_bytes(), b"\n", &message.payload].concat())
            }
            Recorded::Vantage(_)
            | Recorded::Asked(_)
            | Recorded::Probed(_)
            | Recorded::Stalled(_)
            | Recorded::Mark { .. } => None,
        });
        seeds.push((name, messages.take(40).collect::<Vec<_>>().join(&b"\n\x1e"[..])));
    }
    seeds
}
