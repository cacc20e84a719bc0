//! How this process itself is doing. Nothing in here says anything about a cluster.

use super::ids::InstanceName;
use super::states::tokens;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// Something that can be wrong with this process itself, what hinders most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ailment {
    /// It did not run for a while.
    Stalled,
    /// It does not keep up with what it hears: facts were dropped.
    Behind,
    /// Alerts are refused, or the connection for them is not there.
    Publishing,
    /// What waits to be stored cannot be kept on disk, or grows and grows.
    Outbox,
    /// The clock on the wall was set.
    ClockJumped,
}

/// What the process finds out about itself.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnNews {
    /// How it is doing; told about once a second.
    Health(OwnHealth),
    /// Against the monotonic clock, the clock on the wall moved by so much from one turn to the next.
    ClockJumped {
        /// Forward; below zero backward.
        by: TimeDelta,
    },
}

/// How the process is doing at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnHealth {
    /// What it lacks to do its work; empty when it is ready.
    pub lacks: Vec<Lack>,
    /// Facts that were dropped since it was told before.
    pub dropped: u64,
    /// The queue of what is to be stored.
    pub outbox: OutboxHealth,
    /// The way out for alerts.
    pub publishing: PublishingHealth,
}

/// What the process lacks to do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lack {
    /// It has not heard any server yet.
    Starting,
    /// Its one loop does not turn.
    Stuck,
    /// None of its connections hears its cluster.
    Blind,
    /// The connection to the alert account is not there.
    Mute,
}

/// How the queue of what is to be stored is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OutboxHealth {
    /// As it should.
    #[default]
    Fine,
    /// It has grown beyond what a short outage of JetStream explains.
    Growing {
        /// Messages that wait.
        waiting: u64,
    },
    /// Its disk takes nothing: alerts are sent, and would not survive a crash before they are stored.
    Unavailable {
        /// Why.
        why: String,
    },
}

/// How the way out for alerts is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PublishingHealth {
    /// As it should.
    #[default]
    Fine,
    /// The connection to the alert account is not there.
    Away,
    /// The servers do not take or store what is published, and waiting does not help.
    Refused {
        /// What they say.
        why: String,
    },
}

/// This process in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnStatus {
    /// Its name.
    pub instance: InstanceName,
    /// What it lacks to do its work; empty when it is ready.
    pub lacks: Vec<Lack>,
    /// What is wrong with it now, or was until a moment ago.
    pub ailments: Vec<AilmentStatus>,
}

/// One thing that is wrong with this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AilmentStatus {
    /// What.
    pub ailment: Ailment,
    /// Since when, at first, lately.
    pub since: DateTime<Utc>,
}

impl OwnStatus {
    /// Whether it does its work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lacks.is_empty()
    }
}

tokens!(Ailment {
    Self::Stalled => "stalled", Self::Behind => "behind", Self::Publishing => "publishing", Self::Outbox => "outbox",
    Self::ClockJumped => "clock_jumped",
});
tokens!(Lack {
    Self::Starting => "starting", Self::Stuck => "stuck", Self::Blind => "blind", Self::Mute => "mute",
});
