//! What is counted, with help texts, ready to be rendered in any format.
//!
//! Owns the counters' names and meaning. Knows no exposition format, takes no lock and reads no clock: counting is one relaxed
//! atomic addition, so it may be done per message.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows while the process lives.
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    help: &'static str,
    value: AtomicU64,
}

impl Counter {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, value: AtomicU64::new(0) }
    }

    /// Adds one.
    pub fn bump(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.value.fetch_add(n, Ordering::Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Name in the Prometheus convention: prefix `gatewatch_`, suffix `_total`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// One sentence for the person who reads it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }
}

macro_rules! counters {
    ($($field:ident = $name:literal, $help:literal;)*) => {
        /// Every counter of one process (or of one test); shared behind an `Arc`.
        #[derive(Debug)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: Counter,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                Self { $($field: Counter::new(concat!("gatewatch_", $name, "_total"), $help),)* }
            }
        }

        impl Metrics {
            /// All counters, in the order of their definition.
            #[must_use]
            pub fn counters(&self) -> Vec<&Counter> {
                vec![$(&self.$field,)*]
            }
        }
    };
}

counters! {
    messages = "messages", "Messages that were taken off the system-account connections.";
    observations = "observations", "Messages that were decoded to an observation.";
    ignored = "ignored_messages", "Messages that are none of ours or carry nothing we use.";
    undecodable = "undecodable_messages", "Messages that were dropped because they could not be decoded.";

    driver_full = "driver_full_drops", "Observations dropped because the engine did not keep up.";
    slow_consumer = "slow_consumer_drops", "Reports of messages dropped in a connection because they were not taken off in time.";
    tap_full = "capture_drops", "Messages missing from the capture because writing it did not keep up.";
    connects = "connects", "Connections into clusters that were made and passed their checks.";
    disconnects = "disconnects", "Established connections into clusters that ended.";
    connect_failures = "connect_failures", "Passes over all addresses of a cluster that made no connection.";
    echo_timeouts = "silent_connections", "Connections given up because their server stopped answering.";
    server_errors = "server_errors", "Errors a server reported on a connection, mostly a lacking permission.";
    rounds = "beat_rounds", "Rounds of beats that were asked, counted per cluster.";
    rounds_skipped = "beat_rounds_skipped", "Rounds of beats that were not asked because no connection could take them.";
    publish_timeouts = "publish_timeouts", "Batches of requests that a connection did not take in time.";
    surveys = "survey_requests", "Survey requests that were sent.";
    surveys_limited = "survey_requests_limited", "Survey requests that were left out to spare the servers.";

    published = "published_messages", "Alerts and events that were sent to the alert account, each counted once.";
    republished = "republished_messages", "Alerts and events that were sent again because storing them was not confirmed.";
    stored = "stored_messages", "Alerts and events that a stream confirmed to have stored.";
    store_failures = "store_failures", "Attempts to store an alert or event that failed or were not confirmed in time.";
    alerts_dropped = "alert_drops", "Alerts given up before they were stored: too many were waiting, or they were refused for good.";
    events_dropped = "event_drops", "Events given up before they were stored: too many were waiting, or they were refused for good.";
    provision_failures = "provision_failures", "Attempts to find or make the streams and the bucket that failed.";
    state_writes = "state_writes", "Records written to or deleted from the key-value bucket.";
    state_write_failures = "state_write_failures", "Attempts to keep the state in the key-value bucket that failed.";
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use std::collections::BTreeSet;

    #[test]
    fn every_counter_has_a_name_of_its_own_and_starts_at_zero() {
        let metrics = Metrics::default();
        let names: BTreeSet<_> = metrics.counters().iter().map(|counter| counter.name()).collect();
        assert_eq!(names.len(), metrics.counters().len());
        assert!(metrics.counters().iter().all(|counter| counter.get() == 0 && counter.help().ends_with('.')));
    }

    #[test]
    fn a_counter_adds_up() {
        let metrics = Metrics::default();
        metrics.rounds.bump();
        metrics.rounds.add(2);
        assert_eq!(metrics.rounds.get(), 3);
    }
}
