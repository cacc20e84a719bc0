//! What servers publish unasked: SHUTDOWN and LAMEDUCK (a bare server object), CLIENT.AUTH.ERR.

use super::error::{DecodeError, What};
use super::json;
use super::names::Names;
use super::server::ServerInfo;
use crate::model::observation::{AuthError, ServerIdentity};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct AuthErr<'a> {
    #[serde(borrow)]
    server: ServerInfo<'a>,
    #[serde(borrow)]
    client: Client<'a>,
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Client<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    /// For a gateway, the id of the server that dialled.
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

/// Decodes a SHUTDOWN or LAMEDUCK published by the server of this id.
pub(super) fn departure(
    names: &mut Names,
    what: What,
    id: &str,
    payload: &[u8],
) -> Result<ServerIdentity, DecodeError> {
    let server: ServerInfo<'_> = json::parse(what, payload)?;
    server.published_by(what, id)?;
    server.identity(names, what)
}

/// Decodes a CLIENT.AUTH.ERR published by the server of this id.
pub(super) fn auth_error(names: &mut Names, id: &str, payload: &[u8]) -> Result<AuthError, DecodeError> {
    let what = What::AuthError;
    let message: AuthErr<'_> = json::parse(what, payload)?;
    message.server.published_by(what, id)?;
    Ok(AuthError {
        server: message.server.identity(names, what)?,
        gateway: message.client.kind == "Gateway",
        peer: json::text(&message.client.name),
        reason: json::text(&message.reason),
    })
}
