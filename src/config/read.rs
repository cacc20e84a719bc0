//! The table of settings: every key with its default and bounds, and the rules between keys.

use super::connection::ConnectionSettings;
use super::node::{Node, Value};
use super::parse::{self, duration, integer, render, token};
use super::places::Places;
use super::reader::Section;
use super::settings::{
    AlertsSettings, DetectSettings, DiscoverySettings, InstanceSettings, LeaseSettings, LogFormat,
    LogSettings, OutboxSettings, ProbeSettings, Replicas, Settings, SurveySettings, VantageSettings,
};
use super::{checks, expect, login};
use crate::model::ids::ClusterName;
use std::collections::BTreeSet;
use std::num::{NonZeroU8, NonZeroU32, NonZeroU64};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";
const DEFAULT_MAX_BYTES: Option<NonZeroU64> = NonZeroU64::new(256 << 20);
const LEAST_OUTBOX: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 20) - 1);
const DEFAULT_OUTBOX: NonZeroU64 = NonZeroU64::MIN.saturating_add((64 << 20) - 1);
const DEFAULT_CONFIRM_BEATS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

const HOUR: Duration = secs(60 * 60);
const DAY: Duration = secs(24 * 60 * 60);
const LONGEST_AGE: Duration = secs(10 * 365 * 24 * 60 * 60);

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Reads all settings; what is wrong is recorded in the findings of `root`.
pub(super) fn settings(root: Section<'_>, places: &Places) -> Settings {
    let system = system(&root, places);
    let mut settings = Settings {
        alerts: alerts(root.section("alerts"), places, &system),
        vantages: vantages(&root, places, &system),
        discovery: discovery(root.section("discovery")),
        detect: detect(root.section("detect")),
        expect: expect::read(root.section("expect")),
        survey: survey(root.section("survey")),
        probe: probe(root.section("probe"), places),
        checks: checks::read(root.section("checks")),
        instance: instance(root.section("instance")),
        lease: lease(root.section("lease")),
        outbox: outbox(root.section("outbox"), places),
        log: log(root.section("log")),
        system,
    };
    root.finish();
    let own = || places.state(&settings.instance.name);
    settings.outbox.directory = settings.outbox.directory.take().or_else(own);
    settings
}

fn system(root: &Section<'_>, places: &Places) -> ConnectionSettings {
    let section = root.section("system");
    let given = login::read(&section, places);
    section.finish();
    given.or_default(DEFAULT_SERVER.parse().into_iter().collect())
}

fn alerts(section: Section<'_>, places: &Places, system: &ConnectionSettings) -> AlertsSettings {
    let text = |name, default: &str, longest| section.or(name, default.to_owned(), token("-_", longest));
    let age = |name, default| section.or(name, default, duration(secs(60)..=LONGEST_AGE));
    let alerts = AlertsSettings {
        connection: login::read(&section, places).beside(system),
        subject_prefix: section.or("subject_prefix", "gatewatch".to_owned(), parse::subject_prefix),
        alerts_stream: text("alerts_stream", "GATEWATCH_ALERTS", 255),
        events_stream: text("events_stream", "GATEWATCH_EVENTS", 255),
        bucket: text("bucket", "GATEWATCH", 200),
        replicas: section.or("replicas", Replicas::Auto, replicas),
        alerts_max_age: age("alerts_max_age", 90 * DAY),
        events_max_age: age("events_max_age", 7 * DAY),
        alerts_max_bytes: section.or("alerts_max_bytes", DEFAULT_MAX_BYTES, parse::size),
        events_max_bytes: section.or("events_max_bytes", DEFAULT_MAX_BYTES, parse::size),
        duplicate_window: section.or("duplicate_window", secs(600), duration(secs(1)..=7 * DAY)),
        everywhere: section.or("everywhere", true, parse::boolean),
    };
    check_alerts(&section, &alerts);
    section.finish();
    alerts
}

fn check_alerts(section: &Section<'_>, alerts: &AlertsSettings) {
    let streams = ["alerts_stream", "events_stream"];
    section.check("events_stream", &streams, alerts.alerts_stream != alerts.events_stream, || {
        format!("{:?} is the alerts_stream already; the two need different limits", alerts.events_stream)
    });
    let window = alerts.duplicate_window;
    for (age_key, age) in
        [("alerts_max_age", alerts.alerts_max_age), ("events_max_age", alerts.events_max_age)]
    {
        section.check("duplicate_window", &["duplicate_window", age_key], window <= age, || {
            format!(
                "{} is above {age_key} ({}); the server refuses such a stream",
                render(window),
                render(age)
            )
        });
    }
}

fn replicas(node: &Node) -> Result<Replicas, String> {
    if matches!(&node.value, Value::Text(text) if text == "auto") {
        return Ok(Replicas::Auto);
    }
    let count = integer(1..=5)(node).map_err(|message| format!("{message}, and not \"auto\""))?;
    let count = u8::try_from(count).ok().and_then(NonZeroU8::new);
    Ok(count.map_or(Replicas::Auto, Replicas::Fixed))
}

fn vantages(root: &Section<'_>, places: &Places, system: &ConnectionSettings) -> Vec<VantageSettings> {
    let mut clusters = BTreeSet::new();
    let mut vantages = Vec::new();
    for section in root.sections("vantage") {
        let cluster = section.get("cluster", cluster_name);
        let given = login::read(&section, places);
        for required in ["cluster", "servers"] {
            section.check(required, &[], section.origin(required).is_some(), || "is missing".to_owned());
        }
        if let Some(cluster) = cluster {
            let new = clusters.insert(cluster.clone());
            section.check("cluster", &[], new, || format!("{cluster:?} has a vantage already"));
            vantages.push(VantageSettings { cluster, connection: given.inside(system) });
        }
        section.finish();
    }
    vantages
}

/// Cluster names hold anything but spaces.
pub(super) fn cluster_name(node: &Node) -> Result<ClusterName, String> {
    let name = parse::text(node)?;
    if name.contains(char::is_whitespace) {
        return Err(format!("{name:?} holds a space, which no cluster name can"));
    }
    Ok(ClusterName::from(name.as_str()))
}

fn discovery(section: Section<'_>) -> DiscoverySettings {
    let discovery = DiscoverySettings { enabled: section.or("enabled", true, parse::boolean) };
    section.finish();
    discovery
}

fn detect(section: Section<'_>) -> DetectSettings {
    let beats = |node: &Node| integer(1..=20)(node).map(|n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
    let detect = DetectSettings {
        beat_period: section.or("beat_period", ms(250), duration(ms(50)..=secs(10))),
        confirm_beats: section.or("confirm_beats", DEFAULT_CONFIRM_BEATS, beats),
        latency_slack: section.or("latency_slack", ms(150), duration(ms(1)..=secs(10))),
        latency_ceiling: section.or("latency_ceiling", secs(5), duration(ms(10)..=secs(60))),
        alert_after: section.or("alert_after", secs(3), duration(secs(0)..=HOUR)),
        clear_after: section.or("clear_after", secs(5), duration(secs(0)..=HOUR)),
        join_grace: section.or("join_grace", secs(10), duration(secs(0)..=secs(600))),
    };
    check_detect(&section, &detect);
    section.finish();
    detect
}

fn check_detect(section: &Section<'_>, detect: &DetectSettings) {
    let (floor, ceiling) = (detect.latency_slack, detect.latency_ceiling);
    section.check("latency_ceiling", &["latency_slack", "latency_ceiling"], floor < ceiling, || {
        format!("{} is not above latency_slack ({})", render(ceiling), render(floor))
    });
    let confirmed = detect.beat_period * detect.confirm_beats.get();
    let involved = ["alert_after", "beat_period", "confirm_beats"];
    section.check("alert_after", &involved, detect.alert_after >= confirmed, || {
        let after = render(detect.alert_after);
        format!(
            "{after} is below beat_period * confirm_beats ({}), before which no loss is known",
            render(confirmed)
        )
    });
}

fn survey(section: Section<'_>) -> SurveySettings {
    let every = || duration(secs(1)..=HOUR);
    let survey = SurveySettings {
        gatewayz_every: section.or("gatewayz_every", secs(30), every()),
        varz_every: section.or("varz_every", secs(60), every()),
        jetstream_every: section.or("jetstream_every", Some(secs(300)), seldom),
        interest_every: section.or("interest_every", Some(secs(300)), seldom),
    };
    section.finish();
    survey
}

/// A span for questions with large answers; zero turns them off.
fn seldom(node: &Node) -> Result<Option<Duration>, String> {
    let span = duration(Duration::ZERO..=HOUR)(node)?;
    match span {
        Duration::ZERO => Ok(None),
        span if span < secs(10) => Err(format!("{} is below 10s; \"0s\" turns it off", render(span))),
        span => Ok(Some(span)),
    }
}

fn probe(section: Section<'_>, places: &Places) -> ProbeSettings {
    let probe = ProbeSettings {
        enabled: section.or("enabled", true, parse::boolean),
        ca: section.get("ca", |node| places.readable(node)),
        every: section.or("every", HOUR, duration(secs(60)..=DAY)),
    };
    section.finish();
    probe
}

fn instance(section: Section<'_>) -> InstanceSettings {
    let instance = InstanceSettings { name: section.or("name", "gatewatch".to_owned(), token(".-_", 64)) };
    section.finish();
    instance
}

fn lease(section: Section<'_>) -> LeaseSettings {
    let lease = LeaseSettings {
        enabled: section.or("enabled", true, parse::boolean),
        ttl: section.or("ttl", secs(3), duration(secs(2)..=secs(60))),
    };
    section.finish();
    lease
}

fn outbox(section: Section<'_>, places: &Places) -> OutboxSettings {
    let outbox = OutboxSettings {
        directory: section.get("directory", |node| places.directory(node)),
        max_bytes: section.or("max_bytes", DEFAULT_OUTBOX, waiting),
    };
    section.finish();
    outbox
}

/// A size with an end: what waits must not fill the disk.
fn waiting(node: &Node) -> Result<NonZeroU64, String> {
    match parse::size(node)? {
        Some(size) if size >= LEAST_OUTBOX => Ok(size),
        Some(size) => Err(format!("{size} is below the minimum of 1MiB")),
        None => Err("must have an end, such as \"64MiB\"".to_owned()),
    }
}

fn log(section: Section<'_>) -> LogSettings {
    let log = LogSettings {
        filter: section.or("filter", "info,async_nats=warn".to_owned(), filter),
        format: section.or("format", LogFormat::Text, format),
    };
    section.finish();
    log
}

fn filter(node: &Node) -> Result<String, String> {
    let text = parse::text(node)?;
    match EnvFilter::builder().parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{text:?} is not a filter such as \"info,async_nats=warn\": {error}")),
    }
}

fn format(node: &Node) -> Result<LogFormat, String> {
    match parse::text(node)?.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("expected \"text\" or \"json\", got {other:?}")),
    }
}
