//! The program from outside: arguments, exit codes, what goes to which stream.

mod cli_support;

use cli_support::Place;
use serde_json::Value;
use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;

#[test]
fn without_arguments_the_help_is_shown_and_it_is_a_mistake() {
    let ran = Place::empty().run(&[]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("Usage: gatewatch") && ran.err.contains("demo"), "{}", ran.err);
}

#[test]
fn asked_for_help_goes_to_the_standard_output_and_lists_the_exit_codes() {
    let ran = Place::empty().run(&["--help"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for needed in ["Exit codes:", "64  bad arguments or configuration", "replay", "incidents", "--config"] {
        assert!(ran.out.contains(needed), "{needed:?} is missing in {}", ran.out);
    }
}

#[test]
fn every_verb_has_a_long_help_with_examples() {
    let verbs: [&[&str]; 21] = [
        &["run"],
        &["demo"],
        &["status"],
        &["watch"],
        &["incidents", "list"],
        &["incidents", "show"],
        &["incidents", "export"],
        &["record"],
        &["replay"],
        &["config", "check"],
        &["schema"],
        &["permissions"],
        &["silence", "add"],
        &["silence", "list"],
        &["silence", "remove"],
        &["forget", "cluster"],
        &["forget", "server"],
        &["config"],
        &["incidents"],
        &["silence"],
        &["forget"],
    ];
    for verb in verbs {
        let args: Vec<&str> = verb.iter().copied().chain(["--help"]).collect();
        let ran = Place::empty().run(&args);
        assert_eq!(ran.code, Some(0), "{verb:?}: {}", ran.err);
        let is_group = ["config", "incidents", "silence", "forget"].contains(&verb[0]) && verb.len() == 1;
        assert!(is_group || ran.out.contains("Examples:"), "{verb:?}: {}", ran.out);
        let widest = ran.out.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 100, "{verb:?} is {widest} wide: {}", ran.out);
    }
}

#[test]
fn help_is_a_verb_too() {
    let place = Place::empty();
    assert_eq!(place.run(&["help", "status"]).out, place.run(&["status", "--help"]).out);
}

#[test]
fn a_misspelt_verb_or_flag_is_named() {
    let ran = Place::empty().run(&["staus"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("status"), "{}", ran.err);
    let ran = Place::empty().run(&["watch", "--severity", "mild"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("warning"), "{}", ran.err);
}

#[test]
fn a_good_configuration_is_shown_with_where_each_value_was_given() {
    let place = Place::empty()
        .with_file(
            "gatewatch.toml",
            "[system]\nuser = \"sys\"\npassword = \"hush\"\n[detect]\nbeat_period = \"500ms\"\n\
             [probe]\nca = \"gateways.pem\"\n",
        )
        .with_file("gateways.pem", "")
        .with_env("GATEWATCH_ALERTS__PASSWORD", "hush hush");
    let ran = place.run(&[
        "config",
        "check",
        "--server",
        "nats://a:4222",
        "--server",
        "nats://b:4222",
        "--alert-user",
        "app",
        "--set",
        "detect.alert_after=10s",
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let line =
        |start: &str| ran.out.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert!(line("ok:").contains("gatewatch.toml"), "{}", ran.out);
    assert!(line("beat_period = \"500ms\"").ends_with("# gatewatch.toml:5"), "{}", ran.out);
    assert!(line("alert_after = \"10s\"").ends_with("# --set detect.alert_after"), "{}", ran.out);
    assert!(line("clear_after = \"5s\"").ends_with("# default"), "{}", ran.out);
    assert!(line("servers = [\"nats://a:4222\", \"nats://b:4222\"]").ends_with("# --server"), "{}", ran.out);
    assert!(line("ca = \"gateways.pem\"").ends_with("# gatewatch.toml:7"), "{}", ran.out);
    assert!(ran.out.contains("GATEWATCH_ALERTS__PASSWORD") && !ran.out.contains("hush"), "{}", ran.out);
}

#[test]
fn the_settings_in_force_are_a_configuration_that_means_the_same() {
    let shown = Place::empty()
        .run(&["config", "check", "--set", "detect.beat_period=300ms", "--set", "probe.enabled=false"])
        .out;
    assert!(shown.contains("enabled = false"), "{shown}");
    let again = Place::empty()
        .with_file("gatewatch.toml", shown.split_once('\n').unwrap().1)
        .run(&["config", "check"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    let bare = |text: &str| -> Vec<String> {
        text.lines().skip(1).map(|line| line.split('#').next().unwrap().trim().to_owned()).collect()
    };
    assert_eq!(bare(&shown), bare(&again.out));
}

#[test]
fn everything_wrong_with_the_configuration_is_said_at_once() {
    let place = Place::empty()
        .with_file("gatewatch.toml", "[detect]\nbeat_perod = \"1s\"\nconfirm_beats = 0\n")
        .with_env("GATEWATCH_SURVEY__VARZ_EVERY", "soon");
    let ran = place.run(&["config", "check"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""));
    for needed in [
        "gatewatch.toml:2",
        "did you mean `beat_period`?",
        "gatewatch.toml:3",
        "GATEWATCH_SURVEY__VARZ_EVERY",
    ] {
        assert!(ran.err.contains(needed), "{needed:?} is missing in {}", ran.err);
    }
    let json: Value = serde_json::from_str(&place.run(&["config", "check", "--json"]).out).unwrap();
    assert_eq!((json["ok"].as_bool(), json["problems"].as_array().unwrap().len()), (Some(false), 3));
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_the_default_one_is_not() {
    assert_eq!(Place::empty().run(&["config", "check"]).code, Some(0));
    let ran = Place::empty().run(&["config", "check", "--config", "gone.toml"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("gone.toml"), "{}", ran.err);
}

#[test]
fn the_daemon_refuses_a_bad_configuration_before_it_opens_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let ran = Place::empty().run(&["run", "--server", &url, "--set", "detect.confirm_beats=99"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""));
    assert!(ran.err.contains("detect.confirm_beats") && ran.err.contains("1 to 20"), "{}", ran.err);
    assert!(listener.accept().is_err(), "the program connected");
}

#[test]
fn the_example_configuration_is_printed_and_is_good() {
    let ran = Place::empty().run(&["config", "show-example"]);
    assert_eq!(ran.code, Some(0));
    let again = Place::empty().with_file("gatewatch.toml", &ran.out).run(&["config", "check"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
}

#[test]
fn schemas_are_printed_one_by_one_or_all() {
    let place = Place::empty();
    let all: Value = serde_json::from_str(&place.run(&["schema"]).out).unwrap();
    let one: Value = serde_json::from_str(&place.run(&["schema", "alert"]).out).unwrap();
    assert_eq!(all["alert"], one);
    assert!(one["$schema"].as_str().unwrap().contains("draft-07"));
    let ran = place.run(&["schema", "alarm"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("record.snapshot"), "{}", ran.err);
}

#[test]
fn a_server_that_cannot_be_reached_is_unavailable_and_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("nats://{closed}");
    for verb in [&["status"][..], &["watch"], &["incidents", "list"]] {
        let args: Vec<&str> = verb.iter().copied().chain(["--server", &url]).collect();
        let ran = Place::empty().run(&args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(69), ""), "{verb:?}: {}", ran.err);
        assert!(ran.err.contains(&closed.to_string()), "{verb:?}: {}", ran.err);
    }
}

#[test]
fn a_recording_is_not_overwritten_unless_told_to() {
    let place = Place::empty().with_file("night.ndjson", "precious");
    let ran = place.run(&["record", "night.ndjson", "--server", "nats://127.0.0.1:1"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(place.dir().join("night.ndjson")).unwrap(), "precious");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::empty();
    let mut child = place.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn commands_to_a_demonstration_that_does_not_run_say_how_to_start_one() {
    let ran = Place::empty().run(&["demo", "heal"]);
    assert_eq!(ran.code, Some(69));
    assert!(ran.err.contains("gatewatch demo --keep"), "{}", ran.err);
}

#[test]
fn a_silence_that_is_not_meant_like_that_is_refused_before_anything_is_opened() {
    let said = |args: &[&str]| {
        let args: Vec<&str> = ["silence", "add"].iter().chain(args).copied().collect();
        let ran = Place::empty().run(&args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{args:?}: {}", ran.err);
        ran.err
    };
    let why = ["--comment", "x"];
    assert!(said(&[&["--for", "2h"], &why[..]].concat()).contains("--everything"));
    assert!(
        said(&[&["--everything", "--until", "2020-01-01T00:00:00Z"], &why[..]].concat()).contains("is over")
    );
    assert!(
        said(&[&["--everything", "--until", "noon"], &why[..]].concat()).contains("2026-12-24T06:00:00Z")
    );
    let kinds = said(&[&["--kind", "gateway_odd", "--for", "2h"], &why[..]].concat());
    assert!(kinds.contains("gateway_down") && kinds.contains("routes_incomplete"), "{kinds}");
    assert!(said(&[&["--remote", "west", "--for", "2h"], &why[..]].concat()).contains("--cluster"));
    assert!(
        said(&[&["--about-server", "west-1", "--for", "2h"], &why[..]].concat()).contains("CLUSTER/NAME")
    );
    assert!(said(&["--cluster", "west", "--for", "2h"]).contains("--comment"));
    assert!(said(&[&["--cluster", "west"], &why[..]].concat()).contains("--for"));
}
