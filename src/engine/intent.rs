//! What people want, taken in: links that must or must not exist, silences, things to forget.

use super::turn::Turn;
use super::world::{ClusterIx, ServerIx};
use super::{Output, Policy, Why};
use crate::model::ask::{BeatPlan, Through};
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::{ClusterName, Link, ServerKey};
use crate::model::incident::Incident;
use crate::model::intent::{Forget, ForgetOutcome, Silence, SilenceId};
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState};
use crate::model::time::Mono;
use std::collections::BTreeSet;
use std::time::Duration;

/// A silence begins and ends by the clock on the wall, which may be set: it is looked at this often while one is to begin or end.
const SILENCE_LOOK: Duration = Duration::from_secs(5);

/// What the configuration of gatewatch says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: what the servers are configured with counts.
    AsConfigured,
    /// It must exist.
    Required,
    /// It must not exist.
    Forbidden,
}

/// What people want.
#[derive(Debug, Clone, Default)]
pub(super) struct Intent {
    required: BTreeSet<Link>,
    forbidden: BTreeSet<Link>,
    /// When the first judgement was made.
    begun: Option<Mono>,
    /// `None` until the list is known.
    silences: Option<Vec<Silence>>,
    /// Clusters that were forgotten and have not been heard since: being named by a configuration does not bring them back.
    forgotten: BTreeSet<ClusterName>,
}

impl Intent {
    pub(super) fn new(policy: &Policy) -> Self {
        let expect = &policy.expect;
        let (required, forbidden) = (expect.required.iter().cloned(), expect.forbidden.iter().cloned());
        let silences = policy.silences_within.is_zero().then(Vec::new);
        Self { required: required.collect(), forbidden: forbidden.collect(), silences, ..Self::default() }
    }

    /// What is wanted of a link. What must not exist is not required either.
    pub(super) fn wanted(&self, link: &Link) -> Wanted {
        match (self.forbidden.contains(link), self.required.contains(link)) {
            (true, _) => Wanted::Forbidden,
            (false, true) => Wanted::Required,
            (false, false) => Wanted::AsConfigured,
        }
    }

    pub(super) fn forbids_any(&self) -> bool {
        !self.forbidden.is_empty()
    }

    pub(super) fn requires(&self, cluster: &ClusterName) -> bool {
        self.required.iter().any(|link| link.from == *cluster || link.to == *cluster)
    }

    pub(super) fn is_forgotten(&self, cluster: &ClusterName) -> bool {
        self.forgotten.contains(cluster)
    }

    pub(super) fn forget(&mut self, cluster: ClusterName) {
        self.forgotten.insert(cluster);
    }

    pub(super) fn heard(&mut self, cluster: &ClusterName) {
        self.forgotten.remove(cluster);
    }
}

impl Turn<'_> {
    /// Takes the whole present list of silences in.
    pub(super) fn silences(&mut self, mut list: Vec<Silence>) {
        list.sort_by(|a, b| a.id.cmp(&b.id));
        self.world.intent.silences = Some(list);
    }

    /// Whether incidents must not be opened yet, because the list of silences may still come.
    pub(super) fn silences_pending(&mut self) -> bool {
        let intent = &self.world.intent;
        if intent.silences.is_some() {
            return false;
        }
        let begun = intent.begun.unwrap_or_default();
        !self.lasted(begun, self.policy.silences_within, Why::Silence)
    }

    /// The silence that an incident falls under. While that of before still holds, it stays; while none are known, it does too.
    pub(super) fn silenced(&self, incident: &Incident) -> Option<SilenceId> {
        let Some(silences) = &self.world.intent.silences else { return incident.silenced.clone() };
        let mut holding = silences
            .iter()
            .filter(|silence| silence.holds(self.now.wall) && silence.matcher.matches(incident))
            .map(|silence| &silence.id)
            .peekable();
        let first = holding.peek().copied();
        holding.find(|id| Some(*id) == incident.silenced.as_ref()).or(first).cloned()
    }

    /// Asks to be woken when the next silence begins or ends, or to look again at the clock on the wall until then.
    pub(super) fn wake_for_silences(&mut self) {
        let wall = self.now.wall;
        let bounds = self.world.intent.silences.iter().flatten();
        let bounds = bounds.flat_map(|silence| [silence.from, silence.until]).filter(|bound| *bound > wall);
        if let Some(next) = bounds.min() {
            let left = (next - wall).to_std().unwrap_or_default();
            self.wake_at(self.now.mono + left.min(SILENCE_LOOK), Why::Silence);
        }
    }

    /// At the first judgement: takes the links that must exist into the world.
    pub(super) fn begin(&mut self) {
        if self.world.intent.begun.is_some() {
            return;
        }
        self.world.intent.begun = Some(self.now.mono);
        for link in self.world.intent.required.clone() {
            let from = self.world.ensure_cluster(&link.from, self.now);
            let to = self.world.ensure_cluster(&link.to, self.now);
            if let Some((from, to)) = from.zip(to) {
                self.world.ensure_link(from, to, self.now);
            }
        }
    }

    /// A link that must not exist is there or not: it is never doubted, and never down.
    pub(super) fn judge_forbidden(&mut self, ix: ServerIx, remote: ClusterIx) {
        let Some(link) = self.world.servers[ix].links.get(&remote) else { return };
        let (state, basis) = (link.held.state, link.basis);
        let listed = link.listed.is_some_and(|listed| listed.up);
        match state {
            ServerLinkState::Unknown | ServerLinkState::Retired if listed => {
                let evidence = vec![self.report_on(ix, remote, true)];
                self.set_outbound(ix, remote, ServerLinkState::Up, Basis::Reports, evidence);
            }
            ServerLinkState::Unknown | ServerLinkState::Retired => {}
            ServerLinkState::Up | ServerLinkState::Suspect | ServerLinkState::Down => {
                let there = listed || (basis == Basis::Beats && self.still_crosses(ix, remote));
                if !there {
                    let evidence = vec![self.report_on(ix, remote, false)];
                    self.set_outbound(ix, remote, ServerLinkState::Retired, basis, evidence);
                }
            }
        }
    }

    /// Whether beats go on crossing, or nothing can be said of it.
    fn still_crosses(&mut self, ix: ServerIx, remote: ClusterIx) -> bool {
        if !self.by_beats(ix) || !self.world.sound(remote) || !self.watched_by_beats(remote) {
            return self.world.servers[ix].links[&remote].listed.is_none();
        }
        let missed = self.missed(ix, remote);
        if let Some(due) = missed.next {
            self.wake_at(due, Why::BeatDue);
        }
        missed.count < self.policy.confirm_beats
    }

    /// Forgets what is gone for good. Returns what was forgotten in the end, for with its last server a cluster is gone too.
    pub(super) fn forget(&mut self, what: Forget) -> (Forget, ForgetOutcome) {
        match &what {
            Forget::Cluster(name) => {
                let outcome = self.forget_cluster(name);
                (what, outcome)
            }
            Forget::Server(key) => self.forget_server(key),
        }
    }

    fn forget_cluster(&mut self, name: &ClusterName) -> ForgetOutcome {
        let Some(ix) = self.world.cluster(name) else { return ForgetOutcome::Unknown };
        if self.world.intent.requires(name) {
            return ForgetOutcome::Required;
        }
        if self.cluster_heard(ix) {
            return ForgetOutcome::StillHeard;
        }
        let evidence = vec![self.evidence(Says::Forgotten { what: Forget::Cluster(name.clone()) })];
        self.drop_cluster(ix, evidence);
        self.world.intent.forget(name.clone());
        ForgetOutcome::Done
    }

    /// Takes a cluster out, telling of what ends with it.
    pub(super) fn drop_cluster(&mut self, ix: ClusterIx, evidence: Vec<Evidence>) {
        let name = self.world.clusters[ix].name.clone();
        for server in self.world.clusters[ix].servers.clone() {
            self.retire_outbounds(server);
        }
        for (from, to) in self.world.links_touching(ix) {
            for server in self.world.clusters[from].servers.clone() {
                self.set_outbound(server, to, ServerLinkState::Retired, Basis::Reports, Vec::new());
            }
            self.set_link(from, to, LinkState::Retired, None);
        }
        self.set_cluster(ix, ClusterState::Unknown, evidence);
        if self.world.clusters[ix].plan.is_some() {
            let plan = BeatPlan { cluster: name, servers: Vec::new(), through: Through::All };
            self.out.push(Output::Beat(plan));
        }
        self.world.remove_cluster(ix, self.now);
    }

    /// Whether it would come back at once: a server of it is there, we are connected to it, or others are.
    fn cluster_heard(&self, ix: ClusterIx) -> bool {
        let cluster = &self.world.clusters[ix];
        let lists = |&server: &ServerIx| {
            let server = &self.world.servers[server];
            let listed = server.links.get(&ix).and_then(|link| link.listed);
            server.present() && listed.is_some_and(|listed| listed.up)
        };
        self.any_present(ix)
            || cluster.vantage.as_ref().is_some_and(|vantage| vantage.connected)
            || self.world.servers_by_key().any(|server| lists(&server))
    }

    fn forget_server(&mut self, key: &ServerKey) -> (Forget, ForgetOutcome) {
        let what = Forget::Server(key.clone());
        let Some(ix) = self.world.server(key) else { return (what, ForgetOutcome::Unknown) };
        if self.world.servers[ix].present() {
            return (what, ForgetOutcome::StillHeard);
        }
        let cluster = self.world.servers[ix].cluster;
        if self.world.clusters[cluster].servers == [ix] {
            let outcome = self.forget_cluster(&key.cluster);
            return (Forget::Cluster(key.cluster.clone()), outcome);
        }
        self.retire_outbounds(ix);
        self.world.remove_server(ix);
        (what, ForgetOutcome::Done)
    }
}
