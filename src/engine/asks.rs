//! What the engine asks for: looks at suspected servers, and which servers are beaten through whom.

use super::turn::Turn;
use super::world::{ClusterIx, ServerIx};
use super::{Output, Why};
use crate::model::ask::{BeatPlan, Survey, SurveyRequest, Through};
use crate::model::states::{ClusterState, ServerLinkState, ServerState, VantageState};
use crate::model::time::Mono;
use std::time::Duration;

/// A suspected server is not looked at more often than this.
const LOOK_GAP: Duration = Duration::from_millis(500);
/// How long after a loss it is looked at a second time: what servers notice at all without waiting, they have noticed by then.
const SECOND_LOOK: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// Looks at one server now. Looks at its gateways are spaced; a configuration is asked for once per life anyway.
    pub(super) fn look(&mut self, ix: ServerIx, what: Survey) {
        let server = &mut self.world.servers[ix];
        if what == Survey::Gateways {
            if server.looked.is_some_and(|last| self.now.mono.since(last) < LOOK_GAP) {
                return;
            }
            server.looked = Some(self.now.mono);
        }
        let (cluster, id) = (server.cluster, server.id.clone());
        let request = SurveyRequest {
            cluster: self.world.clusters[cluster].name.clone(),
            servers: vec![id],
            what,
            through: self.through(cluster),
        };
        self.out.push(Output::Ask(request));
    }

    /// While a link is cut, its server is looked at again: soon after the cut, then from time to time. Does it know by now?
    pub(super) fn look_again(&mut self, ix: ServerIx) {
        let server = &self.world.servers[ix];
        let cut = |state| matches!(state, ServerLinkState::Down | ServerLinkState::Suspect);
        let cuts = server.links.values().filter(|link| cut(link.held.state)).map(|link| link.held.since.mono);
        let Some(newest) = cuts.max().filter(|_| server.present()) else { return };
        if self.look_due(server.looked.unwrap_or_default(), newest) {
            self.look(ix, Survey::Gateways);
        }
    }

    fn look_due(&mut self, last: Mono, since: Mono) -> bool {
        let soon = since + SECOND_LOOK;
        let due = if last < soon { soon } else { last + self.policy.look_again };
        self.lasted(due, Duration::ZERO, Why::LookAgain)
    }

    /// A cluster that our vantage does not hear: ask it through the others, and every other cluster whether it still lists it.
    pub(super) fn look_around(&mut self, ix: ClusterIx) {
        let cluster = &self.world.clusters[ix];
        let Some(vantage) = &cluster.vantage else { return };
        let doubted = match vantage.held.state {
            VantageState::Gone | VantageState::Impaired => {
                !matches!(cluster.held.state, ClusterState::Unknown)
            }
            VantageState::Sound | VantageState::Connecting => false,
        };
        if !doubted {
            self.world.clusters[ix].looked = None;
            return;
        }
        let again =
            cluster.looked.is_none_or(|last| self.lasted(last, self.policy.look_again, Why::LookAgain));
        if !again {
            return;
        }
        self.world.clusters[ix].looked = Some(self.now.mono);
        let others = (0..self.world.clusters.len()).filter(|&other| other != ix && self.world.sound(other));
        let asked = others.map(|other| (other, Survey::Gateways, Through::Home));
        for (cluster, what, through) in asked.chain([(ix, Survey::Stats, Through::All)]).collect::<Vec<_>>() {
            let cluster = self.world.clusters[cluster].name.clone();
            self.out.push(Output::Ask(SurveyRequest { cluster, servers: Vec::new(), what, through }));
        }
    }

    pub(super) fn through(&self, cluster: ClusterIx) -> Through {
        let vantage = self.world.clusters[cluster].vantage.as_ref();
        match vantage.map(|vantage| vantage.held.state) {
            Some(VantageState::Sound) => Through::Home,
            // Connected and not yet heard from: its own questions must be asked for it to become sound.
            Some(VantageState::Connecting) if vantage.is_some_and(|vantage| vantage.connected) => {
                Through::Home
            }
            Some(VantageState::Connecting | VantageState::Impaired | VantageState::Gone) | None => {
                Through::All
            }
        }
    }

    /// Puts out a new plan for a cluster whose servers, or whose way of being asked, changed.
    pub(super) fn plan_beats(&mut self, ix: ClusterIx) {
        let through = self.through(ix);
        let cluster = &self.world.clusters[ix];
        let asked = |server: &&super::world::Server| {
            server.answers_beats() && server.held.state != ServerState::Stopped
        };
        let mut servers: Vec<_> =
            cluster.servers.iter().map(|&server| &self.world.servers[server]).filter(asked).collect();
        servers.sort_by(|a, b| a.key.cmp(&b.key));
        let servers = servers.into_iter().map(|server| server.id.clone()).collect();
        let plan = BeatPlan { cluster: cluster.name.clone(), servers, through };
        if cluster.plan.as_ref() == Some(&plan) || (cluster.plan.is_none() && plan.servers.is_empty()) {
            return;
        }
        self.world.clusters[ix].plan = Some(plan.clone());
        self.out.push(Output::Beat(plan));
    }
}
