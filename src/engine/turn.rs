//! One turn of the engine: the world it works on, the time it was given, what it puts out and when it wants to be woken.

use super::policy::Policy;
use super::world::{ClusterIx, Held, ServerIx, World};
use super::{Deadline, Output, Why};
use crate::model::evidence::{Evidence, Says};
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::time::{Mono, Now};
use crate::model::transition::{Change, Transition};
use std::time::Duration;

/// The state of one call of [`super::Engine::handle`]; its rules are spread over the files of this module.
pub(super) struct Turn<'a> {
    pub(super) policy: &'a Policy,
    pub(super) world: &'a mut World,
    pub(super) now: Now,
    pub(super) out: &'a mut Vec<Output>,
    pub(super) wake: &'a mut Option<Deadline>,
}

impl Turn<'_> {
    /// Asks to be woken at `at`, unless something is due earlier.
    pub(super) fn wake_at(&mut self, at: Mono, why: Why) {
        if self.wake.as_ref().is_none_or(|due| at < due.at) {
            *self.wake = Some(Deadline { at, why });
        }
    }

    /// Whether `span` has passed since `start`; if not, asks to be woken when it has.
    pub(super) fn lasted(&mut self, start: Mono, span: Duration, why: Why) -> bool {
        let due = start + span;
        if self.now.mono >= due {
            return true;
        }
        self.wake_at(due, why);
        false
    }

    pub(super) fn evidence(&self, says: Says) -> Evidence {
        Evidence { at: self.now.wall, says }
    }

    pub(super) fn set_vantage(&mut self, cluster: ClusterIx, to: VantageState, evidence: Vec<Evidence>) {
        let name = self.world.clusters[cluster].name.clone();
        let Some(vantage) = &mut self.world.clusters[cluster].vantage else { return };
        if let Some(from) = enter(&mut vantage.held, to, self.now, &evidence) {
            self.emit(Change::Vantage { cluster: name, from, to }, None, evidence);
        }
    }

    pub(super) fn set_server(&mut self, ix: ServerIx, to: ServerState, evidence: Vec<Evidence>) {
        let server = &mut self.world.servers[ix];
        let (key, id) = (server.key.clone(), server.id.clone());
        if let Some(from) = enter(&mut server.held, to, self.now, &evidence) {
            self.emit(Change::Server { server: key, id, from, to }, None, evidence);
        }
    }

    pub(super) fn set_outbound(
        &mut self,
        ix: ServerIx,
        remote: ClusterIx,
        to: ServerLinkState,
        basis: Basis,
        evidence: Vec<Evidence>,
    ) {
        let name = self.world.servers[ix].server_link(&self.world.clusters[remote].name);
        let Some(link) = self.world.servers[ix].links.get_mut(&remote) else { return };
        link.basis = basis;
        if to == ServerLinkState::Up {
            link.seen = true;
            link.denied = false;
            link.half_open = None;
            if basis == Basis::Beats {
                self.world.was_up(ix, remote);
            }
        }
        let Some(link) = self.world.servers[ix].links.get_mut(&remote) else { return };
        if let Some(from) = enter(&mut link.held, to, self.now, &evidence) {
            self.link_turns((ix, remote), from, to, &evidence);
            self.emit(Change::ServerLink { link: name, from, to }, Some(basis), evidence);
        }
    }

    pub(super) fn set_link(
        &mut self,
        from: ClusterIx,
        to: ClusterIx,
        state: LinkState,
        basis: Option<Basis>,
    ) {
        let link = self.world.link_name(from, to);
        let held = &mut self.world.ensure_link(from, to, self.now).held;
        if let Some(before) = enter(held, state, self.now, &[]) {
            self.emit(Change::Link { link, from: before, to: state }, basis, Vec::new());
        }
    }

    pub(super) fn set_cluster(&mut self, ix: ClusterIx, to: ClusterState, evidence: Vec<Evidence>) {
        let cluster = &mut self.world.clusters[ix];
        let name = cluster.name.clone();
        if let Some(from) = enter(&mut cluster.held, to, self.now, &evidence) {
            self.emit(Change::Cluster { cluster: name, from, to }, None, evidence);
        }
    }

    pub(super) fn emit(&mut self, change: Change, basis: Option<Basis>, evidence: Vec<Evidence>) {
        self.out.push(Output::Transition(Transition { at: self.now, change, basis, evidence }));
    }
}

/// Enters a state; returns the one before, or `None` when nothing changed.
fn enter<S: PartialEq + Copy>(held: &mut Held<S>, to: S, now: Now, evidence: &[Evidence]) -> Option<S> {
    if held.state == to {
        return None;
    }
    let from = held.state;
    *held = Held { state: to, since: now, evidence: evidence.to_vec() };
    Some(from)
}
