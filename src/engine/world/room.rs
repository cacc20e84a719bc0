//! Room in the tables: who gets in when anybody may claim anything.
//!
//! Names come from messages, and whoever may publish in the system account may make them up. So the tables are bounded, and what only
//! others speak of can fill no more than half of them: what we are connected to, or were told of by people, always finds its place.

use super::{Cluster, ClusterIx, Path, Server, ServerIx, World};
use crate::model::ids::ClusterName;
use crate::model::states::ServerState;
use crate::model::time::Now;
use std::time::Duration;

/// The most clusters that are kept.
const MAX_CLUSTERS: usize = 256;
/// The most servers that are kept.
const MAX_SERVERS: usize = 4_096;
/// The most server links that are kept; with these bounds, everything known fits into about 200 MB.
const MAX_SERVER_LINKS: usize = 65_536;

/// What was not believed or not taken in, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Clusters for which there was no room.
    pub clusters: u64,
    /// Servers for which there was no room.
    pub servers: u64,
    /// Links of servers for which there was no room.
    pub links: u64,
    /// Messages of a server under the name of another one that answers.
    pub impostors: u64,
    /// Last words in the name of servers that went on answering.
    pub false_ends: u64,
}

impl Refusals {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.clusters + self.servers + self.links + self.impostors + self.false_ends
    }
}

impl World {
    /// The cluster of this name, made if it is new. We are connected to it, or people told of it: `None` only when the table is full of
    /// such clusters.
    pub(in crate::engine) fn ensure_cluster(&mut self, name: &ClusterName, now: Now) -> Option<ClusterIx> {
        let ix = match self.cluster(name) {
            Some(ix) => ix,
            None if self.by_name.len() >= MAX_CLUSTERS => {
                self.refused.clusters += 1;
                return None;
            }
            None => self.add_cluster(name, now),
        };
        self.clusters[ix].vouched = true;
        Some(ix)
    }

    /// The cluster of this name, of which others speak, made if it is new and there is room for one more of that sort.
    pub(in crate::engine) fn claimed_cluster(&mut self, name: &ClusterName, now: Now) -> Option<ClusterIx> {
        if let Some(ix) = self.cluster(name) {
            return Some(ix);
        }
        let claimed = self.by_name.values().filter(|&&ix| !self.clusters[ix].vouched).count();
        if claimed >= MAX_CLUSTERS / 2 || self.by_name.len() >= MAX_CLUSTERS {
            self.refused.clusters += 1;
            return None;
        }
        Some(self.add_cluster(name, now))
    }

    fn add_cluster(&mut self, name: &ClusterName, now: Now) -> ClusterIx {
        self.intent.heard(name);
        let cluster = Cluster::new(name.clone(), now);
        let ix = if let Some(ix) = self.free_clusters.pop() {
            self.clusters[ix] = cluster;
            ix
        } else {
            self.clusters.push(cluster);
            self.servers.iter_mut().for_each(|server| server.paths.push(Path::default()));
            self.clusters.len() - 1
        };
        self.by_name.insert(name.clone(), ix);
        ix
    }

    /// Whether one more server of this cluster is taken in.
    pub(super) fn has_room_for_server(&self, cluster: ClusterIx) -> bool {
        let most = if self.clusters[cluster].vouched { MAX_SERVERS } else { MAX_SERVERS / 2 };
        self.by_key.len() < most
    }

    /// Notes which clusters are more than talk by now.
    pub(in crate::engine) fn prove_clusters(&mut self) {
        let talk: Vec<_> = self.by_name.values().copied().filter(|&ix| !self.clusters[ix].proven).collect();
        for ix in talk {
            let linked = |from: &Cluster| from.vouched && from.links.get(&ix).is_some_and(|link| link.was_up);
            let cluster = &self.clusters[ix];
            self.clusters[ix].proven =
                cluster.vouched || cluster.answered.is_some() || self.clusters.iter().any(linked);
        }
    }

    /// Gives a server its place.
    pub(super) fn place_server(&mut self, server: Server) -> ServerIx {
        let (key, id, cluster) = (server.key.clone(), server.id.clone(), server.cluster);
        let ix = if let Some(ix) = self.free_servers.pop() {
            self.servers[ix] = server;
            ix
        } else {
            self.servers.push(server);
            self.servers.len() - 1
        };
        self.by_key.insert(key, ix);
        self.by_id.insert(id, ix);
        self.clusters[cluster].servers.push(ix);
        ix
    }

    /// Whether a link of a server that it or others speak of is taken in.
    pub(in crate::engine) fn has_room_for_link(&mut self, server: ServerIx, to: ClusterIx) -> bool {
        let room = self.may_link(server, to);
        self.refused.links += u64::from(!room);
        room
    }

    /// Whether a link of a server is known or may become so.
    pub(in crate::engine) fn may_link(&self, server: ServerIx, to: ClusterIx) -> bool {
        self.server_links < MAX_SERVER_LINKS || self.servers[server].links.contains_key(&to)
    }

    /// Whether the present life of a server has answered a beat within this span.
    pub(super) fn answers(&self, ix: ServerIx, within: Duration, now: Now) -> bool {
        let server = &self.servers[ix];
        server.held.state == ServerState::Live
            && server.answered.is_some_and(|at| now.mono.since(at) < within)
    }
}
