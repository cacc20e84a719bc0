//! All current truth, as plain values sorted by name.

use super::book::Book;
use super::policy::Policy;
use super::world::{ClusterIx, Server, World};
use crate::model::health::OwnStatus;
use crate::model::snapshot::{
    ClusterStatus, LinkStatus, ServerLinkStatus, ServerStatus, Snapshot, VantageStatus,
};
use crate::model::time::Now;

pub(super) fn take(policy: &Policy, world: &World, book: &Book, now: Now) -> Snapshot {
    let clusters: Vec<_> = world.clusters_by_name().collect();
    Snapshot {
        at: now.wall,
        own: Some(OwnStatus {
            instance: policy.instance.clone(),
            lacks: world.own.lacks.clone().unwrap_or_default(),
            ailments: world.own.ailments(),
        }),
        vantages: clusters.iter().filter_map(|&ix| vantage(world, ix)).collect(),
        clusters: clusters.iter().map(|&ix| cluster(world, ix)).collect(),
        links: clusters.iter().flat_map(|&from| links(world, from)).collect(),
        incidents: book.open().cloned().collect(),
    }
}

fn vantage(world: &World, ix: ClusterIx) -> Option<VantageStatus> {
    let cluster = &world.clusters[ix];
    let held = &cluster.vantage.as_ref()?.held;
    Some(VantageStatus { cluster: cluster.name.clone(), state: held.state, since: held.since.wall })
}

fn cluster(world: &World, ix: ClusterIx) -> ClusterStatus {
    let cluster = &world.clusters[ix];
    let servers = sorted_servers(world, ix).map(|server| ServerStatus {
        key: server.key.clone(),
        id: server.id.clone(),
        version: server.version,
        state: server.held.state,
        since: server.held.since.wall,
        connections: server.clients.held,
    });
    ClusterStatus {
        name: cluster.name.clone(),
        state: cluster.held.state,
        since: cluster.held.since.wall,
        servers: servers.collect(),
    }
}

fn links(world: &World, from: ClusterIx) -> Vec<LinkStatus> {
    let links = world.clusters[from].links.iter().map(|(&to, link)| {
        let servers: Vec<_> =
            sorted_servers(world, from).filter_map(|server| server_link(server, to)).collect();
        let basis = sorted_servers(world, from)
            .filter(|server| server.present())
            .filter_map(|server| server.links.get(&to));
        LinkStatus {
            link: world.link_name(from, to),
            state: link.held.state,
            since: link.held.since.wall,
            basis: basis.map(|link| link.basis).max(),
            servers,
        }
    });
    let mut links: Vec<_> = links.collect();
    links.sort_by(|a, b| a.link.cmp(&b.link));
    links
}

fn server_link(server: &Server, to: ClusterIx) -> Option<ServerLinkStatus> {
    let link = server.links.get(&to)?;
    Some(ServerLinkStatus {
        server: server.key.clone(),
        state: link.held.state,
        since: link.held.since.wall,
        latency: server.paths.get(to).and_then(|path| path.latency.smoothed()),
        listed: link.listed.map(|listed| listed.up),
    })
}

fn sorted_servers(world: &World, ix: ClusterIx) -> impl Iterator<Item = &Server> {
    let mut servers: Vec<_> =
        world.clusters[ix].servers.iter().map(|&server| &world.servers[server]).collect();
    servers.sort_by(|a, b| a.key.cmp(&b.key));
    servers.into_iter()
}
