//! `incidents`: what was told, read back from JetStream.

mod render;

pub(super) use render::list as table;

use super::args::{ConnectionArgs, Global, KindArg};
use super::exit::{Exit, Failure};
use super::term::{Style, print};
use super::{load, logging, reach};
use crate::clock::Clock;
use crate::model::incident::{Incident, IncidentEvent, IncidentId};
use crate::nats::history::{History, HistoryError, IncidentFilter};
use crate::wire::body::{IncidentBody, StageWord};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Reads incidents back from JetStream.
#[derive(Debug, Args)]
pub(super) struct IncidentsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A table, the latest first
    #[command(after_help = "Examples:
  gatewatch incidents list --since 24h
  gatewatch incidents list --open --cluster east --json")]
    List(ListArgs),
    /// One incident with all its revisions, evidence, and what to do about it
    #[command(after_help = "Examples:
  gatewatch incidents show 01KAPQ6T7M9Y6Z4V1S5R3C8E2N
  gatewatch incidents show 3C8E2N                     the end of an id is enough
  gatewatch incidents show latest")]
    Show(ShowArgs),
    /// Every incident in its last revision, one JSON object a line, the oldest first
    #[command(after_help = "Examples:
  gatewatch incidents export --since 30d > incidents.ndjson")]
    Export(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those with news in this time: 24h, 7d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Only those that are not resolved
    #[arg(long)]
    open: bool,
    /// Only this kind; repeatable
    #[arg(long)]
    kind: Vec<KindArg>,
    /// Only those that touch this cluster; repeatable
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,
    /// At most so many, the latest
    #[arg(long, value_name = "COUNT")]
    limit: Option<NonZeroUsize>,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

impl ListArgs {
    fn filter(&self, now: DateTime<Utc>) -> IncidentFilter {
        let since = self.since.and_then(|back| now.checked_sub_signed(TimeDelta::from_std(back).ok()?));
        IncidentFilter {
            since,
            kinds: self.kind.iter().copied().map(Into::into).collect(),
            clusters: self.cluster.iter().map(|name| name.as_str().into()).collect(),
            open_only: self.open,
            limit: self.limit,
        }
    }
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The id, the end of it, or "latest"
    id: String,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

/// One revision of an incident.
#[derive(Serialize)]
struct Revision {
    stage: StageWord,
    #[serde(flatten)]
    incident: IncidentBody,
}

pub(super) async fn run(global: &Global, args: IncidentsArgs) -> Result<Exit, Failure> {
    let connection = match &args.what {
        What::List(list) | What::Export(list) => &list.connection,
        What::Show(show) => &show.connection,
    };
    let settings = load::settings(global, &connection.overrides())?;
    logging::quiet(global)?;
    let reached = reach::alerts(&settings, "incidents").await?;
    let now = Clock::start().now().wall;
    let output = match args.what {
        What::List(list) => {
            let incidents = find(&reached.history, &list.filter(now)).await?;
            if global.json {
                array(&incidents)?
            } else {
                render::list(&incidents, now, Style::of_stdout(global.color))
            }
        }
        What::Export(list) => {
            let mut incidents = find(&reached.history, &list.filter(now)).await?;
            incidents.reverse();
            lines(&incidents)?
        }
        What::Show(show) => {
            let revisions = one(&reached.history, &show.id).await?;
            if global.json {
                revision_array(&revisions)?
            } else {
                render::story(&revisions, now, Style::of_stdout(global.color))
            }
        }
    };
    print(&output)?;
    Ok(Exit::Ok)
}

async fn find(history: &History, filter: &IncidentFilter) -> Result<Vec<Incident>, Failure> {
    history.incidents(filter).await.map_err(Failure::unavailable)
}

/// All revisions of the incident that is meant.
async fn one(history: &History, meant: &str) -> Result<Vec<IncidentEvent>, Failure> {
    let ids: Vec<IncidentId> =
        find(history, &IncidentFilter::default()).await?.into_iter().map(|incident| incident.id).collect();
    let id = pick(meant, &ids).map_err(Failure::usage)?;
    history.revisions(&id).await.map_err(|error: HistoryError| Failure::unavailable(error))
}

/// `ids` are the latest first.
fn pick(meant: &str, ids: &[IncidentId]) -> anyhow::Result<IncidentId> {
    let wanted = meant.to_ascii_uppercase();
    if wanted == "LATEST" {
        return ids.first().cloned().ok_or_else(|| anyhow::anyhow!("no incident is stored"));
    }
    let matching: Vec<&IncidentId> = ids.iter().filter(|id| id.as_str().ends_with(&wanted)).collect();
    match matching[..] {
        [id] => Ok(id.clone()),
        [] => {
            anyhow::bail!("no stored incident has the id {meant}; `gatewatch incidents list` shows them all")
        }
        _ => anyhow::bail!("{} ids end with {meant}; give more of it", matching.len()),
    }
}

fn array(incidents: &[Incident]) -> Result<String, Failure> {
    let bodies: Vec<IncidentBody> = incidents.iter().map(Into::into).collect();
    Ok(format!("{}\n", serde_json::to_string(&bodies).map_err(Failure::internal)?))
}

fn lines(incidents: &[Incident]) -> Result<String, Failure> {
    let mut text = String::new();
    for incident in incidents {
        text.push_str(&serde_json::to_string(&IncidentBody::from(incident)).map_err(Failure::internal)?);
        text.push('\n');
    }
    Ok(text)
}

fn revision_array(revisions: &[IncidentEvent]) -> Result<String, Failure> {
    let bodies: Vec<Revision> = revisions
        .iter()
        .map(|event| Revision { stage: event.stage.into(), incident: (&event.incident).into() })
        .collect();
    Ok(format!("{}\n", serde_json::to_string(&bodies).map_err(Failure::internal)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_id_is_enough_when_it_is_the_only_one() {
        let ids = ["01KAPQ6T7M0000000000000AAA", "01KAPQ6T7M0000000000000ABA"].map(IncidentId::from);
        assert_eq!(pick("latest", &ids).unwrap(), ids[0]);
        assert_eq!(pick("aba", &ids).unwrap(), ids[1]);
        assert_eq!(pick("01KAPQ6T7M0000000000000AAA", &ids).unwrap(), ids[0]);
        assert!(pick("A", &ids).unwrap_err().to_string().contains("2 ids end with A"));
        assert!(pick("ZZZ", &ids).unwrap_err().to_string().contains("incidents list"));
        assert!(pick("latest", &[]).is_err());
    }
}
