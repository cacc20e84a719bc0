//! All current truth at one moment.

use super::change::{
    ClusterStateBody, LinkStateBody, ServerLinkStateBody, ServerStateBody, VantageStateBody,
};
use super::incident::IncidentBody;
use super::names::{LinkBody, ServerBody, each};
use super::stamp::Stamp;
use super::words::{AilmentWord, BasisWord, LackWord};
use crate::model::health::{AilmentStatus, OwnStatus};
use crate::model::ids::ServerId;
use crate::model::snapshot::{
    ClusterStatus, LinkStatus, ServerLinkStatus, ServerStatus, Snapshot, VantageStatus,
};
use crate::wire::sys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything gatewatch holds for true. Lists are sorted by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotBody {
    /// When it was taken.
    pub at: Stamp,
    /// gatewatch itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnBody>,
    /// The connections of gatewatch.
    #[serde(default)]
    pub vantages: Vec<VantageBody>,
    /// Clusters with their servers.
    #[serde(default)]
    pub clusters: Vec<ClusterBody>,
    /// Directed links with their server links.
    #[serde(default)]
    pub links: Vec<LinkStatusBody>,
    /// Open incidents, oldest first.
    #[serde(default)]
    pub incidents: Vec<IncidentBody>,
}

/// gatewatch itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnBody {
    /// Its name.
    pub instance: String,
    /// Whether it does its work.
    #[serde(default)]
    pub ready: bool,
    /// What it lacks to do its work.
    #[serde(default)]
    pub lacks: Vec<LackWord>,
    /// What is wrong with it, now or until a moment ago.
    #[serde(default)]
    pub ailments: Vec<AilmentBody>,
}

/// One thing that is wrong with gatewatch itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AilmentBody {
    /// What.
    pub ailment: AilmentWord,
    /// Since when, at first, lately.
    pub since: Stamp,
}

/// A connection of gatewatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VantageBody {
    /// The cluster it leads into.
    pub cluster: String,
    /// Its state.
    #[serde(flatten)]
    pub state: VantageStateBody,
    /// Since when.
    pub since: Stamp,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterBody {
    /// Its name.
    pub name: String,
    /// Its state.
    #[serde(flatten)]
    pub state: ClusterStateBody,
    /// Since when.
    pub since: Stamp,
    /// Its servers.
    #[serde(default)]
    pub servers: Vec<ServerStatusBody>,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerStatusBody {
    /// Cluster and name.
    pub server: ServerBody,
    /// Present or last id.
    pub id: String,
    /// Its version: `2.15.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its state.
    #[serde(flatten)]
    pub state: ServerStateBody,
    /// Since when.
    pub since: Stamp,
    /// Client connections, from its latest report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
}

/// A directed link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkStatusBody {
    /// The link.
    pub link: LinkBody,
    /// Its state.
    #[serde(flatten)]
    pub state: LinkStateBody,
    /// Since when.
    pub since: Stamp,
    /// What the state rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<BasisWord>,
    /// The parts of it, one per known server of the sending cluster.
    #[serde(default)]
    pub servers: Vec<ServerLinkStatusBody>,
}

/// One server's part of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerLinkStatusBody {
    /// The sending server.
    pub server: ServerBody,
    /// Its state.
    #[serde(flatten)]
    pub state: ServerLinkStateBody,
    /// Since when.
    pub since: Stamp,
    /// Smoothed time from question to answer heard in the remote cluster, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Whether the server itself lists the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
}

impl From<&Snapshot> for SnapshotBody {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            at: snapshot.at.into(),
            own: snapshot.own.as_ref().map(Into::into),
            vantages: each(&snapshot.vantages),
            clusters: each(&snapshot.clusters),
            links: each(&snapshot.links),
            incidents: each(&snapshot.incidents),
        }
    }
}

impl From<&SnapshotBody> for Snapshot {
    fn from(body: &SnapshotBody) -> Self {
        Self {
            at: body.at.into(),
            own: body.own.as_ref().map(Into::into),
            vantages: each(&body.vantages),
            clusters: each(&body.clusters),
            links: each(&body.links),
            incidents: each(&body.incidents),
        }
    }
}

impl From<&OwnStatus> for OwnBody {
    fn from(status: &OwnStatus) -> Self {
        let ailments = status.ailments.iter();
        Self {
            instance: status.instance.to_string(),
            ready: status.is_ready(),
            lacks: status.lacks.iter().copied().map(Into::into).collect(),
            ailments: ailments
                .map(|one| AilmentBody { ailment: one.ailment.into(), since: one.since.into() })
                .collect(),
        }
    }
}

impl From<&OwnBody> for OwnStatus {
    fn from(body: &OwnBody) -> Self {
        let ailments = body.ailments.iter();
        Self {
            instance: body.instance.as_str().into(),
            lacks: body.lacks.iter().copied().map(Into::into).collect(),
            ailments: ailments
                .map(|one| AilmentStatus { ailment: one.ailment.into(), since: one.since.into() })
                .collect(),
        }
    }
}

impl From<&VantageStatus> for VantageBody {
    fn from(status: &VantageStatus) -> Self {
        Self { cluster: status.cluster.to_string(), state: status.state.into(), since: status.since.into() }
    }
}

impl From<&VantageBody> for VantageStatus {
    fn from(body: &VantageBody) -> Self {
        Self { cluster: body.cluster.as_str().into(), state: body.state.into(), since: body.since.into() }
    }
}

impl From<&ClusterStatus> for ClusterBody {
    fn from(status: &ClusterStatus) -> Self {
        Self {
            name: status.name.to_string(),
            state: status.state.into(),
            since: status.since.into(),
            servers: each(&status.servers),
        }
    }
}

impl From<&ClusterBody> for ClusterStatus {
    fn from(body: &ClusterBody) -> Self {
        Self {
            name: body.name.as_str().into(),
            state: body.state.into(),
            since: body.since.into(),
            servers: each(&body.servers),
        }
    }
}

impl From<&ServerStatus> for ServerStatusBody {
    fn from(status: &ServerStatus) -> Self {
        Self {
            server: (&status.key).into(),
            id: status.id.to_string(),
            version: status.version.map(|version| version.to_string()),
            state: status.state.into(),
            since: status.since.into(),
            connections: status.connections,
        }
    }
}

impl From<&ServerStatusBody> for ServerStatus {
    fn from(body: &ServerStatusBody) -> Self {
        Self {
            key: (&body.server).into(),
            id: ServerId::from(body.id.as_str()),
            version: body.version.as_deref().and_then(sys::version),
            state: body.state.into(),
            since: body.since.into(),
            connections: body.connections,
        }
    }
}

impl From<&LinkStatus> for LinkStatusBody {
    fn from(status: &LinkStatus) -> Self {
        Self {
            link: (&status.link).into(),
            state: status.state.into(),
            since: status.since.into(),
            basis: status.basis.map(Into::into),
            servers: each(&status.servers),
        }
    }
}

impl From<&LinkStatusBody> for LinkStatus {
    fn from(body: &LinkStatusBody) -> Self {
        Self {
            link: (&body.link).into(),
            state: body.state.into(),
            since: body.since.into(),
            basis: body.basis.map(Into::into),
            servers: each(&body.servers),
        }
    }
}

impl From<&ServerLinkStatus> for ServerLinkStatusBody {
    fn from(status: &ServerLinkStatus) -> Self {
        let micros = |latency: Duration| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        Self {
            server: (&status.server).into(),
            state: status.state.into(),
            since: status.since.into(),
            latency_us: status.latency.map(micros),
            listed: status.listed,
        }
    }
}

impl From<&ServerLinkStatusBody> for ServerLinkStatus {
    fn from(body: &ServerLinkStatusBody) -> Self {
        Self {
            server: (&body.server).into(),
            state: body.state.into(),
            since: body.since.into(),
            latency: body.latency_us.map(Duration::from_micros),
            listed: body.listed,
        }
    }
}
