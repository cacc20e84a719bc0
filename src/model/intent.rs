//! What people want: links that must or must not exist, incidents that are not to be alerted, things that are gone for good.

use super::ids::{ClusterName, Link, ServerKey};
use super::incident::{IncidentKind, Severity};
use chrono::{DateTime, Utc};
use std::fmt;
use std::sync::Arc;

/// Links that the configuration of gatewatch says must or must not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expectations {
    /// Links that must exist, also when no server is configured with them.
    pub required: Vec<Link>,
    /// Links that must not exist, whoever makes them.
    pub forbidden: Vec<Link>,
}

/// Id of a silence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SilenceId(Arc<str>);

impl SilenceId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SilenceId {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for SilenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Incidents that match are recorded and marked, not alerted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub id: SilenceId,
    /// Which incidents it is about.
    pub matcher: Matcher,
    /// From when on it holds.
    pub from: DateTime<Utc>,
    /// Until when it holds.
    pub until: DateTime<Utc>,
    /// Why, for people.
    pub comment: String,
    /// Who made it, for people.
    pub author: String,
}

/// Which incidents are meant: all conditions must hold, an empty one always does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    /// Only this kind.
    pub kind: Option<IncidentKind>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only incidents whose subject is or has this cluster.
    pub cluster: Option<ClusterName>,
    /// Only incidents whose subject has this cluster as well: with `cluster`, the pair.
    pub remote: Option<ClusterName>,
    /// Only incidents about this server.
    pub server: Option<ServerKey>,
}

/// Something that is gone for good and not to be expected any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forget {
    /// A retired cluster, with its servers and links. It is taken in again when it is heard again.
    Cluster(ClusterName),
    /// A retired server.
    Server(ServerKey),
}
