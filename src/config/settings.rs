//! The validated settings: what every other part of the program is handed. Nothing here can be out of range.

use super::connection::ConnectionSettings;
use crate::engine::Checks;
use crate::model::ids::ClusterName;
use crate::model::intent::Expectations;
use crate::wire::permission::Names;
use std::num::{NonZeroU8, NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that can be configured, validated.
///
/// Key paths in the docs below (`detect.beat_period`) are those of the file, of `GATEWATCH_DETECT__BEAT_PERIOD` in
/// the environment, and of every message about a bad value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[system]`: how to connect to the system account, and where to start.
    pub system: ConnectionSettings,
    /// `[alerts]`: the account in which alerts are published and the history is kept.
    pub alerts: AlertsSettings,
    /// `[[vantage]]`: clusters whose client addresses or credentials are given instead of discovered. Default: none.
    pub vantages: Vec<VantageSettings>,
    /// `[discovery]`: finding the other clusters.
    pub discovery: DiscoverySettings,
    /// `[detect]`: how fast and how surely a loss is found.
    pub detect: DetectSettings,
    /// `[expect]`: `expect.links` must exist, also when no server is configured with them, `expect.forbidden` must not. Default: none.
    pub expect: Expectations,
    /// `[survey]`: how often servers are asked what they know.
    pub survey: SurveySettings,
    /// `[probe]`: looking at gateway addresses from this host.
    pub probe: ProbeSettings,
    /// `[checks]`: what is looked for though nothing broke. `checks.disabled` names the kinds that are not looked for; the other
    /// keys are those of [`Checks`] with the same names and defaults, from 1 s to 7 days, 10 years for certificates.
    pub checks: Checks,
    /// `[instance]`: how this process is called.
    pub instance: InstanceSettings,
    /// `[lease]`: which of several gatewatch speaks.
    pub lease: LeaseSettings,
    /// `[outbox]`: where on disk alerts wait until they are stored.
    pub outbox: OutboxSettings,
    /// `[log]`: what is logged and how.
    pub log: LogSettings,
}

impl Settings {
    /// The names of which the subjects are made that our users must be allowed.
    #[must_use]
    pub fn names(&self) -> Names {
        let vantages = self.vantages.iter().map(|vantage| &vantage.connection.inbox_prefix);
        Names {
            subject_prefix: self.alerts.subject_prefix.clone(),
            alerts_stream: self.alerts.alerts_stream.clone(),
            events_stream: self.alerts.events_stream.clone(),
            bucket: self.alerts.bucket.clone(),
            system_inboxes: vantages.chain([&self.system.inbox_prefix]).cloned().collect(),
            alerts_inbox: self.alerts.connection.inbox_prefix.clone(),
        }
    }
}

/// `[alerts]`: where alerts go and how long their history is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsSettings {
    /// The connection. Servers default to those of `[system]`, and so does TLS when the servers do. The credentials
    /// are never taken over: JetStream cannot be used from a system account.
    pub connection: ConnectionSettings,
    /// `alerts.subject_prefix`: first token(s) of every subject that is published on. Default `gatewatch`.
    pub subject_prefix: String,
    /// `alerts.alerts_stream`: the stream that keeps alerts. Default `GATEWATCH_ALERTS`.
    pub alerts_stream: String,
    /// `alerts.events_stream`: the stream that keeps transitions. Default `GATEWATCH_EVENTS`.
    pub events_stream: String,
    /// `alerts.bucket`: the key-value bucket with the current state and the lease. Default `GATEWATCH`.
    pub bucket: String,
    /// `alerts.replicas`: copies of each stream. Default `auto`.
    pub replicas: Replicas,
    /// `alerts.alerts_max_age`: how long alerts are kept. Default 90 days.
    pub alerts_max_age: Duration,
    /// `alerts.events_max_age`: how long transitions are kept. Default 7 days.
    pub events_max_age: Duration,
    /// `alerts.alerts_max_bytes`: size limit of the alerts stream; `None` is no limit. Default 256 MiB.
    pub alerts_max_bytes: Option<NonZeroU64>,
    /// `alerts.events_max_bytes`: size limit of the events stream; `None` is no limit. Default 256 MiB.
    pub events_max_bytes: Option<NonZeroU64>,
    /// `alerts.duplicate_window`: how long the streams remember message ids to drop repeats. Default 10 minutes;
    /// never above either max age, because the server refuses that.
    pub duplicate_window: Duration,
    /// `alerts.everywhere`: keep a connection with the same login into every cluster, so that alerts are heard also where home
    /// cannot reach. Default `true`.
    pub everywhere: bool,
}

/// How many copies of a stream are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// As many as the home cluster can hold, at most three.
    Auto,
    /// Exactly this many (1..=5).
    Fixed(NonZeroU8),
}

/// `[[vantage]]`: one cluster whose vantage is given instead of discovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VantageSettings {
    /// `vantage.cluster`: the cluster (gateway) name as its servers spell it. Required, unique.
    pub cluster: ClusterName,
    /// The connection: `vantage.servers` is required; credentials and TLS default to those of `[system]`.
    pub connection: ConnectionSettings,
}

/// `[discovery]`: finding the other clusters and where their clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// `discovery.enabled`: connect also to clusters that no `[[vantage]]` names. Default `true`.
    pub enabled: bool,
}

/// `[detect]`: how fast and how surely a loss is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectSettings {
    /// `detect.beat_period`: time between two beats of a server. 50 ms to 10 s, default 250 ms.
    pub beat_period: Duration,
    /// `detect.confirm_beats`: beats missed in a row that make a loss. 1 to 20, default 2.
    pub confirm_beats: NonZeroU32,
    /// `detect.latency_slack`: the least time beyond the usual latency of its path that a beat is given. 1 ms to 10 s, default 150 ms.
    pub latency_slack: Duration,
    /// `detect.latency_ceiling`: a beat is always called late above this. Above the floor, up to 1 minute, default 5 s.
    pub latency_ceiling: Duration,
    /// `detect.alert_after`: how long a loss must last before an incident opens. At least
    /// `beat_period * confirm_beats`, up to 1 hour, default 3 s.
    pub alert_after: Duration,
    /// `detect.clear_after`: how long the good state must last before an incident resolves. 0 to 1 hour, default 5 s.
    pub clear_after: Duration,
    /// `detect.join_grace`: how long a new server may take to build its links. 0 to 10 minutes, default 10 s.
    pub join_grace: Duration,
}

/// `[survey]`: how often servers are asked for what they know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurveySettings {
    /// `survey.gatewayz_every`: time between two questions for the live gateway links. 1 s to 1 hour, default 30 s.
    pub gatewayz_every: Duration,
    /// `survey.varz_every`: time between two questions for the configured gateways. 1 s to 1 hour, default 60 s.
    pub varz_every: Duration,
    /// `survey.jetstream_every`: time between two questions for streams, mirrors and sources, beside those that an incident asks. 10 s to
    /// 1 hour; `0s` never asks, also not on an incident: `None`. Default 5 minutes.
    pub jetstream_every: Option<Duration>,
    /// `survey.interest_every`: the same for the accounts with interest across each gateway connection. Default 5 minutes.
    pub interest_every: Option<Duration>,
}

/// `[probe]`: looking at gateway addresses from this host: name, connect, greeting, certificate.
///
/// A look never logs in. On the server it shows as an inbound gateway connection that closes at once; where gateways use TLS,
/// as an error about a handshake without a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// `probe.enabled`: look at all. Default `true`.
    pub enabled: bool,
    /// `probe.ca`: PEM file with the authorities that gateway certificates must lead to. Read anew at every look. Default:
    /// none, and trust is not judged.
    pub ca: Option<PathBuf>,
    /// `probe.every`: time between two looks at the certificate of a gateway that is not suspected. 1 minute to 24 hours,
    /// default 1 hour.
    pub every: Duration,
}

/// `[instance]`: how this process is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSettings {
    /// `instance.name`: shows in connection names and in every message. Letters, digits, `.`, `-` and `_`, at most
    /// 64. Default `gatewatch`.
    pub name: String,
}

/// `[lease]`: which of several gatewatch speaks. Those with the same alert account and `alerts.bucket` are one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// `lease.enabled`: let one of them speak, and others only watch. When `false`, this one always speaks. Default `true`.
    pub enabled: bool,
    /// `lease.ttl`: how long the one that speaks may be silent until another takes over. The same for all. 2 s to 1 minute, default 3 s.
    pub ttl: Duration,
}

/// `[outbox]`: where on disk alerts and events wait until JetStream has stored them, beside the open incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxSettings {
    /// `outbox.directory`: made when it is missing; each process needs its own. Default: `$STATE_DIRECTORY` (systemd), else
    /// `$XDG_STATE_HOME/gatewatch/<instance>`, else `~/.local/state/gatewatch/<instance>`. `None`, when there is not even a home directory,
    /// keeps everything in memory.
    pub directory: Option<PathBuf>,
    /// `outbox.max_bytes`: how much may wait. At least 1 MiB, default 64 MiB.
    pub max_bytes: NonZeroU64,
}

/// `[log]`: what is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `log.filter`: directives of `tracing`'s `EnvFilter`, checked. Default `info,async_nats=warn`.
    pub filter: String,
    /// `log.format`: default `text`.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: one line per event, fields as `key=value`.
    Text,
    /// For machines: one JSON object per line.
    Json,
}
