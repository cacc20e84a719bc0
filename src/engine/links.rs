//! Server links and the links made of them: who cannot send where.

use super::Why;
use super::intent::Wanted;
use super::turn::Turn;
use super::world::{ClusterIx, ServerIx};
use crate::model::ask::Survey;
use crate::model::evidence::Says;
use crate::model::ids::ClusterName;
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState};
use crate::model::time::Mono;
use std::time::Duration;

/// Two looks at least this far apart must both find a link unlisted: a server reports before a link it has just made is listed.
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(900);

/// What beats say of one server link.
pub(super) struct Missed {
    pub(super) count: u32,
    heard_by: Vec<ClusterName>,
    pub(super) next: Option<Mono>,
}

impl Turn<'_> {
    /// Judges every outbound link of a present server.
    pub(super) fn judge_outbounds(&mut self, ix: ServerIx) {
        if !self.world.servers[ix].present() {
            return;
        }
        let home = self.world.servers[ix].cluster;
        if !self.world.clusters[home].proven {
            return;
        }
        for remote in 0..self.world.clusters.len() {
            if remote == home || !self.world.clusters[home].links.contains_key(&remote) {
                continue;
            }
            if self.world.wanted(home, remote) == Wanted::Forbidden {
                self.judge_forbidden(ix, remote);
                continue;
            }
            if !self.world.expected(home, remote) || self.never_its_own(ix, remote) {
                if self.world.servers[ix].links.contains_key(&remote) {
                    self.unexpected(ix, remote);
                }
                continue;
            }
            if !self.world.may_link(ix, remote) {
                continue;
            }
            self.world.ensure_outbound(ix, remote, self.now);
            if self.by_beats(ix) && self.world.sound(remote) && self.watched_by_beats(remote) {
                self.judge_by_beats(ix, remote);
            } else {
                self.judge_by_reports(ix, remote);
            }
        }
    }

    /// A link that never was is missed by the servers that are configured with it and by nobody else.
    fn never_its_own(&self, ix: ServerIx, remote: ClusterIx) -> bool {
        let server = &self.world.servers[ix];
        let was_up = self.world.clusters[server.cluster].links[&remote].was_up;
        let named = server.links.get(&remote).is_some_and(|link| link.configured || link.seen);
        let required = self.world.wanted(server.cluster, remote) == Wanted::Required;
        !was_up && !required && server.reports.configured && !named
    }

    /// Neither configured nor ever up in this life.
    fn unexpected(&mut self, ix: ServerIx, remote: ClusterIx) {
        let link = &self.world.servers[ix].links[&remote];
        match link.held.state {
            ServerLinkState::Unknown | ServerLinkState::Retired => {}
            ServerLinkState::Up | ServerLinkState::Suspect | ServerLinkState::Down => {
                let says = Says::NotConfigured {
                    server: self.world.servers[ix].key.clone(),
                    remote: self.world.clusters[remote].name.clone(),
                };
                let evidence = vec![self.evidence(says)];
                self.set_outbound(ix, remote, ServerLinkState::Retired, Basis::Reports, evidence);
            }
        }
    }

    fn judge_by_beats(&mut self, ix: ServerIx, remote: ClusterIx) {
        let missed = self.missed(ix, remote);
        if let Some(due) = missed.next {
            self.wake_at(due, Why::BeatDue);
        }
        if missed.count == 0 || self.still_joining(ix, remote) || self.lost_on_routes(ix, remote) {
            return;
        }
        let state = self.world.servers[ix].links[&remote].held.state;
        match state {
            ServerLinkState::Down => return,
            ServerLinkState::Up | ServerLinkState::Unknown | ServerLinkState::Retired => {
                self.suspect(ix, remote, &missed);
            }
            ServerLinkState::Suspect => {}
        }
        let admitted = self.admitted(ix, remote);
        if missed.count >= self.policy.confirm_beats || admitted {
            let mut evidence = vec![self.beats_missed(ix, remote, &missed)];
            if admitted {
                evidence.push(self.report_on(ix, remote, false));
            }
            self.set_outbound(ix, remote, ServerLinkState::Down, Basis::Beats, evidence);
            self.look(ix, Survey::Gateways);
        }
    }

    fn suspect(&mut self, ix: ServerIx, remote: ClusterIx, missed: &Missed) {
        let evidence = vec![self.beats_missed(ix, remote, missed)];
        self.set_outbound(ix, remote, ServerLinkState::Suspect, Basis::Beats, evidence);
        self.look(ix, Survey::Gateways);
    }

    fn beats_missed(
        &self,
        ix: ServerIx,
        remote: ClusterIx,
        missed: &Missed,
    ) -> crate::model::evidence::Evidence {
        self.evidence(Says::BeatsMissed {
            server: self.world.servers[ix].key.clone(),
            vantage: self.world.clusters[remote].name.clone(),
            missed: missed.count,
            heard_by: missed.heard_by.clone(),
        })
    }

    pub(super) fn report_on(
        &self,
        ix: ServerIx,
        remote: ClusterIx,
        up: bool,
    ) -> crate::model::evidence::Evidence {
        let server = self.world.servers[ix].key.clone();
        let remote = self.world.clusters[remote].name.clone();
        self.evidence(if up { Says::Listed { server, remote } } else { Says::NotListed { server, remote } })
    }

    /// Whether the server itself said, after the suspicion arose, that the link is gone.
    fn admitted(&self, ix: ServerIx, remote: ClusterIx) -> bool {
        let link = &self.world.servers[ix].links[&remote];
        link.held.state == ServerLinkState::Suspect
            && link.listed.is_some_and(|listed| !listed.up && listed.at >= link.held.since.mono)
    }

    /// Counts the beats in a row that others heard and the remote's vantage, which was hearing its own cluster, did not.
    pub(super) fn missed(&self, ix: ServerIx, remote: ClusterIx) -> Missed {
        let mut missed = Missed { count: 0, heard_by: Vec::new(), next: None };
        let server = &self.world.servers[ix];
        let Some(ears) = &self.world.clusters[remote].vantage else { return missed };
        let path = &server.paths[remote];
        let allowed = path.latency.allowed(self.policy.latency_slack, self.policy.latency_ceiling);
        let mut newest = None;
        for round in self.world.clusters[server.cluster].rounds.after(path.last) {
            if round.at < ears.void_before.max(ears.settled) {
                continue;
            }
            let due = round.at + allowed;
            if due > self.now.mono {
                missed.next = Some(due);
                break;
            }
            if ears.alive_through < Some(round.at) {
                missed.next = Some(self.now.mono + self.policy.beat_period / 4);
                break;
            }
            if server.heard.has(round.number) {
                missed.count += 1;
                newest = Some(round.number);
            }
        }
        if newest.is_some() {
            let ears =
                (0..self.world.clusters.len()).filter(|&at| at != remote && server.paths[at].last >= newest);
            missed.heard_by = ears.map(|at| self.world.clusters[at].name.clone()).collect();
            missed.heard_by.sort();
        }
        missed
    }

    /// A server that has just appeared is given time to make its links.
    fn still_joining(&mut self, ix: ServerIx, remote: ClusterIx) -> bool {
        let server = &self.world.servers[ix];
        match server.links[&remote].held.state {
            ServerLinkState::Unknown | ServerLinkState::Retired => {
                let joined = server.joined;
                !self.lasted(joined, self.policy.join_grace, Why::JoinGrace)
            }
            ServerLinkState::Up | ServerLinkState::Suspect | ServerLinkState::Down => false,
        }
    }

    /// Whether the link ends at a server whose own beats its cluster's vantage misses too: then the loss is on that cluster's
    /// routes, not on the gateway.
    fn lost_on_routes(&self, ix: ServerIx, remote: ClusterIx) -> bool {
        let Some(peer) =
            self.world.servers[ix].links[&remote].peer.as_ref().and_then(|id| self.world.life(id))
        else {
            return false;
        };
        let peer = &self.world.servers[peer];
        peer.cluster == remote && peer.present() && peer.heard.newest() > peer.paths[remote].last
    }

    /// Without ears in the remote cluster the server's own word governs.
    fn judge_by_reports(&mut self, ix: ServerIx, remote: ClusterIx) {
        let server = &self.world.servers[ix];
        let link = &server.links[&remote];
        let Some(listed) = link.listed else { return };
        let (state, basis, since) = (link.held.state, link.basis, link.held.since.mono);
        if listed.up && link.half_open.is_some() {
            return self.judge_half_open(ix, remote);
        }
        if listed.up {
            // What beats showed cut is not up because its server goes on listing it; a link made anew since is.
            let remade = listed.since > since;
            let cut_by_beats =
                basis == Basis::Beats && matches!(state, ServerLinkState::Down | ServerLinkState::Suspect);
            if state != ServerLinkState::Up && (!cut_by_beats || remade) {
                let evidence = vec![self.report_on(ix, remote, true)];
                self.set_outbound(ix, remote, ServerLinkState::Up, Basis::Reports, evidence);
            }
            return;
        }
        match state {
            ServerLinkState::Down => {}
            // A beat that has crossed since is newer than the report.
            ServerLinkState::Up if basis == Basis::Beats && listed.at < since => {}
            ServerLinkState::Unknown | ServerLinkState::Retired if self.still_joining(ix, remote) => {}
            ServerLinkState::Unknown | ServerLinkState::Retired | ServerLinkState::Up => {
                let evidence = vec![self.report_on(ix, remote, false)];
                self.set_outbound(ix, remote, ServerLinkState::Suspect, Basis::Reports, evidence);
                self.look(ix, Survey::Gateways);
            }
            ServerLinkState::Suspect => {
                if listed.at.since(listed.since) >= SECOND_LOOK {
                    let evidence = vec![self.report_on(ix, remote, false)];
                    self.set_outbound(ix, remote, ServerLinkState::Down, Basis::Reports, evidence);
                } else if self.lasted(listed.since, SECOND_LOOK, Why::LookAgain) {
                    self.look(ix, Survey::Gateways);
                }
            }
        }
    }

    /// The server lists the link, and its far end says that nothing arrives on it: believed when it says so twice.
    fn judge_half_open(&mut self, ix: ServerIx, remote: ClusterIx) {
        let link = &self.world.servers[ix].links[&remote];
        let (state, peer) = (link.held.state, link.peer.clone());
        let Some(half) = link.half_open.clone().filter(|_| state != ServerLinkState::Down) else { return };
        if state != ServerLinkState::Suspect {
            let evidence = vec![half.evidence.clone()];
            self.set_outbound(ix, remote, ServerLinkState::Suspect, Basis::Reports, evidence);
        }
        if half.at.since(half.since) >= SECOND_LOOK {
            self.set_outbound(ix, remote, ServerLinkState::Down, Basis::Reports, vec![half.evidence]);
        } else if self.lasted(half.since, SECOND_LOOK, Why::LookAgain)
            && let Some(peer) = peer.and_then(|peer| self.world.life(&peer))
        {
            self.look(peer, Survey::Gateways);
        }
    }

    /// Adds the server links of `from -> to` up.
    pub(super) fn judge_link(&mut self, from: ClusterIx, to: ClusterIx) {
        let (mut up, mut cut, mut basis, mut doubted) = (0, 0, None, None);
        let was_up = self.world.clusters[from].links[&to].was_up;
        for &ix in &self.world.clusters[from].servers {
            let server = &self.world.servers[ix];
            let Some(link) = server.links.get(&to).filter(|_| server.present() && self.counts(ix)) else {
                continue;
            };
            match link.held.state {
                ServerLinkState::Down => cut += 1,
                // Doubt is not a verdict: until it is settled the link counts as what it was.
                ServerLinkState::Up => up += 1,
                ServerLinkState::Suspect if !was_up => continue,
                ServerLinkState::Suspect => {
                    up += 1;
                    doubted = doubted.max(Some(link.held.since.mono));
                }
                ServerLinkState::Unknown | ServerLinkState::Retired => continue,
            }
            basis = Some(basis.map_or(link.basis, |basis: Basis| basis.max(link.basis)));
        }
        // One fault reaches the servers of a cluster within a round or so: said once, when it is settled for all of them.
        let settles = self.policy.beat_period * self.policy.confirm_beats;
        if doubted.is_some_and(|since| !self.lasted(since, settles, Why::BeatDue)) {
            return;
        }
        let expected = self.world.expected(from, to);
        let held = &self.world.clusters[from].links[&to].held;
        let state = match (up, cut) {
            (0, 0) if matches!(self.world.clusters[from].held.state, ClusterState::Offline(_)) => {
                LinkState::Unknown
            }
            (0, 0) if !expected && self.any_present(from) && held.state != LinkState::Unknown => {
                LinkState::Retired
            }
            // Nothing to go by: what was last known stands.
            (0, 0) => return,
            (_, 0) => LinkState::Up,
            (0, _) => LinkState::Down,
            (up, cut) => LinkState::Degraded { cut, of: up + cut },
        };
        self.world.ensure_link(from, to, self.now).remembered |= expected;
        self.set_link(from, to, state, basis);
    }

    pub(super) fn any_present(&self, cluster: ClusterIx) -> bool {
        self.world.clusters[cluster].servers.iter().any(|&ix| self.world.servers[ix].present())
    }
}
