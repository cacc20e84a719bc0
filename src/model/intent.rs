//! What people want: links that must or must not exist, incidents that are not to be alerted, things that are gone for good.

use super::ids::{ClusterName, Link, ServerKey};
use super::incident::{Incident, IncidentKind, Severity, Subject};
use super::states::tokens;
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

impl Silence {
    /// Whether it holds at that moment.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }
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

impl Matcher {
    /// Whether it has no condition at all, and so means every incident.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an incident is meant, as it is now: growing and shrinking can change that.
    #[must_use]
    pub fn matches(&self, incident: &Incident) -> bool {
        let subject = &incident.subject;
        self.kind.is_none_or(|kind| kind == incident.kind)
            && self.severity.is_none_or(|severity| severity == incident.severity)
            && self.cluster.as_ref().is_none_or(|cluster| has(subject, cluster))
            && self.remote.as_ref().is_none_or(|remote| has(subject, remote))
            && self.server.as_ref().is_none_or(|key| *subject == Subject::Server(key.clone()))
    }
}

fn has(subject: &Subject, cluster: &ClusterName) -> bool {
    match subject {
        Subject::Cluster(name) => name == cluster,
        Subject::Pair(a, b) => a == cluster || b == cluster,
        Subject::Server(key) => key.cluster == *cluster,
        Subject::Instance(_) => false,
    }
}

/// Something that is gone for good and not to be expected any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forget {
    /// A retired cluster, with its servers and links. It is taken in again when it is heard again.
    Cluster(ClusterName),
    /// A retired server.
    Server(ServerKey),
}

/// Something that people want of a running gatewatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// These are all silences that there are.
    Silences(Vec<Silence>),
    /// This is to be forgotten.
    Forget(Forget),
}

impl fmt::Display for Forget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Server(key) => write!(f, "server {key}"),
        }
    }
}

/// What became of a request to forget something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForgetOutcome {
    /// It is forgotten.
    Done,
    /// It is not: it is still heard, and would come back at once.
    StillHeard,
    /// It is not: the configuration of gatewatch says that a link of it must exist.
    Required,
    /// There was nothing to forget: nothing of that name is known.
    Unknown,
}

tokens!(ForgetOutcome {
    Self::Done => "done", Self::StillHeard => "still_heard", Self::Required => "required", Self::Unknown => "unknown",
});

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn about(subject: Subject) -> Incident {
        Incident::new("I".into(), (IncidentKind::GatewayDown, Severity::Critical), subject, (AT, AT))
    }

    fn pair() -> Incident {
        about(Subject::Pair("east".into(), "west".into()))
    }

    #[test]
    fn no_condition_means_every_incident() {
        assert!(Matcher::default().is_empty());
        assert!(Matcher::default().matches(&pair()));
    }

    #[test]
    fn a_pair_is_meant_whichever_of_its_clusters_is_named_first() {
        for (cluster, remote) in [("east", "west"), ("west", "east")] {
            let matcher =
                Matcher { cluster: Some(cluster.into()), remote: Some(remote.into()), ..Matcher::default() };
            assert!(matcher.matches(&pair()), "{cluster} {remote}");
            assert!(!matcher.matches(&about(Subject::Pair("central".into(), "east".into()))));
            assert!(!matcher.matches(&about(Subject::Cluster("east".into()))));
        }
    }

    #[test]
    fn a_cluster_means_itself_its_pairs_and_its_servers() {
        let matcher = Matcher { cluster: Some("east".into()), ..Matcher::default() };
        let server = |cluster: &str| ServerKey { cluster: cluster.into(), name: "n1".into() };
        assert!(matcher.matches(&about(Subject::Cluster("east".into()))));
        assert!(matcher.matches(&about(Subject::Server(server("east")))));
        assert!(matcher.matches(&pair()));
        assert!(!matcher.matches(&about(Subject::Server(server("west")))));
        let one = Matcher { server: Some(server("east")), ..Matcher::default() };
        assert!(one.matches(&about(Subject::Server(server("east")))));
        assert!(!one.matches(&about(Subject::Cluster("east".into()))));
    }

    #[test]
    fn every_condition_must_hold() {
        let matcher = Matcher {
            kind: Some(IncidentKind::GatewayDown),
            severity: Some(Severity::Warning),
            ..Matcher::default()
        };
        assert!(!matcher.matches(&pair()));
        assert!(matcher.matches(&Incident { severity: Severity::Warning, ..pair() }));
        let other = Incident { kind: IncidentKind::GatewayDegraded, severity: Severity::Warning, ..pair() };
        assert!(!matcher.matches(&other));
    }

    #[test]
    fn a_silence_holds_from_its_beginning_until_just_before_its_end() {
        let hour = TimeDelta::hours(1);
        let silence = Silence {
            id: "S".into(),
            matcher: Matcher::default(),
            from: AT,
            until: AT + hour,
            comment: String::new(),
            author: String::new(),
        };
        assert!(silence.holds(AT) && silence.holds(AT + hour - TimeDelta::nanoseconds(1)));
        assert!(!silence.holds(AT - TimeDelta::nanoseconds(1)) && !silence.holds(AT + hour));
    }
}
