//! Texts about gatewatch itself. They say in each case that no cluster is meant.

use super::span;
use super::title::about;
use crate::model::cause::CauseKind;
use crate::model::health::{Ailment, Lack, OutboxHealth, PublishingHealth};
use crate::model::incident::Incident;
use chrono::TimeDelta;

/// What it means that this gatewatch is impaired, and since when: two sentences.
pub(super) fn meaning(incident: &Incident, since: &str) -> String {
    let hinders = match incident.cause.kind {
        CauseKind::Stalled => {
            "in the time in which it did not run nobody watched, and what broke then is told late"
        }
        CauseKind::Behind => {
            "while it leaves things unread it concludes nothing from what it misses, so losses are told late"
        }
        CauseKind::Publishing => "what it finds may reach nobody, or be missing from the history",
        CauseKind::Outbox => {
            "alerts go out as usual, and may be missing from the history if it is stopped now"
        }
        CauseKind::ClockJumped => {
            "verdicts do not depend on that clock, but the times in alerts before and after cannot be compared"
        }
        CauseKind::PlannedStop
        | CauseKind::Silent
        | CauseKind::Crashed
        | CauseKind::Frozen
        | CauseKind::PacketsLost
        | CauseKind::ConnectionsClosed
        | CauseKind::PortRefused
        | CauseKind::TlsExpired
        | CauseKind::TlsUntrusted
        | CauseKind::TlsName
        | CauseKind::Dns
        | CauseKind::Authentication
        | CauseKind::ConfigRemoved
        | CauseKind::ConfigRejected
        | CauseKind::ConfigMisnamed
        | CauseKind::NeverConnected
        | CauseKind::LocalToServer
        | CauseKind::OwnView
        | CauseKind::Configuration
        | CauseKind::Clock
        | CauseKind::Unknown => "it may tell late or not at all",
    };
    format!(
        "Since {since} something is wrong with {} itself: {hinders}. This says nothing about any cluster.",
        about(incident)
    )
}

/// What to do about it.
pub(super) fn remedy(incident: &Incident) -> Vec<String> {
    let step = match incident.cause.kind {
        CauseKind::Stalled => {
            "Look for why the process got no time to run: a host without a free core, a CPU limit of its container, a paused or moved \
             virtual machine, swapping."
        }
        CauseKind::Behind => {
            "Give gatewatch more CPU, or a longer beat_period and longer periods under [survey]; `gatewatch status` and its log tell how \
             much it leaves unread."
        }
        CauseKind::Publishing => {
            "Check the connection and the permissions of the alert account, and its JetStream limits; the evidence has the words of the \
             servers."
        }
        CauseKind::Outbox => {
            "Check the disk under the state directory (room, permissions, errors), and whether JetStream of the alert account answers."
        }
        CauseKind::ClockJumped => "Check time synchronisation (NTP, chrony) on the host of gatewatch.",
        CauseKind::PlannedStop
        | CauseKind::Silent
        | CauseKind::Crashed
        | CauseKind::Frozen
        | CauseKind::PacketsLost
        | CauseKind::ConnectionsClosed
        | CauseKind::PortRefused
        | CauseKind::TlsExpired
        | CauseKind::TlsUntrusted
        | CauseKind::TlsName
        | CauseKind::Dns
        | CauseKind::Authentication
        | CauseKind::ConfigRemoved
        | CauseKind::ConfigRejected
        | CauseKind::ConfigMisnamed
        | CauseKind::NeverConnected
        | CauseKind::LocalToServer
        | CauseKind::OwnView
        | CauseKind::Configuration
        | CauseKind::Clock
        | CauseKind::Unknown => "Read the log of gatewatch.",
    };
    vec![step.to_owned(), "The servers need nothing: nothing was found to be wrong with them.".to_owned()]
}

pub(super) fn outbox(health: &OutboxHealth) -> String {
    match health {
        OutboxHealth::Fine => "the queue of what is to be stored is as it should be".to_owned(),
        OutboxHealth::Growing { waiting } => {
            format!("{waiting} messages wait to be stored, and they become more")
        }
        OutboxHealth::Unavailable { why } => {
            format!("what is to be stored cannot be kept on the disk of gatewatch: {why}")
        }
    }
}

pub(super) fn publishing(health: &PublishingHealth) -> String {
    match health {
        PublishingHealth::Fine => "alerts are published as they should be".to_owned(),
        PublishingHealth::Away => "the connection of gatewatch to the alert account is not there".to_owned(),
        PublishingHealth::Refused { why } => format!("what gatewatch publishes is not taken: {why}"),
    }
}

pub(super) fn clock(by: TimeDelta) -> String {
    let way = if by < TimeDelta::zero() { "back" } else { "forward" };
    format!(
        "the clock of the host of gatewatch was set {way} by {}",
        span(by.abs().to_std().unwrap_or_default())
    )
}

/// One thing that is wrong with gatewatch, in a few words.
#[must_use]
pub const fn ailment(ailment: Ailment) -> &'static str {
    match ailment {
        Ailment::Stalled => "did not run for a while",
        Ailment::Behind => "does not keep up with what it hears",
        Ailment::Publishing => "cannot publish",
        Ailment::Outbox => "cannot keep what is to be stored",
        Ailment::ClockJumped => "its clock was set",
    }
}

/// One thing that gatewatch lacks to do its work, in a few words.
#[must_use]
pub const fn lack(lack: Lack) -> &'static str {
    match lack {
        Lack::Starting => "no server heard yet",
        Lack::Stuck => "its one loop does not turn",
        Lack::Blind => "no connection of its own hears its cluster",
        Lack::Mute => "no connection to the alert account",
    }
}
