//! What a verdict rests on: who said or failed to say what, and when.

use super::health::{OutboxHealth, PublishingHealth};
use super::ids::{ClusterName, Link, ServerId, ServerKey};
use super::intent::Forget;
use super::observation::{Disconnect, ServerVersion};
use super::states::tokens;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;
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
    /// What our own host saw when it looked at a gateway address of the target. It says nothing of what the servers' hosts see.
    Probed {
        /// Whose gateway address it is.
        target: ClusterName,
        /// The address, `host:port`.
        address: String,
        /// What was found.
        found: ProbeWord,
        /// More about it: a date, a name; empty when there is none.
        detail: String,
    },
    /// The server has a connection from a server of the remote cluster on which nothing has arrived for so long: half open, if it should
    /// have been heard meanwhile (gateways PING every 15 s, STATSZ is sent every 10 s).
    InboundIdle {
        /// The listening server.
        server: ServerKey,
        /// The remote server, when its present life is known, and its cluster.
        from: ServerKey,
        /// For how long.
        idle: Duration,
    },
    /// The certificate of the server's gateway ends at that time.
    CertificateEnds {
        /// The server.
        server: ServerKey,
        /// When.
        at: DateTime<Utc>,
    },
    /// The server's configuration names the remote.
    Configured {
        /// The reporting server.
        server: ServerKey,
        /// The remote cluster.
        remote: ClusterName,
    },
    /// The server rejects clusters that its configuration does not name, and it does not name this one.
    RejectsUnknown {
        /// The rejecting server.
        server: ServerKey,
        /// The cluster that it does not know.
        remote: ClusterName,
    },
    /// The server's configuration names a remote to which no known server belongs.
    UnknownRemote {
        /// The reporting server.
        server: ServerKey,
        /// The name in its configuration.
        remote: ClusterName,
        /// The known cluster that may be meant: it is spelled alike.
        like: Option<ClusterName>,
    },
    /// The server's link has been made anew since it was last looked at: it was down in between.
    Remade {
        /// The server.
        server: ServerKey,
        /// The remote cluster.
        remote: ClusterName,
    },
    /// Two servers of one cluster are configured differently.
    ConfigDiffers {
        /// One server.
        server: ServerKey,
        /// The other, with which most of the cluster agrees.
        other: ServerKey,
        /// In what they differ.
        what: ConfigItem,
        /// The difference, in words of the configuration.
        detail: String,
    },
    /// Servers of `from` are configured with `to`; no server of `to` is configured with `from`.
    OneSided {
        /// The cluster whose configuration names the other.
        from: ClusterName,
        /// The cluster whose configuration does not name it.
        to: ClusterName,
    },
    /// The server knows the remote by one address only.
    SingleUrl {
        /// The server.
        server: ServerKey,
        /// The remote cluster.
        remote: ClusterName,
        /// That address.
        url: String,
    },
    /// The server's clock is ahead of ours by so much; below zero it is behind.
    ClockOff {
        /// The server.
        server: ServerKey,
        /// By how much.
        by: TimeDelta,
    },
    /// The server runs this version.
    Runs {
        /// The server.
        server: ServerKey,
        /// Its version.
        version: ServerVersion,
    },
    /// The server has no route to another live server of its cluster.
    RouteMissing {
        /// The server.
        server: ServerKey,
        /// The one it is not connected with.
        peer: ServerKey,
    },
    /// gatewatch was told that this link must exist.
    Required {
        /// The link.
        link: Link,
    },
    /// gatewatch was told that this link must not exist.
    Forbidden {
        /// The link.
        link: Link,
    },
    /// gatewatch itself did not run for so long.
    DidNotRun {
        /// For how long.
        span: Duration,
    },
    /// gatewatch did not keep up and dropped facts.
    FactsDropped {
        /// How many.
        count: u64,
    },
    /// How the queue of what gatewatch has to store is doing.
    Outbox {
        /// What is wrong with it.
        health: OutboxHealth,
    },
    /// How the way out for the alerts of gatewatch is doing.
    Publishing {
        /// What is wrong with it.
        health: PublishingHealth,
    },
    /// The clock of the host of gatewatch was set by so much; below zero it was set back.
    ClockJumped {
        /// By how much.
        by: TimeDelta,
    },
    /// Somebody told gatewatch that this is gone for good.
    Forgotten {
        /// What.
        what: Forget,
    },
}

impl Says {
    /// The server that refused a gateway's credentials, when that is what is said.
    #[must_use]
    pub const fn refusing_server(&self) -> Option<&ServerKey> {
        if let Self::GatewayRefused { server, .. } = self { Some(server) } else { None }
    }

    /// Why a connection of ours is not there, when that is what is said.
    #[must_use]
    pub const fn disconnect(&self) -> Option<Disconnect> {
        if let Self::VantageDisconnected { why, .. } = self { Some(*why) } else { None }
    }
}

/// What a probe found at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeWord {
    /// The host name does not resolve.
    Unresolved,
    /// No answer to the connection in time.
    Unreachable,
    /// The connection is refused.
    Refused,
    /// Connected, but nothing was said in time.
    Silent,
    /// It is no gateway.
    Foreign,
    /// It is the gateway of another cluster.
    OtherGateway,
    /// The TLS handshake failed before a certificate was seen.
    TlsFailed,
    /// The certificate has ended.
    Expired,
    /// The certificate does not name the host.
    WrongName,
    /// The certificate is not signed by an authority that is trusted, or by another one than those of the other gateways.
    Untrusted,
    /// Nothing is wrong with it, as far as can be seen from here.
    Sound,
}

/// A part of a gateway configuration in which servers of one cluster should agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigItem {
    /// The remote clusters.
    Remotes,
    /// The addresses of a remote cluster.
    Urls,
    /// Whether unknown clusters are rejected.
    RejectUnknown,
}

tokens!(ProbeWord {
    Self::Unresolved => "unresolved", Self::Unreachable => "unreachable", Self::Refused => "refused", Self::Silent => "silent",
    Self::Foreign => "foreign", Self::OtherGateway => "other_gateway", Self::TlsFailed => "tls_failed",
    Self::Expired => "expired", Self::WrongName => "wrong_name", Self::Untrusted => "untrusted", Self::Sound => "sound",
});
tokens!(ConfigItem {
    Self::Remotes => "remotes", Self::Urls => "urls", Self::RejectUnknown => "reject_unknown",
});
