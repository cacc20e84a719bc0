//! The arguments that verbs share, and the list of verbs.

use super::exit::EXIT_CODES;
use super::term::ColorChoice;
use super::{
    config, demo, forget, incidents, permissions, record, replay, run, schema, silence, status, watch,
};
use crate::config::Override;
use crate::model::incident::{IncidentKind, Severity};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Parser, Subcommand, ValueEnum};
use std::ffi::OsStr;
use std::path::PathBuf;

const LONG_ABOUT: &str = "\
gatewatch listens beside a NATS supercluster as a system-account client and makes the event that NATS does not have: this \
gateway is down, this is who is cut off, this is probably why. It finds a broken link in about a second, also while the servers \
themselves still list it as up; it publishes alerts on NATS subjects and keeps the history of incidents in JetStream.

Try it on this machine, without anything installed:  gatewatch demo";

/// Makes the event NATS does not have: a gateway of the supercluster was lost.
#[derive(Debug, Parser)]
#[command(
    name = "gatewatch",
    version,
    long_about = LONG_ABOUT,
    after_long_help = EXIT_CODES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What can be done. Each is described on its arguments.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Status(status::StatusArgs),
    Watch(watch::WatchArgs),
    Incidents(incidents::IncidentsArgs),
    Silence(silence::SilenceArgs),
    Forget(forget::ForgetArgs),
    Record(record::RecordArgs),
    Replay(replay::ReplayArgs),
    Config(config::ConfigArgs),
    Permissions(permissions::PermissionsArgs),
    Schema(schema::SchemaArgs),
}

/// Flags of every verb.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Global {
    /// Configuration file; without it ./gatewatch.toml is read if it exists
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GATEWATCH_CONFIG",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(super) config: Option<PathBuf>,
    /// Results as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub(super) json: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "auto|always|never",
        hide_possible_values = true,
        default_value = "auto",
        hide_default_value = true,
        help_heading = "Global options"
    )]
    pub(super) color: ColorChoice,
    /// What is logged to the standard error: info, debug, gatewatch=trace, ...
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "GATEWATCH_LOG",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(super) log: Option<String>,
}

/// Any setting, by its key.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SetArgs {
    /// Any setting, repeatable: --set detect.beat_period=500ms
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = KeyValue, help_heading = "Settings")]
    pub(super) set: Vec<(String, String)>,
}

/// A severity, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum SeverityArg {
    Info,
    Warning,
    Critical,
}

impl From<SeverityArg> for Severity {
    fn from(arg: SeverityArg) -> Self {
        match arg {
            SeverityArg::Info => Self::Info,
            SeverityArg::Warning => Self::Warning,
            SeverityArg::Critical => Self::Critical,
        }
    }
}

/// A kind of incident, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum KindArg {
    VantageLost,
    ClusterOffline,
    ClusterIsolated,
    GatewayDown,
    GatewayDegraded,
    GatewayFlapping,
    ServerLost,
    GatewayNeverUp,
    GatewayUnwanted,
    GatewayRemoved,
    ConfigDrift,
    CertificateExpiring,
    SingleUrl,
    ClockSkew,
    MixedVersions,
    RoutesIncomplete,
}

impl From<KindArg> for IncidentKind {
    fn from(arg: KindArg) -> Self {
        match arg {
            KindArg::VantageLost => Self::VantageLost,
            KindArg::ClusterOffline => Self::ClusterOffline,
            KindArg::ClusterIsolated => Self::ClusterIsolated,
            KindArg::GatewayDown => Self::GatewayDown,
            KindArg::GatewayDegraded => Self::GatewayDegraded,
            KindArg::GatewayFlapping => Self::GatewayFlapping,
            KindArg::ServerLost => Self::ServerLost,
            KindArg::GatewayNeverUp => Self::GatewayNeverUp,
            KindArg::GatewayUnwanted => Self::GatewayUnwanted,
            KindArg::GatewayRemoved => Self::GatewayRemoved,
            KindArg::ConfigDrift => Self::ConfigDrift,
            KindArg::CertificateExpiring => Self::CertificateExpiring,
            KindArg::SingleUrl => Self::SingleUrl,
            KindArg::ClockSkew => Self::ClockSkew,
            KindArg::MixedVersions => Self::MixedVersions,
            KindArg::RoutesIncomplete => Self::RoutesIncomplete,
        }
    }
}

/// The short form of the most used connection settings.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection (each also in the file, and as GATEWATCH_SYSTEM__CREDS and so on)")]
pub(super) struct ConnectionArgs {
    /// Client URLs, comma-separated or repeated; one is enough
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    server: Vec<String>,
    /// System account: credentials file
    #[arg(long, value_name = "FILE")]
    system_creds: Option<String>,
    /// System account: user
    #[arg(long, value_name = "NAME")]
    system_user: Option<String>,
    /// System account: password; others can see it in the list of processes, better GATEWATCH_SYSTEM__PASSWORD
    #[arg(long, value_name = "TEXT")]
    system_password: Option<String>,
    /// System account: a context of the nats tool
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Alert account: client URLs, when they are not those of --server
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    alert_server: Vec<String>,
    /// Alert account: credentials file
    #[arg(long, value_name = "FILE")]
    alert_creds: Option<String>,
    /// Alert account: user
    #[arg(long, value_name = "NAME")]
    alert_user: Option<String>,
    /// Alert account: password; better GATEWATCH_ALERTS__PASSWORD
    #[arg(long, value_name = "TEXT")]
    alert_password: Option<String>,
    /// Alert account: a context of the nats tool
    #[arg(long, value_name = "NAME")]
    alert_context: Option<String>,
    /// File with the authorities that servers' certificates are checked against
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<String>,
    #[command(flatten)]
    set: SetArgs,
}

impl ConnectionArgs {
    /// The flags that were given, as settings.
    pub(super) fn overrides(&self) -> Vec<Override> {
        let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
        let given = [
            ("system.servers", "--server", joined(&self.server)),
            ("system.creds", "--system-creds", self.system_creds.clone()),
            ("system.user", "--system-user", self.system_user.clone()),
            ("system.password", "--system-password", self.system_password.clone()),
            ("system.context", "--context", self.context.clone()),
            ("alerts.servers", "--alert-server", joined(&self.alert_server)),
            ("alerts.creds", "--alert-creds", self.alert_creds.clone()),
            ("alerts.user", "--alert-user", self.alert_user.clone()),
            ("alerts.password", "--alert-password", self.alert_password.clone()),
            ("alerts.context", "--alert-context", self.alert_context.clone()),
            ("system.tls.ca", "--tls-ca", self.tls_ca.clone()),
        ];
        let short = given.into_iter().filter_map(|(key, flag, value)| {
            Some(Override { key: key.to_owned(), value: value?, flag: flag.to_owned() })
        });
        short.chain(self.set.overrides()).collect()
    }
}

impl SetArgs {
    /// The flags that were given, as settings.
    pub(super) fn overrides(&self) -> Vec<Override> {
        let set = self.set.iter();
        set.map(|(key, value)| Override {
            key: key.clone(),
            value: value.clone(),
            flag: format!("--set {key}"),
        })
        .collect()
    }
}

/// Reads `KEY=VALUE`. Of what is none, nothing is repeated: it may well hold a secret.
#[derive(Debug, Clone, Copy)]
struct KeyValue;

impl TypedValueParser for KeyValue {
    type Value = (String, String);

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        match value.to_str().and_then(|text| text.split_once('=')) {
            Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
            Some(_) | None => Err(command.clone().error(
                ErrorKind::ValueValidation,
                "--set: expected KEY=VALUE, for example detect.beat_period=500ms; `gatewatch config check` lists the keys",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_short_flag_names_a_setting_that_exists() {
        let some = || Some("x".to_owned());
        let args = ConnectionArgs {
            server: vec!["a".to_owned(), "b".to_owned()],
            system_creds: some(),
            system_user: some(),
            system_password: some(),
            context: some(),
            alert_server: vec!["c".to_owned()],
            alert_creds: some(),
            alert_user: some(),
            alert_password: some(),
            alert_context: some(),
            tls_ca: some(),
            set: SetArgs { set: vec![("detect.beat_period".to_owned(), "1s".to_owned())] },
        };
        let keys = crate::config::keys();
        let overrides = args.overrides();
        assert_eq!(overrides.len(), 12);
        assert_eq!(overrides[0].value, "a,b");
        let unknown: Vec<_> = overrides.iter().filter(|given| !keys.contains(&given.key)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
