//! gatewatch as a process of its own: what it tells the service manager, how it ends, and that no trouble of its own becomes one of a
//! cluster.
//!
//! `GATEWATCH_FROZEN_SECONDS=60` freezes it for as long as that.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on fails, and tells its times")]

mod cli_support;

use cli_support::Place;
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::lab::{Fault, Supercluster};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::nats::state::read_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How long anything may take that is only waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// The program, with the socket on which it tells how it is doing. Killed when dropped.
struct Program {
    child: Child,
    told: UnixDatagram,
    heard: Vec<String>,
    _place: Place,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, or it ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(lab: &Supercluster, instance: &str) -> Self {
        let place = Place::empty();
        let socket = place.dir().join("notify");
        let told = UnixDatagram::bind(&socket).unwrap();
        told.set_nonblocking(true).unwrap();
        let mut command = place.command(&["run"]);
        with_settings(&mut command, lab, instance);
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "3000000");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, told, heard: Vec::new(), _place: place }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Everything that it has told so far.
    fn listen(&mut self) -> &[String] {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.told.recv(&mut buffer) {
            self.heard.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        &self.heard
    }

    async fn until(&mut self, what: &str, told: impl Fn(&str) -> bool) {
        let clock = Clock::start();
        while !self.listen().iter().any(|line| told(line)) {
            assert!(clock.mono().0 < PATIENCE, "not told: {what}; told: {:#?}", self.heard);
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ready(&mut self) {
        self.until("ready", |line| line == "READY=1").await;
        self.until("whole", |line| line.starts_with("STATUS=watching 3 clusters, 3 servers, 6 links")).await;
    }

    async fn ends(&mut self, within: Duration) -> Option<i32> {
        let clock = Clock::start();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(clock.mono().0 < within, "it does not end within {within:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn with_settings(command: &mut Command, lab: &Supercluster, instance: &str) {
    command
        .env("GATEWATCH_SYSTEM__SERVERS", lab.servers()[0].client_url())
        .env("GATEWATCH_SYSTEM__USER", &lab.system().user)
        .env("GATEWATCH_SYSTEM__PASSWORD", &lab.system().password)
        .env("GATEWATCH_ALERTS__USER", &lab.app().user)
        .env("GATEWATCH_ALERTS__PASSWORD", &lab.app().password)
        .env("GATEWATCH_INSTANCE__NAME", instance);
}

/// The state as it is stored, once it says that it is ready.
async fn stored_when_ready(client: &async_nats::Client) -> Snapshot {
    let clock = Clock::start();
    loop {
        let stored = read_snapshot(client, "GATEWATCH").await;
        if let Ok(snapshot) = &stored
            && snapshot.own.as_ref().is_some_and(gatewatch::model::health::OwnStatus::is_ready)
        {
            return stored.unwrap();
        }
        assert!(clock.mono().0 < PATIENCE, "not stored as ready: {stored:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn lab() -> Supercluster {
    let lab = Supercluster::builder().grid(3, 1).start().await.unwrap();
    lab.ready(PATIENCE).await.unwrap();
    lab
}

/// Keeps every core busy until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn everywhere() -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let cores = std::thread::available_parallelism().unwrap().get();
        for _ in 0..cores {
            let on = Arc::clone(&on);
            std::thread::spawn(move || {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(on)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Alerts about clusters, as a plain subscriber hears them, for as long as nothing more comes for `silence`.
async fn about_clusters(ears: &mut async_nats::Subscriber, silence: Duration) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(silence, ears.next()).await {
        let body: Value = serde_json::from_slice(&message.payload).unwrap();
        let own = body["kind"] == "gatewatch_impaired";
        let tokens: Vec<&str> = message.subject.split('.').collect();
        assert_eq!(own, tokens[4..] == ["_", "_"], "{}", message.subject);
        if !own {
            told.push((message.subject.to_string(), body));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_on_a_busy_machine_it_tells_of_no_cluster_and_of_what_broke_meanwhile_afterwards() {
    let frozen = std::env::var("GATEWATCH_FROZEN_SECONDS").ok().and_then(|text| text.parse().ok());
    let frozen = Duration::from_secs(frozen.unwrap_or(12));
    let lab = lab().await;
    let client = lab.servers()[0].app_client().await.unwrap();
    let mut ears = client.subscribe("gatewatch.alert.>").await.unwrap();
    client.flush().await.unwrap();
    let mut program = Program::start(&lab, "gatewatch");
    program.ready().await;

    let busy = Busy::everywhere();
    program.signal(Signal::STOP);
    sleep(frozen).await;
    program.signal(Signal::CONT);
    let told = about_clusters(&mut ears, Duration::from_secs(12)).await;
    println!("frozen for {} s with every core busy: {} alerts about clusters", frozen.as_secs(), told.len());
    assert!(told.is_empty(), "{told:#?}");
    drop(busy);

    // What breaks while it does not run is told once it runs again.
    program.signal(Signal::STOP);
    sleep(Duration::from_secs(2)).await;
    lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    sleep(Duration::from_secs(8)).await;
    let clock = Clock::start();
    program.signal(Signal::CONT);
    let opened = loop {
        let told = about_clusters(&mut ears, Duration::from_millis(200)).await;
        if let Some(first) = told.into_iter().next() {
            break first;
        }
        assert!(clock.mono().0 < PATIENCE, "nothing is told");
    };
    println!("told {:.1} s after it went on: {}", clock.mono().0.as_secs_f64(), opened.0);
    assert_eq!(opened.0, "gatewatch.alert.critical.gateway_down.east.west");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_the_service_manager_how_it_is_doing_and_leaves_its_last_state() {
    let lab = lab().await;
    let mut program = Program::start(&lab, "one");
    program.until("that it waits", |line| line.starts_with("STATUS=waiting for")).await;
    program.ready().await;
    let beats = |program: &mut Program| program.listen().iter().filter(|line| *line == "WATCHDOG=1").count();
    let before = beats(&mut program);
    sleep(Duration::from_secs(4)).await;
    assert!(beats(&mut program) > before, "the watchdog is not told: {:?}", program.heard);
    assert_eq!(program.heard.iter().filter(|line| *line == "READY=1").count(), 1);

    let client = lab.servers()[0].app_client().await.unwrap();
    let kept = stored_when_ready(&client).await;
    assert_eq!(kept.own.unwrap().instance.as_str(), "one");

    program.signal(Signal::TERM);
    assert_eq!(program.ends(Duration::from_secs(15)).await, Some(0));
    program.until("that it stops", |line| line == "STOPPING=1").await;
    let last = read_snapshot(&client, "GATEWATCH").await.unwrap();
    assert!(last.at > kept.at && last.links.len() == 6, "the last state is as of {}", last.at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_shows_in_the_exit_code_and_a_second_signal_ends_it_at_once() {
    let lab = lab().await;
    let (mut patient, mut hasty) = (Program::start(&lab, "patient"), Program::start(&lab, "hasty"));
    patient.ready().await;
    hasty.ready().await;
    for server in lab.servers() {
        server.freeze().await.unwrap();
    }
    // Its connections are missed after a second and a half; what it makes of that cannot be stored.
    sleep(Duration::from_secs(4)).await;
    patient.signal(Signal::TERM);
    hasty.signal(Signal::TERM);
    hasty.until("that it stops", |line| line == "STOPPING=1").await;
    hasty.signal(Signal::TERM);
    let clock = Clock::start();
    assert_eq!(hasty.ends(Duration::from_secs(15)).await, Some(70));
    println!("ended {:.1} s after the second signal", clock.mono().0.as_secs_f64());
    assert_eq!(patient.ends(Duration::from_secs(15)).await, Some(69));
}
