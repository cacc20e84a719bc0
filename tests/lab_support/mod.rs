//! What tests of the lab on real servers share.

#![allow(dead_code, reason = "each user has its own part of it")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use async_nats::Client;
use gatewatch::lab::{Builder, LabServer, Supercluster};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

pub(crate) const READY: Duration = Duration::from_secs(30);
pub(crate) const SOON: Duration = Duration::from_secs(15);

pub(crate) async fn ready(builder: Builder) -> Supercluster {
    let lab = builder.start().await.unwrap();
    lab.ready(READY).await.unwrap();
    lab
}

pub(crate) fn bare() -> Builder {
    Supercluster::builder().without_jetstream()
}

/// Polls until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(SOON, holds).await.is_ok(), "not within {SOON:?}: {what}");
}

/// What a server answers to a request to itself, asked over its own client port.
pub(crate) async fn asked(server: &LabServer, client: &Client, endpoint: &str) -> Value {
    let subject = format!("$SYS.REQ.SERVER.{}.{endpoint}", server.id().unwrap());
    let answer = client.request(subject, "".into()).await.unwrap();
    let mut body: Value = serde_json::from_slice(&answer.payload).unwrap();
    body["data"].take()
}

/// Clusters to which a server says it has an outbound connection.
pub(crate) async fn outbound(server: &LabServer, client: &Client) -> Vec<String> {
    let gateways = asked(server, client, "GATEWAYZ").await;
    gateways["outbound_gateways"].as_object().unwrap().keys().cloned().collect()
}

/// As [`outbound`], over a connection made for this one question.
pub(crate) async fn links(server: &LabServer) -> Vec<String> {
    outbound(server, &server.system_client().await.unwrap()).await
}

/// The configured remotes of a server with their URLs, as VARZ tells them.
pub(crate) async fn remotes(server: &LabServer) -> BTreeMap<String, Vec<String>> {
    let varz = asked(server, &server.system_client().await.unwrap(), "VARZ").await;
    let listed = varz["gateway"]["gateways"].as_array().cloned().unwrap_or_default();
    let urls = |remote: &Value| {
        let urls = remote["urls"].as_array().cloned().unwrap_or_default();
        urls.iter().map(|url| url.as_str().unwrap().to_owned()).collect()
    };
    listed.iter().map(|remote| (remote["name"].as_str().unwrap().to_owned(), urls(remote))).collect()
}

/// Waits until a server has outbound connections to exactly these clusters.
pub(crate) async fn until_linked(server: &LabServer, clusters: &[&str]) {
    eventually(&format!("{} has links to {clusters:?}", server.key()), async || {
        links(server).await == clusters
    })
    .await;
}

/// The lines of a server's log that contain `word`.
pub(crate) fn logged(server: &LabServer, word: &str) -> Vec<String> {
    let log = std::fs::read_to_string(server.log_path()).unwrap();
    log.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}
