//! What has been gone for so long that nobody waits for it any more, and what never proved that it is there.
//!
//! Servers come back under new names where nobody names them, and names may be made up: without this the tables would only grow. A
//! server that stopped is remembered for a while, one that was lost for long enough that people see it; a cluster is only forgotten by
//! itself when it was never more than talk.

use super::turn::Turn;
use super::world::{ClusterIx, ServerIx};
use crate::model::evidence::Says;
use crate::model::ids::ServerKey;
use crate::model::states::ServerState;
use crate::model::time::Mono;
use std::time::Duration;

/// How often it is looked for. Nothing is woken for it.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How many servers of a cluster that are gone are remembered at most; beyond, those that have been gone for longest are forgotten
/// sooner, those that stopped before those that were lost.
const MAX_GONE: usize = 64;
/// How long a server that never proved to be there is remembered.
const UNPROVEN_FOR: Duration = Duration::from_secs(60);

impl Turn<'_> {
    /// Takes out what has been gone for long. Returns the servers that are given up, with how long they were silent.
    pub(super) fn age(&mut self) -> Vec<(ServerKey, Duration)> {
        if self.world.aged.is_some_and(|last| self.now.mono.since(last) < LOOK_EVERY) {
            return Vec::new();
        }
        self.world.aged = Some(self.now.mono);
        let clusters: Vec<_> = self.world.clusters_by_name().collect();
        let mut given_up = Vec::new();
        for ix in clusters {
            for server in self.gone_for_long(ix) {
                given_up.push(self.give_up(server));
            }
            self.drop_mere_talk(ix);
        }
        given_up
    }

    /// Servers of a cluster that nobody waits for any more. Of a cluster none of whose servers is there, all are waited for.
    fn gone_for_long(&self, ix: ClusterIx) -> Vec<ServerIx> {
        if !self.any_present(ix) {
            return Vec::new();
        }
        let mut gone: Vec<(bool, Mono, ServerIx)> = Vec::new();
        let mut over = Vec::new();
        for &at in &self.world.clusters[ix].servers {
            let server = &self.world.servers[at];
            let since = server.held.since.mono;
            let for_long = |span| self.now.mono.since(since) >= span;
            match server.held.state {
                ServerState::Live | ServerState::Leaving => {}
                ServerState::Unknown if server.unproven && for_long(UNPROVEN_FOR) => over.push(at),
                ServerState::Unknown => {}
                ServerState::Stopped if for_long(self.policy.forget_stopped) => over.push(at),
                ServerState::Lost if for_long(self.policy.forget_lost) => over.push(at),
                state @ (ServerState::Stopped | ServerState::Lost) => {
                    gone.push((state == ServerState::Lost, since, at));
                }
            }
        }
        gone.sort_unstable();
        let surplus = gone.len().saturating_sub(MAX_GONE);
        over.extend(gone.into_iter().take(surplus).map(|(_, _, at)| at));
        over
    }

    fn give_up(&mut self, ix: ServerIx) -> (ServerKey, Duration) {
        let server = &self.world.servers[ix];
        let (key, since) = (server.key.clone(), server.heard_at.unwrap_or(server.held.since.mono));
        let silent_for = self.now.mono.since(since);
        let evidence = vec![self.evidence(Says::NoReports { server: key.clone(), silent_for })];
        self.retire_outbounds(ix);
        self.set_server(ix, ServerState::Unknown, evidence);
        self.world.remove_server(ix);
        (key, silent_for)
    }

    /// Takes a cluster out of which only others have spoken, and for long no server of it: nothing that anybody vouches for leads there.
    fn drop_mere_talk(&mut self, ix: ClusterIx) {
        let cluster = &self.world.clusters[ix];
        let heard = cluster.servers.iter().filter_map(|&server| self.world.servers[server].heard_at).max();
        let silent_for = self.now.mono.since(heard.unwrap_or_default().max(cluster.named));
        let linked = |&(from, _): &(ClusterIx, ClusterIx)| self.world.clusters[from].vouched;
        if cluster.vouched
            || cluster.vantage.is_some()
            || silent_for < self.policy.forget_stopped
            || self.world.links_touching(ix).iter().any(linked)
        {
            return;
        }
        self.drop_cluster(ix, Vec::new());
    }
}
