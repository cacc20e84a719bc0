//! The lab on real servers: the mesh, every fault, the lives of servers, and what is left behind (nothing).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and print as tests do")]

mod lab_support;

use async_nats::{Client, Subscriber};
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::lab::{ControlError, Fault, ServerOptions, Supercluster};
use lab_support::{READY, SOON, bare, eventually, outbound, ready};
use std::io::{BufRead, BufReader};
use std::num::NonZeroU32;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::timeout;

const SILENCE: Duration = Duration::from_millis(700);

/// A path for messages from a client of one server to a client of another, with interest known to cross.
struct Wire {
    publisher: Client,
    subscriber: Subscriber,
    subject: String,
    sent: u32,
}

impl Wire {
    async fn between(lab: &Supercluster, from: &str, to: &str) -> Self {
        let subject = format!("wire.{from}.{to}");
        let subscribing = lab.server(to).unwrap().app_client().await.unwrap();
        let subscriber = subscribing.subscribe(subject.clone()).await.unwrap();
        subscribing.flush().await.unwrap();
        let publisher = lab.server(from).unwrap().app_client().await.unwrap();
        let mut wire = Self { publisher, subscriber, subject, sent: 0 };
        let crosses = async {
            loop {
                let sent = wire.send().await;
                if wire.arrives(sent, Duration::from_millis(100)).await {
                    return;
                }
            }
        };
        timeout(SOON, crosses).await.unwrap();
        wire
    }

    async fn send(&mut self) -> u32 {
        self.sent += 1;
        self.publisher.publish(self.subject.clone(), self.sent.to_string().into()).await.unwrap();
        self.publisher.flush().await.unwrap();
        self.sent
    }

    async fn arrives(&mut self, number: u32, limit: Duration) -> bool {
        let wanted = number.to_string();
        let seen = async { while self.subscriber.next().await.unwrap().payload != wanted {} };
        timeout(limit, seen).await.is_ok()
    }

    async fn crosses(&mut self) -> bool {
        let sent = self.send().await;
        self.arrives(sent, SILENCE).await
    }
}

fn runs(pid: u32) -> bool {
    rustix::process::Pid::from_raw(i32::try_from(pid).unwrap())
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_clusters_mesh_with_jetstream_also_one_of_a_single_server() {
    let lab = ready(Supercluster::builder().cluster("east", 2).cluster("west", 1)).await;
    for server in lab.servers() {
        let client = server.system_client().await.unwrap();
        let remote = if server.key().cluster.as_str() == "east" { "west" } else { "east" };
        assert_eq!(outbound(server, &client).await, [remote], "{}", server.key());
    }
    let app = lab.server("west-1").unwrap().app_client().await.unwrap();
    let stream = async_nats::jetstream::stream::Config { name: "S".into(), ..Default::default() };
    async_nats::jetstream::new(app).create_stream(stream).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_lab_stops_its_servers_frozen_ones_too_and_removes_its_directory() {
    let lab = bare().grid(2, 1).start().await.unwrap();
    let dir = lab.dir().to_path_buf();
    let pids: Vec<u32> = lab.servers().iter().map(|server| server.pid().unwrap()).collect();
    lab.server("east-1").unwrap().freeze().await.unwrap();
    assert!(dir.exists() && pids.iter().all(|pid| runs(*pid)));
    drop(lab);
    assert!(!dir.exists(), "{}", dir.display());
    assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blackhole_holds_messages_of_one_direction_while_the_server_lists_the_link() {
    let lab = ready(bare().grid(2, 1)).await;
    let mut there = Wire::between(&lab, "east-1", "west-1").await;
    let mut back = Wire::between(&lab, "west-1", "east-1").await;
    let system = lab.server("east-1").unwrap().system_client().await.unwrap();

    lab.faults().cut_direction("east", "west", Fault::Blackhole).unwrap();
    let held = there.send().await;
    assert!(!there.arrives(held, SILENCE).await);
    assert!(back.crosses().await);
    assert_eq!(outbound(lab.server("east-1").unwrap(), &system).await, ["west"]);

    lab.faults().clear_all();
    assert!(there.arrives(held, SILENCE).await, "what was held flows on after the heal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_makes_the_link_vanish_until_it_is_cleared() {
    let lab = ready(bare().grid(2, 1)).await;
    let east = lab.server("east-1").unwrap();
    let west = lab.server("west-1").unwrap();
    let (asks_east, asks_west) = (east.system_client().await.unwrap(), west.system_client().await.unwrap());

    lab.faults().cut_direction("east", "west", Fault::Reset).unwrap();
    eventually("east lists no link", async || outbound(east, &asks_east).await.is_empty()).await;
    assert_eq!(outbound(west, &asks_west).await, ["east"]);
    // Longer than the second after which a server dials again.
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(outbound(east, &asks_east).await.is_empty(), "new dials are reset too");
    }
    let error = lab.ready(Duration::from_secs(2)).await.unwrap_err().to_string();
    assert!(error.contains("east/east-1 has no outbound gateway connection to west"), "{error}");

    lab.faults().clear_all();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_dials_leave_existing_links_alone_and_keep_lost_ones_away() {
    let lab = ready(bare().grid(2, 1)).await;
    let east = lab.server("east-1").unwrap();
    let asks = east.system_client().await.unwrap();
    let mut there = Wire::between(&lab, "east-1", "west-1").await;

    lab.faults().cut_direction("east", "west", Fault::Refuse).unwrap();
    assert!(there.crosses().await);
    lab.server("west-1").unwrap().restart().await.unwrap();
    eventually("the link went with the server", async || outbound(east, &asks).await.is_empty()).await;
    let back_in_time = lab.ready(Duration::from_secs(3)).await;
    assert!(back_in_time.is_err());

    lab.faults().clear_all();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_cut_while_its_peer_keeps_its_link() {
    let lab = ready(bare().cluster("east", 2).cluster("west", 1)).await;
    let (first, second) = (lab.server("east-1").unwrap(), lab.server("east-2").unwrap());
    let (asks_first, asks_second) =
        (first.system_client().await.unwrap(), second.system_client().await.unwrap());

    lab.faults().cut_server("east", "east-1", "west", Fault::Reset).unwrap();
    eventually("east-1 lists no link", async || outbound(first, &asks_first).await.is_empty()).await;
    assert_eq!(outbound(second, &asks_second).await, ["west"]);

    // Known by its process from its first byte on, also right after a restart.
    first.restart().await.unwrap();
    let asks_first = first.system_client().await.unwrap();
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(outbound(first, &asks_first).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_adds_latency_without_taking_throughput() {
    const LATENCY: Duration = Duration::from_millis(300);
    const BURST: u32 = 100;
    let clock = Clock::start();
    let lab = ready(bare().grid(2, 1)).await;
    let mut there = Wire::between(&lab, "east-1", "west-1").await;

    let delay = Fault::Delay { latency: LATENCY, jitter: Duration::from_millis(20) };
    lab.faults().cut_direction("east", "west", delay).unwrap();
    let start = clock.mono();
    for _ in 0..BURST {
        there.send().await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(there.arrives(there.sent - BURST + 1, SOON).await);
    let first = clock.mono().since(start);
    assert!(there.arrives(there.sent, SOON).await);
    let last = clock.mono().since(start);

    assert!(first >= LATENCY, "{first:?}");
    assert!(last < LATENCY * BURST / 10, "{BURST} messages took {last:?}: they waited for each other");

    lab.faults().clear_all();
    let start = clock.mono();
    assert!(there.crosses().await);
    let healed = clock.mono().since(start);
    assert!(healed < LATENCY, "{healed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_link_carries_no_more_than_its_rate() {
    let clock = Clock::start();
    let lab = ready(bare().grid(2, 1)).await;
    let mut there = Wire::between(&lab, "east-1", "west-1").await;

    let slow = Fault::Slow { bytes_per_second: NonZeroU32::new(20_000).unwrap() };
    lab.faults().cut_direction("east", "west", slow).unwrap();
    let start = clock.mono();
    there.publisher.publish(there.subject.clone(), vec![b'x'; 30_000].into()).await.unwrap();
    let last = there.send().await;
    assert!(there.arrives(last, SOON).await);
    let took = clock.mono().since(start);
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_comes_back_with_a_new_id_after_a_crash_a_stop_and_a_lame_duck() {
    let lab = ready(Supercluster::builder().cluster("east", 2).cluster("west", 1)).await;
    let server = lab.server("east-1").unwrap();
    let mut ids = vec![server.id().unwrap()];
    for way in ["crash", "stop", "lame duck"] {
        let address = server.gateway_address();
        match way {
            "crash" => server.kill().await.unwrap(),
            "stop" => server.stop(SOON).await.unwrap(),
            _ => {
                server.lame_duck().unwrap();
                server.await_exit(SOON).await.unwrap();
            }
        }
        assert_eq!((server.id(), server.pid()), (None, None));
        assert!(matches!(server.kill().await, Err(ControlError::NotRunning { .. })));
        server.start().await.unwrap();
        lab.ready(READY).await.unwrap();
        let id = server.id().unwrap();
        assert!(!ids.contains(&id), "{way}");
        ids.push(id);
        assert_eq!(server.gateway_address(), address);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_says_nothing_and_goes_on_when_thawed() {
    let lab = ready(bare().grid(2, 1)).await;
    let mut there = Wire::between(&lab, "east-1", "west-1").await;
    let west = lab.cluster("west").unwrap();
    let id = west.servers()[0].id();

    west.freeze().await.unwrap();
    let held = there.send().await;
    assert!(!there.arrives(held, SILENCE).await);
    west.thaw().unwrap();
    assert!(there.arrives(held, SOON).await);
    assert_eq!(west.servers()[0].id(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cluster_dies_and_comes_back() {
    let lab = ready(bare().cluster("east", 1).cluster("west", 2)).await;
    let west = lab.cluster("west").unwrap();
    west.kill().await.unwrap();
    assert!(west.servers().iter().all(|server| server.pid().is_none()));
    // What does not run is not waited for.
    lab.ready(READY).await.unwrap();
    west.start().await.unwrap();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn options_change_with_a_restart_and_a_bad_configuration_shows_the_log() {
    let lab = ready(bare().grid(2, 1)).await;
    let server = lab.server("east-1").unwrap();
    let options = ServerOptions {
        config: "max_payload: 4321".into(),
        gateway_config: "reject_unknown_cluster: true".into(),
        ..ServerOptions::default()
    };
    server.set_options(options);
    server.restart().await.unwrap();
    let client = server.system_client().await.unwrap();
    assert_eq!(client.server_info().max_payload, 4321);

    server.set_options(ServerOptions { config: "nonsense: {".into(), ..ServerOptions::default() });
    let error = server.restart().await.unwrap_err();
    assert!(matches!(&error, ControlError::Died { log, .. } if log.contains("Parse error")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_died_is_named_by_ready_with_its_log() {
    let lab = ready(bare().grid(2, 1)).await;
    let pid = i32::try_from(lab.server("west-1").unwrap().pid().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    eventually("the end is noticed", async || lab.server("west-1").unwrap().pid().is_none()).await;
    let error = lab.ready(READY).await.unwrap_err().to_string();
    assert!(error.contains("west/west-1") && error.contains("Server Exiting"), "{error}");
}

/// Set in the process that is killed by the test below.
const ROLE: &str = "GATEWATCH_TEST_HOLDS_A_LAB";

#[tokio::test(flavor = "multi_thread")]
async fn no_server_and_no_directory_outlives_a_killed_process() {
    const NAME: &str = "no_server_and_no_directory_outlives_a_killed_process";
    if std::env::var_os(ROLE).is_some() {
        return hold_a_lab().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let words: Vec<String> =
        lines.filter_map(|line| Some(line.split_once("holding: ")?.1.to_owned())).take(3).collect();
    let (dir, pids) = (std::path::PathBuf::from(&words[0]), &words[1..]);
    let pids: Vec<u32> = pids.iter().map(|pid| pid.parse().unwrap()).collect();
    assert!(dir.exists() && pids.iter().all(|pid| runs(*pid)));

    child.kill().unwrap();
    child.wait().unwrap();
    eventually("servers and directory are gone", async || {
        !dir.exists() && !pids.iter().any(|pid| runs(*pid))
    })
    .await;
}

/// One server runs, one is frozen: neither may stay.
async fn hold_a_lab() {
    let lab = bare().grid(2, 1).start().await.unwrap();
    lab.server("west-1").unwrap().freeze().await.unwrap();
    println!("\nholding: {}", lab.dir().display());
    for server in lab.servers() {
        println!("holding: {}", server.pid().unwrap());
    }
    std::future::pending::<()>().await;
}
