//! What the streams and the bucket should look like, from the settings.

use crate::config::settings::{AlertsSettings, Replicas};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Placement, RetentionPolicy, StorageType};
use std::num::NonZeroU64;
use std::time::Duration;

/// Size limit of the bucket: it holds one value per key, so it stays far below. Some accounts refuse streams without a limit.
const BUCKET_MAX_BYTES: i64 = 16 * 1024 * 1024;

/// Size limit of the bucket of the lease.
const LEASE_MAX_BYTES: i64 = 1024 * 1024;

/// One thing to be provisioned.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Its configuration, but for the number of replicas.
    pub(super) config: Config,
    /// The setting that names it, for messages.
    pub(super) named_by: &'static str,
    /// Numbers of replicas to try, in this order.
    pub(super) replicas: Vec<usize>,
    /// Whether it is a key-value bucket.
    pub(super) bucket: bool,
    /// A subject that an existing stream may do without.
    pub(super) can_lack: Option<String>,
}

impl Wanted {
    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// The configuration with so many replicas.
    pub(super) fn with_replicas(&self, replicas: usize) -> Config {
        Config { num_replicas: replicas, ..self.config.clone() }
    }
}

/// The name of the stream behind a bucket.
pub(crate) fn bucket_stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// The stream of alerts. `cluster` is where streams are placed.
pub(super) fn alerts(settings: &AlertsSettings, cluster: Option<&str>) -> Wanted {
    let lane = |name: &str| format!("{}.{name}.>", settings.subject_prefix);
    let (max_age, max_bytes) = (settings.alerts_max_age, settings.alerts_max_bytes);
    Wanted {
        config: Config {
            name: settings.alerts_stream.clone(),
            description: Some("gatewatch: every revision of every incident".to_owned()),
            ..log(settings, vec![lane("alert"), lane("silenced")], max_age, max_bytes, cluster)
        },
        named_by: "alerts.alerts_stream",
        replicas: replicas(settings.replicas),
        bucket: false,
        can_lack: Some(lane("silenced")),
    }
}

/// The stream of events.
pub(super) fn events(settings: &AlertsSettings, cluster: Option<&str>) -> Wanted {
    let subject = format!("{}.event.>", settings.subject_prefix);
    let (max_age, max_bytes) = (settings.events_max_age, settings.events_max_bytes);
    Wanted {
        config: Config {
            name: settings.events_stream.clone(),
            description: Some("gatewatch: every state change of links, servers and clusters".to_owned()),
            ..log(settings, vec![subject], max_age, max_bytes, cluster)
        },
        named_by: "alerts.events_stream",
        replicas: replicas(settings.replicas),
        bucket: false,
        can_lack: None,
    }
}

/// The key-value bucket: the stream that the client libraries know as one.
pub(super) fn bucket(settings: &AlertsSettings, cluster: Option<&str>) -> Wanted {
    let config = Config {
        name: bucket_stream(&settings.bucket),
        description: Some("gatewatch: current state, open incidents, expected links, silences".to_owned()),
        subjects: vec![format!("$KV.{}.>", settings.bucket)],
        max_messages_per_subject: 1,
        max_bytes: BUCKET_MAX_BYTES,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        ..base(cluster)
    };
    let replicas = replicas(settings.replicas);
    Wanted { config, named_by: "alerts.bucket", replicas, bucket: true, can_lack: None }
}

/// The bucket of the lease: what it holds is dropped once it is not renewed.
pub(super) fn lease(settings: &AlertsSettings, name: &str, ttl: Duration, cluster: Option<&str>) -> Wanted {
    let config = Config {
        name: bucket_stream(name),
        description: Some("gatewatch: which of several speaks".to_owned()),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        max_bytes: LEASE_MAX_BYTES,
        max_age: ttl,
        // The server refuses a longer window than the messages live.
        duplicate_window: ttl,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        ..base(cluster)
    };
    let replicas = replicas(settings.replicas);
    Wanted { config, named_by: "alerts.bucket", replicas, bucket: true, can_lack: None }
}

fn log(
    settings: &AlertsSettings,
    subjects: Vec<String>,
    max_age: Duration,
    max_bytes: Option<NonZeroU64>,
    cluster: Option<&str>,
) -> Config {
    Config {
        subjects,
        max_age,
        max_bytes: max_bytes.map_or(-1, |bytes| i64::try_from(bytes.get()).unwrap_or(i64::MAX)),
        max_messages_per_subject: -1,
        discard: DiscardPolicy::Old,
        // The server refuses a longer window than the messages live.
        duplicate_window: settings.duplicate_window.min(max_age),
        ..base(cluster)
    }
}

fn base(cluster: Option<&str>) -> Config {
    Config {
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_messages: -1,
        max_consumers: -1,
        allow_direct: true,
        placement: cluster.map(|name| Placement { cluster: Some(name.to_owned()), tags: Vec::new() }),
        ..Config::default()
    }
}

fn replicas(setting: Replicas) -> Vec<usize> {
    match setting {
        Replicas::Auto => vec![3, 1],
        Replicas::Fixed(count) => vec![usize::from(count.get())],
    }
}
