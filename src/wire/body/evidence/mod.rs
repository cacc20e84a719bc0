//! Evidence: who said or failed to say what, and when.

mod from_model;
mod to_model;

use super::names::{LinkBody, ServerBody};
use super::stamp::Stamp;
use super::words::{ConfigItemWord, DisconnectWord, ProbeFoundWord};
use crate::model::evidence::Evidence;
use crate::wire::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// What the host of gatewatch saw when it looked at a gateway address; says nothing of what the servers' hosts see.
    Probed {
        /// Whose gateway address it is.
        target: String,
        /// The address, `host:port`.
        address: String,
        /// What was found.
        found: ProbeFoundWord,
        /// More about it: a date, a name.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// On a connection from the remote server nothing has arrived for so long: half open.
    InboundIdle {
        /// The listening server.
        server: ServerBody,
        /// The remote server.
        from: ServerBody,
        /// For how long, in milliseconds.
        idle_ms: u64,
    },
    /// The certificate of the server's gateway ends at that time.
    CertificateEnds {
        /// The server.
        server: ServerBody,
        /// When it ends.
        ends: Stamp,
    },
    /// The server's configuration names the remote.
    Configured {
        /// The reporting server.
        server: ServerBody,
        /// The remote cluster.
        remote: String,
    },
    /// The server rejects clusters that its configuration does not name, and it does not name this one.
    RejectsUnknown {
        /// The rejecting server.
        server: ServerBody,
        /// The cluster that it does not know.
        remote: String,
    },
    /// The server's configuration names a remote to which no known server belongs.
    UnknownRemote {
        /// The reporting server.
        server: ServerBody,
        /// The name in its configuration.
        remote: String,
        /// The known cluster that may be meant: it is spelled alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        like: Option<String>,
    },
    /// The server's link has been made anew since it was last looked at: it was down in between.
    Remade {
        /// The server.
        server: ServerBody,
        /// The remote cluster.
        remote: String,
    },
    /// Two servers of one cluster are configured differently.
    ConfigDiffers {
        /// One server.
        server: ServerBody,
        /// The other, with which most of the cluster agrees.
        other: ServerBody,
        /// In what they differ.
        what: ConfigItemWord,
        /// The difference, in words of the configuration.
        detail: String,
    },
    /// Servers of `from` are configured with `to`; no server of `to` is configured with `from`.
    OneSided {
        /// The cluster whose configuration names the other.
        from: String,
        /// The cluster whose configuration does not name it.
        to: String,
    },
    /// The server knows the remote by one address only.
    SingleUrl {
        /// The server.
        server: ServerBody,
        /// The remote cluster.
        remote: String,
        /// That address.
        url: String,
    },
    /// The server's clock is ahead of that of gatewatch; below zero it is behind.
    ClockOff {
        /// The server.
        server: ServerBody,
        /// By how much, in milliseconds.
        by_ms: i64,
    },
    /// The server runs this version.
    Runs {
        /// The server.
        server: ServerBody,
        /// Its version.
        version: String,
    },
    /// The server has no route to another live server of its cluster.
    RouteMissing {
        /// The server.
        server: ServerBody,
        /// The one it is not connected with.
        peer: ServerBody,
    },
    /// gatewatch was told that this link must exist.
    Required {
        /// The link.
        link: LinkBody,
    },
    /// gatewatch was told that this link must not exist.
    Forbidden {
        /// The link.
        link: LinkBody,
    },
    /// gatewatch itself did not run for so long.
    DidNotRun {
        /// For how long, in milliseconds.
        span_ms: u64,
    },
    /// gatewatch did not keep up and dropped facts.
    FactsDropped {
        /// How many.
        count: u64,
    },
    /// The queue of what gatewatch has to store grows.
    OutboxGrowing {
        /// Messages that wait.
        waiting: u64,
    },
    /// The queue of what gatewatch has to store cannot be kept on disk.
    OutboxUnavailable {
        /// Why.
        #[serde(default)]
        why: String,
    },
    /// The connection of gatewatch to the alert account is not there.
    AlertsAway,
    /// What gatewatch publishes is not taken, or not stored.
    AlertsRefused {
        /// What the servers say.
        #[serde(default)]
        why: String,
    },
    /// The clock of the host of gatewatch was set by so much; below zero it was set back.
    ClockJumped {
        /// By how much, in milliseconds.
        by_ms: i64,
    },
    /// Somebody told gatewatch that this cluster, or this server of it, is gone for good.
    Forgotten {
        /// The cluster.
        cluster: String,
        /// The server's name; absent when the whole cluster is meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<String>,
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
