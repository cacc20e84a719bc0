//! A client that lives exactly as long as its TCP connection.
//!
//! Owns the one trick it takes. A client that reconnects by itself hides why it cannot, keeps questions queued for a later connection,
//! and clings to addresses it was made with; a vantage wants none of that.

use super::connect::{CONNECT_TIMEOUT, ConnectionEvent, Role, options};
use super::connect_error::{Attempt, ConnectError, explain};
use super::credentials;
use crate::config::connection::ConnectionSettings;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ReconnectToServer, ServerAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Limit of one attempt. The client's own limit holds for each address behind a host name and does not cover its look-up.
const ATTEMPT_LIMIT: Duration = CONNECT_TIMEOUT.saturating_mul(3);

/// Connects to this address, once. When the connection ends, so does the client, and with it every subscription.
pub(super) async fn connect_once(
    address: &ServerAddr,
    settings: &ConnectionSettings,
    role: &Role,
    events: mpsc::Sender<ConnectionEvent>,
) -> Result<Client, ConnectError> {
    let attempt = Attempt::new(address, settings, role.connection_name());
    // Ahead of the client, which would hand the reason on as plain text.
    if let Err(source) = credentials::auth(&settings.credentials, b"").await {
        return Err(ConnectError::Credentials { attempt, source });
    }
    let (options, pool) = one_life(options(settings, role, events), address);
    match timeout(ATTEMPT_LIMIT, options.connect(pool)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(explain(attempt, error)),
        Err(_) => Err(explain(attempt, async_nats::ConnectError::new(ConnectErrorKind::TimedOut))),
    }
}

/// The library has no switch for it. So its first choice of a server is the address, every later one an address that nothing can listen
/// on, and one failed attempt is all it is allowed.
fn one_life(options: ConnectOptions, address: &ServerAddr) -> (ConnectOptions, Vec<ServerAddr>) {
    let mut pool = vec![address.clone()];
    pool.extend("nats://127.0.0.1:0".parse::<ServerAddr>());
    let used = AtomicBool::new(false);
    let options = options.max_reconnects(1).reconnect_to_server_callback(move |servers, _| {
        let pick = if used.swap(true, Ordering::Relaxed) { servers.last() } else { servers.first() };
        let choice =
            pick.map(|server| ReconnectToServer { addr: server.addr.clone(), delay: Some(Duration::ZERO) });
        std::future::ready(choice)
    });
    (options, pool)
}
