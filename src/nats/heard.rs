//! What leaves the connections for the driver, what comes back, and how both are kept from blocking each other.
//!
//! Owns the policy of the channel to the driver; see `Outlet`. Decodes nothing and judges nothing.

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::ask::{BeatPlan, SurveyRequest};
use crate::model::ids::ClusterName;
use crate::model::observation::{Observation, Round, VantageChange, VantageEvent};
use crate::model::probe::ProbeReport;
use crate::wire::capture::Recorded;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};

/// Everything the connections tell the driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// One decoded fact.
    Observed(Observation),
    /// A round of beats is being asked; told before the first question is written.
    Asked(Round),
    /// One of our own connections changed.
    Vantage(VantageChange),
    /// Something was found at a gateway address.
    Probed(ProbeReport),
}

/// Everything the driver can ask of the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// From now on ask these servers for beats.
    Beat(BeatPlan),
    /// Look at these servers now.
    Ask(SurveyRequest),
}

/// Where a capture is fed from: every message before it is decoded, every round, every change of a connection, every look at a gateway
/// address. When the channel is full, lines are left out and counted as `capture_drops`: a slow disk must not
/// make the daemon blind.
pub type Tap = mpsc::Sender<Recorded>;

/// How long a reader waits for room in the channel to the driver before it drops.
///
/// The subscription buffers behind the reader hold far more than can arrive in that time.
const GRACE: Duration = Duration::from_millis(50);

/// The way to the driver, one per task.
///
/// The channel is bounded. Changes of our own connections wait for room: there are few of them and none may be missed. Rounds are not
/// waited for: without room no round is asked. Facts wait for at most [`GRACE`], then they are dropped without waiting until there is
/// room again, and [`VantageEvent::Dropped`] goes out before the first fact after the gap.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    heard: mpsc::Sender<Heard>,
    tap: Option<Tap>,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
}

impl Outlet {
    pub(super) fn new(
        heard: mpsc::Sender<Heard>,
        tap: Option<Tap>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { heard, tap, clock, metrics }
    }

    /// Tells of a change of one of our connections; waits for room. Nothing to do when the driver is gone: everything is ending.
    pub(super) async fn changed(&self, cluster: &ClusterName, what: VantageEvent) {
        let change = VantageChange { cluster: cluster.clone(), at: self.clock.mono(), what };
        self.tap(|| Recorded::Vantage(change.clone()));
        let _ = self.heard.send(Heard::Vantage(change)).await;
    }

    /// Tells of rounds that are about to be asked. `false`: there is no room for all of them and none may be asked.
    pub(super) fn asked(&self, rounds: Vec<Round>) -> bool {
        let Ok(room) = self.heard.try_reserve_many(rounds.len()) else { return false };
        for (place, round) in room.zip(rounds) {
            self.tap(|| Recorded::Asked(round.clone()));
            place.send(Heard::Asked(round));
        }
        true
    }

    /// Copies a message to the capture, when one is being taken.
    pub(super) fn tap(&self, line: impl FnOnce() -> Recorded) {
        if let Some(tap) = &self.tap
            && let Err(TrySendError::Full(_)) = tap.try_send(line())
        {
            self.metrics.tap_full.bump();
        }
    }
}

/// Hands what is found at gateway addresses on to the driver; waits for room, since no further look is made meanwhile. Ends with its
/// senders, or with the driver; does not keep the driver's channel open.
pub async fn relay_probes(
    mut reports: mpsc::Receiver<ProbeReport>,
    heard: mpsc::WeakSender<Heard>,
    tap: Option<Tap>,
    metrics: Arc<Metrics>,
) {
    while let Some(report) = reports.recv().await {
        let Some(heard) = heard.upgrade() else { return };
        if let Some(tap) = &tap
            && let Err(TrySendError::Full(_)) = tap.try_send(Recorded::Probed(report.clone()))
        {
            metrics.tap_full.bump();
        }
        if heard.send(Heard::Probed(report)).await.is_err() {
            return;
        }
    }
}

/// The facts of one connection on their way to the driver, with the memory of a gap.
#[derive(Debug)]
pub(super) struct Facts {
    outlet: Outlet,
    cluster: ClusterName,
    gap: bool,
}

impl Facts {
    pub(super) fn new(outlet: Outlet, cluster: ClusterName) -> Self {
        Self { outlet, cluster, gap: false }
    }

    /// Notes that messages were lost, to be told before the next fact.
    pub(super) fn note_gap(&mut self) {
        self.gap = true;
    }

    /// Tells of a gap as soon as there is room. Returns whether nothing is left to tell.
    pub(super) fn tell_gap(&mut self) -> bool {
        if !self.gap {
            return true;
        }
        let Ok(place) = self.outlet.heard.try_reserve() else { return false };
        let change = VantageChange {
            cluster: self.cluster.clone(),
            at: self.outlet.clock.mono(),
            what: VantageEvent::Dropped,
        };
        self.outlet.tap(|| Recorded::Vantage(change.clone()));
        place.send(Heard::Vantage(change));
        self.gap = false;
        true
    }

    /// Hands one fact on, or drops and counts it when the driver does not keep up.
    pub(super) async fn put(&mut self, observation: Observation) {
        if !self.tell_gap() {
            self.outlet.metrics.driver_full.bump();
            return;
        }
        match self.outlet.heard.send_timeout(Heard::Observed(observation), GRACE).await {
            Ok(()) | Err(SendTimeoutError::Closed(_)) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                self.outlet.metrics.driver_full.bump();
                self.gap = true;
            }
        }
    }
}

#[cfg(test)]
#[path = "heard_tests.rs"]
mod tests;
