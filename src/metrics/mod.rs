//! What is counted, with help texts, ready to be rendered in any format.
//!
//! Owns the counters' names and meaning. Knows no exposition format, takes no lock and reads no clock: counting is one relaxed
//! atomic addition, so it may be done per message.

use crate::wire::permission::Capability;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows while the process lives.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn bump(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one thing that comes in kinds, told apart by one label. The kinds are fixed, so a flood cannot make new ones.
#[derive(Debug)]
pub struct Kinds {
    label: &'static str,
    kinds: &'static [&'static str],
    counts: Vec<Counter>,
}

impl Kinds {
    /// The last count is for kinds that are not listed.
    fn new(label: &'static str, kinds: &'static [&'static str]) -> Self {
        Self {
            label,
            kinds,
            counts: kinds.iter().map(|_| Counter::default()).chain([Counter::default()]).collect(),
        }
    }

    /// Adds one to this kind; to `unlisted` when it is none of those known.
    pub fn bump(&self, kind: &str) {
        self.add(kind, 1);
    }

    /// Adds `n` to this kind.
    pub fn add(&self, kind: &str, n: u64) {
        let place = self.kinds.iter().position(|known| *known == kind).unwrap_or(self.kinds.len());
        if let Some(count) = self.counts.get(place) {
            count.add(n);
        }
    }

    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(Counter::get).sum()
    }

    fn samples(&self) -> Vec<Sample> {
        let kinds = self.kinds.iter().copied().chain(["unlisted"]);
        kinds
            .zip(&self.counts)
            .map(|(kind, count)| Sample { label: Some((self.label, kind)), value: count.get() })
            .collect()
    }
}

/// Everything known of one metric at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Name in the Prometheus convention: prefix `gatewatch_`, suffix `_total`.
    pub name: &'static str,
    /// One sentence for the person who reads it.
    pub help: &'static str,
    /// Its values: one, or one per kind.
    pub samples: Vec<Sample>,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Name and value of the label, when there are kinds.
    pub label: Option<(&'static str, &'static str)>,
    /// The value.
    pub value: u64,
}

trait Samples {
    fn samples(&self) -> Vec<Sample>;
}

impl Samples for Counter {
    fn samples(&self) -> Vec<Sample> {
        vec![Sample { label: None, value: self.get() }]
    }
}

impl Samples for Kinds {
    fn samples(&self) -> Vec<Sample> {
        Self::samples(self)
    }
}

macro_rules! metrics {
    ($($field:ident: $kind:ty = $init:expr, $name:literal, $help:literal;)*) => {
        /// Every metric of one process (or of one test); shared behind an `Arc`.
        #[derive(Debug)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                Self { $($field: $init,)* }
            }
        }

        impl Metrics {
            /// All metrics as they stand now, in the order of their definition.
            #[must_use]
            pub fn all(&self) -> Vec<Metric> {
                vec![$(Metric {
                    name: concat!("gatewatch_", $name, "_total"),
                    help: $help,
                    samples: Samples::samples(&self.$field),
                },)*]
            }
        }
    };
}

/// Why messages are refused, as decoding words it.
const DECODE_ERRORS: &[&str] = &[
    "bad_number",
    "too_big",
    "compressed",
    "malformed",
    "missing",
    "refused",
    "id_mismatch",
    "not_clustered",
    "bad_name",
    "too_many",
];

/// What is not believed, as the engine counts it.
const DISBELIEVED: &[&str] = &["clusters", "servers", "links", "impostors", "false_ends"];

/// Why connections cannot be made, as the vantages word it.
const CONNECT_FAILURES: &[&str] = &["refused", "timed_out", "unauthorized", "wrong_cluster", "other"];

/// What a look at a gateway address finds, as the prober words it.
const PROBE_FINDINGS: &[&str] = &[
    "unresolved",
    "resolve_failed",
    "unreachable",
    "refused",
    "silent",
    "other_gateway",
    "foreign",
    "tls_failed",
    "greeted",
];

/// What a gatewatch may say, as the lease words it.
const DUTIES: &[&str] = &["standby", "speaker", "open"];
/// What permissions are for, as the list of them words it.
const CAPABILITIES: &[&str] = &{
    let mut words = [""; Capability::ALL.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = Capability::ALL[index].word();
        index += 1;
    }
    words
};

metrics! {
    messages: Counter = Counter::default(), "messages",
        "Messages that were taken off the system-account connections.";
    observations: Counter = Counter::default(), "observations",
        "Messages that were decoded to an observation.";
    ignored: Counter = Counter::default(), "ignored_messages",
        "Messages that are none of ours, are empty, or were only added up.";
    undecodable: Kinds = Kinds::new("error", DECODE_ERRORS), "undecodable_messages",
        "Messages that were dropped because they could not be decoded.";
    disbelieved: Kinds = Kinds::new("what", DISBELIEVED), "disbelieved_claims",
        "Claims in messages that were not believed, or for which there was no room.";
    driver_full: Counter = Counter::default(), "driver_full_drops",
        "Observations dropped because the engine did not keep up.";
    slow_consumer: Counter = Counter::default(), "slow_consumer_reports",
        "Reports that a connection dropped messages because they were not taken off in time.";
    tap_full: Counter = Counter::default(), "capture_drops",
        "Lines missing from the capture because writing it did not keep up.";
    connects: Counter = Counter::default(), "connects",
        "Connections into clusters that were made and passed their checks.";
    disconnects: Counter = Counter::default(), "disconnects",
        "Established connections into clusters that ended.";
    connect_failures: Kinds = Kinds::new("reason", CONNECT_FAILURES), "connect_failures",
        "Passes over all addresses of a cluster that made no connection.";
    echo_timeouts: Counter = Counter::default(), "silent_connections",
        "Connections given up because their server stopped answering.";
    server_errors: Counter = Counter::default(), "server_errors",
        "Errors a server reported on a connection, mostly a lacking permission.";
    refusals: Kinds = Kinds::new("capability", CAPABILITIES), "permission_refusals",
        "Publishes and subscriptions that a server refused for lack of a permission.";
    permissions_missing: Kinds = Kinds::new("capability", CAPABILITIES), "permissions_found_missing",
        "Looks at what our users may do that found a permission missing.";
    rounds: Counter = Counter::default(), "beat_rounds",
        "Rounds of beats that were asked, counted per cluster.";
    rounds_skipped: Counter = Counter::default(), "beat_rounds_skipped",
        "Rounds of beats that were not asked because no connection could take them.";
    publish_timeouts: Counter = Counter::default(), "publish_timeouts",
        "Batches of requests that a connection did not take in time.";
    surveys: Counter = Counter::default(), "survey_requests",
        "Survey requests that were sent.";
    surveys_limited: Counter = Counter::default(), "survey_requests_limited",
        "Survey requests that were left out to spare the servers.";
    requests_dropped: Counter = Counter::default(), "requests_dropped",
        "Looks the engine asked for that found no room on their way to the connections; it asks again.";

    stalls: Counter = Counter::default(), "stalls",
        "Times that this process did not run for much longer than it meant to sleep.";
    stalled_ms: Counter = Counter::default(), "stalled_milliseconds",
        "Milliseconds in which this process did not run though it meant to.";
    clock_jumps: Counter = Counter::default(), "clock_jumps",
        "Times that the clock on the wall was set by two seconds or more.";

    probes: Kinds = Kinds::new("found", PROBE_FINDINGS), "probes",
        "Looks at gateway addresses from this host, by what they found.";
    probes_limited: Counter = Counter::default(), "probes_limited",
        "Looks at gateway addresses that were left out to spare the servers.";
    probes_dropped: Counter = Counter::default(), "probe_requests_dropped",
        "Requests to look at gateway addresses that found no room.";

    published: Counter = Counter::default(), "published_messages",
        "Alerts and events that were sent to the alert account, each counted once.";
    republished: Counter = Counter::default(), "republished_messages",
        "Alerts and events that were sent again because storing them was not confirmed.";
    copies: Counter = Counter::default(), "copied_messages",
        "Copies of alerts and events that were sent through connections into other clusters than that of home.";
    retold: Counter = Counter::default(), "alerts_told_again",
        "Alerts told once more because a cut or a connection that ended may have swallowed them.";
    voice_connects: Counter = Counter::default(), "voice_connects",
        "Connections of the alert account into other clusters that were made.";
    voice_failures: Counter = Counter::default(), "voice_connect_failures",
        "Passes over all addresses of a cluster that made no connection of the alert account.";
    stored: Counter = Counter::default(), "stored_messages",
        "Alerts and events that a stream confirmed to have stored.";
    store_failures: Counter = Counter::default(), "store_failures",
        "Attempts to store an alert or event that failed or were not confirmed in time.";
    alerts_dropped: Counter = Counter::default(), "alert_drops",
        "Alerts given up before they were stored: too many were waiting, or they were refused for good.";
    events_dropped: Counter = Counter::default(), "event_drops",
        "Events given up before they were stored: too many were waiting, or they were refused for good.";
    outbox_bypassed: Counter = Counter::default(), "outbox_bypassed_messages",
        "Alerts and events that were sent without being on disk first, because the outbox could not be used or did not answer in time.";
    outbox_left: Counter = Counter::default(), "outbox_left_messages",
        "Alerts and events found in the outbox at start: a former life of this process had not seen them stored.";
    already_stored: Counter = Counter::default(), "already_stored_messages",
        "Alerts and events that turned out to be in their stream already, and were not sent again.";
    provision_failures: Counter = Counter::default(), "provision_failures",
        "Attempts to find or make the streams and the bucket that failed.";
    duty: Kinds = Kinds::new("duty", DUTIES), "duty_changes",
        "Changes of what this gatewatch may say among several, by what it became; it stands by at first.";
    lease_failures: Counter = Counter::default(), "lease_failures",
        "Attempts to read or write the lease that failed.";
    state_writes: Counter = Counter::default(), "state_writes",
        "Records written to or deleted from the key-value bucket.";
    newer_records: Counter = Counter::default(), "newer_records",
        "Records of a newer gatewatch in the key-value bucket that were not read and not written over.";
    state_write_failures: Counter = Counter::default(), "state_write_failures",
        "Attempts to keep the state in the key-value bucket that failed.";
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_has_a_name_and_a_help_text_and_starts_at_zero() {
        let all = Metrics::default().all();
        let names: BTreeSet<_> = all.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|metric| metric.name.ends_with("_total") && metric.help.ends_with('.')));
        assert!(all.iter().flat_map(|metric| &metric.samples).all(|sample| sample.value == 0));
    }

    #[test]
    fn a_counter_adds_up() {
        let metrics = Metrics::default();
        metrics.rounds.bump();
        metrics.rounds.add(2);
        assert_eq!(metrics.rounds.get(), 3);
    }

    #[test]
    fn kinds_are_counted_apart_and_those_unknown_together() {
        let metrics = Metrics::default();
        for kind in ["too_big", "malformed", "too_big", "no such kind", "nor this"] {
            metrics.undecodable.bump(kind);
        }
        let all = metrics.all();
        let undecodable =
            all.iter().find(|metric| metric.name == "gatewatch_undecodable_messages_total").unwrap();
        let value = |kind| {
            undecodable.samples.iter().find(|sample| sample.label == Some(("error", kind))).unwrap().value
        };
        assert_eq!((value("too_big"), value("malformed"), value("unlisted")), (2, 1, 2));
        assert_eq!(metrics.undecodable.total(), 5);
    }
}
