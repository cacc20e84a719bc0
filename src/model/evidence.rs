//! What a verdict rests on: who said or failed to say what, and when.

use super::ids::{ClusterName, ServerId, ServerKey};
use super::observation::Disconnect;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// When it was noted.
    pub at: DateTime<Utc>,
    /// What it says.
    pub says: Says,
}

/// What a piece of evidence says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// The server answered beats, `heard_by` heard them, and `vantage`, which was sound, did not: it cannot send there.
    BeatsMissed {
        /// The answering server.
        server: ServerKey,
        /// Where its answers are missing.
        vantage: ClusterName,
        /// How many in a row.
        missed: u32,
        /// Where the same answers were heard.
        heard_by: Vec<ClusterName>,
    },
    /// A fresh beat of the server was heard at the vantage: it can send there.
    BeatHeard {
        /// The answering server.
        server: ServerKey,
        /// Where it was heard.
        vantage: ClusterName,
        /// From question to answer.
        latency: Duration,
    },
    /// The server answers no beats, though others of its cluster do, heard by the same vantage.
    Silent {
        /// The silent server.
        server: ServerKey,
        /// How many beats in a row.
        missed: u32,
    },
    /// The server has sent no report for this long (servers that cannot be asked for beats).
    NoReports {
        /// The silent server.
        server: ServerKey,
        /// For how long.
        silent_for: Duration,
    },
    /// The server lists an outbound link to the remote.
    Listed {
        /// The reporting server.
        server: ServerKey,
        /// The remote cluster.
        remote: ClusterName,
    },
    /// The server does not list an outbound link to the remote.
    NotListed {
        /// The reporting server.
        server: ServerKey,
        /// The remote cluster.
        remote: ClusterName,
    },
    /// The server's configuration no longer names the remote.
    NotConfigured {
        /// The reporting server.
        server: ServerKey,
        /// The remote cluster.
        remote: ClusterName,
    },
    /// The remote end of the server's outbound link is a server that is itself lost or stopped.
    PeerGone {
        /// The sending server.
        server: ServerKey,
        /// The server its link ended at.
        peer: ServerKey,
    },
    /// The server announced lame duck mode.
    LameDuck {
        /// The server.
        server: ServerKey,
    },
    /// The server announced its shutdown.
    Shutdown {
        /// The server.
        server: ServerKey,
    },
    /// The server is heard under a new id: it was restarted.
    Restarted {
        /// The server.
        server: ServerKey,
        /// Its new id.
        id: ServerId,
    },
    /// The server was heard.
    Heard {
        /// The server.
        server: ServerKey,
        /// By which vantage.
        vantage: ClusterName,
    },
    /// No server of the cluster answers any vantage.
    ClusterSilent {
        /// The silent cluster.
        cluster: ClusterName,
        /// Sound vantages in other clusters that asked and heard nothing.
        unheard_by: Vec<ClusterName>,
    },
    /// Servers of the cluster are heard elsewhere, so only our own view of it is lost.
    ClusterHeard {
        /// The cluster.
        cluster: ClusterName,
        /// By which vantages.
        heard_by: Vec<ClusterName>,
    },
    /// Our connection into the cluster is not there.
    VantageDisconnected {
        /// The cluster.
        cluster: ClusterName,
        /// Why, as our host sees it.
        why: Disconnect,
    },
    /// Our connection into the cluster is up but hears nothing of it.
    VantageDeaf {
        /// The cluster.
        cluster: ClusterName,
    },
    /// A server refused a gateway for bad credentials.
    GatewayRefused {
        /// The refusing server.
        server: ServerKey,
        /// What the refused side called itself.
        peer: Option<String>,
    },
}
