//! The log of a story, one line for each thing that happened or was told.

use crate::sim::{Sim, Told};
use crate::story::Story;
use gatewatch::model::incident::{Direction, Incident, IncidentEvent, Subject};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::{ClusterState, LinkState, ServerState, VantageState};
use gatewatch::model::transition::Change;
use std::fmt::Write;

/// The whole log, from the start of the story.
pub(super) fn of(story: &Story, sim: &Sim) -> String {
    let mut log = String::new();
    let mut seen: Vec<String> = Vec::new();
    for (at, told) in sim.told.iter().filter(|(at, _)| *at >= 0) {
        let line = match told {
            Told::Step(step) => Some(format!("--- {step}")),
            Told::Transition(transition) => {
                let basis = transition.basis.map(|basis| format!(" ({basis})")).unwrap_or_default();
                change(&transition.change, story.in_detail).map(|line| line + &basis)
            }
            Told::Incident(event) => Some(incident(event, &mut seen)),
        };
        if let Some(line) = line {
            let (seconds, millis) = (at / 1000, at % 1000);
            writeln!(log, "{seconds:>4}.{millis:03}  {line}").unwrap();
        }
    }
    log + &end(sim.snapshot().as_ref())
}

fn change(change: &Change, in_detail: bool) -> Option<String> {
    Some(match change {
        Change::ServerLink { link, from, to } if in_detail => format!("  {link}: {from} -> {to}"),
        Change::ServerLink { .. } => return None,
        Change::Link { link, from, to } => {
            format!("link {link}: {} -> {}", link_state(*from), link_state(*to))
        }
        Change::Resynced { link, after } => format!("link {link}: resynced after {} ms", after.as_millis()),
        Change::Server { server, id, from, to } => format!("server {server} ({id}): {from} -> {to}"),
        Change::Cluster { cluster, from, to } => {
            format!("cluster {cluster}: {} -> {}", cluster_state(*from), cluster_state(*to))
        }
        Change::Vantage { cluster, from, to } => format!("vantage {cluster}: {from} -> {to}"),
    })
}

fn link_state(state: LinkState) -> String {
    match state {
        LinkState::Degraded { cut, of } => format!("degraded, {cut} of {of} servers cut"),
        LinkState::Unknown | LinkState::Up | LinkState::Down | LinkState::Retired => state.to_string(),
    }
}

fn cluster_state(state: ClusterState) -> String {
    match state {
        ClusterState::Offline(departure) => format!("offline ({departure})"),
        ClusterState::Unknown
        | ClusterState::Healthy
        | ClusterState::Degraded
        | ClusterState::Isolated
        | ClusterState::Draining
        | ClusterState::Unreachable => state.to_string(),
    }
}

fn incident(event: &IncidentEvent, seen: &mut Vec<String>) -> String {
    let incident = &event.incident;
    let id = incident.id.as_str().to_owned();
    let number = seen.iter().position(|one| *one == id).unwrap_or_else(|| {
        seen.push(id);
        seen.len() - 1
    });
    let mut line = format!(
        "INCIDENT {} {} (revision {}): {} {}, {}; {}; cause {} ({})",
        number + 1,
        event.stage.token().to_uppercase(),
        incident.revision,
        incident.severity,
        incident.kind,
        about(incident),
        touched(incident),
        incident.cause.kind,
        incident.cause.confidence,
    );
    if let Some(departure) = incident.departure {
        write!(line, "; {departure}").unwrap();
    }
    let view = &incident.server_view;
    write!(line, "; servers still list {}, know {}", view.still_listed.len(), view.known_gone.len()).unwrap();
    if let Some(host) = &incident.merged_into {
        let host = seen.iter().position(|one| one == host.as_str()).map_or(0, |at| at + 1);
        write!(line, "; merged into {host}").unwrap();
    }
    line
}

fn about(incident: &Incident) -> String {
    match (&incident.subject, incident.direction()) {
        (Subject::Cluster(name), _) => format!("cluster {name}"),
        (Subject::Server(key), _) => format!("server {key}"),
        (Subject::Instance(name), _) => format!("instance {name}"),
        (Subject::Pair(..), Some(Direction::OneWay(link))) => format!("{link} only"),
        (Subject::Pair(a, b), Some(Direction::Both)) => format!("{a} <-> {b}"),
        (Subject::Pair(a, b), None) => format!("between {a} and {b}"),
    }
}

fn touched(incident: &Incident) -> String {
    let scope = &incident.scope;
    let mut links: Vec<String> = scope.server_links.iter().map(ToString::to_string).collect();
    if links.len() > 4 {
        links = vec![format!("{} server links", links.len())];
    }
    links.extend(scope.servers.iter().map(|server| format!("server {server}")));
    if !scope.links.is_empty() {
        links.push(format!("{} links", scope.links.len()));
    }
    links.join(", ")
}

/// What is not well in the end.
fn end(snapshot: Option<&Snapshot>) -> String {
    let Some(snapshot) = snapshot else { return "end: gatewatch does not run\n".to_owned() };
    let mut bad = Vec::new();
    for vantage in snapshot.vantages.iter().filter(|one| one.state != VantageState::Sound) {
        bad.push(format!("vantage {} {}", vantage.cluster, vantage.state));
    }
    for cluster in &snapshot.clusters {
        if cluster.state != ClusterState::Healthy {
            bad.push(format!("cluster {} {}", cluster.name, cluster_state(cluster.state)));
        }
        for server in cluster.servers.iter().filter(|server| server.state != ServerState::Live) {
            bad.push(format!("server {} {}", server.key, server.state));
        }
    }
    for link in snapshot.links.iter().filter(|link| link.state != LinkState::Up) {
        bad.push(format!("link {} {}", link.link, link_state(link.state)));
    }
    let incidents = snapshot.incidents.iter().map(|one| format!("open {} {}", one.kind, about(one)));
    bad.extend(incidents);
    if bad.is_empty() { "end: all is well\n".to_owned() } else { format!("end: {}\n", bad.join("; ")) }
}
