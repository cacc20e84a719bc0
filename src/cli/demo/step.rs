//! What the demonstration tells, step by step: as values, so that a program can read them too.

use crate::wire::advisory::Alert;
use crate::wire::body::{IncidentBody, SeverityWord, StageWord};
use serde::Serialize;
use std::path::PathBuf;

/// One thing that is told. Times count in milliseconds from the break or the heal that they follow.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum Step {
    /// The beginning.
    Intro,
    /// Something takes longer than a moment.
    Waiting { what: String },
    /// A part of the stage stands.
    Ready { what: String, detail: String, took_ms: u64 },
    /// Something is about to be broken.
    Act { number: usize, of: usize, title: String, story: String },
    /// It was broken just now: times count from here.
    Broke { what: String },
    /// It was healed just now: times count from here.
    Healed { what: String },
    /// A state change, as a plain subscriber heard it.
    Event { after_ms: Option<u64>, word: EventWord, text: String },
    /// A step of an incident, as a plain subscriber heard it.
    Alert {
        after_ms: Option<u64>,
        stage: StageWord,
        severity: SeverityWord,
        title: String,
        summary: String,
        incident: String,
        revision: u32,
    },
    /// Where else plain subscribers heard the same alert.
    HeardIn { clusters: Vec<String> },
    /// What the servers say themselves, asked just now.
    Claims { after_ms: u64, asked: usize, listing: usize, notice_in_ms: Option<u64> },
    /// Messages of a plain application since the break.
    Traffic { after_ms: u64, flows: Vec<Flow> },
    /// What JetStream kept.
    Kept { stream: String, incidents: Vec<IncidentBody> },
    /// What the tour showed.
    Outcome { acts: Vec<ActOutcome> },
    /// How to play on.
    Invitation { program: String, config: PathBuf, urls: Vec<String>, login: Login },
    /// A command was carried out.
    Done { what: String },
    /// The end: everything is stopped and removed.
    End,
}

/// Good or bad news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventWord {
    /// Something is lost.
    Lost,
    /// Something is back.
    Back,
}

/// Messages published in one place and wanted in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Flow {
    /// Where they were published.
    pub(super) from: String,
    /// The cluster of the subscriber.
    pub(super) to: String,
    /// How many were published.
    pub(super) sent: u64,
    /// How many of them arrived.
    pub(super) arrived: u64,
}

/// What one act came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ActOutcome {
    /// What was broken.
    pub(super) what: String,
    /// From the break to the first state change heard.
    pub(super) seen_ms: u64,
    /// From the break to the alert.
    pub(super) alert_ms: u64,
    /// Servers that still listed their cut link as up when the alert came, of how many.
    pub(super) claims: Option<(usize, usize)>,
    /// From the break until no server listed a cut link any more, when that was waited for.
    pub(super) noticed_ms: Option<u64>,
    /// From the heal to the resolution.
    pub(super) resolved_ms: u64,
    /// The kind of the incident.
    pub(super) kind: String,
}

/// How clients log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Login {
    /// The user of the application account.
    pub(super) user: String,
    /// Its password.
    pub(super) password: String,
}

impl Step {
    /// An alert that was heard.
    pub(super) fn alert(after_ms: Option<u64>, alert: &Alert) -> Self {
        let incident = &alert.incident;
        Self::Alert {
            after_ms,
            stage: alert.stage,
            severity: incident.severity,
            title: incident.title.clone(),
            summary: incident.summary.clone(),
            incident: incident.incident.clone(),
            revision: incident.revision,
        }
    }
}
