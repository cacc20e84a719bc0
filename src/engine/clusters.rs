//! Clusters: healthy, degraded, isolated, draining, offline - or unreachable, when we cannot tell.

use super::Why;
use super::turn::Turn;
use super::world::ClusterIx;
use crate::model::ask::Through;
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::ClusterName;
use crate::model::observation::Disconnect;
use crate::model::states::{ClusterState, Departure, LinkState, ServerState, VantageState};
use crate::model::time::Mono;

/// What can be heard of a cluster whose own vantage is not sound.
enum Word {
    /// Somebody was heard lately.
    Heard,
    /// Not enough has been asked to tell.
    Pending,
    /// Nobody answers, and enough independent ways were tried to say that they are gone.
    Gone(Vec<Evidence>),
    /// Nobody answers, but too few ways were tried.
    Unheard,
}

impl Turn<'_> {
    /// Judges one cluster from its servers, links and what our vantages hear of it.
    pub(super) fn judge_cluster(&mut self, ix: ClusterIx) {
        let cluster = &self.world.clusters[ix];
        if cluster.servers.is_empty() || !cluster.proven {
            return;
        }
        let was_offline = matches!(cluster.held.state, ClusterState::Offline(_));
        if self.all_left(ix) {
            // What crashed stays crashed when its silence is later noted server by server.
            if !was_offline {
                let evidence = self.departures(ix);
                self.set_cluster(ix, ClusterState::Offline(Departure::Planned), evidence);
            }
            return;
        }
        if !self.any_present(ix) {
            if !was_offline && cluster_has(self, ix, ServerState::Lost) {
                let evidence = self.departures(ix);
                self.set_cluster(ix, ClusterState::Offline(Departure::Crash), evidence);
            }
            return;
        }
        if !self.world.sound(ix) {
            match self.word_of(ix) {
                Word::Heard => {}
                Word::Pending => return,
                Word::Gone(evidence) => return self.gone(ix, evidence),
                Word::Unheard => return self.set_cluster(ix, ClusterState::Unreachable, Vec::new()),
            }
        }
        let state = self.state_of_present(ix);
        self.set_cluster(ix, state, Vec::new());
    }

    fn all_left(&self, ix: ClusterIx) -> bool {
        let servers =
            self.world.clusters[ix].servers.iter().map(|&server| self.world.servers[server].held.state);
        let mut stopped = 0;
        for state in servers {
            match state {
                ServerState::Stopped => stopped += 1,
                ServerState::Unknown => {}
                ServerState::Live | ServerState::Leaving | ServerState::Lost => return false,
            }
        }
        stopped > 0
    }

    fn departures(&self, ix: ClusterIx) -> Vec<Evidence> {
        let servers = self.world.clusters[ix].servers.iter().map(|&server| &self.world.servers[server]);
        servers.flat_map(|server| server.held.evidence.iter().cloned()).collect()
    }

    /// Whoever was in lame duck mode has left as announced, though its last word was not heard.
    fn gone(&mut self, ix: ClusterIx, mut evidence: Vec<Evidence>) {
        let crashed = cluster_has(self, ix, ServerState::Live) || cluster_has(self, ix, ServerState::Lost);
        let departure = if crashed { Departure::Crash } else { Departure::Planned };
        if !crashed {
            evidence.splice(0..0, self.departures(ix));
        }
        for server in self.world.clusters[ix].servers.clone() {
            let state = match self.world.servers[server].held.state {
                ServerState::Live => ServerState::Lost,
                ServerState::Leaving => ServerState::Stopped,
                ServerState::Unknown | ServerState::Stopped | ServerState::Lost => continue,
            };
            self.set_server(server, state, evidence.clone());
            self.retire_outbounds(server);
        }
        self.set_cluster(ix, ClusterState::Offline(departure), evidence);
    }

    /// What the other vantages hear of a cluster in which we have no sound one.
    fn word_of(&mut self, ix: ClusterIx) -> Word {
        let listeners: Vec<ClusterIx> =
            (0..self.world.clusters.len()).filter(|&at| at != ix && self.world.sound(at)).collect();
        let connected = self.world.clusters[ix].vantage.as_ref().is_some_and(|vantage| vantage.connected);
        if connected && self.vantage_state(ix) != Some(VantageState::Impaired) {
            return Word::Pending;
        }
        if listeners.is_empty() {
            return self.word_of_nobody();
        }
        if self.world.clusters[ix].rounds.begun() {
            self.word_by_beats(ix, &listeners)
        } else {
            self.word_by_reports(ix, &listeners)
        }
    }

    /// We are blind everywhere. Once that is more than a connection made anew, nothing is known any more.
    fn word_of_nobody(&mut self) -> Word {
        let vantages = self.world.clusters.iter().filter_map(|cluster| cluster.vantage.as_ref());
        let blind_since = vantages.map(|vantage| vantage.held.since.mono).max();
        let lasted = blind_since.is_some_and(|since| self.lasted(since, self.policy.settle, Why::JoinGrace));
        if lasted { Word::Unheard } else { Word::Pending }
    }

    fn vantage_state(&self, ix: ClusterIx) -> Option<VantageState> {
        self.world.clusters[ix].vantage.as_ref().map(|vantage| vantage.held.state)
    }

    /// Its servers are asked through every other vantage. Those questions cross gateways, so one silent listener may itself be
    /// cut off: two must agree, or the cluster's hosts must refuse our connection, which they do when nothing runs on them.
    fn word_by_beats(&mut self, ix: ClusterIx, listeners: &[ClusterIx]) -> Word {
        let cluster = &self.world.clusters[ix];
        let present = cluster
            .servers
            .iter()
            .map(|&server| &self.world.servers[server])
            .filter(|server| server.present());
        let newest = present.clone().filter_map(|server| server.heard.newest()).max();
        let spoke = present.clone().filter_map(|server| server.heard_at).max();
        let allowed = self.policy.latency_slack
            + present
                .flat_map(|server| {
                    listeners.iter().map(|&at| server.paths[at].latency.smoothed().unwrap_or_default())
                })
                .max()
                .unwrap_or_default()
                * 2;
        let (mut missed, mut unanswered, mut next) = (0, Vec::new(), None::<Mono>);
        let unheard = cluster
            .rounds
            .after(newest)
            .filter(|round| round.through == Through::All && Some(round.at) > spoke);
        for round in unheard {
            let due = round.at + allowed.min(self.policy.latency_ceiling);
            if due > self.now.mono {
                next = Some(due);
                break;
            }
            let deaf = self.hearing_since(listeners, round.at);
            if deaf.is_empty() {
                next = Some(self.now.mono + self.policy.beat_period);
                break;
            }
            missed += 1;
            unanswered = deaf;
        }
        if missed < self.policy.confirm_beats {
            if let Some(due) = next {
                self.wake_at(due, Why::BeatDue);
            }
            let vantage_since = cluster_vantage_since(&self.world.clusters[ix]);
            return if spoke > vantage_since { Word::Heard } else { Word::Pending };
        }
        self.silence(ix, &unanswered)
    }

    fn hearing_since(&self, listeners: &[ClusterIx], asked: Mono) -> Vec<ClusterIx> {
        let hears = |at: &ClusterIx| {
            self.world.clusters[*at].vantage.as_ref().is_some_and(|ears| {
                ears.alive_through >= Some(asked) && ears.void_before.max(ears.settled) <= asked
            })
        };
        listeners.iter().copied().filter(hears).collect()
    }

    fn silence(&self, ix: ClusterIx, unheard_by: &[ClusterIx]) -> Word {
        let cluster = &self.world.clusters[ix];
        let why = cluster.vantage.as_ref().and_then(|vantage| vantage.why);
        if unheard_by.len() < 2 && why != Some(Disconnect::Refused) {
            return Word::Unheard;
        }
        let mut unheard_by: Vec<ClusterName> =
            unheard_by.iter().map(|&at| self.world.clusters[at].name.clone()).collect();
        unheard_by.sort();
        let mut evidence =
            vec![self.evidence(Says::ClusterSilent { cluster: cluster.name.clone(), unheard_by })];
        if let Some(why) = why {
            evidence.push(self.evidence(Says::VantageDisconnected { cluster: cluster.name.clone(), why }));
        }
        Word::Gone(evidence)
    }

    /// Without beats: no report of any of its servers since our connection went, and every listener's servers say that their
    /// links to it are gone.
    fn word_by_reports(&mut self, ix: ClusterIx, listeners: &[ClusterIx]) -> Word {
        let Some(vantage) = &self.world.clusters[ix].vantage else { return Word::Heard };
        let gone_since = vantage.held.since.mono;
        if vantage.connected {
            return Word::Pending;
        }
        let servers = self.world.clusters[ix].servers.iter().map(|&server| &self.world.servers[server]);
        let present = servers.filter(|server| server.present());
        let last = present.filter_map(|server| server.reports.last).max();
        let start = last.unwrap_or_default().max(gone_since);
        if !self.lasted(start, self.policy.report_silence, Why::ReportSilence) {
            return Word::Heard;
        }
        let witnesses: Vec<ClusterIx> =
            listeners.iter().copied().filter(|&at| self.all_unlisted(at, ix)).collect();
        if witnesses.len() == listeners.len() { self.silence(ix, &witnesses) } else { Word::Unheard }
    }

    fn all_unlisted(&self, from: ClusterIx, to: ClusterIx) -> bool {
        let servers = self.world.clusters[from].servers.iter().map(|&server| &self.world.servers[server]);
        let mut said = servers
            .filter(|server| server.present())
            .filter_map(|server| server.links.get(&to)?.listed)
            .peekable();
        said.peek().is_some() && said.all(|listed| !listed.up)
    }

    fn state_of_present(&self, ix: ClusterIx) -> ClusterState {
        let cluster = &self.world.clusters[ix];
        let servers = cluster.servers.iter().map(|&server| self.world.servers[server].held.state);
        let (mut live, mut leaving, mut lost) = (0, 0, 0);
        for state in servers {
            match state {
                ServerState::Live => live += 1,
                ServerState::Leaving => leaving += 1,
                ServerState::Lost => lost += 1,
                ServerState::Unknown | ServerState::Stopped => {}
            }
        }
        if live == 0 && leaving > 0 {
            return ClusterState::Draining;
        }
        let (mut cut, mut others, mut any_cut) = (0, 0, false);
        for other in (0..self.world.clusters.len()).filter(|&other| other != ix) {
            let (out, back) =
                (self.world.clusters[ix].links.get(&other), self.world.clusters[other].links.get(&ix));
            // A direction that nobody expects is as good as retired; one that is not known yet is not known to be cut.
            let states = [out, back].map(|link| link.map_or(LinkState::Retired, |link| link.held.state));
            any_cut |= !self.world.clusters[other].servers.is_empty()
                && states.iter().any(|state| matches!(state, LinkState::Down | LinkState::Degraded { .. }));
            if !self.any_present(other)
                || states.iter().all(|state| matches!(state, LinkState::Unknown | LinkState::Retired))
            {
                continue;
            }
            others += 1;
            let dead = |state: &LinkState| matches!(state, LinkState::Down | LinkState::Retired);
            cut += usize::from(states.iter().all(dead));
        }
        match () {
            () if others >= 2 && cut == others => ClusterState::Isolated,
            () if any_cut || lost > 0 => ClusterState::Degraded,
            () => ClusterState::Healthy,
        }
    }
}

/// Since when our own vantage there is not sound; `None` when we have none.
fn cluster_vantage_since(cluster: &super::world::Cluster) -> Option<Mono> {
    cluster.vantage.as_ref().map(|vantage| vantage.held.since.mono)
}

fn cluster_has(turn: &Turn<'_>, ix: ClusterIx, state: ServerState) -> bool {
    turn.world.clusters[ix].servers.iter().any(|&server| turn.world.servers[server].held.state == state)
}
