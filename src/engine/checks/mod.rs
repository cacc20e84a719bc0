//! Standing checks: what is not as it should be, though nothing broke just now.
//!
//! Each check judges one subject: good, bad, or not to be told. Only good resolves an incident, so silence of a server, a restart of
//! ours or a configuration in the middle of a change resolves nothing and opens nothing.

mod certificates;
mod clocks;
mod drift;
mod flapping;
mod own;
mod removed;
mod routes;
mod told;
mod urls;
mod versions;

pub(super) use told::Told;

use super::correlate::Finding;
use super::policy::{Checks, Policy};
use super::turn::Turn;
use super::world::{ClusterIx, Server, ServerIx, World};
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::InstanceName;
use crate::model::incident::{Incident, IncidentKind, Scope, ServerView, Severity, Subject};
use crate::model::states::ServerState;
use crate::model::time::{Mono, Now};
use chrono::TimeDelta;
use std::cell::OnceCell;
use std::time::Duration;

/// How much evidence one finding carries.
const MAX_EVIDENCE: usize = 24;

/// What a check says of its subject.
#[derive(Debug)]
enum Verdict {
    /// It is known to be as it should.
    Good,
    /// It cannot be told now: something is silent, changing, or was not heard of yet.
    Unknown,
    /// It is not as it should be.
    Bad(Box<Finding>),
}

impl Verdict {
    /// What a subject without anything bad is: good when all of it is known.
    fn good_if(known: bool) -> Self {
        if known { Self::Good } else { Self::Unknown }
    }
}

/// What checks look at.
struct Look<'a> {
    world: &'a World,
    checks: &'a Checks,
    now: Now,
    instance: &'a InstanceName,
    /// How long a server that has just appeared may take to find the others.
    grace: Duration,
    ours: OnceCell<TimeDelta>,
}

impl<'a> Look<'a> {
    fn new(turn: &'a Turn<'_>) -> Self {
        let (world, checks) = (&*turn.world, &turn.policy.checks);
        let (instance, grace) = (&turn.policy.instance, turn.policy.join_grace);
        Self { world, checks, now: turn.now, instance, grace, ours: OnceCell::new() }
    }

    /// The servers of a cluster that are there, by name.
    fn present(&self, cluster: ClusterIx) -> Vec<&'a Server> {
        let servers = self.world.clusters[cluster].servers.iter().map(|&ix| &self.world.servers[ix]);
        let mut present: Vec<_> = servers.filter(|server| server.present()).collect();
        present.sort_by(|a, b| a.key.cmp(&b.key));
        present
    }

    /// Whether every server of the cluster is there or has said that it leaves: of those that are silent nothing can be said.
    fn complete(&self, cluster: ClusterIx) -> bool {
        let servers = &self.world.clusters[cluster].servers;
        let silent = |ix: &ServerIx| {
            let server = &self.world.servers[*ix];
            matches!(server.held.state, ServerState::Unknown | ServerState::Lost) && !server.unproven
        };
        !servers.is_empty() && !servers.iter().any(silent)
    }

    /// Whether every server of the cluster has said that it stops.
    fn left(&self, cluster: ClusterIx) -> bool {
        self.complete(cluster) && self.present(cluster).is_empty()
    }

    /// How far most servers' clocks are ahead of ours, when that is too far.
    fn ours(&self) -> TimeDelta {
        *self.ours.get_or_init(|| clocks::reference(self.world, self.checks.clock_skew, self.now))
    }

    /// Both clocks at a moment that has passed.
    fn then(&self, mono: Mono) -> Now {
        let ago = TimeDelta::from_std(self.now.mono.since(mono)).unwrap_or_default();
        Now { mono, wall: self.now.wall - ago }
    }

    fn cluster_subject(&self, cluster: ClusterIx) -> Subject {
        Subject::Cluster(self.world.clusters[cluster].name.clone())
    }

    fn pair_subject(&self, a: ClusterIx, b: ClusterIx) -> Subject {
        let [a, b] = [a, b].map(|ix| self.world.clusters[ix].name.clone());
        Subject::Pair(a.clone().min(b.clone()), a.max(b))
    }

    /// Pairs of clusters with a link between them, in the order of their names.
    fn pairs(&self) -> Vec<(ClusterIx, ClusterIx)> {
        let mut pairs = Vec::new();
        for a in self.world.clusters_by_name() {
            let (name, links) = (&self.world.clusters[a].name, &self.world.clusters[a].links);
            for &b in links.keys() {
                // Known from both sides, a pair is taken from the first.
                let mutual = self.world.clusters[b].links.contains_key(&a);
                if !mutual || *name < self.world.clusters[b].name {
                    pairs.push((a, b));
                }
            }
        }
        pairs
    }

    fn bad(&self, kind: IncidentKind, severity: Severity, subject: Subject, says: Vec<Says>) -> Finding {
        let evidence = says.into_iter().take(MAX_EVIDENCE);
        Finding {
            kind,
            severity,
            subject,
            departure: None,
            scope: Scope::default(),
            since: self.now,
            cause: Cause::proven(CauseKind::Configuration),
            view: ServerView::default(),
            rate: None,
            basis: None,
            evidence: evidence.map(|says| Evidence { at: self.now.wall, says }).collect(),
            flaps: None,
        }
    }
}

/// A check of a cluster.
type ClusterCheck = fn(&Look<'_>, ClusterIx) -> Verdict;
/// A check of a pair of clusters.
type PairCheck = fn(&Look<'_>, ClusterIx, ClusterIx) -> Verdict;

const CLUSTER_CHECKS: [ClusterCheck; 5] =
    [drift::within, certificates::of, urls::of, versions::of, routes::of];
const PAIR_CHECKS: [PairCheck; 3] = [flapping::of, removed::of, drift::between];

/// Everything that checks find now.
pub(super) fn findings(turn: &Turn<'_>) -> Vec<Finding> {
    let look = Look::new(turn);
    let mut found = Vec::new();
    let mut note = |verdict: Verdict| match verdict {
        Verdict::Bad(finding) => found.push(*finding),
        Verdict::Good | Verdict::Unknown => {}
    };
    let proven = |cluster: &ClusterIx| look.world.clusters[*cluster].proven;
    for cluster in look.world.clusters_by_name().filter(proven) {
        for check in CLUSTER_CHECKS {
            note(check(&look, cluster));
        }
    }
    for server in look.world.servers_by_key().filter(|&ix| proven(&look.world.servers[ix].cluster)) {
        note(clocks::of(&look, server));
    }
    note(own::of(&look));
    for (a, b) in look.pairs().into_iter().filter(|(a, b)| proven(a) && proven(b)) {
        for check in PAIR_CHECKS {
            note(check(&look, a, b));
        }
    }
    found
}

/// Whether what an incident of a check is about is known to be good. What is not looked for is none of our business.
pub(super) fn good(turn: &Turn<'_>, incident: &Incident) -> bool {
    let look = Look::new(turn);
    // After a start of ours everything must have had the time to be heard once.
    let begun = turn.now.mono.0 >= look.checks.standing_after;
    look.checks.off.contains(&incident.kind) || (begun && matches!(judge(&look, incident), Verdict::Good))
}

fn judge(look: &Look<'_>, incident: &Incident) -> Verdict {
    match incident.kind {
        IncidentKind::GatewayFlapping => pair(look, incident, flapping::of),
        IncidentKind::GatewayRemoved => pair(look, incident, removed::of),
        IncidentKind::ConfigDrift => match incident.subject {
            Subject::Pair(..) => pair(look, incident, drift::between),
            Subject::Cluster(_) | Subject::Server(_) | Subject::Instance(_) => {
                cluster(look, incident, drift::within)
            }
        },
        IncidentKind::CertificateExpiring => cluster(look, incident, certificates::of),
        IncidentKind::SingleUrl => cluster(look, incident, urls::of),
        IncidentKind::MixedVersions => cluster(look, incident, versions::of),
        IncidentKind::RoutesIncomplete => cluster(look, incident, routes::of),
        IncidentKind::ClockSkew => match &incident.subject {
            Subject::Server(key) => {
                look.world.server(key).map_or(Verdict::Unknown, |ix| clocks::of(look, ix))
            }
            Subject::Cluster(_) | Subject::Pair(..) | Subject::Instance(_) => Verdict::Unknown,
        },
        // One that another instance left is over when it is this one that watches.
        IncidentKind::GatewatchImpaired => own::of(look),
        IncidentKind::VantageLost
        | IncidentKind::ClusterOffline
        | IncidentKind::ClusterIsolated
        | IncidentKind::GatewayDown
        | IncidentKind::GatewayDegraded
        | IncidentKind::ServerLost
        | IncidentKind::GatewayNeverUp
        | IncidentKind::GatewayUnwanted => Verdict::Unknown,
    }
}

fn cluster(look: &Look<'_>, incident: &Incident, check: ClusterCheck) -> Verdict {
    match &incident.subject {
        Subject::Cluster(name) => look.world.cluster(name).map_or(Verdict::Unknown, |ix| check(look, ix)),
        Subject::Pair(..) | Subject::Server(_) | Subject::Instance(_) => Verdict::Unknown,
    }
}

fn pair(look: &Look<'_>, incident: &Incident, check: PairCheck) -> Verdict {
    match &incident.subject {
        Subject::Pair(a, b) => {
            let pair = look.world.cluster(a).zip(look.world.cluster(b));
            pair.map_or(Verdict::Unknown, |(a, b)| check(look, a, b))
        }
        Subject::Cluster(_) | Subject::Server(_) | Subject::Instance(_) => Verdict::Unknown,
    }
}

/// How long a finding must last before it is told. Some checks have waited long enough when they find anything.
pub(super) fn opens_after(kind: IncidentKind, policy: &Policy) -> Duration {
    match kind {
        IncidentKind::GatewayFlapping
        | IncidentKind::ConfigDrift
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions
        | IncidentKind::GatewatchImpaired => Duration::ZERO,
        // Every server has told its configuration: there is nothing more to wait for but restarts that go on.
        IncidentKind::GatewayRemoved => policy.join_grace,
        IncidentKind::CertificateExpiring | IncidentKind::SingleUrl | IncidentKind::RoutesIncomplete => {
            policy.checks.standing_after
        }
        IncidentKind::VantageLost
        | IncidentKind::ClusterOffline
        | IncidentKind::ClusterIsolated
        | IncidentKind::GatewayDown
        | IncidentKind::GatewayDegraded
        | IncidentKind::ServerLost
        | IncidentKind::GatewayNeverUp
        | IncidentKind::GatewayUnwanted => policy.alert_after,
    }
}
