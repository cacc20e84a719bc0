//! Asking every server for its beat, round by round.
//!
//! Owns the numbering of rounds and who is asked through which vantage. A round is told to the driver before its first question is
//! handed to a connection, and only when a connection that is up and may ask has room for it; nothing here waits.

use super::heard::Outlet;
use super::lane::{Job, Lane};
use crate::model::ask::{BeatPlan, Through};
use crate::model::ids::ClusterName;
use crate::model::observation::Round;
use crate::wire::sys::subject;
use async_nats::Subject;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Asks for beats as the engine planned.
#[derive(Debug)]
pub(super) struct Beater {
    inbox: Arc<str>,
    number: u64,
    plans: BTreeMap<ClusterName, Plan>,
    /// For each vantage, all subjects on which it asks in one round. Rebuilt when plans or vantages changed.
    tables: Vec<(ClusterName, Arc<[Subject]>)>,
    stale: bool,
}

#[derive(Debug)]
struct Plan {
    through: Through,
    subjects: Vec<Subject>,
}

impl Plan {
    fn asks_at(&self, cluster: &ClusterName, vantage: &ClusterName) -> bool {
        match self.through {
            Through::Home => cluster == vantage,
            Through::All => true,
        }
    }
}

impl Beater {
    pub(super) fn new(inbox: Arc<str>) -> Self {
        Self { inbox, number: 0, plans: BTreeMap::new(), tables: Vec::new(), stale: false }
    }

    /// Replaces the plan of one cluster.
    pub(super) fn plan(&mut self, plan: &BeatPlan) {
        let subjects: Vec<Subject> =
            plan.servers.iter().map(|server| subject::beat_request(server).into()).collect();
        if subjects.is_empty() {
            self.plans.remove(&plan.cluster);
        } else {
            self.plans.insert(plan.cluster.clone(), Plan { through: plan.through, subjects });
        }
        self.stale = true;
    }

    /// Notes that there are other vantages than before.
    pub(super) fn vantages_changed(&mut self) {
        self.stale = true;
    }

    /// One round, over all clusters that can be asked now.
    pub(super) fn beat(&mut self, lanes: &BTreeMap<ClusterName, Lane>, outlet: &Outlet) {
        if self.plans.is_empty() {
            return;
        }
        if std::mem::take(&mut self.stale) {
            self.rebuild(lanes);
        }
        let room = |(vantage, subjects): &'_ (ClusterName, Arc<[Subject]>)| {
            let room = lanes.get(vantage).filter(|lane| lane.may_beat())?.room()?;
            Some((vantage.clone(), Arc::clone(subjects), room))
        };
        let rooms: Vec<_> = self.tables.iter().filter_map(room).collect();
        let asked =
            |cluster: &ClusterName, plan: &Plan| rooms.iter().any(|(at, ..)| plan.asks_at(cluster, at));
        let (number, at) = (self.number + 1, outlet.clock.mono());
        let rounds: Vec<Round> = self
            .plans
            .iter()
            .filter(|(cluster, plan)| asked(cluster, plan))
            .map(|(cluster, plan)| Round { cluster: cluster.clone(), number, at, through: plan.through })
            .collect();
        let told = rounds.len();
        outlet.metrics.rounds_skipped.add((self.plans.len() - told) as u64);
        if told == 0 {
            return;
        }
        if !outlet.asked(rounds) {
            outlet.metrics.rounds_skipped.add(told as u64);
            return;
        }
        self.number = number;
        let reply = Subject::from(subject::beat_reply(&self.inbox, number));
        for (_, subjects, room) in rooms {
            room.send(Job::Beats { reply: reply.clone(), subjects });
        }
        outlet.metrics.rounds.add(told as u64);
    }

    fn rebuild(&mut self, lanes: &BTreeMap<ClusterName, Lane>) {
        let table = |vantage: &ClusterName| -> Arc<[Subject]> {
            let plans = self.plans.iter().filter(|(cluster, plan)| plan.asks_at(cluster, vantage));
            plans.flat_map(|(_, plan)| plan.subjects.iter().cloned()).collect()
        };
        let tables = lanes.keys().map(|vantage| (vantage.clone(), table(vantage)));
        self.tables = tables.filter(|(_, subjects)| !subjects.is_empty()).collect();
    }
}

#[cfg(test)]
#[path = "beat_tests.rs"]
mod tests;
