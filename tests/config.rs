//! Loading the settings: precedence, defaults, and everything that is wrong said at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use gatewatch::config::connection::{ClientCertificate, Credentials};
use gatewatch::config::error::ConfigErrors;
use gatewatch::config::secret::{Secret, SecretSource};
use gatewatch::config::settings::{Replicas, Settings};
use gatewatch::config::{Override, keys};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A directory with a configuration file in it.
struct Given {
    dir: TempDir,
    env: Vec<(String, String)>,
    flags: Vec<Override>,
}

fn file(text: &str) -> Given {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gatewatch.toml"), text).unwrap();
    Given { dir, env: Vec::new(), flags: Vec::new() }
}

impl Given {
    fn beside(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, flag: &str, key: &str, value: &str) -> Self {
        let (key, value, flag) = (key.to_owned(), value.to_owned(), flag.to_owned());
        self.flags.push(Override { key, value, flag });
        self
    }

    fn home(self) -> Self {
        let home = self.dir.path().display().to_string();
        self.env("HOME", &home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self) -> Result<Settings, ConfigErrors> {
        Settings::load(Some(&self.path("gatewatch.toml")), self.env.iter().cloned(), &self.flags)
    }

    fn settings(&self) -> Settings {
        self.load().unwrap()
    }

    /// What is said, with the directory taken out.
    fn errors(&self) -> Vec<String> {
        let dir = format!("{}/", self.dir.path().display());
        let text = self.load().unwrap_err().to_string();
        text.lines().map(|line| line.replace(&dir, "")).collect()
    }
}

fn defaults() -> Settings {
    Settings::load(None, std::iter::empty(), &[]).unwrap()
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gatewatch.toml")
}

#[test]
fn without_anything_given_the_defaults_hold() {
    let settings = defaults();
    assert_eq!(settings.system.servers[0].as_url_str(), "nats://127.0.0.1:4222");
    assert_eq!(settings.system.credentials, Credentials::None);
    assert_eq!(settings.alerts.connection.servers, settings.system.servers);
    assert_eq!(settings.detect.beat_period, Duration::from_millis(250));
    assert_eq!(settings.detect.confirm_beats.get(), 2);
    assert_eq!(settings.alerts.replicas, Replicas::Auto);
    assert_eq!(settings.log.filter, "info,async_nats=warn");
}

#[test]
fn the_example_states_the_defaults() {
    let example = Settings::load(Some(&example()), std::iter::empty(), &[]).unwrap();
    assert_eq!(example, defaults());
}

#[test]
fn the_example_mentions_every_key_in_its_section() {
    let text = std::fs::read_to_string(example()).unwrap();
    let mut section = String::new();
    let mut mentioned = Vec::new();
    for line in text.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some(rest) = line.strip_prefix('[') {
            section = rest.trim_start_matches('[').split(']').next().unwrap().to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            mentioned.push(format!("{section}.{key}"));
        }
    }
    let missing: Vec<String> = keys().into_iter().filter(|key| !mentioned.contains(key)).collect();
    assert_eq!(missing, Vec::<String>::new());
    assert!(keys().len() > 60 && keys().contains(&"vantage.tls.ca".to_owned()), "{:?}", keys());
}

#[test]
fn the_commented_lines_of_the_example_are_known_keys_too() {
    let text = std::fs::read_to_string(example()).unwrap();
    let body = text.lines().skip_while(|line| !line.starts_with("[system]"));
    let uncommented: Vec<&str> = body.map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let prose = ["At most one kind of credentials. Default: none."];
    let uncommented: Vec<&str> = uncommented.into_iter().filter(|line| !prose.contains(line)).collect();
    let errors = file(&uncommented.join("\n")).home().errors();
    assert!(
        errors.iter().all(|line| !line.contains("unknown key") && !line.contains("expected")),
        "{errors:?}"
    );
    assert!(errors.iter().any(|line| line.contains("only one kind of credentials")), "{errors:?}");
}

#[test]
fn probes_can_be_switched_off_and_given_authorities_and_a_rate() {
    let by_default = defaults().probe;
    assert!(by_default.enabled && by_default.ca.is_none(), "{by_default:?}");
    assert_eq!(by_default.every, Duration::from_secs(3_600));
    let given = file("[probe]\nca = 'keys/gateways.pem'\nevery = '10m'")
        .beside("keys/gateways.pem", "")
        .env("GATEWATCH_PROBE__ENABLED", "false");
    let probe = given.settings().probe;
    assert!(!probe.enabled);
    assert_eq!(probe.ca, Some(given.path("keys/gateways.pem")));
    assert_eq!(probe.every, Duration::from_secs(600));
}

#[test]
fn probes_with_authorities_that_cannot_be_read_or_another_rate_are_refused() {
    let errors = file("[probe]\nca = 'none.pem'\nevery = '59s'\nenable = false").errors();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with("gatewatch.toml:2: probe.ca: cannot read none.pem: "), "{errors:?}");
    assert_eq!(errors[1], "gatewatch.toml:3: probe.every: \"59s\" is below the minimum of 1m");
    assert_eq!(errors[2], "gatewatch.toml:4: probe.enable: unknown key; did you mean `enabled`?");
    let errors = file("[probe]\nevery = '25h'").errors();
    assert_eq!(errors, ["gatewatch.toml:2: probe.every: \"25h\" is above the maximum of 1d"]);
}

#[test]
fn flags_win_over_environment_over_file() {
    let given = file("[detect]\nclear_after = '1s'\njoin_grace = '1s'\nalert_after = '1s'")
        .env("GATEWATCH_DETECT__JOIN_GRACE", "2s")
        .env("GATEWATCH_DETECT__ALERT_AFTER", "2s")
        .env("GATEWATCH_DETECT__CONFIRM_BEATS", "3")
        .env("GATEWATCH_DISCOVERY__ENABLED", "false")
        .flag("--alert-after", "detect.alert_after", "4s");
    let settings = given.settings();
    assert_eq!(settings.detect.clear_after, Duration::from_secs(1));
    assert_eq!(settings.detect.join_grace, Duration::from_secs(2));
    assert_eq!(settings.detect.alert_after, Duration::from_secs(4));
    assert_eq!(settings.detect.confirm_beats.get(), 3);
    assert!(!settings.discovery.enabled);
}

#[test]
fn everything_wrong_is_said_at_once_with_key_and_place() {
    let given = file(
        "[detect]\nbeat_period = '0ms'\nconfirm_beats = 0\nbeat_perod = '1s'\n[survey]\nvarz_every = 30\n\
         [logs]\n[instance]\nname = 'a b'",
    )
    .env("GATEWATCH_LOG__FORMAT", "xml")
    .env("GATEWATCH_DETECT__ALERT_AFTR", "1s")
    .env("GATEWATCH_LOG", "debug")
    .flag("--clear-after", "detect.clear_after", "soon");
    let expected = [
        "gatewatch.toml:2: detect.beat_period: \"0ms\" is below the minimum of 50ms",
        "gatewatch.toml:3: detect.confirm_beats: 0 is not within 1 to 20",
        "--clear-after: detect.clear_after: \"soon\" is not a duration such as \"250ms\" or \"3s\": expected number at 0",
        "GATEWATCH_DETECT__ALERT_AFTR: detect.alert_aftr: unknown key; did you mean `alert_after`?",
        "gatewatch.toml:4: detect.beat_perod: unknown key; did you mean `beat_period`?",
        "gatewatch.toml:6: survey.varz_every: 30 has no unit; write \"30s\" or \"30ms\"",
        "gatewatch.toml:9: instance.name: \"a b\" holds ' '; only letters, digits and `.` `-` `_` fit",
        "GATEWATCH_LOG__FORMAT: log.format: expected \"text\" or \"json\", got \"xml\"",
        "gatewatch.toml:7: logs: unknown key; did you mean `log`?",
    ];
    assert_eq!(given.errors(), expected);
}

#[test]
fn questions_with_large_answers_are_asked_seldom_or_never() {
    let settings = file("[survey]\njetstream_every = '0s'\ninterest_every = '10s'").settings();
    assert_eq!(settings.survey.jetstream_every, None);
    assert_eq!(settings.survey.interest_every, Some(Duration::from_secs(10)));
    let expected = [
        "gatewatch.toml:2: survey.jetstream_every: 9s is below 10s; \"0s\" turns it off",
        "gatewatch.toml:3: survey.interest_every: \"2h\" is above the maximum of 1h",
    ];
    assert_eq!(file("[survey]\njetstream_every = '9s'\ninterest_every = '2h'").errors(), expected);
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let given = file(
        "[detect]\nlatency_slack = '2s'\nlatency_ceiling = '1s'\nbeat_period = '1s'\nconfirm_beats = 4\n\
         [alerts]\nevents_max_age = '5m'\nevents_stream = 'A'\nalerts_stream = 'A'",
    );
    let expected = [
        "gatewatch.toml:8: alerts.events_stream: \"A\" is the alerts_stream already; the two need different limits",
        "gatewatch.toml:6: alerts.duplicate_window: 10m is above events_max_age (5m); the server refuses such a stream",
        "gatewatch.toml:3: detect.latency_ceiling: 1s is not above latency_slack (2s)",
        "gatewatch.toml:1: detect.alert_after: 3s is below beat_period * confirm_beats (4s), before which no loss is known",
    ];
    assert_eq!(given.errors(), expected);
}

#[test]
fn a_bad_value_is_not_also_called_a_contradiction() {
    let errors = file("[detect]\nlatency_slack = 'x'\nlatency_ceiling = '100ms'").errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn syntax_errors_name_their_lines() {
    let errors = file("[detect]\nbeat_period = \n[survey\n").errors();
    assert!(errors.iter().any(|line| line.starts_with("gatewatch.toml:2: ")), "{errors:?}");
    assert!(errors.iter().any(|line| line.starts_with("gatewatch.toml:3: ")), "{errors:?}");
}

#[test]
fn a_repeated_key_is_a_syntax_error() {
    let errors = file("[detect]\nclear_after = '1s'\nclear_after = '2s'").errors();
    assert_eq!(errors, ["gatewatch.toml:3: duplicate key"]);
}

#[test]
fn a_missing_file_is_reported_with_its_path() {
    let error = Settings::load(Some(Path::new("/nowhere/g.toml")), std::iter::empty(), &[]).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the configuration file /nowhere/g.toml: "), "{error}");
}

#[test]
fn relative_files_are_relative_to_the_configuration_file() {
    let given = file("[system]\ncreds = 'keys/sys.creds'\n[system.tls]\ncert = 'c.pem'\nkey = '~/c.key'")
        .beside("keys/sys.creds", "")
        .beside("c.pem", "")
        .beside("c.key", "")
        .home();
    let system = given.settings().system;
    assert_eq!(system.credentials, Credentials::CredsFile(given.path("keys/sys.creds")));
    let client = ClientCertificate { cert: given.path("c.pem"), key: given.path("c.key") };
    assert_eq!(system.tls.client, Some(client));
}

#[test]
fn a_missing_credentials_file_is_reported_with_its_path() {
    let errors = file("[alerts]\ncreds = 'none.creds'\n[alerts.tls]\ncert = 'gatewatch.toml'").errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("gatewatch.toml:2: alerts.creds: cannot read none.creds: "), "{errors:?}");
    assert_eq!(errors[1], "gatewatch.toml:4: alerts.tls.cert: needs `key` beside it");
}

#[test]
fn two_kinds_of_credentials_in_one_place_are_refused() {
    let errors = file("[system]\nuser = 'a'\npassword = 'b'\ntoken = 't'").errors();
    let expected =
        "gatewatch.toml:4: system.token: only one kind of credentials is possible, and `user` is given too";
    assert_eq!(errors, [expected]);
}

#[test]
fn a_user_needs_a_password_and_a_password_a_user() {
    assert_eq!(
        file("[system]\nuser = 'a'\n[alerts]\npassword = 'b'").errors(),
        [
            "gatewatch.toml:2: system.user: has no password; give `password` or `password_file`",
            "gatewatch.toml:3: alerts.user: is missing, though a password is given",
        ]
    );
}

#[test]
fn credentials_given_by_flag_replace_another_kind_in_the_file() {
    let given = file("[system]\ncreds = 'gone.creds'").flag("--token", "system.token", "t");
    let token = Credentials::Token(SecretSource::Inline(Secret::new("t".to_owned())));
    assert_eq!(given.settings().system.credentials, token);
}

#[test]
fn a_password_from_the_environment_completes_the_user_of_the_file_and_is_never_shown() {
    let given =
        file("[system]\nuser = 'sys'\npassword_file = 'gone'").env("GATEWATCH_SYSTEM__PASSWORD", "hunter2");
    let settings = given.settings();
    let password = SecretSource::Inline(Secret::new("hunter2".to_owned()));
    assert_eq!(settings.system.credentials, Credentials::UserPassword { user: "sys".to_owned(), password });
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn a_url_with_a_password_is_refused_without_showing_it() {
    let errors = file("[system]\nservers = ['nats://sys:hunter2@host:4222']").errors();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("gatewatch.toml:2: system.servers: a URL must not hold a user or password")
    );
    assert!(!errors[0].contains("hunter2"));
}

#[test]
fn urls_that_cannot_work_are_refused() {
    for (url, why) in
        [("ws://h:80", "websockets are not"), ("http://h", "invalid scheme"), ("nats://", "names no host")]
    {
        let errors = file(&format!("[system]\nservers = '{url}'")).errors();
        assert!(errors.len() == 1 && errors[0].contains(why), "{errors:?}");
    }
}

#[test]
fn alerts_take_servers_and_tls_of_the_system_but_not_its_login() {
    let given = file("[system]\nservers = 'tls://a,tls://b'\ntoken = 't'\n[system.tls]\nca = 'ca.pem'")
        .beside("ca.pem", "");
    let settings = given.settings();
    assert_eq!(settings.alerts.connection.servers.len(), 2);
    assert_eq!(settings.alerts.connection.tls, settings.system.tls);
    assert_eq!(settings.alerts.connection.credentials, Credentials::None);
    let elsewhere = given.flag("--alerts-server", "alerts.servers", "nats://c").settings();
    assert_eq!(elsewhere.alerts.connection.tls.ca, None);
}

#[test]
fn a_vantage_takes_over_what_it_does_not_say() {
    let given = file(
        "[system]\ntoken = 't'\n[[vantage]]\ncluster = 'east'\nservers = ['nats://e:4222']\n\
         [[vantage]]\ncluster = 'we.st'\nservers = ['nats://w']\nuser = 'u'",
    )
    .env("GATEWATCH_VANTAGE__1__PASSWORD", "p");
    let settings = given.settings();
    assert_eq!(settings.vantages[0].connection.credentials, settings.system.credentials);
    assert_eq!(settings.vantages[1].cluster.as_str(), "we.st");
    assert!(
        matches!(&settings.vantages[1].connection.credentials, Credentials::UserPassword { user, .. } if user == "u")
    );
}

#[test]
fn a_vantage_needs_its_own_cluster_and_servers() {
    let errors =
        file("[[vantage]]\ncluster = 'e'\n[[vantage]]\ncluster = 'e'\nservers = 'nats://e'\n[[vantage]]\n")
            .errors();
    assert_eq!(
        errors,
        [
            "gatewatch.toml:1: vantage.0.servers: is missing",
            "gatewatch.toml:4: vantage.1.cluster: \"e\" has a vantage already",
            "gatewatch.toml:6: vantage.2.cluster: is missing",
            "gatewatch.toml:6: vantage.2.servers: is missing",
        ]
    );
}

#[test]
fn sizes_are_numbers_with_units_or_unlimited() {
    let given = file("[alerts]\nalerts_max_bytes = '2GiB'\nevents_max_bytes = 'unlimited'");
    let alerts = given.settings().alerts;
    assert_eq!(alerts.alerts_max_bytes.unwrap().get(), 2 << 30);
    assert_eq!(alerts.events_max_bytes, None);
    for bad in ["0", "'-1'", "'1GB '", "9999999999999999999999", "'99999999TiB'"] {
        assert_eq!(file(&format!("[alerts]\nalerts_max_bytes = {bad}")).errors().len(), 1, "{bad}");
    }
}

#[test]
fn a_context_of_the_nats_tool_gives_the_connection() {
    let given = file("[system]\ncontext = 'sys'")
        .beside(
            ".config/nats/context/sys.json",
            r#"{"description":"","url":"nats://sys:pw@a:4222,nats://b:4222","token":"","creds":"","nkey":"",
                "ca":"~/ca.pem","tls_first":true,"inbox_prefix":"_I.sys","jetstream_domain":"hub","color_scheme":""}"#,
        )
        .beside("ca.pem", "")
        .home();
    let system = given.settings().system;
    let urls: Vec<&str> = system.servers.iter().map(async_nats::ServerAddr::as_url_str).collect();
    assert_eq!(urls, ["nats://a:4222", "nats://b:4222"]);
    let password = SecretSource::Inline(Secret::new("pw".to_owned()));
    assert_eq!(system.credentials, Credentials::UserPassword { user: "sys".to_owned(), password });
    assert_eq!(system.tls.ca, Some(given.path("ca.pem")));
    assert!(system.tls.first);
    assert_eq!(system.inbox_prefix, "_I.sys");
}

#[test]
fn keys_beside_a_context_win_over_it() {
    let given = file("[system]\ncontext = 'sys'\nservers = 'nats://mine'\ntoken = 't'")
        .beside("nats/context/sys.json", r#"{"url":"nats://theirs","creds":"/gone.creds"}"#);
    let dir = given.dir.path().display().to_string();
    let system = given.env("XDG_CONFIG_HOME", &dir).settings().system;
    assert_eq!(system.servers[0].host(), "mine");
    assert!(matches!(system.credentials, Credentials::Token(_)));
}

#[test]
fn a_context_that_cannot_be_used_is_reported() {
    let given = file("[system]\ncontext = 'none'\n[alerts]\ncontext = 'op'\n[[vantage]]\ncluster='e'\nservers='nats://e'\ncontext = '../x'")
        .beside(".config/nats/context/op.json", r#"{"nsc":"nsc://op/acc/user"}"#)
        .home();
    let errors = given.errors();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(
        errors[0].starts_with("gatewatch.toml:2: system.context: cannot read .config/nats/context/none.json")
    );
    assert!(errors[0].ends_with("there are: op"), "{errors:?}");
    assert!(errors[1].contains("logs in by `nsc`, which is not supported"), "{errors:?}");
    assert!(errors[2].contains("is not the name of a context"), "{errors:?}");
}

#[test]
fn keys_of_the_wrong_kind_are_reported_not_ignored() {
    let given = file("detect = 3\nvantage = 'x'\n[system]\nuser = 5\nservers = []")
        .env("GATEWATCH_SYSTEM__SERVERS__0", "nats://x")
        .env("GATEWATCH_VANTAGE__4__CLUSTER", "x");
    let errors = given.errors();
    for part in
        ["detect: expected a table, got a number", "system.user: expected text in quotes, got a number"]
    {
        assert!(errors.iter().any(|line| line.contains(part)), "{part}: {errors:?}");
    }
    assert!(
        errors.iter().any(|line| line.contains("vantage: expected a list of tables, got text")),
        "{errors:?}"
    );
    assert!(errors.iter().any(|line| line.starts_with("GATEWATCH_SYSTEM__SERVERS__0: ")), "{errors:?}");
}

#[test]
fn checks_are_switched_off_by_name_and_their_numbers_must_fit_together() {
    let given = file("[checks]\ndisabled = ['single_url', 'clock_skew']\ncertificate_warn = '3d'");
    let checks = given.settings().checks;
    let off: Vec<&str> = checks.off.iter().map(|kind| kind.token()).collect();
    assert_eq!(off, ["single_url", "clock_skew"]);
    assert_eq!(checks.certificate_warn, Duration::from_secs(3 * 24 * 60 * 60));
    let given = file("").env("GATEWATCH_CHECKS__DISABLED", "mixed_versions, routes_incomplete");
    assert_eq!(given.settings().checks.off.len(), 2);
    let given = file("[checks]\ndisabled = ['gateway_down']\ncertificate_warn = '40d'\nclock_skew = '1ms'");
    let expected = [
        "gatewatch.toml:2: checks.disabled: \"gateway_down\" is not the name of a check; there are gateway_flapping, \
         gateway_removed, config_drift, certificate_expiring, single_url, clock_skew, mixed_versions, routes_incomplete, gatewatch_impaired",
        "gatewatch.toml:4: checks.clock_skew: \"1ms\" is below the minimum of 500ms",
        "gatewatch.toml:3: checks.certificate_warn: 40d is above certificate_notice (30d)",
    ];
    assert_eq!(given.errors(), expected);
}

#[test]
fn the_outbox_is_where_it_is_said_or_where_the_system_wants_state() {
    let given = file("[instance]\nname = 'night'").home();
    let own = given.path(".local/state/gatewatch/night");
    assert_eq!(given.settings().outbox.directory, Some(own));
    let given = given.env("XDG_STATE_HOME", "/var/state");
    assert_eq!(given.settings().outbox.directory, Some("/var/state/gatewatch/night".into()));
    let given = given.env("STATE_DIRECTORY", "/var/lib/gatewatch:/var/lib/other");
    assert_eq!(given.settings().outbox.directory, Some("/var/lib/gatewatch".into()));
    let given = file("[outbox]\ndirectory = 'state'\nmax_bytes = '2MiB'")
        .env("STATE_DIRECTORY", "/var/lib/gatewatch");
    let outbox = given.settings().outbox;
    assert_eq!((outbox.directory, outbox.max_bytes.get()), (Some(given.path("state")), 2 << 20));
    assert_eq!((defaults().outbox.directory, defaults().outbox.max_bytes.get()), (None, 64 << 20));
}

#[test]
fn an_outbox_without_an_end_or_too_small_is_refused() {
    let errors = |size: &str| file(&format!("[outbox]\nmax_bytes = {size}")).errors();
    assert_eq!(
        errors("'unlimited'"),
        ["gatewatch.toml:2: outbox.max_bytes: must have an end, such as \"64MiB\""]
    );
    assert_eq!(errors("1000"), ["gatewatch.toml:2: outbox.max_bytes: 1000 is below the minimum of 1MiB"]);
}
