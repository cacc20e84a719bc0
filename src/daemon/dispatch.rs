//! Hands the engine's outputs on: transitions and incidents to the publisher and the log, requests to the connections.
//!
//! Nothing here waits. A look that finds no room is left out: the engine looks again. Plans are never lost: the latest one of each
//! cluster is kept until there is room.

use super::doubts::Doubts;
use super::driver::Sink;
use crate::engine::{Output, Refusals};
use crate::metrics::Metrics;
use crate::model::ask::BeatPlan;
use crate::model::ids::ClusterName;
use crate::model::incident::{IncidentEvent, Stage};
use crate::model::intent::{Forget, ForgetOutcome};
use crate::model::states::ServerLinkState;
use crate::model::time::{Mono, Now};
use crate::model::transition::{Change, Transition};
use crate::nats::heard::Request;
use crate::nats::probe::{NotTaken, Prober};
use crate::nats::publish::{Message, Publisher};
use crate::nats::voices::Voices;
use crate::wire::advisory::Advisories;
use crate::wire::text;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// How many transitions are kept while it is not ours to speak; the oldest make room. Those of the last seconds may have to be told.
const HUSHED: usize = 1024;

/// The sink of a daemon.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) prober: Prober,
    pub(super) publisher: Publisher,
    pub(super) voices: Voices,
    pub(super) advisories: Advisories,
    pub(super) metrics: Arc<Metrics>,
    /// What became of requests to forget.
    pub(super) outcomes: mpsc::Sender<(Forget, ForgetOutcome)>,
    /// What happened while it is not ours to speak; the engine keeps incidents to itself then, but not transitions. `None` while it is.
    pub(super) hushed: Option<VecDeque<Transition>>,
    /// Plans that have not been handed on yet.
    pub(super) plans: BTreeMap<ClusterName, BeatPlan>,
    /// What the engine did not believe.
    pub(super) doubts: Doubts,
}

impl Sink for Dispatch {
    fn put(&mut self, output: Output, _: Now) {
        match output {
            Output::Transition(transition) => self.transition(&transition),
            Output::Incident(event) => self.incident(&event),
            Output::Beat(plan) => {
                self.plans.insert(plan.cluster.clone(), plan);
            }
            Output::Forgotten(what, outcome) => {
                tracing::info!(%what, %outcome, "asked to forget");
                if self.outcomes.try_send((what, outcome)).is_err() {
                    tracing::warn!("what became of a request to forget cannot be told");
                }
            }
            Output::Ask(request) => {
                if let Err(TrySendError::Full(_)) = self.requests.try_send(Request::Ask(request)) {
                    self.metrics.requests_dropped.bump();
                }
            }
            // The prober counts what it has no room for; the engine asks again.
            Output::Probe(request) => match self.prober.try_send(request) {
                Ok(()) | Err(NotTaken::Full | NotTaken::Off) => {}
            },
        }
    }

    fn speaks(&mut self, untold_since: Option<Mono>) {
        let Some(since) = untold_since else {
            self.voices.hush();
            self.hushed.get_or_insert_default();
            return;
        };
        for transition in self.hushed.take().unwrap_or_default() {
            if transition.at.mono >= since {
                self.transition(&transition);
            }
        }
    }

    fn doubted(&mut self, refusals: Refusals, now: Now) {
        self.doubts.tell(refusals, now, &self.metrics);
    }

    fn turned(&mut self) {
        while let Some((cluster, plan)) = self.plans.pop_first() {
            if let Err(TrySendError::Full(Request::Beat(plan))) = self.requests.try_send(Request::Beat(plan))
            {
                self.plans.insert(cluster, plan);
                return;
            }
        }
    }
}

impl Dispatch {
    fn transition(&mut self, transition: &Transition) {
        let what = text::change(&transition.change);
        if let Some(hushed) = &mut self.hushed {
            tracing::debug!(change = what, "another gatewatch tells of it, or this one later");
            hushed.push_back(transition.clone());
            if hushed.len() > HUSHED {
                hushed.pop_front();
            }
            return;
        }
        if is_doubt(&transition.change) {
            tracing::debug!(change = what);
        } else {
            tracing::info!(change = what);
        }
        self.publisher.publish(Message::event(self.advisories.event(transition)));
    }

    fn incident(&self, event: &IncidentEvent) {
        let incident = &event.incident;
        let (id, stage, severity) = (&incident.id, event.stage, incident.severity);
        let title = text::title(incident);
        let advisory = self.advisories.alert(event);
        if let Some(silence) = &incident.silenced {
            tracing::info!(%id, %stage, %severity, %silence, title);
            return self.publisher.publish(Message::silenced(id, advisory).remembering(incident));
        }
        match event.stage {
            Stage::Opened => tracing::warn!(%id, %stage, %severity, title),
            Stage::Updated | Stage::Resolved => tracing::info!(%id, %stage, %severity, title),
        }
        self.publisher.publish(Message::alert(id, advisory).remembering(incident));
    }
}

/// Doubt comes and goes many times an hour on a busy network: it is published, but not worth a line in the log.
fn is_doubt(change: &Change) -> bool {
    match change {
        Change::ServerLink { from, to, .. } => {
            [*from, *to].contains(&ServerLinkState::Suspect) && *to != ServerLinkState::Down
        }
        Change::Link { .. }
        | Change::Resynced { .. }
        | Change::Server { .. }
        | Change::Cluster { .. }
        | Change::Vantage { .. } => false,
    }
}
