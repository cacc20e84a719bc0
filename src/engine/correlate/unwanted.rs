//! Links that exist though gatewatch was told that they must not.

use super::Finder;
use super::draft::Draft;
use crate::engine::cause::Verdict;
use crate::engine::intent::Wanted;
use crate::engine::world::ClusterIx;
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::{Evidence, Says};
use crate::model::incident::{IncidentKind, Severity};
use crate::model::states::{LinkState, ServerLinkState};

impl Finder<'_> {
    /// One finding for each pair of clusters; a link that is not there is no finding at all.
    pub(super) fn links_unwanted(&mut self) {
        if !self.world.intent.forbids_any() {
            return;
        }
        for (a, b) in self.pairs() {
            let links: Vec<_> =
                [(a, b), (b, a)].into_iter().filter(|&(from, to)| self.unwanted(from, to)).collect();
            if links.is_empty() {
                continue;
            }
            let mut draft = Draft::new(self.world);
            for (from, to) in links {
                draft.link(from, to);
                draft.began(self.world.clusters[from].links[&to].held.since);
                draft.evidence(&self.signs(from, to));
            }
            let (subject, cause) = (self.pair(a, b), Verdict::of(Cause::proven(CauseKind::Configuration)));
            self.found.push(draft.finding(
                IncidentKind::GatewayUnwanted,
                Severity::Warning,
                subject,
                cause,
                self.now,
            ));
        }
    }

    fn unwanted(&self, from: ClusterIx, to: ClusterIx) -> bool {
        self.world.clusters[from].links.get(&to).is_some_and(|link| {
            link.wanted == Wanted::Forbidden
                && match link.held.state {
                    LinkState::Up | LinkState::Degraded { .. } => true,
                    LinkState::Unknown | LinkState::Down | LinkState::Retired => false,
                }
        })
    }

    /// That it was forbidden, and how each server showed that it is there.
    fn signs(&self, from: ClusterIx, to: ClusterIx) -> Vec<Evidence> {
        let cluster = &self.world.clusters[from];
        let forbidden = Says::Forbidden { link: self.world.link_name(from, to) };
        let mut signs = vec![Evidence { at: cluster.links[&to].held.since.wall, says: forbidden }];
        let servers = cluster.servers.iter().map(|&server| &self.world.servers[server]);
        let links = servers.filter(|server| server.present()).filter_map(|server| server.links.get(&to));
        let up = links.filter(|link| link.held.state == ServerLinkState::Up);
        signs.extend(up.flat_map(|link| link.held.evidence.iter().cloned()));
        signs
    }
}
