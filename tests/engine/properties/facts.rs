//! Facts and names that small numbers stand for.

use super::CLUSTERS;
use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::observation::{
    ConfigReport, Fact, GatewayConnection, GatewaysReport, OutboundStats, ServerIdentity, ServerVersion,
    StatsReport,
};

pub(super) fn wall(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap() + TimeDelta::milliseconds(ms)
}

pub(super) fn cluster(at: usize) -> ClusterName {
    CLUSTERS[at % CLUSTERS.len()].into()
}

/// Ids of the first and of later lives of the two servers of each cluster.
pub(super) fn server_id(cluster: usize, server: u8, life: u8) -> ServerId {
    format!("{}-{server}.{life}", CLUSTERS[cluster % CLUSTERS.len()]).as_str().into()
}

/// Who a number stands for: a cluster, a server in it, one of its lives; sometimes an old version, none, or somebody else's id.
pub(super) fn identity(number: u8) -> ServerIdentity {
    let (of, server, life) = (usize::from(number & 3), (number >> 2) & 1, number >> 6);
    let id = if number == 0b0011_1000 { server_id(0, 0, 0) } else { server_id(of, server, life) };
    let version = match (number >> 3) & 7 {
        0 => None,
        1 => Some(ServerVersion { major: 2, minor: 9, patch: 10 }),
        _ => Some(ServerVersion { major: 2, minor: 12, patch: 8 }),
    };
    ServerIdentity { id, name: server.to_string().as_str().into(), cluster: cluster(of), version }
}

pub(super) fn report(number: u8, kind: u8, lists: u8, made: Option<DateTime<Utc>>, asked: bool) -> Fact {
    let server = identity(number);
    let listed = || (0..4_usize).filter(|at| lists & (1 << at) != 0);
    match kind {
        0 => Fact::Stats(StatsReport {
            server,
            started: None,
            active_servers: None,
            connections: u64::from(lists),
            gateways: listed().map(|at| outbound(at, lists)).collect(),
            made,
            routes: None,
            asked,
        }),
        1 => Fact::Gateways(GatewaysReport {
            server,
            outbound: listed().map(|at| row(at, lists)).collect(),
            inbound: listed().map(|at| row(at, lists)).collect(),
            made: made.filter(|_| asked),
        }),
        _ => Fact::Config(ConfigReport {
            remotes: listed().map(|at| cluster(at).into()).collect(),
            ..ConfigReport::new(server)
        }),
    }
}

pub(super) fn outbound(at: usize, lists: u8) -> OutboundStats {
    let sent = u64::from(lists) * 1_000;
    OutboundStats {
        to: cluster(at),
        connection: u64::from(lists >> 4),
        sent_messages: sent,
        sent_bytes: sent,
        inbound: 1,
    }
}

pub(super) fn row(at: usize, lists: u8) -> GatewayConnection {
    GatewayConnection {
        cluster: cluster(at),
        peer: server_id(at, (lists >> 4) & 1, 0),
        connection: u64::from(lists >> 5),
        started: None,
        configured: lists & 128 == 0,
        idle: None,
        rtt: None,
        accounts: None,
    }
}
