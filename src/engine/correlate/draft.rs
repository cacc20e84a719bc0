//! What a finding touches, collected piece by piece.

use super::{Cut, Finding};
use crate::engine::cause::Verdict;
use crate::engine::world::{ClusterIx, Outbound, Server, ServerIx, World};
use crate::model::evidence::Evidence;
use crate::model::incident::{IncidentKind, Scope, ServerView, Severity, Subject};
use crate::model::states::{Basis, LinkState};
use crate::model::time::Now;
use std::time::Duration;

/// The longest it takes a server to notice a silent gateway: a PING every 15 s, two unanswered (measured: 31 to 42 s).
const SERVERS_NOTICE_WITHIN: Duration = Duration::from_secs(45);
/// How much evidence one finding carries.
const MAX_EVIDENCE: usize = 24;

/// Collects what a finding touches.
pub(super) struct Draft<'a> {
    world: &'a World,
    scope: Scope,
    view: ServerView,
    since: Option<Now>,
    rate: Option<(f64, f64)>,
    /// The weakest basis of what is cut.
    basis: Option<Basis>,
    evidence: Vec<Evidence>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let (scope, view) = (Scope::default(), ServerView::default());
        Self { world, scope, view, since: None, rate: None, basis: None, evidence: Vec::new() }
    }

    pub(super) fn began(&mut self, since: Now) {
        if self.since.is_none_or(|before| since.mono < before.mono) {
            self.since = Some(since);
        }
    }

    pub(super) fn evidence(&mut self, more: &[Evidence]) {
        for one in more {
            if self.evidence.len() < MAX_EVIDENCE && !self.evidence.contains(one) {
                self.evidence.push(one.clone());
            }
        }
    }

    pub(super) fn cluster(&mut self, ix: ClusterIx) {
        self.scope.clusters.push(self.world.clusters[ix].name.clone());
    }

    pub(super) fn server(&mut self, ix: ServerIx) {
        let server: &Server = &self.world.servers[ix];
        self.scope.servers.push(server.key.clone());
        self.evidence(&server.held.evidence);
    }

    pub(super) fn link(&mut self, from: ClusterIx, to: ClusterIx) {
        self.scope.links.push(self.world.link_name(from, to));
    }

    pub(super) fn links_touching(&mut self, ix: ClusterIx) {
        let known = |from: ClusterIx, to: ClusterIx| {
            self.world.clusters[from].links.get(&to).is_some_and(|link| link.held.state != LinkState::Retired)
        };
        let others = (0..self.world.clusters.len()).filter(|&other| other != ix);
        let links: Vec<_> = others
            .flat_map(|other| [(ix, other), (other, ix)])
            .filter(|&(from, to)| known(from, to))
            .collect();
        for (from, to) in links {
            self.link(from, to);
        }
    }

    /// What the servers say of these links, without making each of them part of the scope.
    pub(super) fn views(&mut self, cuts: &[Cut]) {
        for &(server, to) in cuts {
            let server = &self.world.servers[server];
            if let Some(listed) = server.links[&to].listed {
                let side = if listed.up { &mut self.view.still_listed } else { &mut self.view.known_gone };
                side.push(server.server_link(&self.world.clusters[to].name));
            }
        }
    }

    pub(super) fn cuts(&mut self, cuts: &[Cut]) {
        self.views(cuts);
        for &(server, to) in cuts {
            let link: &Outbound = &self.world.servers[server].links[&to];
            let name = self.world.servers[server].server_link(&self.world.clusters[to].name);
            self.began(link.held.since);
            self.basis = self.basis.max(Some(link.basis));
            self.evidence(&link.held.evidence);
            if let Some((messages, bytes)) = link.traffic.rate {
                let (m, b) = self.rate.unwrap_or_default();
                self.rate = Some((m + messages, b + bytes));
            }
            self.scope.server_links.push(name);
        }
    }

    pub(super) fn finding(
        mut self,
        kind: IncidentKind,
        severity: Severity,
        subject: Subject,
        verdict: Verdict,
        now: Now,
    ) -> Finding {
        let Verdict { cause, evidence } = verdict;
        let basis = self.basis;
        self.evidence.extend(evidence);
        self.scope.clusters.sort();
        self.scope.links.sort();
        self.scope.server_links.sort();
        self.scope.servers.sort();
        self.view.still_listed.sort();
        self.view.known_gone.sort();
        let since = self.since.unwrap_or(now);
        if !self.view.still_listed.is_empty() {
            self.view.notice_by = Some(since.wall + SERVERS_NOTICE_WITHIN);
        }
        let Self { scope, view, rate, evidence, .. } = self;
        Finding {
            kind,
            severity,
            subject,
            departure: None,
            scope,
            since,
            cause,
            view,
            rate,
            basis,
            evidence,
            flaps: None,
        }
    }
}
