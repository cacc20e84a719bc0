//! Servers: live, leaving, stopped, lost. Silence counts only where somebody else was heard at the same time.

use super::Why;
use super::turn::Turn;
use super::world::{Chase, ClusterIx, ServerIx};
use crate::model::ask::{Survey, Through};
use crate::model::evidence::Says;
use crate::model::states::{Basis, ServerLinkState, ServerState};
use crate::model::time::Mono;
use std::time::Duration;

/// Servers report unasked every 10 s. Answers to surveys come oftener, but say nothing of when the next report is due.
const STATS_EVERY: Duration = Duration::from_secs(10);
/// So much later than that a report is late.
const LATE: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// Whether this server is watched by beats: it can answer them and its cluster has been asked for some.
    pub(super) fn by_beats(&self, ix: ServerIx) -> bool {
        let server = &self.world.servers[ix];
        server.answers_beats() && self.world.clusters[server.cluster].rounds.begun()
    }

    /// Judges whether a server has fallen silent.
    pub(super) fn judge_server(&mut self, ix: ServerIx) {
        match self.world.servers[ix].held.state {
            ServerState::Live | ServerState::Leaving => {}
            ServerState::Unknown => {
                if self.is_unproven(ix) {
                    self.judge_unproven(ix);
                }
                return;
            }
            ServerState::Stopped | ServerState::Lost => return,
        }
        let silent = if self.by_beats(ix) { self.silent_to_beats(ix) } else { self.silent_in_reports(ix) };
        if let Some(says) = silent {
            let evidence = vec![self.evidence(says)];
            // In lame duck mode silence is what was announced.
            let leaving = self.world.servers[ix].held.state == ServerState::Leaving;
            self.set_server(ix, if leaving { ServerState::Stopped } else { ServerState::Lost }, evidence);
            self.retire_outbounds(ix);
        }
    }

    /// Missed enough beats in a row that its own cluster's vantage asked, while that vantage heard others of the cluster?
    fn silent_to_beats(&mut self, ix: ServerIx) -> Option<Says> {
        let server = &self.world.servers[ix];
        // Never heard in this life: it may still be starting, or not be there at all.
        let Some(last) = server.heard.newest() else {
            self.judge_unproven(ix);
            return None;
        };
        let home = server.cluster;
        if !self.world.sound(home) {
            return None;
        }
        let (missed, next) = self.overdue(ix, home, home, last);
        if missed >= self.policy.confirm_beats {
            return Some(Says::Silent { server: self.world.servers[ix].key.clone(), missed });
        }
        if let Some(due) = next {
            self.wake_at(due, Why::BeatDue);
        }
        None
    }

    /// A server that has had time enough to answer beats and never did, while others of its cluster do: nothing but messages that
    /// anybody may publish says that it is there.
    fn judge_unproven(&mut self, ix: ServerIx) {
        let server = &self.world.servers[ix];
        let (home, joined) = (server.cluster, server.joined);
        let asked = self.world.sound(home) && self.others_answer(ix);
        if !asked || !self.lasted(joined, self.policy.join_grace, Why::JoinGrace) {
            return;
        }
        let server = &mut self.world.servers[ix];
        server.unproven = true;
        let key = server.key.clone();
        let evidence =
            vec![self.evidence(Says::NoReports { server: key, silent_for: self.now.mono.since(joined) })];
        self.set_server(ix, ServerState::Unknown, evidence);
        self.retire_outbounds(ix);
    }

    /// Whether servers of its cluster have answered beats lately; only asked of one that has not.
    fn others_answer(&self, ix: ServerIx) -> bool {
        let answered = self.world.clusters[self.world.servers[ix].cluster].answered;
        answered.is_some_and(|at| self.now.mono.since(at) < self.policy.join_grace)
    }

    /// Whether a server that nobody has heard of before is believed to be there only once it answers: others of its cluster do, and
    /// anybody may publish in its name.
    pub(super) fn is_unproven(&self, ix: ServerIx) -> bool {
        let server = &self.world.servers[ix];
        let silent = server.held.state == ServerState::Unknown && server.heard.newest().is_none();
        silent && (server.unproven || (self.by_beats(ix) && self.others_answer(ix)))
    }

    /// Whether what a server says of its links counts: it has answered in this life, or nobody of its cluster has.
    pub(super) fn counts(&self, ix: ServerIx) -> bool {
        self.world.servers[ix].heard.newest().is_some() || !self.by_beats(ix) || !self.others_answer(ix)
    }

    /// How many rounds after `last` are overdue at `vantage`, though it has heard its own cluster since, and when the next may be.
    fn overdue(&self, ix: ServerIx, home: ClusterIx, vantage: ClusterIx, last: u64) -> (u32, Option<Mono>) {
        let Some(ears) = &self.world.clusters[vantage].vantage else { return (0, None) };
        let path = &self.world.servers[ix].paths[vantage];
        let allowed = path.latency.allowed(self.policy.latency_slack, self.policy.latency_ceiling);
        let mut missed = 0;
        for round in self.world.clusters[home].rounds.after(Some(last)) {
            if round.through != Through::Home || round.at < ears.void_before {
                continue;
            }
            let due = round.at + allowed;
            if due > self.now.mono {
                return (missed, Some(due));
            }
            if ears.alive_through < Some(round.at) {
                return (missed, Some(self.now.mono + self.policy.beat_period));
            }
            missed += 1;
        }
        (missed, None)
    }

    fn silent_in_reports(&mut self, ix: ServerIx) -> Option<Says> {
        let server = &self.world.servers[ix];
        let reported = server.reports.last?;
        // What was said while we did not listen, or did not run, was said to nobody.
        let ears = self.world.clusters[server.cluster].vantage.as_ref();
        let last = ears.map_or(reported, |ears| reported.max(ears.void_before));
        if !self.world.sound(server.cluster) {
            return None;
        }
        if !self.lasted(last, STATS_EVERY + LATE, Why::ReportSilence) {
            return None;
        }
        let chased = self.chase(ix, last) && self.neighbours_answer(ix);
        let patience = self.policy.report_silence.max(STATS_EVERY * 3);
        if !chased && !self.lasted(last, patience, Why::ReportSilence) {
            return None;
        }
        let server = &self.world.servers[ix];
        Some(Says::NoReports { server: server.key.clone(), silent_for: self.now.mono.since(reported) })
    }

    /// A report is late: the servers of the cluster are asked for one, twice. Whether the time for an answer is over.
    fn chase(&mut self, ix: ServerIx, last: Mono) -> bool {
        let server = &self.world.servers[ix];
        let cluster = server.cluster;
        let void = self.world.clusters[cluster].vantage.as_ref().map(|vantage| vantage.void_before);
        let begun = server.chased.filter(|chase| chase.from > last && Some(chase.from) >= void);
        let Some(chase) = begun else {
            self.world.servers[ix].chased = Some(Chase { from: self.now.mono, again: false });
            self.survey(cluster, Survey::Stats);
            self.lasted(self.now.mono, self.policy.report_silence / 2, Why::ReportSilence);
            return false;
        };
        if !chase.again && self.lasted(chase.from, self.policy.report_silence / 2, Why::ReportSilence) {
            self.world.servers[ix].chased = Some(Chase { again: true, ..chase });
            self.survey(cluster, Survey::Stats);
        }
        self.lasted(chase.from, self.policy.report_silence, Why::ReportSilence)
    }

    /// Whether another server of the cluster has answered since this one was asked: then it is not our connection that is silent.
    fn neighbours_answer(&self, ix: ServerIx) -> bool {
        let server = &self.world.servers[ix];
        let asked = server.chased.map(|chase| chase.from);
        let peers = self.world.clusters[server.cluster].servers.iter().filter(|&&peer| peer != ix);
        peers.map(|&peer| &self.world.servers[peer]).any(|peer| peer.reports.last > asked)
    }

    /// The links of a server that is not there count for nothing.
    pub(super) fn retire_outbounds(&mut self, ix: ServerIx) {
        let remotes: Vec<ClusterIx> = self.world.servers[ix].links.keys().copied().collect();
        for remote in remotes {
            let basis = self.world.servers[ix].links.get(&remote).map_or(Basis::Reports, |link| link.basis);
            self.set_outbound(ix, remote, ServerLinkState::Retired, basis, Vec::new());
        }
    }
}
