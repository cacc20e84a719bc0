//! `silence`: incidents that are recorded and marked, but not alerted.

mod render;
mod when;

use super::args::{ConnectionArgs, Global, KindArg, SeverityArg};
use super::exit::{Exit, Failure};
use super::reach::Reached;
use super::term::{Style, print, tell};
use super::{load, logging, names, reach};
use crate::clock::Clock;
use crate::model::ids::ClusterName;
use crate::model::intent::{Matcher, Silence, SilenceId};
use crate::wire::wish::SilenceBody;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use render::State;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

/// Keeps incidents from being alerted for a while: add, list, remove.
///
/// A silenced incident is recorded and shown like any other, and published on <prefix>.silenced.> instead of <prefix>.alert.>.
/// When the silence ends while the incident is open, it is told again, as an alert. Silences are kept in the alert account; the running
/// gatewatch takes a change in within seconds.
#[derive(Debug, Args)]
pub(super) struct SilenceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Silences incidents that fit all the conditions given
    #[command(after_help = "Examples:
  gatewatch silence add --cluster east --remote west --for 2h --comment \"new firewall\"
  gatewatch silence add --kind certificate_expiring --for 7d --comment \"renewal is ordered\"
  gatewatch silence add --everything --until 2026-12-24T06:00:00Z --comment \"data centre moves\"")]
    Add(AddArgs),
    /// The silences that hold now or will
    #[command(after_help = "Examples:
  gatewatch silence list
  gatewatch silence list --all --json")]
    List(ListArgs),
    /// Ends a silence now; incidents it kept quiet are told again
    #[command(after_help = "Examples:
  gatewatch silence remove 01KAPQ6T7M9Y6Z4V1S5R3C8E2N
  gatewatch silence remove 3C8E2N                    the end of an id is enough")]
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Only this kind of incident
    #[arg(long)]
    kind: Option<KindArg>,
    /// Only this severity
    #[arg(long)]
    severity: Option<SeverityArg>,
    /// Only incidents about this cluster, a pair with it, or a server of it
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// With --cluster: only incidents about this pair, in either order
    #[arg(long, value_name = "NAME", requires = "cluster")]
    remote: Option<String>,
    /// Only incidents about this server
    #[arg(long, value_name = "CLUSTER/NAME")]
    about_server: Option<String>,
    /// Silence every incident, whatever it is about
    #[arg(long, conflicts_with_all = ["kind", "severity", "cluster", "remote", "about_server"])]
    everything: bool,
    /// For how long from now on: 30m, 2h, 7d
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration,
          required_unless_present = "until", conflicts_with = "until")]
    length: Option<Duration>,
    /// Until when: 2026-12-24T06:00:00Z, or without a zone "2026-12-24 06:00" for UTC
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    until: Option<DateTime<Utc>>,
    /// Why, for others
    #[arg(long, value_name = "TEXT")]
    comment: String,
    /// Who, for others
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    author: String,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Also those that ended within the last day
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// The id, or the end of it
    id: String,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

/// A silence with whether it holds.
#[derive(Serialize)]
struct Listed {
    state: State,
    #[serde(flatten)]
    silence: SilenceBody,
}

impl AddArgs {
    fn matcher(&self) -> anyhow::Result<Matcher> {
        let matcher = Matcher {
            kind: self.kind.map(Into::into),
            severity: self.severity.map(Into::into),
            cluster: self.cluster.as_deref().map(Into::into),
            remote: self.remote.as_deref().map(Into::into),
            server: self.about_server.as_deref().map(names::server).transpose()?,
        };
        if matcher.is_empty() && !self.everything {
            anyhow::bail!(
                "no condition is given, so every incident would be silenced: add --cluster, --kind, --severity or --about-server, or \
                 --everything if that is meant"
            );
        }
        if matcher.cluster.is_some() && matcher.cluster == matcher.remote {
            anyhow::bail!("--cluster and --remote are the same; a pair has two clusters");
        }
        Ok(matcher)
    }

    fn until(&self, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
        let until = match (self.until, self.length) {
            (Some(until), _) => until,
            (None, length) => when::after(now, length.unwrap_or_default())?,
        };
        if until <= now {
            anyhow::bail!("{} is over: it is {} now", when::shown(until), when::shown(now));
        }
        Ok(until)
    }
}

pub(super) async fn run(global: &Global, args: SilenceArgs) -> Result<Exit, Failure> {
    let connection = match &args.what {
        What::Add(add) => &add.connection,
        What::List(list) => &list.connection,
        What::Remove(remove) => &remove.connection,
    };
    let settings = load::settings(global, &connection.overrides())?;
    logging::quiet(global)?;
    let now = Clock::start().now().wall;
    match args.what {
        What::Add(args) => {
            let wanted = (args.matcher().map_err(Failure::usage)?, args.until(now).map_err(Failure::usage)?);
            let reached = reach::alerts(&settings, "silence").await?;
            add(global, &reached, args, wanted, now).await
        }
        What::List(args) => {
            let reached = reach::alerts(&settings, "silence").await?;
            list(global, &reached, args.all, now).await
        }
        What::Remove(args) => {
            let reached = reach::alerts(&settings, "silence").await?;
            remove(global, &reached, &args.id).await
        }
    }
}

async fn add(
    global: &Global,
    reached: &Reached,
    args: AddArgs,
    (matcher, until): (Matcher, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Exit, Failure> {
    if let Some(strange) = unheard_of(reached, &matcher).await {
        tell(&format!(
            "gatewatch: note: {strange} is not known to the running gatewatch; the silence is added all the same"
        ));
    }
    let id = SilenceId::from(reached.new_id(now).as_str());
    let (comment, author) = (args.comment, args.author);
    let silence = Silence { id, matcher, from: now, until, comment, author };
    reached.wishes.add_silence(&silence).await.map_err(Failure::unavailable)?;
    if global.json {
        print(&format!("{}\n", json!(SilenceBody::from(&silence))))?;
    } else {
        print(&format!(
            "silenced until {}: {}\n{}\n",
            when::shown(until),
            render::meant(&silence.matcher),
            silence.id
        ))?;
    }
    Ok(Exit::Ok)
}

/// A cluster that is named and that nobody has heard of: perhaps misspelt.
async fn unheard_of(reached: &Reached, matcher: &Matcher) -> Option<String> {
    let snapshot = reached.history.status().await.ok()?;
    let server = matcher.server.as_ref().map(|key| &key.cluster);
    let named = [matcher.cluster.as_ref(), matcher.remote.as_ref(), server];
    let known = |name: &ClusterName| snapshot.clusters.iter().any(|cluster| cluster.name == *name);
    let unknown = named.into_iter().flatten().find(|name| !known(name));
    unknown.map(|name| format!("cluster {name}"))
}

async fn list(global: &Global, reached: &Reached, all: bool, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let mut silences = reached.wishes.silences().await.map_err(Failure::unavailable)?;
    silences.retain(|silence| all || State::of(silence, now) != State::Expired);
    silences.sort_by(|a, b| a.until.cmp(&b.until).then_with(|| a.id.cmp(&b.id)));
    if global.json {
        let listed =
            silences.iter().map(|silence| Listed { state: State::of(silence, now), silence: silence.into() });
        print(&format!("{}\n", json!(listed.collect::<Vec<_>>())))?;
    } else {
        print(&render::list(&silences, now, Style::of_stdout(global.color)))?;
    }
    Ok(Exit::Ok)
}

async fn remove(global: &Global, reached: &Reached, meant: &str) -> Result<Exit, Failure> {
    let silences = reached.wishes.silences().await.map_err(Failure::unavailable)?;
    let id = pick(meant, &silences).map_err(Failure::usage)?;
    reached.wishes.remove_silence(&id).await.map_err(Failure::unavailable)?;
    if global.json {
        print(&format!("{}\n", json!({ "removed": id.as_str() })))?;
    } else {
        print(&format!("removed {id}\n"))?;
    }
    Ok(Exit::Ok)
}

fn pick(meant: &str, silences: &[Silence]) -> anyhow::Result<SilenceId> {
    let wanted = meant.to_ascii_uppercase();
    let matching: Vec<&SilenceId> = silences
        .iter()
        .map(|silence| &silence.id)
        .filter(|id| id.as_str().to_ascii_uppercase().ends_with(&wanted))
        .collect();
    match matching[..] {
        [id] => Ok(id.clone()),
        [] => anyhow::bail!("no silence has the id {meant}; `gatewatch silence list --all` shows them"),
        _ => anyhow::bail!("{} ids end with {meant}; give more of it", matching.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(id: &str) -> Silence {
        let at = DateTime::UNIX_EPOCH;
        let (comment, author) = (String::new(), String::new());
        Silence { id: id.into(), matcher: Matcher::default(), from: at, until: at, comment, author }
    }

    #[test]
    fn the_end_of_an_id_is_enough_when_it_is_the_only_one() {
        let silences = [silence("01KAPQ6T7MAAA"), silence("01KAPQ6T7MABA")];
        assert_eq!(pick("aba", &silences).unwrap().as_str(), "01KAPQ6T7MABA");
        assert!(pick("A", &silences).unwrap_err().to_string().contains("2 ids"));
        assert!(pick("ZZ", &silences).unwrap_err().to_string().contains("silence list"));
    }
}
