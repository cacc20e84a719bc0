//! Commands to a running demonstration, and what they do to its supercluster.

use crate::lab::{ControlError, Fault, LabServer, Path, Side, Supercluster, UnknownName};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a server may take to stop in order.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// What can be done to the supercluster of a running `gatewatch demo --keep`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Command {
    /// Drop all packets between two clusters, connections stay open; heal with `demo heal`
    Break {
        /// A cluster
        from: String,
        /// Another cluster
        to: String,
        /// Only what the first sends to the second
        #[arg(long)]
        one_way: bool,
        /// Close the connections and refuse new ones, instead of dropping packets
        #[arg(long)]
        reset: bool,
        /// Only this server of one of the two
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
    /// Let all packets pass again
    Heal,
    /// Kill a server, or every server of a cluster, as a crash would
    Kill {
        /// west, or west-1
        target: String,
    },
    /// Stop a server or a cluster in order
    Stop {
        /// west, or west-1
        target: String,
    },
    /// Freeze a server or a cluster: it answers nothing, its connections stay open
    Freeze {
        /// west, or west-1
        target: String,
    },
    /// Start what was killed or stopped, thaw what was frozen
    Start {
        /// west, or west-1
        target: String,
    },
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// There is no such server or cluster.
    #[error("{0}; clusters are east, west and central, servers east-1 to central-3")]
    Unknown(#[from] UnknownName),
    /// The server of a link is in neither cluster.
    #[error("server {server} is neither in {from} nor in {to}")]
    Elsewhere { server: String, from: String, to: String },
    /// A link from a cluster to itself.
    #[error("{0} and {0} are one cluster; name two")]
    Same(String),
    /// A server could not be steered.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Carries a command out and says what was done.
pub(super) async fn obey(command: &Command, lab: &Supercluster) -> Result<String, CommandError> {
    match command {
        Command::Break { from, to, one_way, reset, server } => {
            let fault = if *reset { Fault::Reset } else { Fault::Blackhole };
            cut(lab, [from, to], *one_way, fault, server.as_deref())
        }
        Command::Heal => {
            lab.faults().clear_all();
            Ok("all packets pass again".to_owned())
        }
        Command::Kill { target } => {
            let servers = running(lab, target)?;
            futures::future::try_join_all(servers.iter().map(|server| server.kill())).await?;
            Ok(format!("killed: {}", names(&servers)))
        }
        Command::Stop { target } => {
            let servers = running(lab, target)?;
            futures::future::try_join_all(servers.iter().map(|server| server.stop(STOP_WITHIN))).await?;
            Ok(format!("stopped in order: {}", names(&servers)))
        }
        Command::Freeze { target } => {
            let servers = running(lab, target)?;
            futures::future::try_join_all(servers.iter().map(|server| server.freeze())).await?;
            Ok(format!("frozen: {}", names(&servers)))
        }
        Command::Start { target } => {
            let servers = servers(lab, target)?;
            futures::future::try_join_all(servers.iter().map(|server| start(server))).await?;
            Ok(format!("running: {}", names(&servers)))
        }
    }
}

fn cut(
    lab: &Supercluster,
    [from, to]: [&String; 2],
    one_way: bool,
    fault: Fault,
    server: Option<&str>,
) -> Result<String, CommandError> {
    if from == to {
        return Err(CommandError::Same(from.clone()));
    }
    let mut sides = [Side::cluster(from.as_str()), Side::cluster(to.as_str())];
    if let Some(name) = server {
        let cluster = lab.server(name)?.key().cluster.clone();
        let side = sides.iter_mut().find(|side| side.cluster == cluster);
        let elsewhere =
            || CommandError::Elsewhere { server: name.to_owned(), from: from.clone(), to: to.clone() };
        *side.ok_or_else(elsewhere)? = Side::server(cluster, name);
    }
    let [a, b] = sides;
    let arrow = if one_way { "->" } else { "<->" };
    let done = match fault {
        Fault::Reset => "connections are reset and refused",
        Fault::Pass
        | Fault::Blackhole
        | Fault::Refuse
        | Fault::Delay { .. }
        | Fault::Lossy { .. }
        | Fault::Slow { .. } => "every packet is dropped, connections stay open",
    };
    let what = format!("{a} {arrow} {b}: {done}");
    lab.faults().set(Path { from: a.clone(), to: b.clone() }, fault)?;
    if !one_way {
        lab.faults().set(Path { from: b, to: a }, fault)?;
    }
    Ok(what)
}

/// The servers that a name means: one, or all of a cluster.
fn servers<'a>(lab: &'a Supercluster, target: &str) -> Result<Vec<&'a LabServer>, UnknownName> {
    let all: Vec<&LabServer> =
        lab.servers().iter().filter(|server| server.key().cluster.as_str() == target).collect();
    if all.is_empty() { Ok(vec![lab.server(target)?]) } else { Ok(all) }
}

/// Those of them that run; when none does, the first is met with an error by whoever steers it.
fn running<'a>(lab: &'a Supercluster, target: &str) -> Result<Vec<&'a LabServer>, UnknownName> {
    let all = servers(lab, target)?;
    let alive: Vec<&LabServer> = all.iter().copied().filter(|server| server.pid().is_some()).collect();
    Ok(if alive.is_empty() { all } else { alive })
}

async fn start(server: &LabServer) -> Result<(), ControlError> {
    if server.pid().is_some() { server.thaw() } else { server.start().await }
}

fn names(servers: &[&LabServer]) -> String {
    servers.iter().map(|server| server.key().name.to_string()).collect::<Vec<_>>().join(", ")
}
