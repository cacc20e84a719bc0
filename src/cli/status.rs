//! `status`: what gatewatch holds for true, as it stored it last.

mod render;

use super::args::{ConnectionArgs, Global};
use super::exit::{Exit, Failure};
use super::term::{Style, print};
use super::{load, logging, reach};
use crate::clock::Clock;
use crate::model::incident::Severity;
use crate::model::snapshot::Snapshot;
use crate::nats::state::StateError;
use crate::wire::body::SnapshotBody;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::json;

/// The daemon stores its view every 10 s at the latest; after three times that nobody does.
const STALE_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Shows the mesh: links, clusters, servers, open incidents.
///
/// Reads what the daemon stored last in the alert account; the system account is not needed. The matrix shows what servers of the
/// row's cluster send to the column's cluster: up with the time it takes, how many servers are cut, DOWN, or ? when nobody knows.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch status --server nats://host:4222 --alert-creds app.creds
  gatewatch status > /dev/null || echo \"something is wrong: $?\"

Exit code: 0 all is well, 1 a warning is open, 2 something critical is open, 3 no fresh snapshot.
Silenced incidents are shown and do not count.")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

pub(super) async fn run(global: &Global, args: StatusArgs) -> Result<Exit, Failure> {
    let settings = load::settings(global, &args.connection.overrides())?;
    logging::quiet(global)?;
    let reached = reach::alerts(&settings, "status").await?;
    let snapshot = match reached.history.status().await {
        Ok(snapshot) => snapshot,
        Err(error @ (StateError::NoBucket { .. } | StateError::Empty { .. })) => {
            super::term::tell(&format!("gatewatch: {error}"));
            return Ok(Exit::Unknown);
        }
        Err(
            error @ (StateError::Record { .. } | StateError::TooLarge { .. } | StateError::JetStream { .. }),
        ) => {
            return Err(Failure::unavailable(error));
        }
    };
    // There may be no lease, or no permission to read it: that takes nothing from the state.
    let speaker = reached.history.speaker().await.ok().flatten();
    let now = Clock::start().now().wall;
    let exit = verdict(&snapshot, now);
    if global.json {
        let body = SnapshotBody::from(&snapshot);
        let age = (now - snapshot.at).num_milliseconds();
        let all = json!({ "exit": exit.code(), "fresh": is_fresh(&snapshot, now), "age_ms": age, "speaker": speaker, "snapshot": body });
        print(&format!("{all}\n"))?;
    } else {
        let style = Style::of_stdout(global.color);
        print(&render::render(&snapshot, speaker.as_ref(), now, is_fresh(&snapshot, now), style))?;
    }
    Ok(exit)
}

pub(super) fn is_fresh(snapshot: &Snapshot, now: DateTime<Utc>) -> bool {
    now - snapshot.at <= STALE_AFTER
}

fn verdict(snapshot: &Snapshot, now: DateTime<Utc>) -> Exit {
    let told = snapshot.incidents.iter().filter(|incident| incident.silenced.is_none());
    let worst = told.map(|incident| incident.severity).max();
    match worst {
        _ if !is_fresh(snapshot, now) => Exit::Unknown,
        Some(Severity::Critical) => Exit::Critical,
        Some(Severity::Warning) => Exit::Warning,
        Some(Severity::Info) | None => Exit::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn the_exit_code_follows_the_worst_open_incident() {
        let at = |snapshot: &Snapshot| verdict(snapshot, snapshot.at + TimeDelta::seconds(30));
        assert_eq!(at(&samples::healthy()), Exit::Ok);
        assert_eq!(at(&samples::degraded()), Exit::Warning);
        assert_eq!(at(&samples::partition()), Exit::Critical);
    }

    #[test]
    fn an_old_snapshot_says_nothing_about_now() {
        let snapshot = samples::partition();
        assert_eq!(verdict(&snapshot, snapshot.at + TimeDelta::seconds(31)), Exit::Unknown);
    }
}
