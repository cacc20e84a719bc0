//! Our own connections: sound, impaired, gone. Losing our own view is never evidence about theirs.

use super::Why;
use super::turn::Turn;
use super::world::{ClusterIx, Held, Vantage};
use crate::model::evidence::Says;
use crate::model::observation::{Disconnect, Stall, VantageChange, VantageEvent};
use crate::model::states::VantageState;
use crate::model::time::Mono;

impl Turn<'_> {
    /// Takes a change of one of our connections in.
    pub(super) fn vantage_changed(&mut self, change: &VantageChange) {
        let known = match &change.what {
            VantageEvent::Connected { .. } => self.world.ensure_cluster(&change.cluster, self.now),
            VantageEvent::Dialling
            | VantageEvent::Disconnected(_)
            | VantageEvent::Dropped
            | VantageEvent::BeatsOff => self.world.ensure_named(&change.cluster, self.now),
        };
        let Some(ix) = known else { return };
        let fresh = Vantage {
            held: Held::new(VantageState::Connecting, self.now),
            connected: false,
            why: None,
            void_before: Mono::default(),
            settled: Mono::default(),
            alive_through: None,
        };
        let settle = self.policy.settle;
        let vantage = self.world.clusters[ix].vantage.get_or_insert(fresh);
        match &change.what {
            VantageEvent::Dialling => {}
            VantageEvent::Connected { .. } => {
                vantage.connected = true;
                vantage.why = None;
                vantage.void_before = vantage.void_before.max(change.at);
                vantage.settled = change.at + settle;
                vantage.alive_through = None;
                if !self.watched_by_beats(ix) {
                    self.set_vantage(ix, VantageState::Sound, Vec::new());
                }
            }
            VantageEvent::Disconnected(why) => self.vantage_disconnected(ix, *why),
            VantageEvent::Dropped => vantage.void_before = vantage.void_before.max(change.at),
            VantageEvent::BeatsOff => self.beats_off(ix, change.at),
        }
    }

    /// Our user may not ask this cluster's servers: silence between beats means nothing any more.
    fn beats_off(&mut self, ix: ClusterIx, at: Mono) {
        let cluster = &mut self.world.clusters[ix];
        cluster.rounds.stop();
        let Some(vantage) = &mut cluster.vantage else { return };
        vantage.void_before = vantage.void_before.max(at);
        if vantage.connected && vantage.held.state != VantageState::Sound {
            self.set_vantage(ix, VantageState::Sound, Vec::new());
        }
    }

    fn vantage_disconnected(&mut self, ix: ClusterIx, why: Disconnect) {
        let cluster = &mut self.world.clusters[ix];
        let name = cluster.name.clone();
        let Some(vantage) = &mut cluster.vantage else { return };
        vantage.connected = false;
        vantage.why = Some(why);
        let evidence = vec![self.evidence(Says::VantageDisconnected { cluster: name, why })];
        self.set_vantage(ix, VantageState::Gone, evidence);
    }

    /// This process did not run: whatever was asked before the end of that span proves nothing.
    pub(super) fn stalled(&mut self, stall: &Stall) {
        for cluster in &mut self.world.clusters {
            cluster.rounds.forget();
            if let Some(vantage) = &mut cluster.vantage {
                vantage.void_before = vantage.void_before.max(stall.to);
            }
        }
    }

    /// The vantage heard its own cluster answer a round asked at `asked`. Returns whether that changed its state.
    pub(super) fn heard_own(&mut self, ix: ClusterIx, asked: Mono) -> bool {
        let Some(vantage) = &mut self.world.clusters[ix].vantage else { return false };
        vantage.alive_through = vantage.alive_through.max(Some(asked));
        if !vantage.connected || vantage.held.state == VantageState::Sound {
            return false;
        }
        self.set_vantage(ix, VantageState::Sound, Vec::new());
        true
    }

    /// Judges a connected vantage: it is impaired when several rounds asked of its own cluster brought no answer at all.
    pub(super) fn judge_vantage(&mut self, ix: ClusterIx) {
        let cluster = &self.world.clusters[ix];
        let Some(vantage) = &cluster.vantage else { return };
        match vantage.held.state {
            VantageState::Sound => {}
            VantageState::Connecting if vantage.connected => {}
            VantageState::Connecting => return self.judge_dialling(ix),
            VantageState::Impaired | VantageState::Gone => return,
        }
        if !self.watched_by_beats(ix) {
            return;
        }
        let from = vantage.alive_through.map_or(vantage.void_before, |heard| heard.max(vantage.void_before));
        let allowed = self.slowest_own_path(ix);
        let mut missed = 0;
        let mut next = None;
        for round in self.world.clusters[ix].rounds.after(None).filter(|round| round.at > from) {
            let due = round.at + allowed;
            if due > self.now.mono {
                next = Some(due);
                break;
            }
            missed += 1;
        }
        if missed >= self.policy.confirm_beats {
            let name = self.world.clusters[ix].name.clone();
            let evidence = vec![self.evidence(Says::VantageDeaf { cluster: name })];
            self.set_vantage(ix, VantageState::Impaired, evidence);
        } else if let Some(due) = next {
            self.wake_at(due, Why::BeatDue);
        }
    }

    fn judge_dialling(&mut self, ix: ClusterIx) {
        let Some(vantage) = &self.world.clusters[ix].vantage else { return };
        let since = vantage.held.since.mono;
        if self.lasted(since, self.policy.join_grace, Why::JoinGrace) {
            let name = self.world.clusters[ix].name.clone();
            let evidence =
                vec![self.evidence(Says::VantageDisconnected { cluster: name, why: Disconnect::TimedOut })];
            self.set_vantage(ix, VantageState::Gone, evidence);
        }
    }

    /// Whether the cluster has a present server that is watched by beats.
    pub(super) fn watched_by_beats(&self, ix: ClusterIx) -> bool {
        self.world.clusters[ix]
            .servers
            .iter()
            .any(|&server| self.world.servers[server].present() && self.by_beats(server))
    }

    fn slowest_own_path(&self, ix: ClusterIx) -> std::time::Duration {
        let (slack, ceiling) = (self.policy.latency_slack, self.policy.latency_ceiling);
        let servers = self.world.clusters[ix].servers.iter().map(|&server| &self.world.servers[server]);
        let present = servers.filter(|server| server.present() && server.answers_beats());
        present.map(|server| server.paths[ix].latency.allowed(slack, ceiling)).max().unwrap_or(slack)
    }
}
