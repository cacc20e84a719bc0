//! `forget`: a cluster or a server that is gone for good.

use super::args::{ConnectionArgs, Global};
use super::exit::{Exit, Failure};
use super::reach::Reached;
use super::term::print;
use super::{load, logging, names, reach, status};
use crate::clock::Clock;
use crate::model::intent::{Forget, ForgetOutcome};
use crate::wire::text::span;
use crate::wire::wish::ForgetRequest;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::Duration;

/// How long to wait for what became of it: a gatewatch that was just started takes no requests in for 20 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Makes the running gatewatch forget a cluster or server that is gone for good.
///
/// Its links are no longer expected, and open incidents about it are resolved. What is still heard is not forgotten. When it is heard
/// again, it is watched again. Servers that are still configured with a forgotten cluster do not bring it back, until gatewatch is
/// started anew: take it out of their gateway{} blocks.
#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A cluster, with all its servers and links
    #[command(after_help = "Examples:
  gatewatch forget cluster west")]
    Cluster(OneArgs),
    /// One server, as CLUSTER/NAME; with its last server a cluster is forgotten too
    #[command(after_help = "Examples:
  gatewatch forget server west/west-4")]
    Server(OneArgs),
}

#[derive(Debug, Args)]
struct OneArgs {
    /// Its name; a server's is CLUSTER/NAME
    #[arg(value_name = "NAME")]
    name: String,
    /// Who asks, for others
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    author: String,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

pub(super) async fn run(global: &Global, args: ForgetArgs) -> Result<Exit, Failure> {
    let (what, args) = match args.what {
        What::Cluster(args) => (Forget::Cluster(args.name.as_str().into()), args),
        What::Server(args) => (Forget::Server(names::server(&args.name).map_err(Failure::usage)?), args),
    };
    let settings = load::settings(global, &args.connection.overrides())?;
    logging::quiet(global)?;
    let reached = reach::alerts(&settings, "forget").await?;
    let now = Clock::start().now().wall;
    somebody_listens(&reached, now).await?;
    let request = ForgetRequest { what, at: now, author: args.author, outcome: None };
    reached.wishes.put_forget(&request).await.map_err(Failure::unavailable)?;
    let outcome = answer(&reached, &request.what).await?;
    if global.json {
        print(&format!("{}\n", json!({ "forget": request.what.to_string(), "outcome": outcome.token() })))?;
    }
    match outcome {
        ForgetOutcome::Done if global.json => Ok(Exit::Ok),
        ForgetOutcome::Done => {
            print(&format!("forgotten: {}\n", request.what))?;
            Ok(Exit::Ok)
        }
        ForgetOutcome::StillHeard | ForgetOutcome::Required | ForgetOutcome::Unknown => {
            Err(Failure::usage(refused(&request.what, outcome)))
        }
    }
}

/// A request that nobody takes in would lie there and be carried out some other day.
async fn somebody_listens(reached: &Reached, now: DateTime<Utc>) -> Result<(), Failure> {
    let snapshot = reached.history.status().await.map_err(Failure::unavailable)?;
    if status::is_fresh(&snapshot, now) {
        return Ok(());
    }
    let age = span((now - snapshot.at).to_std().unwrap_or_default());
    Err(Failure::unavailable(anyhow::anyhow!(
        "no gatewatch runs that could forget it: its latest state is {age} old"
    )))
}

async fn answer(reached: &Reached, what: &Forget) -> Result<ForgetOutcome, Failure> {
    let wait = async {
        loop {
            let request = reached.wishes.forget(what).await.map_err(Failure::unavailable)?;
            if let Some(outcome) = request.and_then(|request| request.outcome) {
                return Ok(outcome);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(ANSWER_WITHIN, wait).await.unwrap_or_else(|_| {
        Err(Failure::unavailable(anyhow::anyhow!(
            "the running gatewatch has not taken the request in within {}; it stays stored and is carried out once that can read it",
            span(ANSWER_WITHIN)
        )))
    })
}

fn refused(what: &Forget, outcome: ForgetOutcome) -> anyhow::Error {
    match outcome {
        ForgetOutcome::StillHeard => anyhow::anyhow!(
            "{what} is still heard, so it would come back at once; stop its servers first, and wait until `gatewatch status` shows them \
             as stopped or lost"
        ),
        ForgetOutcome::Required => anyhow::anyhow!(
            "[expect] links of the running gatewatch says that a link of {what} must exist; take it out there first"
        ),
        ForgetOutcome::Unknown | ForgetOutcome::Done => {
            anyhow::anyhow!("the running gatewatch knows no {what}; `gatewatch status` shows what it knows")
        }
    }
}
