//! `run`: the daemon.

use super::args::{ConnectionArgs, Global};
use super::exit::{Exit, Failure};
use super::signals::Signals;
use super::{load, logging, notify};
use crate::config::Override;
use crate::daemon::{Daemon, RunError};
use clap::Args;
use tokio::task::JoinHandle;

/// Runs the daemon: listens to the supercluster, publishes alerts, keeps the history.
///
/// Connects to the system account with --server and credentials, discovers the other clusters and keeps one connection in each.
/// Alerts and history go to the alert account, which needs JetStream and cannot be the system account. Logs to the standard error.
///
/// SIGTERM and Ctrl-C end it in order: everything published is stored first, for at most 5 s, then the state as it is last, for at
/// most 2 s; the exit code is 0, or 69 when it was not all stored. A second one ends it at once, with 70.
///
/// Tells a service manager ($NOTIFY_SOCKET) when it is ready, what it sees, and that it lives: see examples/gatewatch.service.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch run --config /etc/gatewatch.toml
  gatewatch run --server nats://host:4222 --system-creds sys.creds --alert-creds app.creds
  gatewatch run --context sys --alert-context app --json        log as JSON
  gatewatch config show-example > gatewatch.toml                every setting, with comments")]
pub(super) struct RunArgs {
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

pub(super) async fn run(global: &Global, args: RunArgs) -> Result<Exit, Failure> {
    let settings = load::settings(global, &overrides(global, &args))?;
    logging::daemon(global, &settings.log)?;
    let mut signals = Signals::listen().map_err(Failure::internal)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        instance = settings.instance.name,
        "gatewatch starts"
    );
    notify::tell("waiting for a connection to the system account", false).await;
    let daemon = tokio::select! {
        biased;
        () = signals.next() => return Ok(Exit::Ok),
        started = Daemon::start(settings) => started.map_err(failure)?,
    };
    let notifying = notify::follow(&daemon);
    signals.next().await;
    tracing::info!("stopping; once more to stop at once");
    notifying.inspect(JoinHandle::abort);
    notify::tell("stopping: storing what is left", true).await;
    tokio::select! {
        biased;
        () = signals.next() => Err(Failure::internal(anyhow::anyhow!("stopped at once: the last alerts may not be stored"))),
        stopped = daemon.stop() => match stopped {
            Ok(()) => {
                tracing::info!("stopped");
                Ok(Exit::Ok)
            }
            Err(unflushed) => Err(Failure::unavailable(unflushed)),
        },
    }
}

fn overrides(global: &Global, args: &RunArgs) -> Vec<Override> {
    let own = |key: &str, value: &str, flag: &str| Override {
        key: key.to_owned(),
        value: value.to_owned(),
        flag: flag.to_owned(),
    };
    let filter = global.log.iter().map(|filter| own("log.filter", filter, "--log"));
    let format = global.json.then(|| own("log.format", "json", "--json"));
    args.connection.overrides().into_iter().chain(filter).chain(format).collect()
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Prefix(_) => Failure::usage(error),
        RunError::Alerts(_) | RunError::System(_) => Failure::unavailable(error),
    }
}
