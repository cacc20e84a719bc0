//! The log: always to the standard error, coloured only on a terminal.

use super::args::Global;
use super::exit::Failure;
use crate::config::settings::{LogFormat, LogSettings};
use std::io;
use tracing_subscriber::EnvFilter;

/// What a verb logs that a person waits for, unless `--log` says otherwise.
const QUIET: &str = "warn,async_nats=error";

/// For the daemon: as configured.
pub(super) fn daemon(global: &Global, log: &LogSettings) -> Result<(), Failure> {
    start(global, &log.filter, log.format)
}

/// For everything else: only what somebody should know.
pub(super) fn quiet(global: &Global) -> Result<(), Failure> {
    quieter(global, QUIET)
}

/// As [`quiet`], with another filter to begin with.
pub(super) fn quieter(global: &Global, filter: &str) -> Result<(), Failure> {
    start(global, global.log.as_deref().unwrap_or(filter), LogFormat::Text)
}

fn start(global: &Global, filter: &str, format: LogFormat) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(filter).map_err(|error| {
        Failure::usage(anyhow::anyhow!(
            "--log: {filter:?} is not a filter such as \"info,async_nats=warn\": {error}"
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(global.color.applies_to(&io::stderr()));
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| Failure::internal(anyhow::anyhow!("cannot start the log: {error}")))
}
