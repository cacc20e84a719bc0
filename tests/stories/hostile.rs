//! A client of the system account that publishes forged messages on real servers, as one with too wide permissions may: nothing is told of
//! what is whole, and what really breaks is told rightly.

use crate::stage::{Message, Stage, listing};
use gatewatch::lab::{Fault, Supercluster};
use gatewatch::model::snapshot::Snapshot;
use serde_json::{Value, json};
use std::time::Duration;

const QUIET: Duration = Duration::from_secs(20);
const TOLD_WITHIN: Duration = Duration::from_secs(20);

/// Publishes one round of lies about the servers of this snapshot.
async fn lie(client: &async_nats::Client, snapshot: &Snapshot, round: usize) {
    let time = snapshot.at + chrono::TimeDelta::milliseconds(500 * i64::try_from(round).unwrap());
    let info = |id: &str, name: &str, cluster: &str| json!({ "id": id, "name": name, "cluster": cluster, "host": "h", "ver": "2.15.1", "time": time });
    let say = async |subject: String, body: Value| {
        client.publish(subject, body.to_string().into()).await.unwrap();
    };
    for cluster in snapshot
        .clusters
        .iter()
        .filter(|cluster| ["east", "west", "central"].contains(&cluster.name.as_str()))
    {
        for server in &cluster.servers {
            let (id, name, cluster) = (server.id.as_str(), server.key.name.as_str(), cluster.name.as_str());
            let evil = format!("NEVIL{round}{name}");
            say(
                format!("$SYS.SERVER.{evil}.STATSZ"),
                json!({ "server": info(&evil, name, cluster), "statsz": { "gateways": [], "routes": [{}] } }),
            )
            .await;
            say(
                format!("$SYS.SERVER.{id}.STATSZ"),
                json!({ "server": info(id, name, cluster), "statsz": { "gateways": [], "routes": [{}] } }),
            )
            .await;
            say(
                format!("$SYS.SERVER.{id}.CLIENT.AUTH.ERR"),
                json!({ "server": info(id, name, cluster), "client": { "kind": "Gateway", "name": evil } }),
            )
            .await;
            say("$SYS.ACCOUNT.APP.CONNECT".to_owned(), json!({ "server": info(id, name, cluster) })).await;
        }
    }
    // A last word in the name of a server that goes on.
    let victim = &snapshot.clusters[0].servers[0];
    let body = info(victim.id.as_str(), victim.key.name.as_str(), victim.key.cluster.as_str());
    say(format!("$SYS.SERVER.{}.SHUTDOWN", victim.id), body).await;
    for n in 0..100 {
        let (id, cluster) = (format!("NC{round}x{n}"), format!("claimed.{round}.{n} *>"));
        say(format!("$SYS.SERVER.{id}.STATSZ"), json!({ "server": info(&id, "s", &cluster), "statsz": { "gateways": [{ "gwid": 1, "name": "east" }] } })).await;
        let id = format!("NS{round}x{n}");
        say(format!("$SYS.SERVER.{id}.STATSZ"), json!({ "server": info(&id, &id, "east"), "statsz": { "gateways": [{ "gwid": 1, "name": "west" }] } })).await;
    }
    client.publish(format!("$SYS.SERVER.NX{round}.STATSZ"), vec![b'['; 900_000].into()).await.unwrap();
    client
        .publish(format!("$SYS.SERVER.NX{round}.STATSZ"), b"\x1f\x8b\x08rest".to_vec().into())
        .await
        .unwrap();
    client.publish("$SYS.ACCOUNT.APP.DISCONNECT", b"\xff\xfe".to_vec().into()).await.unwrap();
}

fn alerts(heard: Vec<Message>) -> Vec<Message> {
    heard.into_iter().filter(Message::is_alert).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_messages_move_no_verdict_about_what_is_real() {
    let mut stage = Stage::set(Supercluster::builder().grid(3, 2)).await;
    let client = stage.lab.servers()[3].system_client().await.unwrap();
    let snapshot = stage.daemon().snapshot().borrow().clone().unwrap();
    let liar = tokio::spawn(async move {
        for round in 0.. {
            lie(&client, &snapshot, round).await;
            client.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let told = alerts(stage.rest_for(QUIET).await);
    assert!(told.is_empty(), "told of what is whole:\n{}", listing(&told));

    stage.lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    let opened = |message: &Message| message.subject == "gatewatch.alert.critical.gateway_down.east.west";
    let mut told =
        stage.until(TOLD_WITHIN, |message| opened(message) && message.text("stage") == "opened").await;
    stage.lab.faults().clear_all();
    told.extend(
        stage.until(TOLD_WITHIN * 3, |message| opened(message) && message.text("stage") == "resolved").await,
    );
    liar.abort();
    let told = alerts(told);
    assert!(told.iter().all(opened), "{}", listing(&told));
    let metrics = stage.daemon().metrics();
    assert!(metrics.disbelieved.total() > 100 && metrics.undecodable.total() > 10);
}
