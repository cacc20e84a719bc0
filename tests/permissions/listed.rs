//! What is listed for people is what the code has.

use gatewatch::config::settings::Settings;
use gatewatch::wire::permission::{Names, Tier, User, conf, nsc};
use std::process::Command;

const README: &str = include_str!("../../README.md");

#[test]
fn the_readme_lists_what_the_code_needs() {
    let names = Names::default();
    for user in [User::System, User::Alerts] {
        for text in [conf(&names, user, Tier::Creates), nsc(&names, user, Tier::Creates)] {
            assert!(README.contains(&text), "README.md lacks:\n{text}");
        }
    }
}

#[test]
fn the_default_names_are_those_of_the_settings() {
    let settings = Settings::load(None, std::iter::empty(), &[]).unwrap();
    assert_eq!(settings.names(), Names::default());
}

#[test]
fn the_verb_prints_the_lists_of_the_configuration_in_force() {
    let run = |args: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        let output =
            command.arg("permissions").args(args).current_dir(dir.path()).env_clear().output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let names = Names::default();
    assert_eq!(run(&["--system"]), conf(&names, User::System, Tier::Creates));
    assert_eq!(
        run(&["--alerts", "--existing-streams", "--format", "nsc"]),
        nsc(&names, User::Alerts, Tier::Existing)
    );
    let json: serde_json::Value = serde_json::from_str(&run(&[
        "--json",
        "--set",
        "alerts.bucket=GW",
        "--set",
        "alerts.subject_prefix=ops.gw",
        "--set",
        "system.inbox_prefix=_INBOX.gw",
    ]))
    .unwrap();
    let list = |user: &str, act: &str| json[user][act]["allow"].as_array().unwrap().clone();
    assert!(list("alerts", "publish").contains(&"$KV.GW_LEASE.>".into()));
    assert!(list("alerts", "publish").contains(&"ops.gw.alert.>".into()));
    assert!(list("system", "subscribe").contains(&"_INBOX.gw.>".into()));
    assert!(!json.to_string().contains("\"_INBOX.gw.>\",\"_INBOX.>"));
}
