//! Standing checks: what is not as it should be, though nothing broke just now.
//!
//! Each check judges one subject: good, bad, or not to be told. Only good resolves an incident, so silence of a server, a restart of
//! ours or a configuration in the middle of a change resolves nothing and opens nothing.

mod versions;

use super::correlate::Finding;
use super::policy::{Checks, Policy};
use super::turn::Turn;
use super::world::{ClusterIx, Server, World};
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::{Evidence, Says};
use crate::model::incident::{Incident, IncidentKind, Scope, ServerView, Severity, Subject};
use crate::model::states::ServerState;
use crate::model::time::{Mono, Now};
use chrono::TimeDelta;
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
}

impl<'a> Look<'a> {
    fn new(turn: &'a Turn<'_>) -> Self {
        Self { world: turn.world, checks: &turn.policy.checks, now: turn.now }
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
        let mut servers = self.world.clusters[cluster].servers.iter().map(|&ix| &self.world.servers[ix]);
        servers.all(|server| !matches!(server.held.state, ServerState::Unknown | ServerState::Lost))
    }

    /// Both clocks at a moment that has passed.
    fn then(&self, mono: Mono) -> Now {
        let ago = TimeDelta::from_std(self.now.mono.since(mono)).unwrap_or_default();
        Now { mono, wall: self.now.wall - ago }
    }

    fn cluster_subject(&self, cluster: ClusterIx) -> Subject {
        Subject::Cluster(self.world.clusters[cluster].name.clone())
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

/// Everything that checks find now.
pub(super) fn findings(turn: &Turn<'_>) -> Vec<Finding> {
    let look = Look::new(turn);
    let mut found = Vec::new();
    let mut note = |verdict: Verdict| match verdict {
        Verdict::Bad(finding) => found.push(*finding),
        Verdict::Good | Verdict::Unknown => {}
    };
    for cluster in look.world.clusters_by_name() {
        note(versions::of(&look, cluster));
    }
    found
}

/// Whether what an incident of a check is about is known to be good. What is not looked for is none of our business.
pub(super) fn good(turn: &Turn<'_>, incident: &Incident) -> bool {
    let look = Look::new(turn);
    look.checks.off.contains(&incident.kind) || matches!(judge(&look, incident), Verdict::Good)
}

fn judge(look: &Look<'_>, incident: &Incident) -> Verdict {
    let cluster = |judge: fn(&Look<'_>, ClusterIx) -> Verdict| match &incident.subject {
        Subject::Cluster(name) => look.world.cluster(name).map_or(Verdict::Unknown, |ix| judge(look, ix)),
        Subject::Pair(..) | Subject::Server(_) => Verdict::Unknown,
    };
    match incident.kind {
        IncidentKind::MixedVersions => cluster(versions::of),
        IncidentKind::VantageLost
        | IncidentKind::ClusterOffline
        | IncidentKind::ClusterIsolated
        | IncidentKind::GatewayDown
        | IncidentKind::GatewayDegraded
        | IncidentKind::GatewayFlapping
        | IncidentKind::ServerLost
        | IncidentKind::GatewayNeverUp
        | IncidentKind::GatewayUnwanted
        | IncidentKind::GatewayRemoved
        | IncidentKind::ConfigDrift
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::ClockSkew
        | IncidentKind::RoutesIncomplete => Verdict::Unknown,
    }
}

/// How long a finding must last before it is told. Some checks have waited long enough when they find anything.
pub(super) fn opens_after(kind: IncidentKind, policy: &Policy) -> Duration {
    match kind {
        IncidentKind::GatewayFlapping
        | IncidentKind::ConfigDrift
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions => Duration::ZERO,
        IncidentKind::GatewayRemoved
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::RoutesIncomplete => policy.checks.standing_after,
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
