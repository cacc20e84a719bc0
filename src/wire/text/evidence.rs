//! Evidence in words.

use super::{list, span};
use crate::model::evidence::Says;
use crate::model::observation::Disconnect;

/// One piece of evidence, as one clause.
#[must_use]
pub fn evidence(says: &Says) -> String {
    match says {
        Says::BeatsMissed { server, vantage, missed, heard_by } => format!(
            "{server} answered, heard in {}, but its last {missed} answers did not reach {vantage}: it cannot send there",
            list(heard_by)
        ),
        Says::BeatHeard { server, vantage, latency } => {
            format!("an answer of {server} reached {vantage} after {:.1} ms", latency.as_secs_f64() * 1e3)
        }
        Says::Silent { server, missed } => {
            format!(
                "{server} left the last {missed} questions unanswered while others of its cluster answered"
            )
        }
        Says::NoReports { server, silent_for } => {
            format!("{server} has sent no report for {}", span(*silent_for))
        }
        Says::Listed { server, remote } => format!("{server} lists its link to {remote} as up"),
        Says::NotListed { server, remote } => format!("{server} does not list a link to {remote}"),
        Says::NotConfigured { server, remote } => {
            format!("the configuration of {server} no longer names {remote}")
        }
        Says::PeerGone { server, peer } => format!("the link of {server} ended at {peer}, which is gone"),
        Says::LameDuck { server } => format!("{server} announced lame duck mode"),
        Says::Shutdown { server } => format!("{server} announced its shutdown"),
        Says::Restarted { server, id } => format!("{server} was restarted and is now {id}"),
        Says::Heard { server, vantage } => format!("{server} was heard in {vantage}"),
        Says::ClusterSilent { cluster, unheard_by } => {
            format!("no server of {cluster} answers; asked from {}", list(unheard_by))
        }
        Says::ClusterHeard { cluster, heard_by } => {
            format!("servers of {cluster} are heard in {}", list(heard_by))
        }
        Says::VantageDisconnected { cluster, why } => {
            format!("the connection of gatewatch into {cluster} is not there: {}", reason(*why))
        }
        Says::VantageDeaf { cluster } => {
            format!("the connection of gatewatch into {cluster} is up but hears nothing of that cluster")
        }
        Says::GatewayRefused { server, peer: Some(peer) } => {
            format!("{server} refused a gateway connection of {peer} for bad credentials")
        }
        Says::GatewayRefused { server, peer: None } => {
            format!("{server} refused a gateway connection for bad credentials")
        }
    }
}

fn reason(why: Disconnect) -> &'static str {
    match why {
        Disconnect::Lost => "it ended",
        Disconnect::Refused => "every address refuses it",
        Disconnect::TimedOut => "no address answers in time",
        Disconnect::Unauthorized => "the server does not accept the credentials",
        Disconnect::WrongCluster => "the address leads into another cluster",
        Disconnect::Other => "it cannot be made",
    }
}
