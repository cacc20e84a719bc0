//! One state change of one thing that is watched.

use super::evidence::Evidence;
use super::ids::{ClusterName, Link, ServerId, ServerKey, ServerLink};
use super::states::{Basis, ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use super::time::Now;
use std::time::Duration;

/// A state change, with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// When it was concluded.
    pub at: Now,
    /// What changed.
    pub change: Change,
    /// What the verdict rests on, where there is a choice.
    pub basis: Option<Basis>,
    /// Why. Aggregates (link, cluster) may carry none of their own: it stands with their parts.
    pub evidence: Vec<Evidence>,
}

/// What changed, from which state to which.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// One server's own outbound link.
    ServerLink {
        /// The server link.
        link: ServerLink,
        /// State before.
        from: ServerLinkState,
        /// State after.
        to: ServerLinkState,
    },
    /// A directed link between two clusters.
    Link {
        /// The link.
        link: Link,
        /// State before.
        from: LinkState,
        /// State after.
        to: LinkState,
    },
    /// Some time after a heal: all that is known to cross a link has caught up. Its state is not touched by that.
    Resynced {
        /// The link.
        link: Link,
        /// How long after the heal.
        after: Duration,
    },
    /// A server.
    Server {
        /// The server.
        server: ServerKey,
        /// Its present or last id.
        id: ServerId,
        /// State before.
        from: ServerState,
        /// State after.
        to: ServerState,
    },
    /// A cluster.
    Cluster {
        /// The cluster.
        cluster: ClusterName,
        /// State before.
        from: ClusterState,
        /// State after.
        to: ClusterState,
    },
    /// One of our own connections.
    Vantage {
        /// The cluster it leads into.
        cluster: ClusterName,
        /// State before.
        from: VantageState,
        /// State after.
        to: VantageState,
    },
}
