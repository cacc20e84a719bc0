//! Compares what was told with the truth.

use super::plan::{Expected, Fault, LASTING, Plan, Way};
use crate::invariants::Invariants;
use crate::sim::{Sim, Told};
use crate::story::Moment;
use gatewatch::model::ids::{ClusterName, ServerKey};
use gatewatch::model::incident::{Direction, Incident, IncidentEvent, IncidentKind, Stage, Subject};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::{ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use gatewatch::model::transition::Change;
use std::collections::BTreeSet;

/// A cluster, or a server of one.
type Gone = (String, Option<usize>);

/// So long before an operator is done, what was done may be told already. Milliseconds.
const EARLY: u64 = 60_000;

/// How soon a lasting fault was seen and told of. Milliseconds after it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    pub(super) fault: &'static str,
    pub(super) confirmed: Option<u64>,
    pub(super) told: u64,
}

/// A step that takes no longer than so many milliseconds moves none of those after it.
const IN_TIME: u64 = 500;

/// Every way in which a run contradicts the truth.
pub(super) fn violations(plan: &Plan, sim: &Sim, delays: &mut Vec<Delay>) -> Vec<String> {
    let plan = &as_played(plan, sim);
    let mut wrong = continuity(sim);
    let events: Vec<(u64, &IncidentEvent)> = sim.told.iter().filter_map(incident).collect();
    for (at, event) in &events {
        if let Some(why) = unexplained(plan, *at, event) {
            wrong.push(why);
        }
    }
    if !plan.entangled && !plan.blind {
        for fault in &plan.faults {
            wrong.extend(liveness(plan, fault, sim, &events, delays));
        }
    }
    let gone = plan.faults.iter().find_map(|fault| fault.gone.as_ref());
    let mut last = sim.snapshot();
    if let Some(snapshot) = &mut last {
        snapshot
            .incidents
            .retain(|incident| !weighs_on(plan, incident) && !plan.standing.contains(&incident.kind));
    }
    wrong.extend(closure(last, gone));
    wrong
}

/// The plan with its times as they were: what an operator does takes long, and moves all that comes after it.
fn as_played(plan: &Plan, sim: &Sim) -> Plan {
    let late = |moment: &Moment| (moment.done - moment.began).saturating_sub(IN_TIME);
    let played = |at: u64| {
        let before = plan.story.steps.iter().zip(&sim.moments).filter(|((planned, _), _)| *planned < at);
        at + before.map(|(_, moment)| late(moment)).sum::<u64>()
    };
    let mut plan = plan.clone();
    for fault in &mut plan.faults {
        (fault.from, fault.to) = (played(fault.from), played(fault.to));
        fault.expected.iter_mut().for_each(|expected| expected.since = played(expected.since));
    }
    plan
}

fn incident((at, told): &(i64, Told)) -> Option<(u64, &IncidentEvent)> {
    match told {
        Told::Incident(event) => Some((u64::try_from(*at).unwrap_or(0), event)),
        Told::Step(_) | Told::Transition(_) => None,
    }
}

fn continuity(sim: &Sim) -> Vec<String> {
    let mut invariants = Invariants::default();
    let mut wrong = Vec::new();
    for (at, told) in &sim.told {
        let result = match told {
            // Another life of gatewatch begins with nothing known but the incidents that were open.
            Told::Step(step) if step == "gatewatch starts afresh" => {
                invariants = Invariants::default();
                Ok(())
            }
            Told::Step(step) if step == "gatewatch starts" || step.starts_with("gatewatch permissions") => {
                invariants = Invariants::with_open(invariants.open());
                Ok(())
            }
            Told::Step(_) => Ok(()),
            Told::Transition(transition) => invariants.transition(transition),
            Told::Incident(event) => invariants.incident(event),
        };
        wrong.extend(result.err().map(|error| format!("at {at} ms: {error}")));
    }
    wrong
}

/// A flapping pair is held for one until it has been calm for minutes, longer than a run lasts.
fn weighs_on(plan: &Plan, incident: &Incident) -> bool {
    let explained = || plan.faults.iter().any(|fault| explains(fault, incident));
    incident.kind == IncidentKind::GatewayFlapping && explained()
}

/// An incident that no fault active lately explains.
fn unexplained(plan: &Plan, at: u64, event: &IncidentEvent) -> Option<String> {
    let incident = &event.incident;
    let begun = plan.faults.iter().filter(|fault| fault.from <= at);
    if plan.standing.contains(&incident.kind) {
        return None;
    }
    let explained = if plan.entangled || plan.blind {
        let touched: BTreeSet<&str> = begun.flat_map(|fault| &fault.touches).map(String::as_str).collect();
        concerns(&touched, incident)
    } else {
        // Chaos may hold a resolution up: each gap in what is heard begins its time anew.
        let over = event.stage == Stage::Resolved;
        begun.into_iter().any(|fault| (over || at <= fault.to + plan.pause) && explains(fault, incident))
    };
    let told = format!("at {at} ms: {} {} {:?}", event.stage, incident.kind, incident.subject);
    (!explained).then(|| format!("{told} is explained by no fault"))
}

fn explains(fault: &Fault, incident: &Incident) -> bool {
    let about = (incident.kind, incident.subject.clone());
    let expected = fault.expected.iter().any(|one| one.kind == about.0 && one.subject == about.1);
    expected || fault.also.contains(&about)
}

/// Whether it is about what is touched by some fault. A server elsewhere may be told as cut off from what is touched.
fn concerns(touched: &BTreeSet<&str>, incident: &Incident) -> bool {
    let is = |name: &ClusterName| touched.contains(name.as_str());
    match &incident.subject {
        Subject::Cluster(name) => is(name),
        Subject::Pair(a, b) => is(a) || is(b),
        Subject::Server(key) => {
            let mut cuts = incident.scope.server_links.iter();
            is(&key.cluster) || cuts.all(|cut| is(&cut.to) || is(&cut.server.cluster))
        }
    }
}

/// Every lasting fault is told of as what it is, within its time, under one id, and as nothing else first.
fn liveness(
    plan: &Plan,
    fault: &Fault,
    sim: &Sim,
    events: &[(u64, &IncidentEvent)],
    delays: &mut Vec<Delay>,
) -> Vec<String> {
    let during = || events.iter().filter(|(at, _)| *at >= fault.from && *at <= fault.to + plan.pause);
    let counts =
        |event: &IncidentEvent| event.stage == Stage::Opened && !plan.standing.contains(&event.incident.kind);
    let opened = during().filter(|(_, event)| counts(event)).count();
    let mut wrong = Vec::new();
    let allowed = fault.incidents.unwrap_or(fault.expected.len());
    if opened > allowed + fault.extra {
        wrong.push(format!("{}: {opened} incidents are opened for {allowed}", fault.name));
    }
    if fault.to - fault.from < LASTING + plan.slack {
        return wrong;
    }
    for expected in &fault.expected {
        let mut told = during().filter(|(at, event)| {
            *at >= fault.from.max(expected.since.saturating_sub(EARLY)) && fits(expected, &event.incident)
        });
        match told.next() {
            Some((at, _))
                if *at <= expected.since + expected.within + plan.slack + patience(expected, events) =>
            {
                let confirmed = confirmed(fault, sim);
                delays.push(Delay { fault: fault.name, confirmed, told: at.saturating_sub(expected.since) });
            }
            Some((at, _)) => wrong.push(format!("{}: told of only at {at} ms: {expected:?}", fault.name)),
            None => wrong.push(format!("{}: never told of as {expected:?}", fault.name)),
        }
    }
    wrong
}

/// So much longer an outage of a pair that flaps is waited for.
fn patience(expected: &Expected, events: &[(u64, &IncidentEvent)]) -> u64 {
    let flapping = events.iter().any(|(at, event)| {
        let incident = &event.incident;
        incident.kind == IncidentKind::GatewayFlapping
            && incident.subject == expected.subject
            && *at <= expected.since
    });
    if flapping { 6_000 } else { 0 }
}

fn fits(expected: &Expected, incident: &Incident) -> bool {
    let direction = match (incident.direction(), incident.kind) {
        (Some(Direction::OneWay(link)), IncidentKind::GatewayDown) => {
            expected.way == Way::Only(link) || expected.way == Way::Any
        }
        (Some(Direction::Both), IncidentKind::GatewayDown) => !matches!(expected.way, Way::Only(_)),
        (Some(_) | None, _) => true,
    };
    let about = incident.subject == expected.subject || expected.seems.as_ref() == Some(&incident.subject);
    direction && incident.kind == expected.kind && about
}

/// When the first bad state was told of.
fn confirmed(fault: &Fault, sim: &Sim) -> Option<u64> {
    let ours = fault.expected.iter().any(|expected| expected.kind == IncidentKind::VantageLost);
    let bad = |change: &Change| match change {
        Change::ServerLink { to, .. } => *to == ServerLinkState::Down,
        Change::Server { to, .. } => *to == ServerState::Lost,
        Change::Cluster { to, .. } => matches!(to, ClusterState::Offline(_) | ClusterState::Unreachable),
        Change::Vantage { to, .. } => ours && matches!(to, VantageState::Gone | VantageState::Impaired),
        Change::Link { .. } | Change::Resynced { .. } => false,
    };
    let from = i64::try_from(fault.from).ok()?;
    let first = sim.told.iter().find_map(|(at, told)| match told {
        Told::Transition(transition) if *at >= from && bad(&transition.change) => Some(at - from),
        Told::Transition(_) | Told::Step(_) | Told::Incident(_) => None,
    })?;
    u64::try_from(first).ok()
}

/// Everything has healed: nothing is open, nothing is bad.
fn closure(snapshot: Option<Snapshot>, gone: Option<&Gone>) -> Vec<String> {
    let Some(mut snapshot) = snapshot else { return vec!["gatewatch does not run in the end".to_owned()] };
    if let Some(gone) = gone {
        leave_out(&mut snapshot, gone);
    }
    let mut wrong = Vec::new();
    for incident in &snapshot.incidents {
        wrong.push(format!("in the end: {} {:?} is open", incident.kind, incident.subject));
    }
    for vantage in snapshot.vantages.iter().filter(|one| one.state != VantageState::Sound) {
        wrong.push(format!("in the end: vantage {} is {}", vantage.cluster, vantage.state));
    }
    for cluster in &snapshot.clusters {
        if cluster.state != ClusterState::Healthy {
            wrong.push(format!("in the end: cluster {} is {}", cluster.name, cluster.state));
        }
        for server in cluster.servers.iter().filter(|one| one.state != ServerState::Live) {
            wrong.push(format!("in the end: server {} is {}", server.key, server.state));
        }
    }
    for link in &snapshot.links {
        if link.state != LinkState::Up {
            wrong.push(format!("in the end: link {} is {}", link.link, link.state));
        }
        for part in link.servers.iter().filter(|part| part.state != ServerLinkState::Up) {
            wrong.push(format!("in the end: {} -> {} is {}", part.server, link.link.to, part.state));
        }
    }
    wrong
}

/// What is gone for good is not good again.
fn leave_out(snapshot: &mut Snapshot, (cluster, server): &Gone) {
    let is = |name: &ClusterName| name.as_str() == cluster;
    match server {
        None => {
            snapshot
                .incidents
                .retain(|incident| !matches!(&incident.subject, Subject::Cluster(name) if is(name)));
            snapshot.vantages.retain(|vantage| !is(&vantage.cluster));
            snapshot.clusters.retain(|one| !is(&one.name));
            snapshot.links.retain(|status| !is(&status.link.from) && !is(&status.link.to));
        }
        Some(number) => {
            let left = |key: &ServerKey| is(&key.cluster) && key.name.as_str() == number.to_string();
            for one in &mut snapshot.clusters {
                one.servers.retain(|status| !left(&status.key));
            }
            for status in &mut snapshot.links {
                status.servers.retain(|part| !left(&part.server));
            }
        }
    }
}
