//! The lab on real servers: the mesh, every fault, the lives of servers, and what is left behind (nothing).

use async_nats::{Client, Subscriber};
use futures::StreamExt;
use gatewatch::lab::{Builder, Fault, LabServer, Supercluster};
use serde_json::Value;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

const READY: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_millis(700);

async fn ready(builder: Builder) -> Supercluster {
    let lab = builder.start().await.unwrap();
    lab.ready(READY).await.unwrap();
    lab
}

fn bare() -> Builder {
    Supercluster::builder().without_jetstream()
}

/// Polls until `condition` holds.
async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(SOON, holds).await.is_ok(), "not within {SOON:?}: {what}");
}

/// Clusters to which a server says it has an outbound connection, asked over its own client port.
async fn outbound(server: &LabServer, client: &Client) -> Vec<String> {
    let subject = format!("$SYS.REQ.SERVER.{}.GATEWAYZ", server.id().unwrap());
    let answer = client.request(subject, "".into()).await.unwrap();
    let body: Value = serde_json::from_slice(&answer.payload).unwrap();
    body["data"]["outbound_gateways"].as_object().unwrap().keys().cloned().collect()
}

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
        timeout(SOON, crosses).await.expect("messages cross before any fault");
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
    lab.server("east-1").unwrap().freeze().unwrap();
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
    let error = lab.ready(Duration::from_millis(500)).await.unwrap_err().to_string();
    assert!(error.contains("east/east-1 has no outbound gateway connection to west"), "{error}");

    lab.faults().clear_all();
    lab.ready(READY).await.unwrap();
}

fn runs(pid: u32) -> bool {
    rustix::process::Pid::from_raw(i32::try_from(pid).unwrap())
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
