//! VARZ, as far as it tells which links ought to exist and where clients connect.

use super::error::{DecodeError, What};
use super::json::{self, Answer, null_default};
use super::names::{MAX_NAME, Names, bounded};
use super::server::ServerInfo;
use crate::model::ids::ClusterName;
use crate::model::observation::{ConfigReport, ConfiguredRemote};
use serde::Deserialize;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

const WHAT: What = What::Config;

#[derive(Deserialize)]
struct Varz<'a> {
    #[serde(borrow, default)]
    host: Cow<'a, str>,
    #[serde(default, deserialize_with = "null_default")]
    port: i64,
    #[serde(borrow, default, deserialize_with = "null_default")]
    connect_urls: Vec<Cow<'a, str>>,
    #[serde(default, deserialize_with = "null_default")]
    tls_required: bool,
    #[serde(borrow, default)]
    config_digest: Cow<'a, str>,
    #[serde(borrow, default)]
    config_load_time: Cow<'a, str>,
    #[serde(borrow, default)]
    system_account: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    gateway: Gateway<'a>,
}

#[derive(Deserialize, Default)]
struct Gateway<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    gateways: Vec<Remote<'a>>,
    #[serde(default, deserialize_with = "null_default")]
    reject_unknown: bool,
    #[serde(default, deserialize_with = "null_default")]
    tls_required: bool,
    #[serde(borrow, default)]
    tls_cert_not_after: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Remote<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    urls: Vec<Cow<'a, str>>,
}

/// Decodes an answer to VARZ.
pub(super) fn decode(names: &mut Names, payload: &[u8]) -> Result<ConfigReport, DecodeError> {
    let answer: Answer<'_, ServerInfo<'_>, Varz<'_>> = json::parse(WHAT, payload)?;
    let (server, varz) = answer.open(WHAT)?;
    let made = server.made();
    let server = server.identity(names, WHAT)?;
    bounded(WHAT, "configured gateways", varz.gateway.gateways.len())?;
    bounded(WHAT, "connect URLs", varz.connect_urls.len())?;
    Ok(ConfigReport {
        remotes: remotes(names, &server.cluster, &varz.gateway.gateways)?,
        connect_urls: connect_urls(&varz),
        tls_required: varz.tls_required,
        rejects_unknown: varz.gateway.reject_unknown,
        gateway_tls: varz.gateway.tls_required,
        certificate_ends: json::time(&varz.gateway.tls_cert_not_after),
        loaded: json::time(&varz.config_load_time),
        made,
        digest: json::text(&varz.config_digest),
        system_account: json::text(&varz.system_account),
        server,
    })
}

/// The configured remotes. A configuration block shared by all clusters also names the server's own: that is no link.
fn remotes(
    names: &mut Names,
    own: &ClusterName,
    listed: &[Remote<'_>],
) -> Result<Vec<ConfiguredRemote>, DecodeError> {
    let others = listed.iter().filter(|remote| remote.name != own.as_str());
    let mut remotes = others.map(|listed| remote(names, listed)).collect::<Result<Vec<_>, _>>()?;
    remotes.sort();
    remotes.dedup_by(|later, first| later.cluster == first.cluster);
    Ok(remotes)
}

fn remote(names: &mut Names, listed: &Remote<'_>) -> Result<ConfiguredRemote, DecodeError> {
    bounded(WHAT, "addresses of a configured gateway", listed.urls.len())?;
    let urls = listed.urls.iter().filter(|url| (1..=MAX_NAME).contains(&url.len()));
    let mut urls: Vec<String> = urls.filter_map(|url| json::text(url)).collect();
    urls.sort();
    Ok(ConfiguredRemote { cluster: names.cluster(WHAT, "a configured gateway's name", &listed.name)?, urls })
}

/// Where clients connect. A server alone in its cluster lists no URLs: then its own address serves, when it names one.
fn connect_urls(varz: &Varz<'_>) -> Vec<String> {
    let listed = varz.connect_urls.iter().filter(|url| (1..=MAX_NAME).contains(&url.len()));
    let urls: Vec<String> = listed.map(|url| url.as_ref().to_owned()).collect();
    if urls.is_empty() { own_address(&varz.host, varz.port).into_iter().collect() } else { urls }
}

fn own_address(host: &str, port: i64) -> Option<String> {
    let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => None,
        Ok(ip) => Some(SocketAddr::new(ip, port).to_string()),
        Err(_) if host.is_empty() || host.len() > MAX_NAME => None,
        Err(_) => Some(format!("{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_interface_has_no_address_of_its_own() {
        assert_eq!(own_address("0.0.0.0", 4222), None);
        assert_eq!(own_address("::", 4222), None);
        assert_eq!(own_address("", 4222), None);
        assert_eq!(own_address("h", 0), None);
        assert_eq!(own_address("h", 70_000), None);
        assert_eq!(own_address("h", 4222).as_deref(), Some("h:4222"));
        assert_eq!(own_address("::1", 4222).as_deref(), Some("[::1]:4222"));
    }
}
