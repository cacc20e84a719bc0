//! Waiting for the full mesh.
//!
//! Each server is asked over a connection of its own, so that a missing gateway cannot hide its own report.

use super::server::LabServer;
use super::supercluster::{ConnectError, Supercluster};
use crate::model::ids::{ClusterName, ServerId, ServerKey};
use futures::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const POLL: Duration = Duration::from_millis(100);
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

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
    /// A server takes no client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Polls until nothing is missing.
pub(super) async fn await_mesh(lab: &Supercluster, limit: Duration) -> Result<(), ReadyError> {
    let mut missing = vec!["no server has answered yet".to_owned()];
    let complete = async {
        let mut probes = Vec::new();
        loop {
            check_alive(lab)?;
            refresh(&mut probes, lab).await?;
            missing = missing_now(lab, &join_all(probes.iter().map(|probe| probe.ask(lab))).await);
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

/// What one server says of itself.
struct Report {
    key: ServerKey,
    gateways: Option<Gateways>,
    hears: Option<usize>,
    leader: bool,
}

/// Keeps one probe for each running server.
async fn refresh(probes: &mut Vec<Probe>, lab: &Supercluster) -> Result<(), ReadyError> {
    let running: Vec<(&LabServer, ServerId)> =
        lab.servers().iter().filter_map(|server| Some((server, server.id()?))).collect();
    probes.retain(|probe| running.iter().any(|(_, id)| *id == probe.id));
    for (server, id) in running {
        if !probes.iter().any(|probe| probe.id == id) {
            let client = server.system_client().await?;
            probes.push(Probe { key: server.key().clone(), id, client });
        }
    }
    Ok(())
}

impl Probe {
    async fn ask(&self, lab: &Supercluster) -> Report {
        let gateways: Option<Answer<Gateways>> = self.request("GATEWAYZ").await;
        let statsz: Option<StatszAnswer> = self.request("STATSZ").await;
        let leader = if lab.has_jetstream() {
            let jetstream: Option<Answer<JetStream>> = self.request("JSZ").await;
            jetstream.and_then(|answer| answer.data.meta_cluster).is_some_and(|meta| !meta.leader.is_empty())
        } else {
            true
        };
        Report {
            key: self.key.clone(),
            gateways: gateways.map(|answer| answer.data),
            hears: statsz.map(|answer| answer.statsz.active_servers),
            leader,
        }
    }

    async fn request<T: DeserializeOwned>(&self, endpoint: &str) -> Option<T> {
        let subject = format!("$SYS.REQ.SERVER.{}.{endpoint}", self.id);
        let answer = timeout(ANSWER_LIMIT, self.client.request(subject, "".into())).await.ok()?.ok()?;
        serde_json::from_slice(&answer.payload).ok()
    }
}

/// One sentence for each thing that a complete supercluster has and this one has not.
fn missing_now(lab: &Supercluster, reports: &[Report]) -> Vec<String> {
    let mut missing = Vec::new();
    let mut live: BTreeMap<&ClusterName, usize> = BTreeMap::new();
    for report in reports {
        *live.entry(&report.key.cluster).or_default() += 1;
    }
    for cluster in lab.clusters().iter().filter(|cluster| !live.contains_key(cluster)) {
        tracing::debug!(%cluster, "no server runs, so no gateway to it is waited for");
    }
    let remotes = |own: &ClusterName| -> BTreeSet<&ClusterName> {
        live.keys().copied().filter(|name| *name != own).collect()
    };
    for Report { key, gateways, hears, leader } in reports {
        let Some(gateways) = gateways else {
            missing.push(format!("{key} does not answer"));
            continue;
        };
        for remote in remotes(&key.cluster) {
            if !gateways.outbound_gateways.contains_key(remote.as_str()) {
                missing.push(format!("{key} has no outbound gateway connection to {remote}"));
            }
        }
        if *hears != Some(reports.len()) {
            let heard = hears.unwrap_or_default();
            missing.push(format!("{key} hears {heard} of {} servers", reports.len()));
        }
        if !leader {
            missing.push(format!("{key} knows no JetStream meta leader"));
        }
    }
    missing.extend(missing_inbound(reports, &live));
    missing
}

/// Over all servers of a cluster, every server of each remote cluster has one inbound connection.
fn missing_inbound(reports: &[Report], live: &BTreeMap<&ClusterName, usize>) -> Vec<String> {
    let mut missing = Vec::new();
    for own in live.keys() {
        for (remote, expected) in live.iter().filter(|(remote, _)| *remote != own) {
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
struct StatszAnswer {
    statsz: Statsz,
}

#[derive(Deserialize)]
struct Statsz {
    #[serde(default)]
    active_servers: usize,
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
