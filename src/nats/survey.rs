//! Asking servers for what they know: slowly by the clock, at once on suspicion.
//!
//! Owns whom a survey is sent to, through which vantages, and how often at most. Nothing here waits: without room a survey is left out
//! and comes again.

use super::heard::Outlet;
use super::lane::{Job, Lane};
use crate::model::ask::{Survey, SurveyRequest, Through};
use crate::model::ids::{ClusterName, ServerId};
use crate::model::time::Mono;
use crate::wire::sys::subject;
use async_nats::Subject;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Shortest time between two equal questions to one server or one cluster.
const SPARE: Duration = Duration::from_millis(500);
/// Questions remembered for [`SPARE`]; when more were asked lately, old ones are forgotten and then all.
const MAX_REMEMBERED: usize = 4096;

/// Whom a question is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    /// Every server that hears it.
    Everybody,
    /// Every server of one cluster.
    Cluster(ClusterName),
    /// One server.
    Server(ServerId),
}

/// Sends surveys.
#[derive(Debug)]
pub(super) struct Surveyor {
    inbox: Arc<str>,
    number: u64,
    asked: BTreeMap<(Whom, Survey), Mono>,
}

/// The vantages' ways out, by cluster.
pub(super) type Lanes = BTreeMap<ClusterName, Lane>;

impl Surveyor {
    pub(super) fn new(inbox: Arc<str>) -> Self {
        Self { inbox, number: 0, asked: BTreeMap::new() }
    }

    /// Does what the engine asked for.
    pub(super) fn ask(&mut self, request: &SurveyRequest, lanes: &Lanes, outlet: &Outlet) {
        let ways = ways(&request.cluster, request.through, lanes);
        if request.servers.is_empty() {
            self.send(&Whom::Cluster(request.cluster.clone()), request.what, &ways, outlet);
        }
        for server in &request.servers {
            self.send(&Whom::Server(server.clone()), request.what, &ways, outlet);
        }
    }

    /// Asks all servers of a cluster: through its own vantage, or, when there is none to use, through all others.
    pub(super) fn sweep(&mut self, cluster: &ClusterName, what: Survey, lanes: &Lanes, outlet: &Outlet) {
        let ways = ways(cluster, Through::Home, lanes);
        self.send(&Whom::Cluster(cluster.clone()), what, &ways, outlet);
    }

    /// Asks every server of every cluster through one vantage.
    pub(super) fn everybody(&mut self, what: Survey, vantage: &ClusterName, lanes: &Lanes, outlet: &Outlet) {
        let ways: Vec<&Lane> = lanes.get(vantage).into_iter().collect();
        self.send(&Whom::Everybody, what, &ways, outlet);
    }

    fn send(&mut self, whom: &Whom, what: Survey, ways: &[&Lane], outlet: &Outlet) {
        let now = outlet.clock.mono();
        let rooms: Vec<_> = ways.iter().filter_map(|lane| lane.room()).collect();
        if rooms.is_empty() {
            return;
        }
        if !self.spare(whom, what, now) {
            outlet.metrics.surveys_limited.bump();
            return;
        }
        self.number += 1;
        let reply = Subject::from(subject::survey_reply(&self.inbox, what, self.number));
        let (subject, body) = question(whom, what);
        for room in rooms {
            outlet.metrics.surveys.bump();
            room.send(Job::Survey { subject: subject.clone(), reply: reply.clone(), body: body.clone() });
        }
    }

    /// Whether the same was not asked just now; notes that it is.
    fn spare(&mut self, whom: &Whom, what: Survey, now: Mono) -> bool {
        let key = (whom.clone(), what);
        if self.asked.get(&key).is_some_and(|last| now.since(*last) < SPARE) {
            return false;
        }
        if self.asked.len() >= MAX_REMEMBERED {
            self.asked.retain(|_, last| now.since(*last) < SPARE);
        }
        if self.asked.len() >= MAX_REMEMBERED {
            self.asked.clear();
        }
        self.asked.insert(key, now);
        true
    }
}

/// The vantages to ask through. A cluster whose own vantage is missing is asked through all others.
fn ways<'a>(cluster: &ClusterName, through: Through, lanes: &'a Lanes) -> Vec<&'a Lane> {
    let home = lanes.get(cluster).filter(|lane| lane.is_open());
    match (through, home) {
        (Through::Home, Some(home)) => vec![home],
        (Through::Home, None) | (Through::All, _) => lanes.values().collect(),
    }
}

fn question(whom: &Whom, what: Survey) -> (Subject, Bytes) {
    match whom {
        Whom::Everybody => (Subject::from_static(subject::ping(what)), subject::body(what, None).into()),
        Whom::Cluster(cluster) => {
            (Subject::from_static(subject::ping(what)), subject::body(what, Some(cluster)).into())
        }
        Whom::Server(server) => (subject::request(server, what).into(), subject::body(what, None).into()),
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
