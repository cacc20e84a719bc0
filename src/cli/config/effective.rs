//! The settings in force, one line each, secrets masked.

use crate::config::Origins;
use crate::config::connection::{ConnectionSettings, Credentials, TlsSettings};
use crate::config::secret::SecretSource;
use crate::config::settings::{LogFormat, Replicas, Settings};
use crate::model::ids::Link;
use serde::Serialize;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

/// Shown in place of a secret.
const MASK: &str = "***";

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// `[system]`, `[[vantage]]`.
    #[serde(skip)]
    pub(super) section: String,
    /// The key within its section.
    #[serde(skip)]
    pub(super) name: String,
    /// The whole key path.
    pub(super) key: String,
    /// The value as the file would say it.
    pub(super) value: String,
    /// Where it was given; `None` is the default.
    pub(super) origin: Option<String>,
}

impl Line {
    pub(super) fn assignment(&self) -> String {
        format!("{} = {}", self.name, self.value)
    }
}

/// Every setting that has a value.
pub(super) fn effective(settings: &Settings, origins: &Origins) -> Vec<Line> {
    let mut list = List { origins, lines: Vec::new() };
    list.section("system", "[system]", |s| connection(s, &settings.system));
    list.section("alerts", "[alerts]", |s| alerts(s, settings));
    list.section("discovery", "[discovery]", |s| s.put("enabled", settings.discovery.enabled.to_string()));
    for (index, vantage) in settings.vantages.iter().enumerate() {
        list.section(&format!("vantage.{index}"), &format!("[[vantage]] # {index}"), |s| {
            s.put("cluster", quoted(vantage.cluster.as_str()));
            connection(s, &vantage.connection);
        });
    }
    list.section("detect", "[detect]", |s| detect(s, settings));
    list.section("expect", "[expect]", |s| {
        s.put("links", links(&settings.expect.required));
        s.put("forbidden", links(&settings.expect.forbidden));
    });
    list.section("survey", "[survey]", |s| {
        s.put("gatewayz_every", span(settings.survey.gatewayz_every));
        s.put("varz_every", span(settings.survey.varz_every));
        s.put("jetstream_every", span(settings.survey.jetstream_every.unwrap_or_default()));
        s.put("interest_every", span(settings.survey.interest_every.unwrap_or_default()));
    });
    list.section("probe", "[probe]", |s| probe(s, settings));
    list.section("checks", "[checks]", |s| checks(s, settings));
    list.section("instance", "[instance]", |s| s.put("name", quoted(&settings.instance.name)));
    list.section("lease", "[lease]", |s| {
        s.put("enabled", settings.lease.enabled.to_string());
        s.put("ttl", span(settings.lease.ttl));
    });
    list.section("outbox", "[outbox]", |s| {
        if let Some(directory) = &settings.outbox.directory {
            s.put("directory", quoted_path(directory));
        }
        s.put("max_bytes", settings.outbox.max_bytes.to_string());
    });
    list.section("log", "[log]", |s| {
        let format = match settings.log.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        s.put("filter", quoted(&settings.log.filter));
        s.put("format", quoted(format));
    });
    list.lines
}

fn alerts(section: &mut Section<'_>, settings: &Settings) {
    let alerts = &settings.alerts;
    connection(section, &alerts.connection);
    section.put("subject_prefix", quoted(&alerts.subject_prefix));
    section.put("alerts_stream", quoted(&alerts.alerts_stream));
    section.put("events_stream", quoted(&alerts.events_stream));
    section.put("bucket", quoted(&alerts.bucket));
    section.put(
        "replicas",
        match alerts.replicas {
            Replicas::Auto => quoted("auto"),
            Replicas::Fixed(count) => count.to_string(),
        },
    );
    section.put("alerts_max_age", span(alerts.alerts_max_age));
    section.put("events_max_age", span(alerts.events_max_age));
    section.put("alerts_max_bytes", bytes(alerts.alerts_max_bytes));
    section.put("events_max_bytes", bytes(alerts.events_max_bytes));
    section.put("duplicate_window", span(alerts.duplicate_window));
    section.put("everywhere", alerts.everywhere.to_string());
}

fn detect(section: &mut Section<'_>, settings: &Settings) {
    let detect = &settings.detect;
    section.put("beat_period", span(detect.beat_period));
    section.put("confirm_beats", detect.confirm_beats.to_string());
    section.put("latency_slack", span(detect.latency_slack));
    section.put("latency_ceiling", span(detect.latency_ceiling));
    section.put("alert_after", span(detect.alert_after));
    section.put("clear_after", span(detect.clear_after));
    section.put("join_grace", span(detect.join_grace));
}

fn checks(section: &mut Section<'_>, settings: &Settings) {
    let checks = &settings.checks;
    let disabled: Vec<String> = checks.off.iter().map(|kind| quoted(kind.token())).collect();
    section.put("disabled", format!("[{}]", disabled.join(", ")));
    section.put("standing_after", span(checks.standing_after));
    section.put("settled_after", span(checks.settled_after));
    section.put("versions_after", span(checks.versions_after));
    section.put("removed_notice", span(checks.removed_notice));
    section.put("certificate_notice", span(checks.certificate_notice));
    section.put("certificate_warn", span(checks.certificate_warn));
    section.put("clock_skew", span(checks.clock_skew));
}

fn probe(section: &mut Section<'_>, settings: &Settings) {
    section.put("enabled", settings.probe.enabled.to_string());
    if let Some(ca) = &settings.probe.ca {
        section.put("ca", quoted_path(ca));
    }
    section.put("every", span(settings.probe.every));
}

fn connection(section: &mut Section<'_>, connection: &ConnectionSettings) {
    let servers: Vec<String> = connection.servers.iter().map(|url| quoted(url.as_url_str())).collect();
    section.put("servers", format!("[{}]", servers.join(", ")));
    credentials(section, &connection.credentials);
    section.put("inbox_prefix", quoted(&connection.inbox_prefix));
    tls(section, &connection.tls);
}

fn credentials(section: &mut Section<'_>, credentials: &Credentials) {
    let mut secret = |inline, file, source: &SecretSource| match source {
        SecretSource::Inline(_) => section.put(inline, quoted(MASK)),
        SecretSource::File(path) => section.put(file, quoted_path(path)),
    };
    match credentials {
        Credentials::None => {}
        Credentials::CredsFile(path) => section.put("creds", quoted_path(path)),
        Credentials::NkeyFile(path) => section.put("nkey", quoted_path(path)),
        Credentials::UserPassword { user, password } => {
            secret("password", "password_file", password);
            section.put("user", quoted(user));
        }
        Credentials::Token(token) => secret("token", "token_file", token),
    }
}

fn tls(section: &mut Section<'_>, tls: &TlsSettings) {
    if let Some(ca) = &tls.ca {
        section.put("tls.ca", quoted_path(ca));
    }
    if let Some(client) = &tls.client {
        section.put("tls.cert", quoted_path(&client.cert));
        section.put("tls.key", quoted_path(&client.key));
    }
    section.put("tls.first", tls.first.to_string());
    section.put("tls.required", tls.required.to_string());
}

struct List<'a> {
    origins: &'a Origins,
    lines: Vec<Line>,
}

impl List<'_> {
    fn section(&mut self, path: &str, title: &str, fill: impl FnOnce(&mut Section<'_>)) {
        fill(&mut Section { path, title, origins: self.origins, lines: &mut self.lines });
    }
}

/// Adds lines under one path.
struct Section<'a> {
    path: &'a str,
    title: &'a str,
    origins: &'a Origins,
    lines: &'a mut Vec<Line>,
}

impl Section<'_> {
    fn put(&mut self, name: &str, value: String) {
        let key = format!("{}.{name}", self.path);
        let origin = self.origins.get(&key).map(ToString::to_string);
        self.lines.push(Line { section: self.title.to_owned(), name: name.to_owned(), key, value, origin });
    }
}

fn links(links: &[Link]) -> String {
    let links: Vec<String> = links.iter().map(|link| quoted(&link.to_string())).collect();
    format!("[{}]", links.join(", "))
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

fn span(duration: Duration) -> String {
    quoted(&humantime::format_duration(duration).to_string())
}

fn bytes(limit: Option<NonZeroU64>) -> String {
    limit.map_or_else(|| quoted("unlimited"), |bytes| bytes.to_string())
}
