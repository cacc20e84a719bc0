//! Waiting for the full mesh.
//!
//! Each server is asked over a connection of its own, so that a missing gateway cannot hide its own report.

use super::server::LabServer;
use super::supercluster::Supercluster;
use crate::model::ids::{ClusterName, ServerId, ServerKey};
use futures::StreamExt;
use futures::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const POLL: Duration = Duration::from_millis(100);
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
const ROLL_CALL_LIMIT: Duration = Duration::from_millis(500);

/// Why the supercluster is not complete.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// Time is up; this is what is missing.
    #[error("the supercluster is not complete after {waited:?}: {}", missing.join("; "))]
    Incomplete {
        /// How long it was waited for.
        waited: Duration,
        /// One sentence for each thing that is missing.
        missing: Vec<String>,
    },
    /// A server ended on its own.
    #[error("server {server} ended ({status}); its log ends with:\n{log}")]
    Died {
        /// Which server.
        server: ServerKey,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
}

/// Pairs of clusters, in both orders, between which no link is waited for.
pub(super) type Unlinked = BTreeSet<(ClusterName, ClusterName)>;

/// Polls until nothing is missing.
pub(super) async fn await_mesh(
    lab: &Supercluster,
    without: &Unlinked,
    limit: Duration,
) -> Result<(), ReadyError> {
    let mut missing = vec!["no server has answered yet".to_owned()];
    let complete = async {
        let mut probes = Vec::new();
        loop {
            check_alive(lab)?;
            let silent = refresh(&mut probes, lab).await;
            let reports = join_all(probes.iter().map(|probe| probe.ask(lab))).await;
            missing = silent;
            missing.extend(missing_now(&reports, without));
            if missing.is_empty() {
                return Ok(());
            }
            sleep(POLL).await;
        }
    };
    match timeout(limit, complete).await {
        Ok(result) => result,
        Err(_) => Err(ReadyError::Incomplete { waited: limit, missing }),
    }
}

fn check_alive(lab: &Supercluster) -> Result<(), ReadyError> {
    lab.servers().iter().try_for_each(|server| match server.unasked_end() {
        Some(end) => Err(ReadyError::Died { server: server.key().clone(), status: end.status, log: end.log }),
        None => Ok(()),
    })
}

/// A connection to one life of one server.
struct Probe {
    key: ServerKey,
    id: ServerId,
    client: async_nats::Client,
}

/// What one server says of itself, and whom a client of it can reach.
struct Report {
    key: ServerKey,
    id: ServerId,
    gateways: Option<Gateways>,
    /// Ids of the servers whose answers to a question of this one's client came back.
    hears: BTreeSet<String>,
    leader: bool,
}

/// Keeps one probe for each running server; says which servers take none.
async fn refresh(probes: &mut Vec<Probe>, lab: &Supercluster) -> Vec<String> {
    let running: Vec<(&LabServer, ServerId)> =
        lab.servers().iter().filter_map(|server| Some((server, server.id()?))).collect();
    probes.retain(|probe| running.iter().any(|(_, id)| *id == probe.id));
    let new = running.into_iter().filter(|(_, id)| !probes.iter().any(|probe| probe.id == *id));
    let connected = join_all(new.map(async |(server, id)| {
        let key = server.key().clone();
        match timeout(ANSWER_LIMIT, server.system_client()).await {
            Ok(Ok(client)) => Ok(Probe { key, id, client }),
            Ok(Err(error)) => Err(format!("{key} takes no client: {}", error.source)),
            Err(_) => Err(format!("{key} does not answer")),
        }
    }))
    .await;
    let mut silent = Vec::new();
    for result in connected {
        match result {
            Ok(probe) => probes.push(probe),
            Err(reason) => silent.push(reason),
        }
    }
    silent
}

impl Probe {
    async fn ask(&self, lab: &Supercluster) -> Report {
        let expected: BTreeSet<String> =
            lab.servers().iter().filter_map(LabServer::id).map(|id| id.to_string()).collect();
        let gateways: Option<Answer<Gateways>> = self.request("GATEWAYZ").await;
        let leader = if lab.has_jetstream() {
            let jetstream: Option<Answer<JetStream>> = self.request("JSZ").await;
            jetstream.and_then(|answer| answer.data.meta_cluster).is_some_and(|meta| !meta.leader.is_empty())
        } else {
            true
        };
        Report {
            key: self.key.clone(),
            id: self.id.clone(),
            gateways: gateways.map(|answer| answer.data),
            hears: self.roll_call(&expected).await,
            leader,
        }
    }

    async fn request<T: DeserializeOwned>(&self, endpoint: &str) -> Option<T> {
        let subject = format!("$SYS.REQ.SERVER.{}.{endpoint}", self.id);
        let answer = timeout(ANSWER_LIMIT, self.client.request(subject, "".into())).await.ok()?.ok()?;
        serde_json::from_slice(&answer.payload).ok()
    }

    /// Asks all servers at once: who is heard is reached both ways over the very links that are waited for.
    async fn roll_call(&self, expected: &BTreeSet<String>) -> BTreeSet<String> {
        let mut heard = BTreeSet::new();
        let inbox = self.client.new_inbox();
        let calling = async {
            let mut answers = self.client.subscribe(inbox.clone()).await.ok()?;
            self.client.publish_with_reply("$SYS.REQ.SERVER.PING", inbox, "".into()).await.ok()?;
            while !expected.is_subset(&heard) {
                let answer = answers.next().await?;
                heard.extend(
                    serde_json::from_slice::<PingAnswer>(&answer.payload).ok().map(|from| from.server.id),
                );
            }
            Some(())
        };
        // Whoever has not answered by then counts as not heard.
        let _ = timeout(ROLL_CALL_LIMIT, calling).await;
        heard
    }
}

/// One sentence for each thing that a complete supercluster has and this one has not.
fn missing_now(reports: &[Report], without: &Unlinked) -> Vec<String> {
    let mut live: BTreeMap<&ClusterName, usize> = BTreeMap::new();
    for report in reports {
        *live.entry(&report.key.cluster).or_default() += 1;
    }
    let mut missing: Vec<String> =
        reports.iter().flat_map(|report| report.missing(reports, &live, without)).collect();
    missing.extend(missing_inbound(reports, &live, without));
    missing
}

impl Report {
    fn missing(&self, all: &[Self], live: &BTreeMap<&ClusterName, usize>, without: &Unlinked) -> Vec<String> {
        let key = &self.key;
        let waited_for = |remote: &ClusterName| !without.contains(&(key.cluster.clone(), remote.clone()));
        let Some(gateways) = &self.gateways else {
            return vec![format!("{key} does not answer")];
        };
        let unlinked = live
            .keys()
            .filter(|remote| {
                ***remote != key.cluster
                    && waited_for(remote)
                    && !gateways.outbound_gateways.contains_key(remote.as_str())
            })
            .map(|remote| format!("{key} has no outbound gateway connection to {remote}"));
        let unheard = all
            .iter()
            .filter(|other| waited_for(&other.key.cluster) && !self.hears.contains(other.id.as_str()))
            .map(|other| format!("{key} does not hear {}", other.key));
        let leaderless = (!self.leader).then(|| format!("{key} knows no JetStream meta leader"));
        unlinked.chain(unheard).chain(leaderless).collect()
    }
}

/// Over all servers of a cluster, every server of each remote cluster has one inbound connection.
fn missing_inbound(
    reports: &[Report],
    live: &BTreeMap<&ClusterName, usize>,
    without: &Unlinked,
) -> Vec<String> {
    let mut missing = Vec::new();
    for own in live.keys() {
        let linked =
            |remote: &ClusterName| remote != *own && !without.contains(&((*own).clone(), remote.clone()));
        for (remote, expected) in live.iter().filter(|(remote, _)| linked(remote)) {
            let inbound: usize = reports
                .iter()
                .filter(|report| report.key.cluster == **own)
                .filter_map(|report| report.gateways.as_ref()?.inbound_gateways.get(remote.as_str()))
                .map(Vec::len)
                .sum();
            if inbound < *expected {
                missing.push(format!(
                    "{own} has {inbound} of {expected} inbound gateway connections from {remote}"
                ));
            }
        }
    }
    missing
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Gateways {
    #[serde(default)]
    outbound_gateways: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    inbound_gateways: BTreeMap<String, Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct PingAnswer {
    server: PingServer,
}

#[derive(Deserialize)]
struct PingServer {
    id: String,
}

#[derive(Deserialize)]
struct JetStream {
    meta_cluster: Option<MetaCluster>,
}

#[derive(Deserialize)]
struct MetaCluster {
    #[serde(default)]
    leader: String,
}
