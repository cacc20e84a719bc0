//! Recordings of real superclusters, replayed by the program: the verdicts, and the same ones each time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli_support;

use cli_support::{Place, Ran};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

fn recording(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.ndjson.gz"));
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn replay(name: &str, flags: &[&str]) -> Ran {
    let args: Vec<&str> = ["replay", "-"].into_iter().chain(flags.iter().copied()).collect();
    let ran = Place::empty().run_with_input(&args, &recording(name));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran
}

/// Stage and kind of every alert, in order.
fn told(name: &str) -> Vec<String> {
    let lines = replay(name, &["--json", "--incidents"]).out;
    let alerts = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    alerts
        .map(|alert| format!("{} {}", alert["stage"].as_str().unwrap(), alert["kind"].as_str().unwrap()))
        .collect()
}

fn alerts(name: &str) -> Vec<Value> {
    let lines = replay(name, &["--json", "--incidents"]).out;
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_same_recording_gives_the_same_bytes_each_time() {
    let first = replay("one_server", &["--json"]);
    let second = replay("one_server", &["--json"]);
    assert!(first.out.lines().count() > 20);
    assert_eq!(first.out, second.out);
    assert_eq!(replay("one_server", &[]).out, replay("one_server", &[]).out);
}

#[test]
fn a_steady_supercluster_is_no_incident() {
    assert_eq!(told("steady"), Vec::<String>::new());
}

#[test]
fn a_rolling_restart_pages_nobody() {
    assert_eq!(told("rolling_restart"), Vec::<String>::new());
}

#[test]
fn dropped_packets_between_two_clusters_are_one_incident_about_both_directions() {
    let alerts = alerts("blackhole");
    assert_eq!(told("blackhole"), ["opened gateway_down", "updated gateway_down", "resolved gateway_down"]);
    assert_eq!(alerts[0]["direction"], "both");
    // In the end the servers notice too.
    let noticed = |at: usize| alerts[at]["server_view"]["known_gone"].as_array().map_or(0, Vec::len);
    assert!(noticed(0) == 0 && noticed(1) > 0, "{:#}", alerts[1]["server_view"]);
    assert_eq!(alerts[0]["subject"]["clusters"], serde_json::json!(["east", "west"]));
}

#[test]
fn reset_connections_are_one_incident_that_grows() {
    let told = told("reset");
    assert_eq!(told.first().unwrap().split(' ').next(), Some("opened"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("resolved gateway_down"), "{told:?}");
    assert_eq!(told.iter().filter(|step| step.starts_with("opened")).count(), 1, "{told:?}");
}

#[test]
fn one_server_without_its_link_is_degraded_and_named() {
    let alerts = alerts("one_server");
    assert_eq!(told("one_server"), ["opened gateway_degraded", "resolved gateway_degraded"]);
    assert!(alerts[0]["title"].as_str().unwrap().contains("east-1"), "{}", alerts[0]["title"]);
}

#[test]
fn a_killed_cluster_is_one_critical_incident() {
    let alerts = alerts("kill_cluster");
    assert_eq!(told("kill_cluster"), ["opened cluster_offline", "resolved cluster_offline"]);
    assert_eq!((&alerts[0]["departure"], &alerts[0]["severity"]), (&"crash".into(), &"critical".into()));
}

#[test]
fn a_stopped_cluster_is_one_incident_by_plan() {
    let alerts = alerts("stop_cluster");
    assert_eq!(told("stop_cluster"), ["opened cluster_offline", "resolved cluster_offline"]);
    assert_eq!(alerts[0]["departure"], "planned");
}

#[test]
fn people_see_what_was_done_what_came_of_it_and_a_summary() {
    let out = replay("kill_cluster", &["--incidents"]).out;
    let position =
        |needle: &str| out.find(needle).unwrap_or_else(|| panic!("{needle:?} is missing in {out}"));
    let order = [
        "kill -9 every west server",
        "CRITICAL",
        "start west again",
        "RESOLVED",
        "1 incident (1 cluster_offline)",
    ];
    assert!(order.map(position).is_sorted(), "{out}");
    assert!(!out.contains('\x1b'), "colours in a pipe");
}

#[test]
fn a_bad_line_is_told_by_its_number_after_what_was_good() {
    let mut bytes: Vec<u8> = recording("kill_cluster");
    let middle = bytes.len() / 2;
    let end = middle + bytes[middle..].iter().position(|byte| *byte == b'\n').unwrap();
    bytes.splice(end..end, b"\n{\"at\":oops}".iter().copied());
    let bad = 2 + bytes[..end].iter().filter(|byte| **byte == b'\n').count();
    let ran = Place::empty().run_with_input(&["replay", "-", "--incidents"], &bytes);
    assert_eq!(ran.code, Some(65));
    assert!(ran.err.contains(&format!("line {bad} ")), "line {bad}: {}", ran.err);
    assert!(ran.out.contains("CRITICAL"), "{}", ran.out);
}

#[test]
fn a_compressed_or_missing_recording_says_what_to_do() {
    let place = Place::empty();
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/steady.ndjson.gz");
    std::fs::copy(packed, place.dir().join("night.ndjson.gz")).unwrap();
    let ran = place.run(&["replay", "night.ndjson.gz"]);
    assert_eq!(ran.code, Some(65));
    assert!(ran.err.contains("zcat night.ndjson.gz | gatewatch replay -"), "{}", ran.err);
    let ran = place.run(&["replay", "gone.ndjson"]);
    assert_eq!(ran.code, Some(65));
    assert!(ran.err.contains("gone.ndjson"), "{}", ran.err);
}
