//! The engine: a function of (state, input, now).
//!
//! Owns every verdict. Does no IO, reads no clock, spawns nothing, knows no byte format; the same inputs give the same outputs.

use crate::model::ask::{BeatPlan, SurveyRequest};
use crate::model::incident::{IncidentEvent, Memory};
use crate::model::observation::{Observation, Round, Stall, VantageChange};
use crate::model::transition::Transition;

/// Everything that can reach the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// One decoded fact.
    Observed(Observation),
    /// A round of beats was asked for.
    Asked(Round),
    /// One of our own connections changed.
    Vantage(VantageChange),
    /// This process did not run for a while.
    Stalled(Stall),
    /// What a former life of this process left; given once, before anything else.
    Restored(Memory),
    /// Time has passed: judge what is due.
    Tick,
}

/// Everything that leaves the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A state changed.
    Transition(Transition),
    /// An incident was opened, updated or resolved.
    Incident(IncidentEvent),
    /// Look at these servers now.
    Ask(SurveyRequest),
    /// Ask these servers for beats from now on.
    Beat(BeatPlan),
}
