//! State changes of what is watched.

use super::words::DepartureWord;
use crate::model::states::{ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::transition::Change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What changed, from which state to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "entity", rename_all = "snake_case")]
pub enum ChangeBody {
    /// One server's own outbound link to a remote cluster.
    ServerLink {
        /// The sending cluster.
        cluster: String,
        /// The sending server.
        server: String,
        /// The receiving cluster.
        remote: String,
        /// State before.
        from: ServerLinkStateBody,
        /// State after.
        to: ServerLinkStateBody,
    },
    /// A directed link between two clusters.
    Link {
        /// The sending cluster.
        cluster: String,
        /// The receiving cluster.
        remote: String,
        /// State before.
        from: LinkStateBody,
        /// State after.
        to: LinkStateBody,
    },
    /// A server.
    Server {
        /// The cluster of the server.
        cluster: String,
        /// The name of the server.
        server: String,
        /// Its present or last id.
        server_id: String,
        /// State before.
        from: ServerStateBody,
        /// State after.
        to: ServerStateBody,
    },
    /// A cluster.
    Cluster {
        /// The cluster.
        cluster: String,
        /// State before.
        from: ClusterStateBody,
        /// State after.
        to: ClusterStateBody,
    },
    /// A connection of gatewatch.
    Vantage {
        /// The cluster it leads into.
        cluster: String,
        /// State before.
        from: VantageStateBody,
        /// State after.
        to: VantageStateBody,
    },
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident = $model:ident { $($variant:ident: $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "state", rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = $text] $variant),+
        }

        impl From<$model> for $name {
            fn from(state: $model) -> Self {
                match state { $($model::$variant => Self::$variant),+ }
            }
        }

        impl From<$name> for $model {
            fn from(body: $name) -> Self {
                match body { $($name::$variant => Self::$variant),+ }
            }
        }
    };
}

states! {
    /// State of one server's own outbound link.
    ServerLinkStateBody = ServerLinkState {
        Unknown: "Nothing is known yet.",
        Up: "Messages of this server reach the remote cluster, or (basis `reports`) the server lists the link.",
        Suspect: "A beat is overdue or a report does not list the link: being looked into.",
        Down: "Messages of this server do not reach the remote cluster.",
        Retired: "No longer expected.",
    }
}
states! {
    /// State of a server.
    ServerStateBody = ServerState {
        Unknown: "Named by others or by configuration, not heard yet.",
        Live: "Heard.",
        Leaving: "In lame duck mode: leaves by plan.",
        Stopped: "Said that it shut down.",
        Lost: "Silent although its cluster is heard.",
    }
}
states! {
    /// State of a connection of gatewatch.
    VantageStateBody = VantageState {
        Connecting: "Not connected yet.",
        Sound: "Connected and hearing its own cluster.",
        Impaired: "Connected, but it hears nothing or lost messages: what it misses proves nothing.",
        Gone: "The connection is lost.",
    }
}

/// State of a directed link between two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkStateBody {
    /// No server link of it is known.
    Unknown,
    /// Every live server of the sending cluster reaches the receiving one.
    Up,
    /// Some live servers are cut off; their clients' messages are lost.
    Degraded {
        /// Servers that are cut.
        cut: u32,
        /// Live servers whose link is known.
        of: u32,
    },
    /// Every live server is cut off.
    Down,
    /// No longer expected.
    Retired,
    /// Up, and by now all that is known to cross it has caught up after a heal. Stands in events only.
    Resynced {
        /// How long after the heal, in milliseconds.
        after_ms: u64,
    },
}

impl From<LinkState> for LinkStateBody {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Unknown => Self::Unknown,
            LinkState::Up => Self::Up,
            LinkState::Degraded { cut, of } => Self::Degraded { cut, of },
            LinkState::Down => Self::Down,
            LinkState::Retired => Self::Retired,
        }
    }
}

impl From<LinkStateBody> for LinkState {
    fn from(body: LinkStateBody) -> Self {
        match body {
            LinkStateBody::Unknown => Self::Unknown,
            LinkStateBody::Up | LinkStateBody::Resynced { .. } => Self::Up,
            LinkStateBody::Degraded { cut, of } => Self::Degraded { cut, of },
            LinkStateBody::Down => Self::Down,
            LinkStateBody::Retired => Self::Retired,
        }
    }
}

/// State of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ClusterStateBody {
    /// Nothing is known yet.
    Unknown,
    /// Servers live, links up.
    Healthy,
    /// A server of it is lost, or a link from or to it is cut in part or in whole.
    Degraded,
    /// Alive, but every link from and to every other cluster is cut.
    Isolated,
    /// Every live server of it is in lame duck mode.
    Draining,
    /// No server of it is left.
    Offline {
        /// How it went.
        departure: DepartureWord,
    },
    /// Nothing is heard of it, and whether it or the view of gatewatch is broken cannot be told.
    Unreachable,
}

impl From<ClusterState> for ClusterStateBody {
    fn from(state: ClusterState) -> Self {
        match state {
            ClusterState::Unknown => Self::Unknown,
            ClusterState::Healthy => Self::Healthy,
            ClusterState::Degraded => Self::Degraded,
            ClusterState::Isolated => Self::Isolated,
            ClusterState::Draining => Self::Draining,
            ClusterState::Offline(departure) => Self::Offline { departure: departure.into() },
            ClusterState::Unreachable => Self::Unreachable,
        }
    }
}

impl From<ClusterStateBody> for ClusterState {
    fn from(body: ClusterStateBody) -> Self {
        match body {
            ClusterStateBody::Unknown => Self::Unknown,
            ClusterStateBody::Healthy => Self::Healthy,
            ClusterStateBody::Degraded => Self::Degraded,
            ClusterStateBody::Isolated => Self::Isolated,
            ClusterStateBody::Draining => Self::Draining,
            ClusterStateBody::Offline { departure } => Self::Offline(departure.into()),
            ClusterStateBody::Unreachable => Self::Unreachable,
        }
    }
}

impl From<&Change> for ChangeBody {
    fn from(change: &Change) -> Self {
        match change {
            Change::ServerLink { link, from, to } => Self::ServerLink {
                cluster: link.server.cluster.to_string(),
                server: link.server.name.to_string(),
                remote: link.to.to_string(),
                from: (*from).into(),
                to: (*to).into(),
            },
            Change::Link { link, from, to } => Self::Link {
                cluster: link.from.to_string(),
                remote: link.to.to_string(),
                from: (*from).into(),
                to: (*to).into(),
            },
            Change::Resynced { link, after } => Self::Link {
                cluster: link.from.to_string(),
                remote: link.to.to_string(),
                from: LinkStateBody::Up,
                to: LinkStateBody::Resynced {
                    after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                },
            },
            Change::Server { server, id, from, to } => Self::Server {
                cluster: server.cluster.to_string(),
                server: server.name.to_string(),
                server_id: id.to_string(),
                from: (*from).into(),
                to: (*to).into(),
            },
            Change::Cluster { cluster, from, to } => {
                Self::Cluster { cluster: cluster.to_string(), from: (*from).into(), to: (*to).into() }
            }
            Change::Vantage { cluster, from, to } => {
                Self::Vantage { cluster: cluster.to_string(), from: (*from).into(), to: (*to).into() }
            }
        }
    }
}
