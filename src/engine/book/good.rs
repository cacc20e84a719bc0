//! Whether what an incident touches is known to be good again.

use crate::engine::intent::Wanted;
use crate::engine::world::{ServerIx, World};
use crate::model::ids::{Link, ServerLink};
use crate::model::incident::{Family, Incident};
use crate::model::states::{ClusterState, LinkState, ServerLinkState, ServerState, VantageState};

/// Whether a server link in doubt still counts as what it was: good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    Allowed,
    Refused,
}

/// Whether everything that an incident touches is known to be good; not knowing is not good.
pub(super) fn all_good(world: &World, incident: &Incident, doubt: Doubt) -> bool {
    let scope = &incident.scope;
    scope.clusters.iter().all(|name| {
        world.cluster(name).is_some_and(|ix| {
            let cluster = &world.clusters[ix];
            match incident.kind.family() {
                Family::View => {
                    cluster.vantage.as_ref().is_none_or(|vantage| vantage.held.state == VantageState::Sound)
                }
                Family::Cluster
                | Family::Cut
                | Family::Flapping
                | Family::Server
                | Family::Presence
                | Family::Standing => matches!(
                    cluster.held.state,
                    ClusterState::Healthy | ClusterState::Degraded | ClusterState::Draining
                ),
            }
        })
    }) && scope.links.iter().all(|link| link_good(world, link))
        && scope.server_links.iter().all(|link| server_link_good(world, link, doubt))
        && scope.servers.iter().all(|key| {
            let state = world.server(key).map(|ix| world.servers[ix].held.state);
            matches!(state, Some(ServerState::Live | ServerState::Leaving | ServerState::Stopped))
        })
}

fn link_good(world: &World, link: &Link) -> bool {
    let Some((from, to)) = world.cluster(&link.from).zip(world.cluster(&link.to)) else { return false };
    let Some(link) = world.clusters[from].links.get(&to) else { return false };
    let present = |&server: &ServerIx| world.servers[server].present();
    // Its servers came back configured without it.
    let dropped = || {
        world.clusters[from].servers.iter().any(present)
            && link.held.state == LinkState::Unknown
            && !world.expected(from, to)
    };
    match link.wanted {
        Wanted::Forbidden => link.held.state == LinkState::Retired,
        Wanted::AsConfigured | Wanted::Required => {
            matches!(link.held.state, LinkState::Up | LinkState::Retired) || dropped()
        }
    }
}

fn server_link_good(world: &World, link: &ServerLink, doubt: Doubt) -> bool {
    let Some((server, to)) = world.server(&link.server).zip(world.cluster(&link.to)) else { return false };
    let server = &world.servers[server];
    match server.held.state {
        ServerState::Stopped => true,
        ServerState::Unknown | ServerState::Lost => false,
        ServerState::Live | ServerState::Leaving => {
            let good = match server.links.get(&to).map(|link| link.held.state) {
                Some(ServerLinkState::Up) => true,
                Some(ServerLinkState::Suspect) => doubt == Doubt::Allowed,
                Some(ServerLinkState::Unknown | ServerLinkState::Down | ServerLinkState::Retired) | None => {
                    false
                }
            };
            good || !world.expected(server.cluster, to)
        }
    }
}
