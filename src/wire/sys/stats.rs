//! STATSZ, broadcast or asked for. `gateways` lists the outbound links that are up: down is absent.

use super::error::{DecodeError, What};
use super::json::{self, Answer, null_default};
use super::names::{Names, bounded};
use super::server::ServerInfo;
use crate::model::ids::ServerName;
use crate::model::observation::{OutboundStats, StatsReport};
use serde::Deserialize;
use std::borrow::Cow;

const WHAT: What = What::Stats;

#[derive(Deserialize)]
struct Statsz<'a> {
    #[serde(borrow, default)]
    start: Cow<'a, str>,
    #[serde(default, deserialize_with = "null_default")]
    connections: i64,
    #[serde(default)]
    active_servers: Option<i64>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    gateways: Vec<Gateway<'a>>,
    #[serde(borrow, default)]
    routes: Option<Vec<Route<'a>>>,
}

#[derive(Deserialize)]
struct Route<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Gateway<'a> {
    gwid: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, deserialize_with = "null_default")]
    sent: Traffic,
    #[serde(default, deserialize_with = "null_default")]
    inbound_connections: i64,
}

#[derive(Deserialize, Default)]
struct Traffic {
    #[serde(default, deserialize_with = "null_default")]
    msgs: i64,
    #[serde(default, deserialize_with = "null_default")]
    bytes: i64,
}

/// Decodes a STATSZ; `broadcast_by` is the id in the subject of one that was not asked for.
pub(super) fn decode(
    names: &mut Names,
    broadcast_by: Option<&str>,
    payload: &[u8],
) -> Result<StatsReport, DecodeError> {
    let answer: Answer<'_, ServerInfo<'_>, Statsz<'_>> = json::parse(WHAT, payload)?;
    let (server, stats) = answer.open(WHAT)?;
    if let Some(id) = broadcast_by {
        server.published_by(WHAT, id)?;
    }
    bounded(WHAT, "gateways", stats.gateways.len())?;
    let gateways = stats.gateways.iter().map(|gateway| outbound(names, gateway)).collect::<Result<_, _>>()?;
    let routes = stats.routes.unwrap_or_default();
    bounded(WHAT, "routes", routes.len())?;
    Ok(StatsReport {
        routes: peers(names, &routes)?,
        server: server.identity(names, WHAT)?,
        started: json::time(&stats.start),
        active_servers: stats.active_servers.map(json::small),
        connections: json::count(stats.connections),
        gateways,
        made: server.made(),
        asked: broadcast_by.is_none(),
    })
}

/// Servers that routes lead to. There are several routes to each; some servers do not name them.
fn peers(names: &mut Names, routes: &[Route<'_>]) -> Result<Option<Vec<ServerName>>, DecodeError> {
    if routes.iter().any(|route| route.name.is_empty()) {
        return Ok(None);
    }
    let mut peers =
        routes.iter().map(|route| names.server(WHAT, &route.name)).collect::<Result<Vec<_>, _>>()?;
    peers.sort();
    peers.dedup();
    Ok(Some(peers))
}

fn outbound(names: &mut Names, gateway: &Gateway<'_>) -> Result<OutboundStats, DecodeError> {
    Ok(OutboundStats {
        to: names.cluster(WHAT, "a gateway's name", &gateway.name)?,
        connection: gateway.gwid,
        sent_messages: json::count(gateway.sent.msgs),
        sent_bytes: json::count(gateway.sent.bytes),
        inbound: json::small(gateway.inbound_connections),
    })
}
