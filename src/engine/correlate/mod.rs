//! One finding per root cause: which few things explain every bad state there is.
//!
//! Causes are tried in the order of [`IncidentKind`]; what one explains is claimed by it and told of inside it, not beside it.

mod draft;
mod unwanted;

use super::cause::{self, Verdict};
use super::world::{ClusterIx, ServerIx, World};
use crate::model::cause::{Cause, CauseKind, Confidence};
use crate::model::evidence::Evidence;
use crate::model::incident::{Flaps, IncidentKind, Scope, ServerView, Severity, Subject};
use crate::model::states::{
    Basis, ClusterState, Departure, LinkState, ServerLinkState, ServerState, VantageState,
};
use crate::model::time::Now;
use draft::Draft;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) kind: IncidentKind,
    pub(super) severity: Severity,
    pub(super) subject: Subject,
    pub(super) departure: Option<Departure>,
    pub(super) scope: Scope,
    /// Since the oldest bad state behind it.
    pub(super) since: Now,
    pub(super) cause: Cause,
    pub(super) view: ServerView,
    /// Messages and bytes per second that crossed the cut server links before.
    pub(super) rate: Option<(f64, f64)>,
    /// What it rests on, where there is a choice: the weakest basis of what is cut.
    pub(super) basis: Option<Basis>,
    pub(super) evidence: Vec<Evidence>,
    /// How often it flapped; set for that kind only.
    pub(super) flaps: Option<Flaps>,
}

/// A server link by place: the sending server, the receiving cluster.
pub(super) type Cut = (ServerIx, ClusterIx);

/// Finds the root causes of everything that is bad now.
pub(super) fn findings(world: &World, now: Now) -> Vec<Finding> {
    let mut finder = Finder { world, now, cuts: cuts(world), claimed: BTreeSet::new(), found: Vec::new() };
    finder.clusters_offline();
    finder.blind_everywhere();
    finder.vantages_lost();
    finder.clusters_isolated();
    finder.servers_lost();
    finder.links_unwanted();
    if !finder.cuts.is_empty() {
        finder.one_server_behind_all();
        finder.pairs_down();
        finder.servers_cut_off();
        finder.pairs_degraded();
    }
    finder.found.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    finder.found
}

/// Every server link that is cut.
fn cuts(world: &World) -> BTreeSet<Cut> {
    let mut cuts = BTreeSet::new();
    for ix in world.servers_by_key() {
        let server = &world.servers[ix];
        for (&to, link) in server.links.iter().filter(|_| server.present()) {
            if link.held.state == ServerLinkState::Down {
                cuts.insert((ix, to));
            }
        }
    }
    cuts
}

struct Finder<'a> {
    world: &'a World,
    now: Now,
    cuts: BTreeSet<Cut>,
    /// Clusters that an incident about them explains already.
    claimed: BTreeSet<ClusterIx>,
    found: Vec<Finding>,
}

impl Finder<'_> {
    fn clusters_offline(&mut self) {
        for ix in self.world.clusters_by_name() {
            let cluster = &self.world.clusters[ix];
            let ClusterState::Offline(departure) = cluster.held.state else { continue };
            self.claimed.insert(ix);
            let mut draft = Draft::new(self.world);
            draft.began(cluster.held.since);
            draft.evidence(&cluster.held.evidence);
            draft.cluster(ix);
            for &server in &cluster.servers {
                let held = &self.world.servers[server].held;
                if matches!(held.state, ServerState::Lost | ServerState::Stopped) {
                    draft.server(server);
                }
            }
            draft.links_touching(ix);
            draft.views(&self.take_touching(ix));
            let (severity, verdict) = match departure {
                Departure::Planned => (Severity::Warning, Verdict::of(Cause::proven(CauseKind::PlannedStop))),
                Departure::Crash => (Severity::Critical, cause::of_lost_cluster(self.world, self.now, ix)),
            };
            let subject = Subject::Cluster(cluster.name.clone());
            self.found.push(Finding {
                departure: Some(departure),
                ..draft.finding(IncidentKind::ClusterOffline, severity, subject, verdict, self.now)
            });
        }
    }

    /// Nothing can be heard anywhere: one trouble of ours, not one of each cluster.
    fn blind_everywhere(&mut self) {
        let bad = |state| matches!(state, VantageState::Gone | VantageState::Impaired);
        let watched: Vec<_> = self
            .world
            .clusters_by_name()
            .filter(|&ix| self.world.clusters[ix].vantage.is_some() && !self.claimed.contains(&ix))
            .collect();
        let blind = watched.iter().all(|&ix| {
            let cluster = &self.world.clusters[ix];
            cluster.held.state == ClusterState::Unreachable
                && cluster.vantage.as_ref().is_some_and(|vantage| bad(vantage.held.state))
        });
        let [first, _, ..] = watched[..] else { return };
        if !blind {
            return;
        }
        let mut draft = Draft::new(self.world);
        for &ix in &watched {
            self.claimed.insert(ix);
            draft.cluster(ix);
            if let Some(vantage) = &self.world.clusters[ix].vantage {
                draft.began(vantage.held.since);
                draft.evidence(&vantage.held.evidence);
            }
        }
        draft.cuts(&std::mem::take(&mut self.cuts).into_iter().collect::<Vec<_>>());
        let subject = Subject::Cluster(self.world.clusters[first].name.clone());
        let verdict = Verdict::of(Cause::possible(CauseKind::OwnView));
        self.found.push(draft.finding(
            IncidentKind::VantageLost,
            Severity::Critical,
            subject,
            verdict,
            self.now,
        ));
    }

    fn vantages_lost(&mut self) {
        for ix in self.world.clusters_by_name() {
            let cluster = &self.world.clusters[ix];
            let Some(vantage) = cluster.vantage.as_ref().filter(|_| !self.claimed.contains(&ix)) else {
                continue;
            };
            if !matches!(vantage.held.state, VantageState::Gone | VantageState::Impaired) {
                continue;
            }
            let mut draft = Draft::new(self.world);
            draft.began(vantage.held.since);
            draft.evidence(&vantage.held.evidence);
            draft.cluster(ix);
            let heard_since = cluster
                .servers
                .iter()
                .any(|&server| self.world.servers[server].heard_at > Some(vantage.held.since.mono));
            let (severity, confidence) = match cluster.held.state {
                ClusterState::Unreachable => {
                    self.claimed.insert(ix);
                    draft.cuts(&self.take_touching(ix));
                    (Severity::Critical, Confidence::Possible)
                }
                ClusterState::Unknown
                | ClusterState::Healthy
                | ClusterState::Degraded
                | ClusterState::Isolated
                | ClusterState::Draining
                | ClusterState::Offline(_) => {
                    (Severity::Warning, if heard_since { Confidence::Proven } else { Confidence::Possible })
                }
            };
            let verdict = Verdict::of(Cause { kind: CauseKind::OwnView, confidence });
            let subject = Subject::Cluster(cluster.name.clone());
            self.found.push(draft.finding(IncidentKind::VantageLost, severity, subject, verdict, self.now));
        }
    }

    fn clusters_isolated(&mut self) {
        for ix in self.world.clusters_by_name() {
            let cluster = &self.world.clusters[ix];
            if cluster.held.state != ClusterState::Isolated || self.claimed.contains(&ix) {
                continue;
            }
            self.claimed.insert(ix);
            let cuts = self.take_touching(ix);
            let mut draft = Draft::new(self.world);
            draft.cluster(ix);
            draft.links_touching(ix);
            draft.cuts(&cuts);
            let (subject, cause) =
                (Subject::Cluster(cluster.name.clone()), cause::of_cuts(self.world, self.now, &cuts));
            self.found.push(draft.finding(
                IncidentKind::ClusterIsolated,
                Severity::Critical,
                subject,
                cause,
                self.now,
            ));
        }
    }

    /// A lost server also explains the links of remote servers that end at it.
    fn servers_lost(&mut self) {
        for ix in self.world.servers_by_key() {
            let server = &self.world.servers[ix];
            if server.held.state != ServerState::Lost || self.claimed.contains(&server.cluster) {
                continue;
            }
            let mut draft = Draft::new(self.world);
            draft.began(server.held.since);
            draft.server(ix);
            draft.cuts(&self.take(|world, &(from, to)| peer(world, from, to) == Some(ix)));
            let cause = cause::of_lost_server(self.world, ix);
            let subject = Subject::Server(server.key.clone());
            self.found.push(draft.finding(
                IncidentKind::ServerLost,
                Severity::Warning,
                subject,
                cause,
                self.now,
            ));
        }
    }

    fn pairs_down(&mut self) {
        for (a, b) in self.pairs() {
            let down = |from: ClusterIx, to: ClusterIx| {
                self.world.clusters[from]
                    .links
                    .get(&to)
                    .is_some_and(|link| link.held.state == LinkState::Down)
                    && self
                        .cuts
                        .iter()
                        .any(|&(server, at)| at == to && self.world.servers[server].cluster == from)
            };
            let links: Vec<_> = [(a, b), (b, a)].into_iter().filter(|&(from, to)| down(from, to)).collect();
            if links.is_empty() {
                continue;
            }
            let cuts = self.take_pair(a, b);
            let mut draft = Draft::new(self.world);
            let was_up = |&(from, to): &(ClusterIx, ClusterIx)| {
                self.world.clusters[from].links.get(&to).is_some_and(|link| link.was_up)
            };
            let (kind, severity, cause) = if links.iter().any(was_up) {
                let cause = cause::of_cuts(self.world, self.now, &cuts);
                (IncidentKind::GatewayDown, Severity::Critical, cause)
            } else {
                // Nobody relies yet on what never worked.
                let cause = cause::of_never_up(self.world, self.now, &cuts);
                (IncidentKind::GatewayNeverUp, Severity::Warning, cause)
            };
            for (from, to) in links {
                draft.link(from, to);
            }
            draft.cuts(&cuts);
            let subject = self.pair(a, b);
            self.found.push(draft.finding(kind, severity, subject, cause, self.now));
        }
    }

    /// A server that takes part in every cut of its cluster, with several remote clusters, is the cause also where remote servers
    /// happen to be cut off all together, because the links of all of them end at it.
    fn one_server_behind_all(&mut self) {
        let cut_off = self.cut_off_from_several();
        for ix in self.suspects() {
            let cluster = self.world.servers[ix].cluster;
            let alone = self.is_alone(cluster);
            let touches =
                |&&(server, to): &&Cut| to == cluster || self.world.servers[server].cluster == cluster;
            if alone || !self.cuts.iter().filter(touches).all(|cut| takes_part(self.world, ix, cut)) {
                continue;
            }
            if self.explained_by_others(ix, &cut_off) {
                continue;
            }
            let cuts = self.take(|world, cut| takes_part(world, ix, cut));
            if !cuts.is_empty() {
                self.degraded(Subject::Server(self.world.servers[ix].key.clone()), &cuts);
            }
        }
    }

    /// Servers that cannot send to several clusters.
    fn cut_off_from_several(&self) -> BTreeSet<ServerIx> {
        let sends = |ix: ServerIx| self.cuts.range((ix, 0)..(ix + 1, 0)).count();
        self.cuts.iter().map(|&(server, _)| server).filter(|&server| sends(server) > 1).collect()
    }

    /// Whether every cut that the server takes part in is also one of another server that is cut off: that their links end at it by
    /// chance says less than that.
    fn explained_by_others(&self, ix: ServerIx, cut_off: &BTreeSet<ServerIx>) -> bool {
        let other = |server: ServerIx| server != ix && cut_off.contains(&server);
        let explained =
            |&(server, to): &Cut| other(server) || peer(self.world, server, to).is_some_and(other);
        self.cuts.iter().filter(|cut| takes_part(self.world, ix, cut)).all(explained)
    }

    /// A server that takes part in cuts with several remote clusters is what those cuts have in common.
    fn servers_cut_off(&mut self) {
        while let Some(ix) = self.suspects().first().copied() {
            let cuts = self.take(|world, cut| takes_part(world, ix, cut));
            self.degraded(Subject::Server(self.world.servers[ix].key.clone()), &cuts);
        }
    }

    /// Servers that take part in cuts with several remote clusters: those with most clusters first, and of these those that send.
    fn suspects(&self) -> Vec<ServerIx> {
        let mut parts: BTreeMap<ServerIx, (BTreeSet<ClusterIx>, usize)> = BTreeMap::new();
        for &(server, to) in &self.cuts {
            let (remotes, sends) = parts.entry(server).or_default();
            remotes.insert(to);
            *sends += 1;
            // At a lone server every link ends: that says nothing about it.
            if let Some(peer) = peer(self.world, server, to).filter(|_| !self.is_alone(to)) {
                parts.entry(peer).or_default().0.insert(self.world.servers[server].cluster);
            }
        }
        parts.retain(|_, (remotes, _)| remotes.len() >= 2);
        let mut suspects: Vec<_> = parts.into_iter().collect();
        suspects.sort_by_key(|(ix, (remotes, sends))| {
            (Reverse(remotes.len()), Reverse(*sends), &self.world.servers[*ix].key)
        });
        suspects.into_iter().map(|(ix, _)| ix).collect()
    }

    /// Whether the cluster has one present server only.
    fn is_alone(&self, cluster: ClusterIx) -> bool {
        let servers = self.world.clusters[cluster].servers.iter();
        servers.filter(|&&server| self.world.servers[server].present()).count() < 2
    }

    fn pairs_degraded(&mut self) {
        for (a, b) in self.pairs() {
            let cuts = self.take_pair(a, b);
            if !cuts.is_empty() {
                self.degraded(self.pair(a, b), &cuts);
            }
        }
    }

    fn degraded(&mut self, subject: Subject, cuts: &[Cut]) {
        let mut draft = Draft::new(self.world);
        draft.cuts(cuts);
        let cause = cause::of_cuts(self.world, self.now, cuts);
        self.found.push(draft.finding(
            IncidentKind::GatewayDegraded,
            Severity::Warning,
            subject,
            cause,
            self.now,
        ));
    }

    fn pair(&self, a: ClusterIx, b: ClusterIx) -> Subject {
        Subject::Pair(self.world.clusters[a].name.clone(), self.world.clusters[b].name.clone())
    }

    /// Every pair of clusters, alphabetically.
    fn pairs(&self) -> Vec<(ClusterIx, ClusterIx)> {
        let order: Vec<_> = self.world.clusters_by_name().collect();
        let later = |at: usize| order[at + 1..].iter().map(move |&b| (at, b));
        (0..order.len()).flat_map(later).map(|(at, b)| (order[at], b)).collect()
    }

    /// Takes the cuts that `explained` holds for out of what is still unexplained.
    fn take(&mut self, explained: impl Fn(&World, &Cut) -> bool) -> Vec<Cut> {
        let (taken, left) = self.cuts.iter().partition(|cut| explained(self.world, cut));
        self.cuts = left;
        Vec::from_iter::<BTreeSet<Cut>>(taken)
    }

    fn take_touching(&mut self, cluster: ClusterIx) -> Vec<Cut> {
        self.take(|world, &(server, to)| to == cluster || world.servers[server].cluster == cluster)
    }

    fn take_pair(&mut self, a: ClusterIx, b: ClusterIx) -> Vec<Cut> {
        self.take(|world, &(server, to)| {
            let from = world.servers[server].cluster;
            (from, to) == (a, b) || (from, to) == (b, a)
        })
    }
}

/// Whether a cut link begins or ends at this server.
fn takes_part(world: &World, ix: ServerIx, &(server, to): &Cut) -> bool {
    server == ix || peer(world, server, to) == Some(ix)
}

/// The server at which an outbound link ends, as far as known.
fn peer(world: &World, server: ServerIx, to: ClusterIx) -> Option<ServerIx> {
    let peer = world.servers[server].links[&to].peer.as_ref()?;
    world.life(peer).filter(|&peer| world.servers[peer].cluster == to)
}
