//! The one line that a pager shows.

use super::{counted, list, span, standing};
use crate::model::ids::{ClusterName, ServerName};
use crate::model::incident::{Direction, Incident, IncidentKind, Subject};
use crate::model::states::Departure;
use std::collections::BTreeSet;

/// One line: what is wrong, or that it is over.
#[must_use]
pub fn title(incident: &Incident) -> String {
    match (&incident.merged_into, incident.resolved) {
        (Some(other), _) => format!("{}: now part of incident {other}", about(incident)),
        (None, Some(_)) => over(incident),
        (None, None) => trouble(incident),
    }
}

/// What the incident is about: `gateway east <-> west`, `cluster west`, `server east/east-1`.
pub(super) fn about(incident: &Incident) -> String {
    match &incident.subject {
        Subject::Cluster(_)
            if incident.kind == IncidentKind::VantageLost && incident.scope.clusters.len() > 1 =>
        {
            format!("clusters {}", list(&incident.scope.clusters))
        }
        Subject::Cluster(cluster) => format!("cluster {cluster}"),
        Subject::Server(server) => format!("server {server}"),
        Subject::Instance(instance) => format!("gatewatch instance {instance}"),
        Subject::Pair(a, b) => match one_way(incident) {
            Some((from, to)) => format!("gateway {from} -> {to}"),
            None => format!("gateway {a} <-> {b}"),
        },
    }
}

/// The direction that is cut, when every cut link of the incident has the same.
pub(super) fn one_way(incident: &Incident) -> Option<(&ClusterName, &ClusterName)> {
    let links = incident.scope.links.iter().map(|link| (&link.from, &link.to));
    let parts = incident.scope.server_links.iter().map(|part| (&part.server.cluster, &part.to));
    let directions: BTreeSet<_> = links.chain(parts).collect();
    directions.first().copied().filter(|_| directions.len() == 1)
}

/// Names of the servers whose links are cut, each once.
pub(super) fn cut_servers(incident: &Incident) -> Vec<&ServerName> {
    let names: BTreeSet<_> = incident.scope.server_links.iter().map(|part| &part.server.name).collect();
    names.into_iter().collect()
}

/// In the past tense only: what is over has healed, or is no longer expected.
fn over(incident: &Incident) -> String {
    let (about, lasted) = (about(incident), span(incident.lasted(incident.updated)));
    let was = match incident.kind {
        IncidentKind::VantageLost => return format!("resolved: gatewatch was blind in {about} for {lasted}"),
        IncidentKind::ClusterOffline => "offline",
        IncidentKind::ClusterIsolated => "isolated",
        IncidentKind::GatewayDown => "down",
        IncidentKind::GatewayDegraded => "degraded",
        IncidentKind::GatewayFlapping => "flapping",
        IncidentKind::ServerLost => "lost",
        IncidentKind::GatewayNeverUp
        | IncidentKind::GatewayUnwanted
        | IncidentKind::GatewayRemoved
        | IncidentKind::ConfigDrift
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions
        | IncidentKind::RoutesIncomplete
        | IncidentKind::GatewatchImpaired => standing::words(incident.kind).over,
    };
    format!("resolved: {about} was {was} for {lasted}")
}

fn trouble(incident: &Incident) -> String {
    let about = about(incident);
    match incident.kind {
        IncidentKind::VantageLost => {
            format!("gatewatch is blind in {about}: its own connection there does not work")
        }
        IncidentKind::ClusterOffline => match incident.departure {
            Some(Departure::Planned) => format!("{about} is offline: every server of it shut down"),
            Some(Departure::Crash) => format!("{about} is offline: every server of it fell silent"),
            None => format!("{about} is offline: no server of it is left"),
        },
        IncidentKind::ClusterIsolated => {
            format!("{about} is isolated: nothing crosses to or from any other cluster")
        }
        IncidentKind::GatewayDown => match incident.direction() {
            Some(Direction::Both) => format!("{about} is down: nothing crosses in either direction"),
            Some(Direction::OneWay(link)) => {
                format!("{about} is down: nothing from {} reaches {}", link.from, link.to)
            }
            None => format!("{about} is down"),
        },
        IncidentKind::GatewayDegraded => {
            let cut = cut_servers(incident);
            let verb = if cut.len() == 1 { "is" } else { "are" };
            format!("{about} is degraded: {} {verb} cut off ({})", counted(cut.len(), "server"), list(&cut))
        }
        IncidentKind::ServerLost => format!("{about} is lost: it is silent while its cluster is heard"),
        IncidentKind::GatewayFlapping => flapping(incident, &about),
        IncidentKind::GatewayNeverUp
        | IncidentKind::GatewayUnwanted
        | IncidentKind::GatewayRemoved
        | IncidentKind::ConfigDrift
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions
        | IncidentKind::RoutesIncomplete
        | IncidentKind::GatewatchImpaired => {
            format!("{about} {}", standing::words(incident.kind).trouble)
        }
    }
}

fn flapping(incident: &Incident, about: &str) -> String {
    match incident.flaps {
        Some(flaps) => {
            format!("{about} is flapping: {} breaks so far, {:.0} an hour", flaps.count, flaps.per_hour)
        }
        None => format!("{about} is flapping"),
    }
}
