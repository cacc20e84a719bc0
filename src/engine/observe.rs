//! Facts in: each observation moves what it proves at once and leaves the rest to the next judgement.

use super::Why;
use super::links::SECOND_LOOK;
use super::traffic;
use super::turn::Turn;
use super::world::{ClusterIx, HalfOpen, Listed, Refused, Seen, ServerIx};
use crate::model::ask::Survey;
use crate::model::evidence::Says;
use crate::model::ids::ServerId;
use crate::model::jetstream::JetStreamReport;
use crate::model::observation::{
    AuthError, ClientChurn, ConfigReport, Fact, GatewayConnection, GatewaysReport, Observation, Round,
    ServerIdentity, StatsReport,
};
use crate::model::states::{Basis, ServerLinkState, ServerState};
use crate::model::time::Mono;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// A server that has answered within so many beats is there: who else speaks under its name is not believed.
const ALIVE_BEATS: u32 = 4;
/// Answers to questions asked so long after a server's last word was heard prove that it was not its last.
const LAST_WORD: Duration = Duration::from_millis(500);
/// How many one-second counts of closed client connections are kept per server.
const CHURN_KEPT: usize = 16;
/// The least silence of a connection over which beats are sent that says something.
const IDLE: Duration = Duration::from_secs(2);
/// A refusal that comes again within this time is the same one.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);
/// Every server sends a report over every gateway connection each 10 s: one that is silent for longer than two of them is half open.
const IDLE_REPORTS: Duration = Duration::from_secs(25);
/// A report is overdue on it from here on.
const ODD: Duration = Duration::from_secs(12);
/// Servers tell such spans in whole seconds.
const WHOLE_SECONDS: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// Takes a round in that was just asked. The first moment at which an answer to it can be overdue is a reason to wake.
    pub(super) fn asked(&mut self, round: &Round) {
        let Some(cluster) = self.world.cluster(&round.cluster) else { return };
        let mark = super::rounds::RoundMark { number: round.number, at: round.at, through: round.through };
        self.world.clusters[cluster].rounds.ask(mark);
        self.wake_at(round.at + self.policy.latency_slack, Why::BeatDue);
    }

    /// Takes a fact in. Returns whether anything beyond beats changed, so that states must be judged at the next tick.
    pub(super) fn observed(&mut self, seen: &Observation) -> bool {
        let Some(vantage) = self.world.ensure_cluster(&seen.vantage, self.now) else { return false };
        match &seen.fact {
            Fact::Beat { server, number } => return self.beat(vantage, seen.at, server, *number),
            Fact::Stats(report) => self.stats(vantage, seen.at, report),
            Fact::Gateways(report) => self.gateways(vantage, seen.at, report),
            Fact::Config(report) => self.config(vantage, seen.at, report),
            Fact::Leaving(who) => self.leaving(who),
            Fact::Stopped(who) => self.stopped(who),
            Fact::AuthError(error) => self.auth_error(error),
            Fact::Clients(churn) => self.clients(seen.at, churn),
            // No state rests on streams: what waits for them looks again by the clock.
            Fact::JetStream(report) => {
                self.streams(vantage, seen.at, report);
                return false;
            }
        }
        self.answered(vantage, &seen.fact);
        true
    }

    /// A beat proves that its server lives and, heard in another cluster and fresh, that the server can send there. A late one
    /// (held up by a cut and delivered after it) counts only by its number.
    fn beat(&mut self, vantage: ClusterIx, at: Mono, server: &ServerId, number: u64) -> bool {
        let Some(ix) = self.world.life(server) else { return false };
        let home = self.world.servers[ix].cluster;
        let Some(round) = self.world.clusters[home].rounds.get(number).copied() else { return false };
        let latency = at.since(round.at);
        let server = &mut self.world.servers[ix];
        let bytes = traffic::beat_bytes(server);
        let path = &mut server.paths[vantage];
        path.ours.beat(bytes);
        let allowed = path.latency.allowed(self.policy.latency_slack, self.policy.latency_ceiling);
        path.last = path.last.max(Some(number));
        if !path.measure(at, latency, allowed, self.policy.beat_period / 2) {
            return false;
        }
        server.heard.mark(number);
        server.heard_at = Some(at);
        server.answered = Some(at);
        server.unproven = false;
        let ended = server.held.state == ServerState::Stopped;
        let goes_on = ended && round.at >= server.held.since.mono + LAST_WORD;
        self.world.clusters[home].answered = Some(at);
        if goes_on {
            self.was_not_its_end(ix, vantage);
        }
        let revived = self.revive(ix, vantage) || goes_on;
        if vantage == home {
            self.heard_own(vantage, round.at) || revived
        } else {
            self.crossed(ix, vantage, latency) || revived
        }
    }

    fn revive(&mut self, ix: ServerIx, vantage: ClusterIx) -> bool {
        let server = &self.world.servers[ix];
        match server.held.state {
            ServerState::Unknown | ServerState::Lost => {
                let says = Says::Heard {
                    server: server.key.clone(),
                    vantage: self.world.clusters[vantage].name.clone(),
                };
                let evidence = vec![self.evidence(says)];
                self.set_server(ix, ServerState::Live, evidence);
                true
            }
            // It said that it leaves or stopped: an answer that was under way does not take that back.
            ServerState::Live | ServerState::Leaving | ServerState::Stopped => false,
        }
    }

    /// A server that counts as stopped has answered a question that was asked later: a server that stops does not. If it was said to have
    /// stopped, somebody spoke in its name; if it was silent while it left, it leaves still.
    fn was_not_its_end(&mut self, ix: ServerIx, vantage: ClusterIx) {
        let said = std::mem::take(&mut self.world.servers[ix].said_end);
        if said {
            self.world.refused.false_ends += 1;
            self.world.servers[ix].disproved = true;
        }
        let (server, vantage) =
            (self.world.servers[ix].key.clone(), self.world.clusters[vantage].name.clone());
        let evidence = vec![self.evidence(Says::Heard { server, vantage })];
        self.set_server(ix, if said { ServerState::Live } else { ServerState::Leaving }, evidence);
    }

    /// A fresh beat was heard across a gateway.
    fn crossed(&mut self, ix: ServerIx, vantage: ClusterIx, latency: Duration) -> bool {
        let now = self.now;
        let known = self.world.servers[ix].links.get(&vantage);
        if known.is_some_and(|link| link.held.state == ServerLinkState::Up && link.basis == Basis::Beats) {
            return false;
        }
        self.world.ensure_outbound(ix, vantage, now);
        let key = self.world.servers[ix].key.clone();
        let says =
            Says::BeatHeard { server: key, vantage: self.world.clusters[vantage].name.clone(), latency };
        let evidence = vec![self.evidence(says)];
        self.set_outbound(ix, vantage, ServerLinkState::Up, Basis::Beats, evidence);
        true
    }

    /// Finds or takes in the server behind a report. `None` for late news of a former life, or when the tables are full.
    fn reporter(
        &mut self,
        vantage: ClusterIx,
        at: Mono,
        who: &ServerIdentity,
        made: Option<DateTime<Utc>>,
    ) -> Option<ServerIx> {
        let ix = self.introduce(who)?;
        let reports = &mut self.world.servers[ix].reports;
        if made.is_some() && made <= reports.made {
            return None;
        }
        reports.made = made.or(reports.made);
        reports.last = Some(at);
        self.world.servers[ix].heard_at = Some(at);
        let unknown = self.world.servers[ix].held.state == ServerState::Unknown;
        if !self.is_unproven(ix) && (unknown || !self.by_beats(ix)) {
            self.revive(ix, vantage);
        }
        Some(ix)
    }

    fn introduce(&mut self, who: &ServerIdentity) -> Option<ServerIx> {
        let alive = self.policy.beat_period * ALIVE_BEATS;
        match self.world.see(who, alive, self.now) {
            Seen::Known(ix) => Some(ix),
            Seen::New(ix) => {
                self.look(ix, Survey::Config);
                self.look(ix, Survey::Gateways);
                Some(ix)
            }
            Seen::Reborn(ix) => {
                let says = Says::Restarted { server: self.world.servers[ix].key.clone(), id: who.id.clone() };
                let evidence = vec![self.evidence(says)];
                self.retire_outbounds(ix);
                match self.world.servers[ix].held.state {
                    ServerState::Live => self.set_server(ix, ServerState::Lost, evidence.clone()),
                    ServerState::Leaving => self.set_server(ix, ServerState::Stopped, evidence.clone()),
                    ServerState::Unknown | ServerState::Stopped | ServerState::Lost => {}
                }
                self.set_server(ix, ServerState::Live, evidence);
                self.look(ix, Survey::Config);
                self.look(ix, Survey::Gateways);
                Some(ix)
            }
            Seen::Former | Seen::Refused => None,
        }
    }

    fn stats(&mut self, vantage: ClusterIx, at: Mono, report: &StatsReport) {
        let Some(ix) = self.reporter(vantage, at, &report.server, report.made) else { return };
        self.world.servers[ix].clients.held = Some(report.connections);
        self.world.servers[ix].told.routes(report.routes.as_deref(), at);
        if report.asked {
            self.told_time(ix, vantage, at, report.made);
        }
        let mut listed = BTreeSet::new();
        for entry in &report.gateways {
            let Some(remote) = self.world.claimed_cluster(&entry.to, self.now) else { continue };
            if remote == self.world.servers[ix].cluster || !self.world.has_room_for_link(ix, remote) {
                continue;
            }
            listed.insert(remote);
            self.listed(ix, remote, at, Some(entry.connection));
            let server = &mut self.world.servers[ix];
            let ours = server.paths[remote].ours;
            if let Some(link) = server.links.get_mut(&remote) {
                link.traffic.report(at, entry, ours, link.held.state == ServerLinkState::Up);
            }
        }
        // A server that dials a gateway says so before it lists the link: only an asked answer proves absence on its own.
        if report.asked || !self.by_beats(ix) {
            self.unlisted(ix, &listed, at);
        }
    }

    fn gateways(&mut self, vantage: ClusterIx, at: Mono, report: &GatewaysReport) {
        let Some(ix) = self.reporter(vantage, at, &report.server, report.made) else { return };
        let mut listed = BTreeSet::new();
        for row in &report.outbound {
            let Some(remote) = self.world.claimed_cluster(&row.cluster, self.now) else { continue };
            if remote == self.world.servers[ix].cluster || !self.world.has_room_for_link(ix, remote) {
                continue;
            }
            listed.insert(remote);
            self.listed(ix, remote, at, Some(row.connection));
            if let Some(link) = self.world.servers[ix].links.get_mut(&remote) {
                link.peer = Some(row.peer.clone());
                link.configured |= row.configured;
                if let Some(accounts) = &row.accounts {
                    link.interest = Some((at, accounts.clone()));
                }
            }
        }
        self.unlisted(ix, &listed, at);
        self.told_time(ix, vantage, at, report.made);
        // A sender that dialled anew may leave its old connection behind: the livelier one is its link.
        let mut rows: Vec<&GatewayConnection> = report.inbound.iter().collect();
        rows.sort_by(|a, b| (&a.peer, a.idle).cmp(&(&b.peer, b.idle)));
        rows.dedup_by(|later, first| later.peer == first.peer);
        for row in rows {
            self.arriving(ix, row, at, report.made);
        }
    }

    /// What the far end of a link says arrives on it. Whoever asks for beats has messages cross many times a second.
    fn arriving(&mut self, far: ServerIx, row: &GatewayConnection, at: Mono, made: Option<DateTime<Utc>>) {
        let (Some(idle), Some(sender)) = (row.idle, self.world.life(&row.peer)) else { return };
        let here = self.world.servers[far].cluster;
        if stands(row, made) {
            self.world.was_up(sender, here);
        }
        let says = Says::InboundIdle {
            server: self.world.servers[far].key.clone(),
            from: self.world.servers[sender].key.clone(),
            idle,
        };
        let evidence = self.evidence(says);
        let far = self.world.servers[far].id.clone();
        let sender = &mut self.world.servers[sender];
        let Some(link) = sender.links.get_mut(&here).filter(|link| link.peer.as_ref() == Some(&far)) else {
            return;
        };
        let cut_for = at.since(link.held.since.mono);
        let cut = link.held.state == ServerLinkState::Down && link.basis == Basis::Beats;
        let quiet_since_the_cut =
            cut_for >= IDLE / 2 && idle >= IDLE && idle.saturating_add(WHOLE_SECONDS) >= cut_for;
        let lively = sender.held.state == ServerState::Live
            && sender.heard_at.is_some_and(|heard| at.since(heard) < IDLE_REPORTS);
        if (cut && quiet_since_the_cut) || (link.basis == Basis::Reports && idle >= IDLE_REPORTS && lively) {
            link.half_open.get_or_insert(HalfOpen { evidence, since: at, at }).at = at;
        } else if link.basis == Basis::Reports || idle < IDLE {
            link.half_open = None;
        }
        if link.basis == Basis::Reports && (ODD..IDLE_REPORTS).contains(&idle) {
            let due = at + IDLE_REPORTS.saturating_sub(idle);
            let cluster = &mut self.world.clusters[here];
            cluster.quiet_due = Some(cluster.quiet_due.map_or(due, |before| before.min(due)));
        }
    }

    fn listed(&mut self, ix: ServerIx, remote: ClusterIx, at: Mono, connection: Option<u64>) {
        self.world.ensure_outbound(ix, remote, self.now);
        if let Some(connection) = connection {
            self.connection_listed(ix, remote, at, connection);
        }
        let link = self.world.ensure_outbound(ix, remote, self.now);
        link.seen = true;
        // One look may catch a link that is dialled and refused at once: what was up was so at a second look too.
        let lasted = link.listed.is_some_and(|before| {
            before.up && before.connection == connection && at.since(before.since) >= SECOND_LOOK
        });
        let since = link.listed.filter(|before| before.up).map_or(at, |before| before.since);
        // The peer that it was cut with stays known until the link is made anew: it may explain the cut.
        if link.listed.is_some_and(|before| before.connection != connection) {
            link.peer = None;
            link.half_open = None;
        }
        link.listed = Some(Listed { up: true, since, at, connection, up_until: Some(at) });
        // A report that left before the cut, or on its way when beats had just shown it, denies nothing; nor does a link made anew.
        if since <= link.held.since.mono
            && link.held.state == ServerLinkState::Down
            && link.basis == Basis::Beats
            && at.since(link.held.since.mono) >= self.policy.beat_period
        {
            link.denied = true;
        }
        if lasted {
            self.world.was_up(ix, remote);
        }
    }

    fn unlisted(&mut self, ix: ServerIx, listed: &BTreeSet<ClusterIx>, at: Mono) {
        for (remote, link) in &mut self.world.servers[ix].links {
            if !listed.contains(remote) {
                let since = link.listed.filter(|before| !before.up).map_or(at, |before| before.since);
                let up_until = link.listed.and_then(|before| before.up_until);
                link.listed = Some(Listed { up: false, since, at, connection: None, up_until });
            }
        }
    }

    /// Streams of servers that are not known otherwise wait until they are.
    fn streams(&mut self, vantage: ClusterIx, at: Mono, report: &JetStreamReport) {
        if let Some(ix) = self.world.life(&report.server.id) {
            let server = &mut self.world.servers[ix];
            server.paths[vantage].ours.answer();
            let key = server.key.clone();
            self.world.streams.take(&key, at, &report.streams);
        }
    }

    /// Notes that an answer to gatewatch crossed: it is no traffic of anybody else.
    fn answered(&mut self, vantage: ClusterIx, fact: &Fact) {
        let server = match fact {
            Fact::Stats(report) if report.asked => &report.server,
            Fact::Gateways(report) => &report.server,
            Fact::Config(report) => &report.server,
            Fact::Stats(_)
            | Fact::JetStream(_)
            | Fact::Beat { .. }
            | Fact::Leaving(_)
            | Fact::Stopped(_)
            | Fact::AuthError(_)
            | Fact::Clients(_) => return,
        };
        if let Some(ix) = self.world.life(&server.id) {
            self.world.servers[ix].paths[vantage].ours.answer();
        }
    }

    fn config(&mut self, vantage: ClusterIx, at: Mono, report: &ConfigReport) {
        let Some(ix) = self.introduce(&report.server) else { return };
        if self.world.servers[ix].held.state == ServerState::Unknown && !self.is_unproven(ix) {
            self.revive(ix, vantage);
        }
        let home = self.world.servers[ix].cluster;
        let mut named = BTreeSet::new();
        for remote in &report.remotes {
            let Some(remote) = self.world.ensure_named(&remote.cluster, self.now) else { continue };
            if remote != home && self.world.has_room_for_link(ix, remote) {
                named.insert(remote);
                self.world.clusters[remote].probes.named.get_or_insert(self.now.mono);
                self.world.ensure_outbound(ix, remote, self.now);
            }
        }
        let server = &mut self.world.servers[ix];
        server.reports.configured = true;
        if !server.config.as_ref().is_some_and(|before| same_config(before, report)) {
            server.reports.told = Some(self.now);
        }
        server.told.configuration(server.config.as_deref(), report, at);
        server.config = Some(Box::new(report.clone()));
        server.reports.system_account.clone_from(&report.system_account);
        for (remote, link) in &mut server.links {
            link.configured = named.contains(remote);
        }
        self.told_time(ix, vantage, at, report.made);
    }

    fn leaving(&mut self, who: &ServerIdentity) {
        let Some(ix) = self.introduce(who) else { return };
        if self.world.servers[ix].held.state != ServerState::Stopped && !self.is_unproven(ix) {
            let says = Says::LameDuck { server: self.world.servers[ix].key.clone() };
            let evidence = vec![self.evidence(says)];
            self.set_server(ix, ServerState::Leaving, evidence);
        }
    }

    fn stopped(&mut self, who: &ServerIdentity) {
        let Some(ix) = self.introduce(who) else { return };
        if self.world.servers[ix].disproved || self.is_unproven(ix) {
            self.world.refused.false_ends += u64::from(self.world.servers[ix].disproved);
            return;
        }
        self.world.servers[ix].said_end = true;
        let says = Says::Shutdown { server: self.world.servers[ix].key.clone() };
        let evidence = vec![self.evidence(says)];
        self.set_server(ix, ServerState::Stopped, evidence);
        self.retire_outbounds(ix);
    }

    fn auth_error(&mut self, error: &AuthError) {
        if !error.gateway {
            return;
        }
        let Some(ix) = self.introduce(&error.server) else { return };
        let server = &self.world.servers[ix];
        let says = Says::GatewayRefused { server: server.key.clone(), peer: error.peer.clone() };
        let (cluster, last) = (server.cluster, self.now.mono);
        let peer = error.peer.as_deref().and_then(|peer| self.world.any_life(&ServerId::from(peer)));
        let from = peer.map(|peer| self.world.servers[peer].cluster);
        let evidence = self.evidence(says);
        let refused = &mut self.world.clusters[cluster].refused;
        let again = refused.get_mut(&from).filter(|before| last.since(before.last) < REFUSED_AGAIN);
        match again {
            Some(before) => before.last = last,
            None => {
                refused.insert(from, Refused { evidence, last });
            }
        }
    }

    fn clients(&mut self, at: Mono, churn: &ClientChurn) {
        let Some(ix) = self.introduce(&churn.server) else { return };
        let clients = &mut self.world.servers[ix].clients;
        clients.closed += u64::from(churn.disconnected);
        if clients.recent.len() == CHURN_KEPT {
            clients.recent.pop_front();
        }
        clients.recent.push_back((at, churn.disconnected));
    }
}

/// Whether two reports tell the same configuration, whenever they were made.
fn same_config(one: &ConfigReport, other: &ConfigReport) -> bool {
    ConfigReport { made: None, ..one.clone() } == ConfigReport { made: None, ..other.clone() }
}

/// Whether a connection had lasted for a while when it was reported. One that is refused is listed too, until it is closed.
fn stands(row: &GatewayConnection, made: Option<DateTime<Utc>>) -> bool {
    let age = made.zip(row.started).and_then(|(made, started)| (made - started).to_std().ok());
    age.is_some_and(|age| age >= SECOND_LOOK)
}
