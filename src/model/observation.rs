//! What was heard, decoded: one fact, who heard it, when.

use super::ids::{ClusterName, ServerId, ServerName};
use super::jetstream::JetStreamReport;
use super::time::Mono;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// One decoded fact, with the vantage that heard it and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The cluster in which our connection heard it.
    pub vantage: ClusterName,
    /// When the message was taken off that connection.
    pub at: Mono,
    /// What it says.
    pub fact: Fact,
}

/// What one message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A server answered the beat of this number; heard at this vantage.
    Beat {
        /// The answering server.
        server: ServerId,
        /// The round the beat belongs to.
        number: u64,
    },
    /// STATSZ: the server's statistics, with the gateways that it lists as up.
    Stats(StatsReport),
    /// GATEWAYZ: the server's gateway connections in both directions.
    Gateways(GatewaysReport),
    /// VARZ: the server's configuration.
    Config(ConfigReport),
    /// LAMEDUCK: the server leaves by plan.
    Leaving(ServerIdentity),
    /// SHUTDOWN: the server stops.
    Stopped(ServerIdentity),
    /// A server refused somebody for bad credentials.
    AuthError(AuthError),
    /// Client connections that came and went on one server within one second.
    Clients(ClientChurn),
    /// JSZ: the streams that the server leads.
    JetStream(JetStreamReport),
}

/// Who a server says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIdentity {
    /// Id of this life.
    pub id: ServerId,
    /// Configured name.
    pub name: ServerName,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its version, when it could be read.
    pub version: Option<ServerVersion>,
}

/// A nats-server version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    /// Major number.
    pub major: u16,
    /// Minor number.
    pub minor: u16,
    /// Patch number.
    pub patch: u16,
}

impl ServerVersion {
    /// The first version whose answers to a request of its own cluster cross gateways (measured: 2.9.10 does not, 2.10.25 does).
    pub const FIRST_WITH_BEATS: Self = Self { major: 2, minor: 10, patch: 0 };

    /// Whether servers of this version can be watched by beats.
    #[must_use]
    pub fn answers_beats(self) -> bool {
        self >= Self::FIRST_WITH_BEATS
    }
}

impl std::fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A STATSZ message. It lists only what is up at that moment: down is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsReport {
    /// Who reports.
    pub server: ServerIdentity,
    /// When this life of the server began, by its own clock.
    pub started: Option<DateTime<Utc>>,
    /// How many servers it hears in all.
    pub active_servers: Option<u32>,
    /// Client connections it holds.
    pub connections: u64,
    /// Outbound gateway links it lists as up.
    pub gateways: Vec<OutboundStats>,
    /// Servers of its own cluster that it has a route to, by name, sorted; `None` when the server does not tell names.
    pub routes: Option<Vec<ServerName>>,
    /// When it was made, by the server's clock: a message held up on the way must not pass for fresh news.
    pub made: Option<DateTime<Utc>>,
    /// Whether it was asked for. A server also sends one unasked when it *dials* a gateway, before that link is listed.
    pub asked: bool,
}

/// One outbound gateway link in a [`StatsReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundStats {
    /// The remote cluster.
    pub to: ClusterName,
    /// Connection id on that server; another number means that the link was re-made.
    pub connection: u64,
    /// Messages sent over it since it was made.
    pub sent_messages: u64,
    /// Bytes sent over it since it was made.
    pub sent_bytes: u64,
    /// Inbound connections from that cluster.
    pub inbound: u32,
}

/// A GATEWAYZ answer. It lists only what is up at that moment: down is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewaysReport {
    /// Who reports.
    pub server: ServerIdentity,
    /// Outbound connections, at most one per remote cluster.
    pub outbound: Vec<GatewayConnection>,
    /// Inbound connections, any number per remote cluster.
    pub inbound: Vec<GatewayConnection>,
    /// When it was made, by the server's clock.
    pub made: Option<DateTime<Utc>>,
}

/// One gateway connection in a [`GatewaysReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConnection {
    /// The remote cluster.
    pub cluster: ClusterName,
    /// The remote server.
    pub peer: ServerId,
    /// Connection id on the reporting server.
    pub connection: u64,
    /// When the connection was made, by the reporting server's clock.
    pub started: Option<DateTime<Utc>>,
    /// Whether the reporting server's configuration names the remote; always `false` on inbound rows.
    pub configured: bool,
    /// How long nothing was heard or sent on it.
    pub idle: Option<Duration>,
    /// Its latest measured round trip.
    pub rtt: Option<Duration>,
    /// Accounts with interest across it, when they were asked for, bounded.
    pub accounts: Option<AccountInterest>,
}

/// Accounts with interest across one gateway connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountInterest {
    /// Subscriptions and queue groups of each, the first by name, bounded.
    pub subscriptions: BTreeMap<String, u64>,
    /// How many accounts there are, also those that `subscriptions` leaves out.
    pub total: u64,
}

/// A VARZ answer, as far as it tells which links ought to exist and where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigReport {
    /// Who reports.
    pub server: ServerIdentity,
    /// Remote clusters its configuration names, itself left out; sorted.
    pub remotes: Vec<ConfiguredRemote>,
    /// Whether it rejects gateways of clusters that its configuration does not name.
    pub rejects_unknown: bool,
    /// Whether its gateway listener asks for TLS.
    pub gateway_tls: bool,
    /// When the certificate of its gateway ends (servers >= 2.14).
    pub certificate_ends: Option<DateTime<Utc>>,
    /// When its configuration was loaded last.
    pub loaded: Option<DateTime<Utc>>,
    /// When the answer was made, by the server's clock.
    pub made: Option<DateTime<Utc>>,
    /// Where clients connect to the servers of its cluster: `host:port`.
    pub connect_urls: Vec<String>,
    /// Whether those client listeners ask for TLS.
    pub tls_required: bool,
    /// Digest of its configuration (servers >= 2.11).
    pub digest: Option<String>,
    /// The account that it calls its system account.
    pub system_account: Option<String>,
}

impl ConfigReport {
    /// A report of this server that tells nothing.
    #[must_use]
    pub fn new(server: ServerIdentity) -> Self {
        Self {
            server,
            remotes: Vec::new(),
            rejects_unknown: false,
            gateway_tls: false,
            certificate_ends: None,
            loaded: None,
            made: None,
            connect_urls: Vec::new(),
            tls_required: false,
            digest: None,
            system_account: None,
        }
    }
}

/// A remote cluster in a server's configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfiguredRemote {
    /// The name of the remote cluster.
    pub cluster: ClusterName,
    /// Its addresses, `host:port`, sorted: those of the configuration, and those that gossip has added while the server ran.
    pub urls: Vec<String>,
}

impl From<ClusterName> for ConfiguredRemote {
    /// A remote of which no address is known.
    fn from(cluster: ClusterName) -> Self {
        Self { cluster, urls: Vec::new() }
    }
}

/// A refused login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthError {
    /// The server that refused.
    pub server: ServerIdentity,
    /// Whether it was a gateway that was refused.
    pub gateway: bool,
    /// Name or id the refused side gave, when it gave one.
    pub peer: Option<String>,
    /// The server's own word for the reason.
    pub reason: Option<String>,
}

/// Client connections that came and went on one server, added up over a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChurn {
    /// The server.
    pub server: ServerIdentity,
    /// Connections opened.
    pub connected: u32,
    /// Connections closed.
    pub disconnected: u32,
}

/// A round of beats: every server of `cluster` was asked for its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Whose servers were asked.
    pub cluster: ClusterName,
    /// Number of the round; grows, the same for all clusters asked at one moment.
    pub number: u64,
    /// When.
    pub at: Mono,
    /// Through which vantages.
    pub through: super::ask::Through,
}

/// Something that happened to one of our own connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VantageChange {
    /// The cluster the connection leads into.
    pub cluster: ClusterName,
    /// When we learned of it.
    pub at: Mono,
    /// What happened.
    pub what: VantageEvent,
}

/// What happened to a vantage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VantageEvent {
    /// A connection into this cluster is wanted and being made.
    Dialling,
    /// Connected, or connected again, to this server of the cluster.
    Connected {
        /// The server, when known.
        server: Option<ServerId>,
    },
    /// The connection was lost, or could not be made.
    Disconnected(Disconnect),
    /// Messages were dropped on our side: what was missed until now proves nothing.
    Dropped,
    /// The servers of this cluster cannot be asked for beats, because our user may not: what was asked until now proves nothing, and
    /// until another round is asked their reports govern.
    BeatsOff,
}

/// Why a vantage is not connected, as far as our host could see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disconnect {
    /// An established connection ended.
    Lost,
    /// Every address refused the connection: hosts answer, nothing listens.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The server did not accept our credentials.
    Unauthorized,
    /// We connected, but to another cluster than this one.
    WrongCluster,
    /// The TLS handshake failed: certificate, name or authority.
    Tls,
    /// Anything else.
    Other,
}

/// A span in which this process did not run: nothing missed within it proves anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The last moment before it.
    pub from: Mono,
    /// The first moment after it.
    pub to: Mono,
}
