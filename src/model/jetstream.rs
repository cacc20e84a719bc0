//! What servers tell of JetStream, as far as it crosses gateways.

use super::observation::ServerIdentity;
use std::time::Duration;

/// A JSZ answer: the streams that the server leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JetStreamReport {
    /// Who reports.
    pub server: ServerIdentity,
    /// The streams that it leads; followers are left out, so that each stream is told of once.
    pub streams: Vec<StreamInfo>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The account it belongs to.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The number of its last message.
    pub last_sequence: u64,
    /// Messages it holds.
    pub messages: u64,
    /// The stream it mirrors.
    pub mirror: Option<Origin>,
    /// The streams it takes in.
    pub sources: Vec<Origin>,
}

/// A stream that another one copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub stream: String,
    /// Messages the copy knows to be missing; it stands still while the copy hears nothing.
    pub lag: u64,
    /// How long ago the copy last heard of it, messages or not (it is told something every second); `None` when never.
    pub heard: Option<Duration>,
    /// Whether it lies in another account or domain: then nothing is known about it under its name.
    pub external: bool,
}
