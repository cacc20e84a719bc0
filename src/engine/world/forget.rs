//! Taking things out of the world.
//!
//! What is taken out leaves an empty place behind, without a name, links or servers, which no loop finds anything in, and which is used
//! anew later. So a place must be taken out wherever it is held: that is in this file and in the damping of flaps, and nowhere else
//! from one turn to the next.

use super::{Cluster, ClusterIx, Path, ServerIx, World};
use crate::engine::intent::Intent;
use crate::engine::policy::Policy;
use crate::model::time::Now;

impl World {
    /// A world of which nothing is known but what is wanted of it.
    pub(in crate::engine) fn new(policy: &Policy) -> Self {
        Self { intent: Intent::new(policy), ..Self::default() }
    }

    /// Every known link from or to a cluster.
    pub(in crate::engine) fn links_touching(&self, ix: ClusterIx) -> Vec<(ClusterIx, ClusterIx)> {
        let from = self.clusters[ix].links.keys().map(|&to| (ix, to));
        let to = self.clusters_by_name().filter(|&other| self.clusters[other].links.contains_key(&ix));
        from.chain(to.map(|other| (other, ix))).collect()
    }

    /// Takes a cluster out, with its servers and every link from and to it. It is taken in again once it is heard.
    pub(in crate::engine) fn remove_cluster(&mut self, ix: ClusterIx, now: Now) {
        for server in self.clusters[ix].servers.clone() {
            self.remove_server(server);
        }
        for cluster in &mut self.clusters {
            cluster.links.remove(&ix);
            cluster.refused.remove(&Some(ix));
        }
        for server in &mut self.servers {
            self.server_links -= usize::from(server.links.remove(&ix).is_some());
            server.paths[ix] = Path::default();
        }
        self.damping.forget_cluster(ix);
        let name = self.clusters[ix].name.clone();
        self.clusters[ix] = Cluster::new(name.clone(), now);
        self.by_name.remove(&name);
        self.free_clusters.push(ix);
    }

    /// Takes a server out, with its links.
    pub(in crate::engine) fn remove_server(&mut self, ix: ServerIx) {
        self.damping.forget_server(ix);
        let server = &mut self.servers[ix];
        self.streams.forget(&server.key);
        self.server_links -= server.links.len();
        server.links.clear();
        self.by_key.remove(&server.key);
        self.by_id.remove(&server.id);
        for id in server.former.drain(..) {
            self.by_id.remove(&id);
        }
        self.clusters[server.cluster].servers.retain(|&other| other != ix);
        self.free_servers.push(ix);
    }
}
