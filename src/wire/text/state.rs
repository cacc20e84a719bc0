//! State changes in words.

use crate::model::states::{ClusterState, Departure, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::transition::Change;

/// One state change, as one clause.
#[must_use]
pub fn change(change: &Change) -> String {
    match change {
        Change::ServerLink { link, from, to } => {
            format!("link {link} {} (was {from})", server_link(*to))
        }
        Change::Link { link, from, to } => format!("gateway {link} {} (was {from})", link_state(*to)),
        Change::Resynced { link, after } => {
            let seconds = after.as_secs_f64();
            format!(
                "gateway {link} is resynced: interest and copies had caught up {seconds:.1} s after the heal"
            )
        }
        Change::Server { server, from, to, .. } => {
            format!("server {server} {} (was {from})", server_state(*to))
        }
        Change::Cluster { cluster, from, to } => {
            format!("cluster {cluster} {} (was {from})", cluster_state(*to))
        }
        Change::Vantage { cluster, from, to } => {
            format!("the connection of gatewatch into {cluster} {} (was {from})", vantage(*to))
        }
    }
}

fn server_link(state: ServerLinkState) -> &'static str {
    match state {
        ServerLinkState::Unknown => "is not known",
        ServerLinkState::Up => "is up",
        ServerLinkState::Suspect => "is in doubt",
        ServerLinkState::Down => "is down",
        ServerLinkState::Retired => "is no longer expected",
    }
}

fn link_state(state: LinkState) -> String {
    match state {
        LinkState::Unknown => "is not known".to_owned(),
        LinkState::Up => "is up".to_owned(),
        LinkState::Degraded { cut, of } => format!("is degraded: {cut} of {of} servers are cut off"),
        LinkState::Down => "is down".to_owned(),
        LinkState::Retired => "is no longer expected".to_owned(),
    }
}

fn server_state(state: ServerState) -> &'static str {
    match state {
        ServerState::Unknown => "is not known",
        ServerState::Live => "is live",
        ServerState::Leaving => "is in lame duck mode",
        ServerState::Stopped => "has shut down",
        ServerState::Lost => "is silent",
    }
}

fn cluster_state(state: ClusterState) -> &'static str {
    match state {
        ClusterState::Unknown => "is not known",
        ClusterState::Healthy => "is healthy",
        ClusterState::Degraded => "is degraded",
        ClusterState::Isolated => "is isolated",
        ClusterState::Draining => "is draining: every server of it is in lame duck mode",
        ClusterState::Offline(Departure::Planned) => "is offline: every server of it shut down",
        ClusterState::Offline(Departure::Crash) => "is offline: every server of it fell silent",
        ClusterState::Unreachable => "cannot be reached: it or the view of it is broken",
    }
}

fn vantage(state: VantageState) -> &'static str {
    match state {
        VantageState::Connecting => "is being made",
        VantageState::Sound => "is sound",
        VantageState::Impaired => "hears nothing or lost messages",
        VantageState::Gone => "is lost",
    }
}
