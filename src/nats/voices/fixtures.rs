//! A supercluster of three clusters as the engine would tell of it, to be cut by tests.

use super::reach::{Attached, VoiceId};
use crate::model::ids::{Link, ServerKey};
use crate::model::snapshot::{ClusterStatus, LinkStatus, ServerLinkStatus, ServerStatus, Snapshot};
use crate::model::states::{ClusterState, LinkState, ServerLinkState, ServerState};
use chrono::DateTime;

pub(super) const ALL: [&str; 3] = ["east", "north", "west"];

pub(super) fn key(cluster: &str, nth: usize) -> ServerKey {
    ServerKey { cluster: cluster.into(), name: format!("{cluster}-{nth}").as_str().into() }
}

pub(super) fn cluster(name: &str) -> ClusterStatus {
    let since = DateTime::default();
    let server = |nth| ServerStatus {
        key: key(name, nth),
        id: format!("N-{name}-{nth}").as_str().into(),
        version: None,
        state: ServerState::Live,
        since,
        connections: None,
    };
    ClusterStatus {
        name: name.into(),
        state: ClusterState::Healthy,
        since,
        servers: vec![server(1), server(2)],
    }
}

pub(super) fn link(from: &str, to: &str) -> LinkStatus {
    let since = DateTime::default();
    let part = |nth| ServerLinkStatus {
        server: key(from, nth),
        state: ServerLinkState::Up,
        since,
        latency: None,
        listed: None,
    };
    let link = Link { from: from.into(), to: to.into() };
    LinkStatus { link, state: LinkState::Up, since, basis: None, servers: vec![part(1), part(2)] }
}

/// Three clusters of two servers each, everything up.
pub(super) fn whole() -> Snapshot {
    let pairs =
        ALL.iter().flat_map(|from| ALL.iter().filter(move |to| *to != from).map(move |to| (from, to)));
    Snapshot {
        at: DateTime::default(),
        own: None,
        vantages: Vec::new(),
        clusters: ALL.map(cluster).into(),
        links: pairs.map(|(from, to)| link(from, to)).collect(),
        incidents: Vec::new(),
    }
}

pub(super) fn set(
    snapshot: &mut Snapshot,
    from: &str,
    to: &str,
    states: [ServerLinkState; 2],
    whole: LinkState,
) {
    let link = snapshot
        .links
        .iter_mut()
        .find(|link| link.link.from.as_str() == from && link.link.to.as_str() == to)
        .unwrap();
    link.state = whole;
    link.servers.iter_mut().zip(states).for_each(|(part, state)| part.state = state);
}

pub(super) fn cut(snapshot: &mut Snapshot, from: &str, to: &str) {
    set(snapshot, from, to, [ServerLinkState::Down; 2], LinkState::Down);
}

pub(super) fn voices() -> Vec<Attached> {
    let voice = |cluster: &str| Attached {
        id: VoiceId { server: format!("N-{cluster}-1").as_str().into(), connection: 7 },
        home: cluster == "east",
        cluster: cluster.into(),
    };
    ALL.map(voice).into()
}
