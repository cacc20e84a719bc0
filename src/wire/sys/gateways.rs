//! GATEWAYZ: gateway connections in both directions, by the name of the remote cluster. Down is absent.

use super::error::{DecodeError, What};
use super::json::{self, Answer, null_default};
use super::names::{Names, bounded};
use super::server::ServerInfo;
use crate::model::observation::{AccountInterest, GatewayConnection, GatewaysReport};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

const WHAT: What = What::Gateways;

/// Most accounts that are kept of one connection.
const MAX_ACCOUNTS: usize = 64;

#[derive(Deserialize)]
struct Gatewayz<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    outbound_gateways: BTreeMap<Cow<'a, str>, Remote<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    inbound_gateways: BTreeMap<Cow<'a, str>, Vec<Remote<'a>>>,
}

#[derive(Deserialize)]
struct Remote<'a> {
    #[serde(default, deserialize_with = "null_default")]
    configured: bool,
    #[serde(borrow)]
    connection: Connection<'a>,
    #[serde(borrow, default)]
    accounts: Option<Vec<Account<'a>>>,
}

/// An account across one connection; only asked for now and then.
#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, deserialize_with = "null_default")]
    num_subs: i64,
    #[serde(default, deserialize_with = "null_default")]
    num_queue_subs: i64,
}

#[derive(Deserialize)]
struct Connection<'a> {
    cid: u64,
    #[serde(borrow, default)]
    start: Cow<'a, str>,
    #[serde(borrow, default)]
    idle: Cow<'a, str>,
    #[serde(borrow, default)]
    rtt: Cow<'a, str>,
    /// The id of the remote server.
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Decodes an answer to GATEWAYZ.
pub(super) fn decode(names: &mut Names, payload: &[u8]) -> Result<GatewaysReport, DecodeError> {
    let answer: Answer<'_, ServerInfo<'_>, Gatewayz<'_>> = json::parse(WHAT, payload)?;
    let (server, data) = answer.open(WHAT)?;
    let inbound_rows = data.inbound_gateways.values().map(Vec::len).sum();
    bounded(WHAT, "outbound connections", data.outbound_gateways.len())?;
    bounded(WHAT, "inbound connections", inbound_rows)?;

    let mut outbound = Vec::with_capacity(data.outbound_gateways.len());
    for (cluster, remote) in &data.outbound_gateways {
        outbound.push(connection(names, cluster, remote)?);
    }
    let mut inbound = Vec::with_capacity(inbound_rows);
    for (cluster, remotes) in &data.inbound_gateways {
        for remote in remotes {
            inbound.push(connection(names, cluster, remote)?);
        }
    }
    Ok(GatewaysReport { server: server.identity(names, WHAT)?, outbound, inbound, made: server.made() })
}

fn connection(
    names: &mut Names,
    cluster: &str,
    remote: &Remote<'_>,
) -> Result<GatewayConnection, DecodeError> {
    Ok(GatewayConnection {
        cluster: names.cluster(WHAT, "a gateway's name", cluster)?,
        peer: names.id(WHAT, "the id of a gateway's remote server", &remote.connection.name)?,
        connection: remote.connection.cid,
        started: json::time(&remote.connection.start),
        configured: remote.configured,
        idle: json::span(&remote.connection.idle),
        rtt: json::span(&remote.connection.rtt),
        accounts: remote.accounts.as_deref().map(interest),
    })
}

/// Accounts that have any subscription across the connection.
fn interest(accounts: &[Account<'_>]) -> AccountInterest {
    let subscriptions =
        |account: &Account<'_>| json::count(account.num_subs) + json::count(account.num_queue_subs);
    let mut interested: Vec<_> = accounts.iter().filter(|account| subscriptions(account) > 0).collect();
    let total = interested.len() as u64;
    interested.sort_by(|a, b| a.name.cmp(&b.name));
    let first = interested.into_iter().take(MAX_ACCOUNTS);
    AccountInterest {
        subscriptions: first
            .filter_map(|account| Some((json::text(&account.name)?, subscriptions(account))))
            .collect(),
        total,
    }
}
