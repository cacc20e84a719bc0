//! The demonstration on real servers, and the verbs against it, as a person would use them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cli_support;

use cli_support::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Nine servers at a time are enough for one machine.
static STAGE: Mutex<()> = Mutex::new(());
const POLL: Duration = Duration::from_millis(250);
const POLLS: u32 = 120;

/// A place where the lab finds what the person who runs the tests has.
fn place() -> Place {
    let kept = ["PATH", "HOME", "XDG_CACHE_HOME", "GATEWATCH_NATS_SERVER", "TMPDIR"];
    kept.into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)))
        .fold(Place::empty(), |place, (name, value)| place.with_env(name, &value))
}

#[test]
fn the_tour_shows_three_losses_each_proven_fast_and_ends_by_itself() {
    let _stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let ran = place().run(&["demo", "--quick", "--json"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let steps: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| steps.iter().filter(|step| step["step"] == name).collect::<Vec<_>>();

    let outcome = &named("outcome")[0]["acts"];
    let kinds: Vec<&str> =
        outcome.as_array().unwrap().iter().map(|act| act["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["gateway_down", "gateway_degraded", "cluster_offline"]);
    for act in outcome.as_array().unwrap() {
        let (seen, alert) = (act["seen_ms"].as_u64().unwrap(), act["alert_ms"].as_u64().unwrap());
        assert!(seen <= alert && alert < 10_000, "{act}");
    }
    // Nothing crosses, and all six servers still say that all is well.
    assert_eq!((&named("claims")[0]["listing"], &named("claims")[0]["asked"]), (&6.into(), &6.into()));
    let lost = named("traffic")[0]["flows"].as_array().unwrap().iter().filter(|flow| flow["to"] == "west");
    assert!(
        lost.clone().count() == 3 && lost.clone().all(|flow| flow["arrived"] == 0),
        "{:?}",
        named("traffic")
    );
    assert_eq!(named("kept")[0]["incidents"].as_array().unwrap().len(), 3);
    assert_eq!(steps.last().unwrap()["step"], "end");
}

#[test]
fn a_kept_demonstration_can_be_broken_looked_at_and_healed_from_another_terminal() {
    let _stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tempfile::tempdir().unwrap();
    let place = place().with_env("XDG_RUNTIME_DIR", &runtime.path().display().to_string());
    let mut demo = Running::start(&place);
    let config = demo.invitation();
    let lab = config.parent().unwrap().to_path_buf();
    let file = config.display().to_string();
    let gatewatch = |args: &[&str]| place.run(&[args, &["--config", &file]].concat());

    let ran = gatewatch(&["status"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("no open incident"), "{}", ran.out);
    assert_eq!(place.run(&["demo", "--keep"]).code, Some(64), "a second demonstration is refused");

    let ran = place.run(&["demo", "break", "east", "west", "--one-way"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = until(|| Some(gatewatch(&["status"])).filter(|ran| ran.code == Some(2)));
    assert!(ran.out.contains("gateway east -> west is down"), "{}", ran.out);
    let list = gatewatch(&["incidents", "list", "--open", "--json"]);
    let list: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["kind"]), (1, &"gateway_down".into()));

    assert_eq!(place.run(&["demo", "heal"]).code, Some(0));
    until(|| Some(gatewatch(&["status"])).filter(|ran| ran.code == Some(0)));
    let story = gatewatch(&["incidents", "show", "latest"]);
    assert!(story.out.contains("Timeline") && story.out.contains("resolved"), "{}{}", story.out, story.err);
    let export = gatewatch(&["incidents", "export"]);
    assert_eq!(export.out.lines().count(), 1, "{}", export.out);

    let outbox = format!("outbox.directory={}", runtime.path().join("second").display());
    let mut daemon = place.command(&["run", "--config", &file, "--color", "never"]);
    daemon.args(["--set", "instance.name=second", "--set", &outbox]);
    let mut daemon = daemon.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(daemon.stderr.take().unwrap()).lines();
    // One of them tells, that of the demonstration: the other one watches.
    assert!(log.map_while(Result::ok).any(|line| line.contains("standing by")));
    // From here on nobody reads its log, which must not matter.
    signal(&daemon, "-TERM");
    assert_eq!(daemon.wait().unwrap().code(), Some(0));

    let ran = gatewatch(&["record", "night.ndjson", "--for", "3s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = gatewatch(&["replay", "night.ndjson"]);
    assert!(
        ran.out.contains("no incident") && ran.out.contains("9 servers in 3 clusters"),
        "{}{}",
        ran.out,
        ran.err
    );

    demo.interrupt();
    assert_eq!(demo.code(), Some(0));
    assert!(!lab.exists(), "{} is left behind", lab.display());
}

/// A demonstration that goes on.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(place: &Place) -> Self {
        let mut command = place.command(&["demo", "--keep", "--no-tour", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it can be played with; the configuration for the other verbs.
    fn invitation(&mut self) -> PathBuf {
        let steps = self.lines.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        let mut invited = steps.filter(|step| step["step"] == "invitation");
        let step = invited.next().expect("the demonstration ended before it could be played with");
        Path::new(step["config"].as_str().unwrap()).to_path_buf()
    }

    fn interrupt(&self) {
        signal(&self.child, "-INT");
    }

    fn code(&mut self) -> Option<i32> {
        // What it still tells must not hold it up.
        let rest: Vec<_> = self.lines.by_ref().collect();
        drop(rest);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, which: &str) {
    let sent = Command::new("kill").args([which, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn until<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    for _ in 0..POLLS {
        if let Some(found) = probe() {
            return found;
        }
        std::thread::sleep(POLL);
    }
    panic!("not within {:?}", POLL * POLLS);
}
