//! What a person is told of: one incident per root cause.

use super::cause::Cause;
use super::evidence::Evidence;
use super::ids::{ClusterName, Link, ServerKey, ServerLink};
use super::impact::Impact;
use super::intent::SilenceId;
use super::states::{Basis, Departure, tokens};
use chrono::{DateTime, Utc};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Id of an incident: a ULID, so ids sort by the time of opening. Derived from what happened, not from chance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(Arc<str>);

impl IncidentId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for IncidentId {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kinds of incident, in order of precedence: the first that explains what is seen is told, the rest is listed inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentKind {
    /// We are blind in a cluster, and say nothing else about it.
    VantageLost,
    /// No server of a cluster is left.
    ClusterOffline,
    /// A cluster is alive but cut off from every other one.
    ClusterIsolated,
    /// A pair of clusters is cut, in both directions or in one.
    GatewayDown,
    /// Some servers are cut off from a remote cluster.
    GatewayDegraded,
    /// Links between two clusters break and come back again and again.
    GatewayFlapping,
    /// A server is silent while its cluster is heard.
    ServerLost,
    /// A link that is configured or expected has never been up.
    GatewayNeverUp,
    /// A link exists that must not, by what gatewatch was told to expect.
    GatewayUnwanted,
    /// A link that was there is no longer configured by anybody.
    GatewayRemoved,
    /// The gateway configurations of servers contradict each other.
    ConfigDrift,
    /// A gateway certificate ends soon, or has ended.
    CertificateExpiring,
    /// Servers know a remote cluster by a single address: when that is gone, they cannot find it anew.
    SingleUrl,
    /// The clock of a server is wrong.
    ClockSkew,
    /// Servers of a cluster run different versions.
    MixedVersions,
    /// Servers of a cluster are not all connected with each other.
    RoutesIncomplete,
}

/// What kinds of incident have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Our own view.
    View,
    /// A whole cluster is gone.
    Cluster,
    /// Links are cut that were up.
    Cut,
    /// Links come and go.
    Flapping,
    /// A server is gone.
    Server,
    /// A link that should be there never was, or one is there that should not.
    Presence,
    /// A standing condition that a check found: nothing broke just now.
    Standing,
}

impl IncidentKind {
    /// The family it belongs to.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::VantageLost => Family::View,
            Self::ClusterOffline => Family::Cluster,
            Self::ClusterIsolated | Self::GatewayDown | Self::GatewayDegraded => Family::Cut,
            Self::GatewayFlapping => Family::Flapping,
            Self::ServerLost => Family::Server,
            Self::GatewayNeverUp | Self::GatewayUnwanted => Family::Presence,
            Self::GatewayRemoved
            | Self::ConfigDrift
            | Self::CertificateExpiring
            | Self::SingleUrl
            | Self::ClockSkew
            | Self::MixedVersions
            | Self::RoutesIncomplete => Family::Standing,
        }
    }

    /// Whether it tells of a standing condition that a check found, not of something that broke just now.
    #[must_use]
    pub const fn is_standing(self) -> bool {
        matches!(self.family(), Family::Standing)
    }
}

/// How urgent an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Look at it soon: part of the traffic is lost, or redundancy is.
    Warning,
    /// Wake somebody: clusters are cut off from each other.
    Critical,
}

tokens!(IncidentKind {
    Self::VantageLost => "vantage_lost", Self::ClusterOffline => "cluster_offline", Self::ClusterIsolated => "cluster_isolated",
    Self::GatewayDown => "gateway_down", Self::GatewayDegraded => "gateway_degraded", Self::GatewayFlapping => "gateway_flapping",
    Self::ServerLost => "server_lost", Self::GatewayNeverUp => "gateway_never_up", Self::GatewayUnwanted => "gateway_unwanted",
    Self::GatewayRemoved => "gateway_removed", Self::ConfigDrift => "config_drift",
    Self::CertificateExpiring => "certificate_expiring", Self::SingleUrl => "single_url", Self::ClockSkew => "clock_skew",
    Self::MixedVersions => "mixed_versions", Self::RoutesIncomplete => "routes_incomplete",
});
tokens!(Severity { Self::Info => "info", Self::Warning => "warning", Self::Critical => "critical" });
tokens!(Stage { Self::Opened => "opened", Self::Updated => "updated", Self::Resolved => "resolved" });

/// What an incident is about; growing and shrinking may change it, the id stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A cluster, or our view of it.
    Cluster(ClusterName),
    /// A pair of clusters, in alphabetical order.
    Pair(ClusterName, ClusterName),
    /// One server.
    Server(ServerKey),
}

/// Everything an incident touches. All lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Clusters.
    pub clusters: Vec<ClusterName>,
    /// Directed links that are cut as a whole.
    pub links: Vec<Link>,
    /// Server links that are cut, also those of the links above.
    pub server_links: Vec<ServerLink>,
    /// Servers that are lost or stopped.
    pub servers: Vec<ServerKey>,
}

/// Which way a cut pair is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direction {
    /// Nothing crosses in either direction.
    Both,
    /// Only what this link's `from` sends is lost.
    OneWay(Link),
}

/// What the servers themselves say of the cut server links, from their latest reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerView {
    /// Cut server links whose server still lists them as up.
    pub still_listed: Vec<ServerLink>,
    /// Cut server links whose server knows that they are gone.
    pub known_gone: Vec<ServerLink>,
    /// When the last of `still_listed` will be noticed by its server at the latest: gateway PING every 15 s, two unanswered.
    pub notice_by: Option<DateTime<Utc>>,
}

/// How often links flapped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flaps {
    /// Breaks that healed by themselves, counted since the first of them that still weighs.
    pub count: u32,
    /// How many an hour, at the present rate.
    pub per_hour: f64,
}

/// An incident, whole: each revision is a complete snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Id, the same from opening to resolution.
    pub id: IncidentId,
    /// Counts the published snapshots of this incident from 1.
    pub revision: u32,
    /// What kind it is now; growing and shrinking can change it.
    pub kind: IncidentKind,
    /// How urgent it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// How a cluster went offline; set for that kind only.
    pub departure: Option<Departure>,
    /// Everything it touches.
    pub scope: Scope,
    /// When the first state behind it was confirmed.
    pub began: DateTime<Utc>,
    /// When it was opened.
    pub opened: DateTime<Utc>,
    /// When this revision was made.
    pub updated: DateTime<Utc>,
    /// When everything it touches was good again; it is resolved once that has lasted.
    pub healed: Option<DateTime<Utc>>,
    /// When it was resolved.
    pub resolved: Option<DateTime<Utc>>,
    /// The incident that took this one in, when it was resolved for that reason.
    pub merged_into: Option<IncidentId>,
    /// Why it probably happened.
    pub cause: Cause,
    /// What it rests on, oldest first, bounded.
    pub evidence: Vec<Evidence>,
    /// What the servers themselves say.
    pub server_view: ServerView,
    /// What it costs.
    pub impact: Impact,
    /// What the verdict rests on, where there is a choice: the weakest basis of what is cut.
    pub basis: Option<Basis>,
    /// How often it flapped; set for that kind only.
    pub flaps: Option<Flaps>,
    /// The silence that keeps it from being alerted.
    pub silenced: Option<SilenceId>,
}

impl Incident {
    /// An incident just opened, about which nothing more is known than what it is and since when.
    #[must_use]
    pub fn new(
        id: IncidentId,
        (kind, severity): (IncidentKind, Severity),
        subject: Subject,
        (began, opened): (DateTime<Utc>, DateTime<Utc>),
    ) -> Self {
        Self {
            id,
            revision: 0,
            kind,
            severity,
            subject,
            departure: None,
            scope: Scope::default(),
            began,
            opened,
            updated: opened,
            healed: None,
            resolved: None,
            merged_into: None,
            cause: Cause::UNKNOWN,
            evidence: Vec::new(),
            server_view: ServerView::default(),
            impact: Impact::default(),
            basis: None,
            flaps: None,
            silenced: None,
        }
    }

    /// Which way the pair is cut; `None` when the incident is not about a whole pair or one whole direction of it.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        match (&self.subject, self.scope.links.as_slice()) {
            (Subject::Pair(..), [link]) => Some(Direction::OneWay(link.clone())),
            (Subject::Pair(..), [_, _]) => Some(Direction::Both),
            (Subject::Pair(..) | Subject::Cluster(_) | Subject::Server(_), _) => None,
        }
    }

    /// How long it lasted: until everything was good again, else until it was resolved, else until `now`.
    #[must_use]
    pub fn lasted(&self, now: DateTime<Utc>) -> Duration {
        (self.healed.or(self.resolved).unwrap_or(now) - self.began).to_std().unwrap_or_default()
    }
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It was opened.
    Opened,
    /// It grew, shrank or is better understood.
    Updated,
    /// The good state has lasted, or another incident took it in.
    Resolved,
}

/// One published step of an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentEvent {
    /// What happened.
    pub stage: Stage,
    /// The incident as of now.
    pub incident: Incident,
}

/// What outlives a restart of ours: read back at start, so that incidents go on under their id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Links that are expected to exist.
    pub links: Vec<Link>,
    /// Incidents that were open.
    pub incidents: Vec<Incident>,
}
