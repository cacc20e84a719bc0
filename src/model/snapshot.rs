//! All current truth at one moment, for `status`, the stored state and restarts.

use super::health::OwnStatus;
use super::ids::{ClusterName, Link, ServerId, ServerKey};
use super::incident::Incident;
use super::observation::ServerVersion;
use super::states::{Basis, ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Everything the engine holds for true. Lists are sorted by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When it was taken.
    pub at: DateTime<Utc>,
    /// This gatewatch itself; `None` in what an older version stored.
    pub own: Option<OwnStatus>,
    /// Our own connections.
    pub vantages: Vec<VantageStatus>,
    /// Clusters with their servers.
    pub clusters: Vec<ClusterStatus>,
    /// Directed links with their server links.
    pub links: Vec<LinkStatus>,
    /// Open incidents, oldest first.
    pub incidents: Vec<Incident>,
}

/// One of our own connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VantageStatus {
    /// The cluster it leads into.
    pub cluster: ClusterName,
    /// Its state.
    pub state: VantageState,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterStatus {
    /// Its name.
    pub name: ClusterName,
    /// Its state.
    pub state: ClusterState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Its servers.
    pub servers: Vec<ServerStatus>,
}

/// One server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerStatus {
    /// Cluster and name.
    pub key: ServerKey,
    /// Present or last id.
    pub id: ServerId,
    /// Its version.
    pub version: Option<ServerVersion>,
    /// Its state.
    pub state: ServerState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Client connections, from its latest STATSZ.
    pub connections: Option<u64>,
}

/// One directed link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStatus {
    /// The link.
    pub link: Link,
    /// Its state.
    pub state: LinkState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What the state rests on; `None` while nothing is known.
    pub basis: Option<Basis>,
    /// The parts of it, one per known server of `from`.
    pub servers: Vec<ServerLinkStatus>,
}

/// One server's part of a link.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerLinkStatus {
    /// The sending server.
    pub server: ServerKey,
    /// Its state.
    pub state: ServerLinkState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Smoothed time from our question to the answer heard in the remote cluster.
    pub latency: Option<Duration>,
    /// Whether the server itself lists the link; `None` when it has not reported.
    pub listed: Option<bool>,
}
