//! Values for the tests of what is shown, and the golden files they are compared with.

use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::{Evidence, Says};
use crate::model::health::{Ailment, AilmentStatus, OwnStatus};
use crate::model::ids::{ClusterName, Link, ServerKey, ServerLink};
use crate::model::impact::Impact;
use crate::model::incident::{
    Incident, IncidentEvent, IncidentKind, Scope, ServerView, Severity, Stage, Subject,
};
use crate::model::observation::ServerVersion;
use crate::model::snapshot::{
    ClusterStatus, LinkStatus, ServerLinkStatus, ServerStatus, Snapshot, VantageStatus,
};
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;
use std::time::Duration;

const CLUSTERS: [&str; 3] = ["central", "east", "west"];

/// Compares with `tests/golden/cli/<name>.txt`; `UPDATE_GOLDEN=1` writes it anew.
pub(super) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
}

/// A moment, in seconds after the one at which everything was well.
pub(super) fn at(seconds: f64) -> DateTime<Utc> {
    let start = DateTime::parse_from_rfc3339("2026-11-22T15:53:38Z").unwrap().with_timezone(&Utc);
    start + TimeDelta::microseconds((seconds * 1e6) as i64)
}

fn key(cluster: &str, n: u32) -> ServerKey {
    ServerKey { cluster: cluster.into(), name: format!("{cluster}-{n}").as_str().into() }
}

fn link(from: &str, to: &str) -> Link {
    Link { from: from.into(), to: to.into() }
}

fn part(from: &str, n: u32, to: &str) -> ServerLink {
    ServerLink { server: key(from, n), to: to.into() }
}

/// Three clusters of three servers, all well, as of second 60.
pub(super) fn healthy() -> Snapshot {
    let pairs = CLUSTERS.iter().flat_map(|from| CLUSTERS.iter().map(move |to| (*from, *to)));
    Snapshot {
        at: at(60.0),
        own: Some(OwnStatus { instance: "gatewatch".into(), lacks: Vec::new(), ailments: Vec::new() }),
        vantages: CLUSTERS
            .iter()
            .map(|name| VantageStatus { cluster: (*name).into(), state: VantageState::Sound, since: at(0.0) })
            .collect(),
        clusters: CLUSTERS.iter().map(|name| cluster(name)).collect(),
        links: pairs.filter(|(from, to)| from != to).map(|(from, to)| link_status(from, to)).collect(),
        incidents: Vec::new(),
    }
}

fn cluster(name: &str) -> ClusterStatus {
    let server = |n| ServerStatus {
        key: key(name, n),
        id: format!("N{}{n}", name.to_uppercase()).as_str().into(),
        version: Some(ServerVersion { major: 2, minor: 15, patch: 1 }),
        state: ServerState::Live,
        since: at(0.0),
        connections: Some(u64::from(n) * 4),
    };
    ClusterStatus {
        name: name.into(),
        state: ClusterState::Healthy,
        since: at(0.0),
        servers: (1..=3).map(server).collect(),
    }
}

fn link_status(from: &str, to: &str) -> LinkStatus {
    let server = |n| ServerLinkStatus {
        server: key(from, n),
        state: ServerLinkState::Up,
        since: at(0.0),
        latency: Some(Duration::from_micros(1_800 + 700 * u64::from(n))),
        listed: Some(true),
    };
    LinkStatus {
        link: link(from, to),
        state: LinkState::Up,
        since: at(0.0),
        basis: Some(Basis::Beats),
        servers: (1..=3).map(server).collect(),
    }
}

fn set_link(snapshot: &mut Snapshot, from: &str, to: &str, state: LinkState) {
    for status in snapshot.links.iter_mut().filter(|status| status.link == link(from, to)) {
        status.state = state;
    }
}

/// One server of east cannot send to west, another is lost.
pub(super) fn degraded() -> Snapshot {
    let mut snapshot = healthy();
    set_link(&mut snapshot, "east", "west", LinkState::Degraded { cut: 1, of: 2 });
    snapshot.links.retain(|status| status.link != link("west", "central"));
    let east = &mut snapshot.clusters[1];
    east.state = ClusterState::Degraded;
    east.servers[2].state = ServerState::Lost;
    east.servers[2].since = at(42.0);
    snapshot.vantages[0].state = VantageState::Gone;
    for status in &mut snapshot.links {
        if status.link == link("central", "east") {
            status.basis = Some(Basis::Reports);
            status.servers.iter_mut().for_each(|server| server.latency = None);
        }
    }
    snapshot.own.as_mut().unwrap().ailments =
        vec![AilmentStatus { ailment: Ailment::Behind, since: at(50.0) }];
    snapshot.incidents = vec![degraded_incident()];
    snapshot
}

/// Nothing crosses between east and west.
pub(super) fn partition() -> Snapshot {
    let mut snapshot = healthy();
    set_link(&mut snapshot, "east", "west", LinkState::Down);
    set_link(&mut snapshot, "west", "east", LinkState::Down);
    snapshot.clusters[1].state = ClusterState::Degraded;
    snapshot.clusters[2].state = ClusterState::Degraded;
    snapshot.incidents = vec![partition_incident()];
    snapshot
}

fn incident(id: &str, kind: IncidentKind, severity: Severity) -> Incident {
    let subject = Subject::Pair("east".into(), "west".into());
    Incident {
        revision: 1,
        cause: Cause::likely(CauseKind::PacketsLost),
        ..Incident::new(id.into(), (kind, severity), subject, (at(10.5), at(13.5)))
    }
}

fn degraded_incident() -> Incident {
    let mut incident =
        incident("01KAPQ6T7M9Y6Z4V1S5R3C8E2N", IncidentKind::GatewayDegraded, Severity::Warning);
    incident.scope.server_links = vec![part("east", 1, "west")];
    incident.scope.clusters = vec!["east".into(), "west".into()];
    incident
}

/// The cut of a pair at its opening.
pub(super) fn partition_incident() -> Incident {
    let mut incident = incident("01KAPQ7B3K4N8D2W6H0X5T9J1F", IncidentKind::GatewayDown, Severity::Critical);
    let parts: Vec<ServerLink> =
        (1..=3).map(|n| part("east", n, "west")).chain((1..=3).map(|n| part("west", n, "east"))).collect();
    incident.scope = Scope {
        clusters: vec!["east".into(), "west".into()],
        links: vec![link("east", "west"), link("west", "east")],
        server_links: parts.clone(),
        servers: Vec::new(),
    };
    incident.server_view =
        ServerView { still_listed: parts, known_gone: Vec::new(), notice_by: Some(at(55.0)) };
    incident.impact =
        Impact { messages_per_second: Some(42.0), bytes_per_second: Some(8_400.0), ..Impact::default() };
    let heard_by: Vec<ClusterName> = vec!["central".into(), "east".into()];
    incident.evidence = vec![
        Evidence {
            at: at(10.5),
            says: Says::BeatsMissed { server: key("east", 1), vantage: "west".into(), missed: 2, heard_by },
        },
        Evidence { at: at(11.0), says: Says::Listed { server: key("east", 1), remote: "west".into() } },
    ];
    incident
}

/// The cut of a pair from opening to resolution.
pub(super) fn partition_story() -> Vec<IncidentEvent> {
    let opened = partition_incident();
    let mut updated = opened.clone();
    updated.revision = 2;
    updated.updated = at(52.0);
    updated.server_view.known_gone = std::mem::take(&mut updated.server_view.still_listed);
    updated.server_view.notice_by = None;
    let mut resolved = updated.clone();
    resolved.revision = 3;
    resolved.updated = at(140.0);
    resolved.healed = Some(at(135.0));
    resolved.resolved = Some(at(140.0));
    resolved.scope.server_links.clear();
    [(Stage::Opened, opened), (Stage::Updated, updated), (Stage::Resolved, resolved)]
        .map(|(stage, incident)| IncidentEvent { stage, incident })
        .to_vec()
}
