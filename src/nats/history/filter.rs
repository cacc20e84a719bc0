//! Which incidents and news somebody wants to see.

use crate::model::ids::ClusterName;
use crate::model::incident::{Incident, IncidentKind, Severity, Subject};
use crate::wire::advisory::Event;
use crate::wire::body::ChangeBody;
use chrono::{DateTime, Utc};
use std::num::NonZeroUsize;

/// Which incidents to list. The default lists all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentFilter {
    /// Only those of which there was news since then: opened, updated or resolved.
    pub since: Option<DateTime<Utc>>,
    /// Only these kinds; empty for all. The kind is that of the latest revision.
    pub kinds: Vec<IncidentKind>,
    /// Only those that touch one of these clusters; empty for all.
    pub clusters: Vec<ClusterName>,
    /// Only those that are not resolved.
    pub open_only: bool,
    /// At most so many, the latest opened.
    pub limit: Option<NonZeroUsize>,
}

impl IncidentFilter {
    /// Whether the incident, in its latest revision, is wanted; [`Self::since`] is up to who reads.
    pub(super) fn takes(&self, incident: &Incident) -> bool {
        (!self.open_only || incident.resolved.is_none())
            && any_or(&self.kinds, |kind| incident.kind == *kind)
            && any_or(&self.clusters, |cluster| touches(incident, cluster))
    }
}

/// Which news to follow. The default follows every alert and every event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewsFilter {
    /// No events, only alerts.
    pub alerts_only: bool,
    /// Only alerts at least this urgent.
    pub severity: Option<Severity>,
    /// Only alerts of these kinds; empty for all.
    pub kinds: Vec<IncidentKind>,
    /// Only what touches one of these clusters; empty for all.
    pub clusters: Vec<ClusterName>,
}

impl NewsFilter {
    pub(super) fn takes_alert(&self, incident: &Incident) -> bool {
        self.severity.is_none_or(|least| incident.severity >= least)
            && any_or(&self.kinds, |kind| incident.kind == *kind)
            && any_or(&self.clusters, |cluster| touches(incident, cluster))
    }

    pub(super) fn takes_event(&self, event: &Event) -> bool {
        let (cluster, remote) = match &event.change {
            ChangeBody::ServerLink { cluster, remote, .. } | ChangeBody::Link { cluster, remote, .. } => {
                (cluster, Some(remote))
            }
            ChangeBody::Server { cluster, .. }
            | ChangeBody::Cluster { cluster, .. }
            | ChangeBody::Vantage { cluster, .. } => (cluster, None),
        };
        any_or(&self.clusters, |wanted| {
            wanted.as_str() == cluster || remote.is_some_and(|remote| wanted.as_str() == remote)
        })
    }
}

fn any_or<T>(wanted: &[T], matches: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(matches)
}

fn touches(incident: &Incident, cluster: &ClusterName) -> bool {
    let subject = match &incident.subject {
        Subject::Cluster(name) => name == cluster,
        Subject::Pair(one, other) => one == cluster || other == cluster,
        Subject::Server(server) => server.cluster == *cluster,
        Subject::Instance(_) => false,
    };
    let scope = &incident.scope;
    subject
        || scope.clusters.contains(cluster)
        || scope.links.iter().any(|link| link.from == *cluster || link.to == *cluster)
        || scope.server_links.iter().any(|part| part.server.cluster == *cluster || part.to == *cluster)
        || scope.servers.iter().any(|server| server.cluster == *cluster)
}
