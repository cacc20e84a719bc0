//! What must hold of everything the engine puts out, whatever it was fed.

use gatewatch::model::incident::{IncidentEvent, IncidentId, Stage};
use gatewatch::model::intent::Forget;
use gatewatch::model::states::{ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use gatewatch::model::transition::{Change, Transition};
use std::collections::{BTreeMap, BTreeSet};

/// Follows all outputs of one engine.
#[derive(Default)]
pub(crate) struct Invariants {
    /// The state of each thing, as last told.
    states: BTreeMap<String, State>,
    /// Server links that were doubted since they were last good.
    suspected: BTreeSet<String>,
    /// Last revision of each open incident.
    open: BTreeMap<IncidentId, u32>,
    resolved: BTreeSet<IncidentId>,
}

/// The state of anything.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    ServerLink(ServerLinkState),
    Link(LinkState),
    Server(ServerState),
    Cluster(ClusterState),
    Vantage(VantageState),
}

impl Invariants {
    /// Incidents that a former life left open.
    pub(crate) fn with_open(incidents: impl IntoIterator<Item = (IncidentId, u32)>) -> Self {
        Self { open: incidents.into_iter().collect(), ..Self::default() }
    }

    /// A transition starts where the last one of the same thing ended, the first one in a state in which nothing is known.
    pub(crate) fn transition(&mut self, transition: &Transition) -> Result<(), String> {
        let Some((name, first, from, to)) = parts(&transition.change) else {
            return self.resynced(&transition.change);
        };
        let before = self.states.insert(name.clone(), to).unwrap_or(first);
        // What was forgotten meanwhile begins anew; it counted for nothing before.
        let anew = matches!(
            (before, from),
            (State::ServerLink(ServerLinkState::Retired), State::ServerLink(ServerLinkState::Unknown))
                | (State::Link(LinkState::Retired), State::Link(LinkState::Unknown))
        );
        if before != from && !anew {
            return Err(format!("{name} was {before:?}, and now is said to go from {from:?} to {to:?}"));
        }
        if from == to {
            return Err(format!("{name} goes from {from:?} to the same"));
        }
        match to {
            State::ServerLink(ServerLinkState::Suspect) => {
                self.suspected.insert(name);
            }
            State::ServerLink(ServerLinkState::Down) if !self.suspected.contains(&name) => {
                return Err(format!("{name} is down and was never suspected"));
            }
            State::ServerLink(ServerLinkState::Up | ServerLinkState::Unknown | ServerLinkState::Retired) => {
                self.suspected.remove(&name);
            }
            State::ServerLink(ServerLinkState::Down)
            | State::Link(_)
            | State::Server(_)
            | State::Cluster(_)
            | State::Vantage(_) => {}
        }
        Ok(())
    }

    /// Only what is up can have caught up.
    fn resynced(&self, change: &Change) -> Result<(), String> {
        let Change::Resynced { link, .. } = change else { return Ok(()) };
        match self.states.get(&format!("link {link}")) {
            Some(State::Link(LinkState::Up | LinkState::Retired)) => Ok(()),
            other => Err(format!("link {link} is {other:?} and said to be resynced")),
        }
    }

    /// An incident is opened once, counts its revisions one by one, is resolved at most once and then never heard of again.
    pub(crate) fn incident(&mut self, event: &IncidentEvent) -> Result<(), String> {
        let incident = &event.incident;
        let (id, revision) = (&incident.id, incident.revision);
        if self.resolved.contains(id) {
            return Err(format!("{id} was resolved and is {} again", event.stage));
        }
        if (event.stage == Stage::Resolved) != incident.resolved.is_some() {
            return Err(format!("{id} is {} and says resolved {:?}", event.stage, incident.resolved));
        }
        let before = self.open.insert(id.clone(), revision);
        let expected = match event.stage {
            Stage::Opened if before.is_some() => return Err(format!("{id} is opened twice")),
            Stage::Opened => 1,
            Stage::Updated | Stage::Resolved => match before {
                Some(before) => before + 1,
                None => return Err(format!("{id} is {} and was never opened", event.stage)),
            },
        };
        if event.stage == Stage::Resolved {
            self.open.remove(id);
            self.resolved.insert(id.clone());
        }
        if revision == expected {
            Ok(())
        } else {
            Err(format!("{id} has revision {revision}, not {expected}"))
        }
    }

    /// What was forgotten begins anew when it is heard again.
    pub(crate) fn forget(&mut self, what: &Forget) {
        let gone = match what {
            Forget::Cluster(cluster) => cluster.to_string(),
            Forget::Server(key) => key.to_string(),
        };
        self.states.retain(|name, _| !name.contains(&gone));
        self.suspected.retain(|name| !name.contains(&gone));
    }

    /// Open incidents with their revisions.
    pub(crate) fn open(&self) -> Vec<(IncidentId, u32)> {
        self.open.iter().map(|(id, revision)| (id.clone(), *revision)).collect()
    }
}

/// `None` for what is not a state.
fn parts(change: &Change) -> Option<(String, State, State, State)> {
    Some(match change {
        Change::Resynced { .. } => return None,
        Change::ServerLink { link, from, to } => (
            format!("server link {link}"),
            State::ServerLink(ServerLinkState::Unknown),
            State::ServerLink(*from),
            State::ServerLink(*to),
        ),
        Change::Link { link, from, to } => {
            (format!("link {link}"), State::Link(LinkState::Unknown), State::Link(*from), State::Link(*to))
        }
        Change::Server { server, from, to, .. } => (
            format!("server {server}"),
            State::Server(ServerState::Unknown),
            State::Server(*from),
            State::Server(*to),
        ),
        Change::Cluster { cluster, from, to } => (
            format!("cluster {cluster}"),
            State::Cluster(ClusterState::Unknown),
            State::Cluster(*from),
            State::Cluster(*to),
        ),
        Change::Vantage { cluster, from, to } => (
            format!("vantage {cluster}"),
            State::Vantage(VantageState::Connecting),
            State::Vantage(*from),
            State::Vantage(*to),
        ),
    })
}
