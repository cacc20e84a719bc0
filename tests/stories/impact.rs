//! What a loss costs, told about real servers: a mirror in west and a source in central copy a stream in east, and east and west are
//! cut from each other while messages go on being published.

use crate::stage::{Message, Stage, settings};
use async_nats::jetstream::{
    self,
    stream::{Config, Placement, Source},
};
use futures::StreamExt;
use gatewatch::lab::{Builder, Fault, Supercluster};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longer than it takes an incident to open, resolve or be told again.
const SOON: Duration = Duration::from_secs(45);
/// Published after the cut, all at once.
const BURST: u64 = 3_000;

fn placed(name: &str, cluster: &str) -> Config {
    let placement = Placement { cluster: Some(cluster.to_owned()), ..Placement::default() };
    Config { name: name.to_owned(), placement: Some(placement), ..Config::default() }
}

/// ORDERS in east, its mirror FAR in west, and ALL in central, which takes it in as a source.
async fn streams(lab: &Supercluster) {
    let js = jetstream::new(lab.servers()[0].app_client().await.unwrap());
    let origin = || Source { name: "ORDERS".to_owned(), ..Source::default() };
    let wanted = [
        Config { subjects: vec!["orders.>".to_owned()], ..placed("ORDERS", "east") },
        Config { mirror: Some(origin()), ..placed("FAR", "west") },
        Config { sources: Some(vec![origin()]), ..placed("ALL", "central") },
    ];
    for config in wanted {
        // There may be no meta leader yet.
        let made = async { while js.create_stream(config.clone()).await.is_err() {} };
        tokio::time::timeout(SOON, made).await.unwrap();
    }
}

/// Publishes some fifty messages a second in east until it is dropped.
async fn steady(lab: &Supercluster) -> JoinHandle<()> {
    let client = lab.server("east-1").unwrap().app_client().await.unwrap();
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(Duration::from_millis(20));
        loop {
            turns.tick().await;
            client.publish("orders.new", vec![b'x'; 200].into()).await.unwrap();
        }
    })
}

/// Waits until a server has told of its traffic so many times.
async fn reported(lab: &Supercluster, server: &str, times: usize) {
    let server = lab.server(server).unwrap();
    let subject = format!("$SYS.SERVER.{}.STATSZ", server.id().unwrap());
    let client = server.system_client().await.unwrap();
    let reports = client.subscribe(subject).await.unwrap();
    let heard = tokio::time::timeout(SOON, reports.take(times).count()).await.unwrap();
    assert_eq!(heard, times);
}

fn is_alert(message: &Message, stage: &str) -> bool {
    message.is_alert() && message.body["stage"] == stage
}

/// The mirror as an alert tells of it.
fn mirror(alert: &Message) -> Option<&Value> {
    let copies = alert.body["impact"]["replication"].as_array()?;
    copies.iter().find(|copy| copy["stream"] == "FAR")
}

fn lag(alert: &Message) -> Option<u64> {
    mirror(alert)?["lag"].as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_pair_tells_what_crossed_it_what_falls_behind_and_when_that_has_caught_up() {
    let lab = Builder::default().grid(3, 1).start().await.unwrap();
    lab.ready(SOON).await.unwrap();
    streams(&lab).await;
    let traffic = steady(&lab).await;
    let settings = settings(&lab, &[("survey.interest_every", "10s"), ("survey.jetstream_every", "10s")]);
    let mut stage = Stage::on(lab, settings).await;
    reported(&stage.lab, "east-1", 3).await;

    stage.lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    let heard = stage.until(SOON, |message| is_alert(message, "opened")).await;
    let opened = heard.last().unwrap();
    println!("opened: {:#}", opened.body["impact"]);
    assert_eq!(opened.body["kind"], "gateway_down", "{:#}", opened.body);
    let impact = &opened.body["impact"];
    assert_eq!(impact["accounts"], serde_json::json!(["APP"]));
    let far = mirror(opened).unwrap();
    assert_eq!((far["role"].as_str(), far["origin"].as_str()), (Some("mirror"), Some("ORDERS")));
    assert_eq!((far["account"].as_str(), far["link"]["from"].as_str()), (Some("APP"), Some("east")));
    assert_eq!(
        impact["replication"].as_array().map(Vec::len),
        Some(1),
        "the source in central is not cut off"
    );
    let rate = impact["messages_per_second"].as_f64().unwrap();
    assert!((25.0..200.0).contains(&rate), "{rate}");
    let first = lag(opened).unwrap();
    assert!(first > 0);

    let js = jetstream::new(stage.lab.server("east-1").unwrap().app_client().await.unwrap());
    for _ in 0..BURST {
        js.publish("orders.new", "more".into()).await.unwrap();
    }
    let heard =
        stage.until(SOON, |message| is_alert(message, "updated") && lag(message) >= Some(BURST)).await;
    println!("fallen behind: {:#}", heard.last().unwrap().body["impact"]);

    stage.lab.faults().clear_all();
    traffic.abort();
    let heard = stage.until(SOON, |message| is_alert(message, "resolved")).await;
    let resolved = heard.last().unwrap();
    println!("resolved: {:#}", resolved.body["impact"]);
    let mut told: Vec<_> = heard
        .iter()
        .filter(|message| message.subject == "gatewatch.event.link.resynced.east.west")
        .cloned()
        .collect();
    if resolved.body["impact"]["resynced_after_ms"].is_null() {
        told =
            stage.until(SOON, |message| message.subject == "gatewatch.event.link.resynced.east.west").await;
    }
    let event = told.last().unwrap();
    println!("{}", event.text("text"));
    let after = event.body["to"]["after_ms"].as_u64().unwrap();
    assert!((1..30_000).contains(&after), "{after}");
    if let Some(all) = resolved.body["impact"]["resynced_after_ms"].as_u64() {
        assert!(all >= after, "the slowest link decides");
        assert_eq!(lag(resolved), Some(0));
    }
}
