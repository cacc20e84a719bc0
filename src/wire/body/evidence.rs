//! Evidence: who said or failed to say what, and when.

use super::names::{ServerBody, clusters, texts};
use super::stamp::Stamp;
use super::words::DisconnectWord;
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::ServerId;
use crate::wire::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One piece of evidence: the facts as fields, and the same for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceBody {
    /// When it was noted.
    pub at: Stamp,
    /// What it says.
    #[serde(flatten)]
    pub says: SaysBody,
    /// The same in words.
    #[serde(default)]
    pub text: String,
}

/// What a piece of evidence says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum SaysBody {
    /// The server answered beats, `heard_by` heard them and `vantage`, which was sound, did not: it cannot send there.
    BeatsMissed {
        /// The answering server.
        server: ServerBody,
        /// Where its answers are missing.
        vantage: String,
        /// How many in a row.
        missed: u32,
        /// Where the same answers were heard.
        #[serde(default)]
        heard_by: Vec<String>,
    },
    /// A fresh beat of the server was heard at the vantage: it can send there.
    BeatHeard {
        /// The answering server.
        server: ServerBody,
        /// Where it was heard.
        vantage: String,
        /// From question to answer, in microseconds.
        latency_us: u64,
    },
    /// The server answers no beats, though others of its cluster do, heard by the same vantage.
    Silent {
        /// The silent server.
        server: ServerBody,
        /// How many beats in a row.
        missed: u32,
    },
    /// The server has sent no report for this long.
    NoReports {
        /// The silent server.
        server: ServerBody,
        /// For how long, in milliseconds.
        silent_for_ms: u64,
    },
    /// The server lists an outbound link to the remote.
    Listed {
        /// The reporting server.
        server: ServerBody,
        /// The remote cluster.
        remote: String,
    },
    /// The server does not list an outbound link to the remote.
    NotListed {
        /// The reporting server.
        server: ServerBody,
        /// The remote cluster.
        remote: String,
    },
    /// The server's configuration no longer names the remote.
    NotConfigured {
        /// The reporting server.
        server: ServerBody,
        /// The remote cluster.
        remote: String,
    },
    /// The remote end of the server's outbound link is a server that is itself lost or stopped.
    PeerGone {
        /// The sending server.
        server: ServerBody,
        /// The server its link ended at.
        peer: ServerBody,
    },
    /// The server announced lame duck mode.
    LameDuck {
        /// The server.
        server: ServerBody,
    },
    /// The server announced its shutdown.
    Shutdown {
        /// The server.
        server: ServerBody,
    },
    /// The server is heard under a new id: it was restarted.
    Restarted {
        /// The server.
        server: ServerBody,
        /// Its new id.
        id: String,
    },
    /// The server was heard.
    Heard {
        /// The server.
        server: ServerBody,
        /// By which vantage.
        vantage: String,
    },
    /// No server of the cluster answers any vantage.
    ClusterSilent {
        /// The silent cluster.
        cluster: String,
        /// Sound vantages in other clusters that asked and heard nothing.
        #[serde(default)]
        unheard_by: Vec<String>,
    },
    /// Servers of the cluster are heard elsewhere, so only the view of gatewatch is lost.
    ClusterHeard {
        /// The cluster.
        cluster: String,
        /// By which vantages.
        #[serde(default)]
        heard_by: Vec<String>,
    },
    /// The connection of gatewatch into the cluster is not there.
    VantageDisconnected {
        /// The cluster.
        cluster: String,
        /// Why, as the host of gatewatch sees it.
        why: DisconnectWord,
    },
    /// The connection of gatewatch into the cluster is up but hears nothing of it.
    VantageDeaf {
        /// The cluster.
        cluster: String,
    },
    /// A server refused a gateway for bad credentials.
    GatewayRefused {
        /// The refusing server.
        server: ServerBody,
        /// What the refused side called itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// Something that a newer version knows; its `text` tells.
    #[serde(other)]
    #[schemars(skip)]
    Newer,
}

impl From<&Evidence> for EvidenceBody {
    fn from(evidence: &Evidence) -> Self {
        Self { at: evidence.at.into(), says: (&evidence.says).into(), text: text::evidence(&evidence.says) }
    }
}

impl EvidenceBody {
    /// The evidence as a value; `None` when only a newer version knows it.
    #[must_use]
    pub fn to_model(&self) -> Option<Evidence> {
        Some(Evidence { at: self.at.into(), says: self.says.to_model()? })
    }
}

impl From<&Says> for SaysBody {
    fn from(says: &Says) -> Self {
        match says {
            Says::BeatsMissed { server, vantage, missed, heard_by } => Self::BeatsMissed {
                server: server.into(),
                vantage: vantage.to_string(),
                missed: *missed,
                heard_by: texts(heard_by),
            },
            Says::BeatHeard { server, vantage, latency } => Self::BeatHeard {
                server: server.into(),
                vantage: vantage.to_string(),
                latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            },
            Says::Silent { server, missed } => Self::Silent { server: server.into(), missed: *missed },
            Says::NoReports { server, silent_for } => Self::NoReports {
                server: server.into(),
                silent_for_ms: u64::try_from(silent_for.as_millis()).unwrap_or(u64::MAX),
            },
            Says::Listed { server, remote } => {
                Self::Listed { server: server.into(), remote: remote.to_string() }
            }
            Says::NotListed { server, remote } => {
                Self::NotListed { server: server.into(), remote: remote.to_string() }
            }
            Says::NotConfigured { server, remote } => {
                Self::NotConfigured { server: server.into(), remote: remote.to_string() }
            }
            Says::PeerGone { server, peer } => Self::PeerGone { server: server.into(), peer: peer.into() },
            Says::LameDuck { server } => Self::LameDuck { server: server.into() },
            Says::Shutdown { server } => Self::Shutdown { server: server.into() },
            Says::Restarted { server, id } => Self::Restarted { server: server.into(), id: id.to_string() },
            Says::Heard { server, vantage } => {
                Self::Heard { server: server.into(), vantage: vantage.to_string() }
            }
            Says::ClusterSilent { cluster, unheard_by } => {
                Self::ClusterSilent { cluster: cluster.to_string(), unheard_by: texts(unheard_by) }
            }
            Says::ClusterHeard { cluster, heard_by } => {
                Self::ClusterHeard { cluster: cluster.to_string(), heard_by: texts(heard_by) }
            }
            Says::VantageDisconnected { cluster, why } => {
                Self::VantageDisconnected { cluster: cluster.to_string(), why: (*why).into() }
            }
            Says::VantageDeaf { cluster } => Self::VantageDeaf { cluster: cluster.to_string() },
            Says::GatewayRefused { server, peer } => {
                Self::GatewayRefused { server: server.into(), peer: peer.clone() }
            }
        }
    }
}

impl SaysBody {
    fn to_model(&self) -> Option<Says> {
        Some(match self {
            Self::BeatsMissed { server, vantage, missed, heard_by } => Says::BeatsMissed {
                server: server.into(),
                vantage: vantage.as_str().into(),
                missed: *missed,
                heard_by: clusters(heard_by),
            },
            Self::BeatHeard { server, vantage, latency_us } => Says::BeatHeard {
                server: server.into(),
                vantage: vantage.as_str().into(),
                latency: Duration::from_micros(*latency_us),
            },
            Self::Silent { server, missed } => Says::Silent { server: server.into(), missed: *missed },
            Self::NoReports { server, silent_for_ms } => {
                Says::NoReports { server: server.into(), silent_for: Duration::from_millis(*silent_for_ms) }
            }
            Self::Listed { server, remote } => {
                Says::Listed { server: server.into(), remote: remote.as_str().into() }
            }
            Self::NotListed { server, remote } => {
                Says::NotListed { server: server.into(), remote: remote.as_str().into() }
            }
            Self::NotConfigured { server, remote } => {
                Says::NotConfigured { server: server.into(), remote: remote.as_str().into() }
            }
            Self::PeerGone { server, peer } => Says::PeerGone { server: server.into(), peer: peer.into() },
            Self::LameDuck { server } => Says::LameDuck { server: server.into() },
            Self::Shutdown { server } => Says::Shutdown { server: server.into() },
            Self::Restarted { server, id } => {
                Says::Restarted { server: server.into(), id: ServerId::from(id.as_str()) }
            }
            Self::Heard { server, vantage } => {
                Says::Heard { server: server.into(), vantage: vantage.as_str().into() }
            }
            Self::ClusterSilent { cluster, unheard_by } => {
                Says::ClusterSilent { cluster: cluster.as_str().into(), unheard_by: clusters(unheard_by) }
            }
            Self::ClusterHeard { cluster, heard_by } => {
                Says::ClusterHeard { cluster: cluster.as_str().into(), heard_by: clusters(heard_by) }
            }
            Self::VantageDisconnected { cluster, why } => {
                Says::VantageDisconnected { cluster: cluster.as_str().into(), why: (*why).into() }
            }
            Self::VantageDeaf { cluster } => Says::VantageDeaf { cluster: cluster.as_str().into() },
            Self::GatewayRefused { server, peer } => {
                Says::GatewayRefused { server: server.into(), peer: peer.clone() }
            }
            Self::Newer => return None,
        })
    }
}
