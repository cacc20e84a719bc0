//! Who is heard where, from the engine's current truth: pure.
//!
//! What is not known counts in favour of a link as long as nothing at all is known of it, so that a supercluster that was not looked at
//! yet is spoken to from home, as if there were no voices.

use super::cover::{self, Candidate, Clusters};
use crate::model::ids::{ClusterName, ServerId, ServerKey};
use crate::model::snapshot::{LinkStatus, Snapshot};
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One connection for as long as it lasts: the server at its other end, and what that server calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VoiceId {
    pub(super) server: ServerId,
    pub(super) connection: u64,
}

/// A connection that can be spoken through now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) id: VoiceId,
    pub(super) home: bool,
    pub(super) cluster: ClusterName,
}

/// Where what is published through a connection is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) voice: Attached,
    /// The server at its other end, once the engine knows it.
    pub(super) server: Option<ServerKey>,
    /// Its own cluster, and those to which its server has a link that is up. No cluster that is offline.
    pub(super) hears: BTreeSet<ClusterName>,
}

impl Reach {
    /// As far as is known of a connection alone.
    pub(super) fn of_own(voice: &Attached) -> Self {
        Self { voice: voice.clone(), server: None, hears: BTreeSet::from([voice.cluster.clone()]) }
    }
}

/// Where each of the connections is heard.
pub(super) fn reaches(attached: &[Attached], snapshot: &Snapshot) -> Vec<Reach> {
    let offline = offline(snapshot);
    let keys: BTreeMap<&ServerId, &ServerKey> = snapshot
        .clusters
        .iter()
        .flat_map(|cluster| &cluster.servers)
        .map(|server| (&server.id, &server.key))
        .collect();
    let mut reaches: Vec<Reach> = attached
        .iter()
        .map(|voice| Reach {
            voice: voice.clone(),
            server: keys.get(&voice.id.server).map(|key| (*key).clone()),
            hears: std::iter::once(&voice.cluster).filter(|own| !offline.contains(own)).cloned().collect(),
        })
        .collect();
    for reach in &mut reaches {
        // Sorted, so those of one cluster stand together.
        let own = &reach.voice.cluster;
        let first = snapshot.links.partition_point(|link| link.link.from < *own);
        let links = snapshot.links.iter().skip(first).take_while(|link| link.link.from == *own);
        let heard =
            links.filter(|link| !offline.contains(&link.link.to) && crosses(link, reach.server.as_ref()));
        reach.hears.extend(heard.map(|link| link.link.to.clone()));
    }
    reaches
}

/// Clusters in which nobody is left to hear anything.
pub(super) fn offline(snapshot: &Snapshot) -> BTreeSet<&ClusterName> {
    let gone = snapshot.clusters.iter().filter(|cluster| matches!(cluster.state, ClusterState::Offline(_)));
    gone.map(|cluster| &cluster.name).collect()
}

/// Clusters of which somebody has been heard and that are not offline.
pub(super) fn alive(snapshot: &Snapshot) -> impl Iterator<Item = &ClusterName> {
    let alive = snapshot.clusters.iter().filter(|cluster| match cluster.state {
        ClusterState::Healthy
        | ClusterState::Degraded
        | ClusterState::Isolated
        | ClusterState::Draining
        | ClusterState::Unreachable => true,
        ClusterState::Unknown | ClusterState::Offline(_) => false,
    });
    alive.map(|cluster| &cluster.name)
}

/// Whether what is published on this server crosses the link. A server of which nothing is known may have been started just now and
/// have no connection yet, while others of its cluster have theirs.
fn crosses(link: &LinkStatus, server: Option<&ServerKey>) -> bool {
    let part = server.and_then(|key| link.servers.iter().find(|part| part.server == *key));
    match part.map(|part| part.state) {
        Some(ServerLinkState::Up | ServerLinkState::Suspect) => true,
        Some(ServerLinkState::Down | ServerLinkState::Retired) => false,
        Some(ServerLinkState::Unknown) => link.state == LinkState::Unknown,
        None => matches!(link.state, LinkState::Up | LinkState::Unknown),
    }
}

/// Nothing that a server publishes reaches a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// What the knowledge rests on.
    pub(super) basis: Basis,
    /// How long messages took before.
    pub(super) latency: Duration,
}

/// Whether it is known that nothing which this server publishes reaches that cluster.
pub(super) fn cut(
    snapshot: &Snapshot,
    from: &ClusterName,
    server: Option<&ServerKey>,
    to: &ClusterName,
) -> Option<Cut> {
    let place = |link: &LinkStatus| link.link.from.cmp(from).then_with(|| link.link.to.cmp(to));
    let link = &snapshot.links[snapshot.links.binary_search_by(place).ok()?];
    let part = server.and_then(|key| link.servers.iter().find(|part| part.server == *key));
    let down = match part {
        Some(part) => part.state == ServerLinkState::Down,
        None => link.state == LinkState::Down,
    };
    let latency = part.and_then(|part| part.latency).unwrap_or_default();
    down.then(|| Cut { basis: link.basis.unwrap_or(Basis::Beats), latency })
}

/// The connections, by number, through which each of the clusters that can hear a message does, if possible once.
pub(super) fn for_all(reaches: &[Reach]) -> Vec<usize> {
    let heard = reaches.iter().flat_map(|reach| &reach.hears).collect();
    choose(reaches, &heard)
}

/// The same for some of the clusters; the others are to be spared.
pub(super) fn choose(reaches: &[Reach], wanted: &BTreeSet<&ClusterName>) -> Vec<usize> {
    let heard: BTreeSet<&ClusterName> = reaches.iter().flat_map(|reach| &reach.hears).collect();
    let numbers: BTreeMap<&ClusterName, usize> =
        heard.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let numbered = |names: &mut dyn Iterator<Item = &ClusterName>| -> Clusters {
        names.filter_map(|name| numbers.get(name).copied()).collect()
    };
    let candidates: Vec<Candidate> = reaches
        .iter()
        .map(|reach| Candidate { home: reach.voice.home, hears: numbered(&mut reach.hears.iter()) })
        .collect();
    cover::choose(&candidates, &numbered(&mut wanted.iter().copied()))
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
