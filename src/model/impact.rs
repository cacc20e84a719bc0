//! What a loss costs, as far as it can be measured.

use super::ids::{ClusterName, Link};
use super::states::tokens;
use std::fmt;
use std::time::Duration;

/// What the loss costs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Impact {
    /// Messages per second that crossed the cut server links before the loss.
    pub messages_per_second: Option<f64>,
    /// Bytes per second that crossed the cut server links before the loss.
    pub bytes_per_second: Option<f64>,
    /// Client connections closed on the touched servers since shortly before the incident opened.
    pub clients_disconnected: u64,
    /// Accounts with interest across the cut links, as last known; sorted, bounded.
    pub accounts: Vec<String>,
    /// Accounts with interest across, also those that `accounts` leaves out.
    pub accounts_total: u64,
    /// JetStream mirrors and sources that are fed across the cut links; sorted, bounded.
    pub replication: Vec<Replication>,
    /// After the heal: how long until interest and every lag had settled; `None` before that, or when there was nothing to settle.
    pub resynced_after: Option<Duration>,
}

/// One JetStream mirror or source whose origin lies in another cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replication {
    /// The link over which it is fed: from the origin's cluster to that of the copy.
    pub link: Link,
    /// The account.
    pub account: String,
    /// The stream that copies.
    pub stream: String,
    /// The stream that is copied.
    pub origin: String,
    /// Whether it is a mirror or one source of several.
    pub role: CopyRole,
    /// Messages that the origin has and the copy has not; `None` when it cannot be told.
    pub lag: Option<u64>,
}

/// How a stream copies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopyRole {
    /// It is a mirror: the same messages under the same numbers.
    Mirror,
    /// It takes messages of this and maybe other streams in.
    Source,
}

tokens!(CopyRole { Self::Mirror => "mirror", Self::Source => "source" });

impl Replication {
    /// The cluster that holds the copy.
    #[must_use]
    pub fn copy(&self) -> &ClusterName {
        &self.link.to
    }
}
