//! From connection settings to a connected client.
//!
//! Owns every connect option and the words of a failed connect. Refuses to do anything in the client's event
//! callback but hand the event on: a slow callback delays the news of a disconnect by seconds.

use super::attempts::explained;
use super::connect_error::{Attempt, ConnectError, explain};
use super::credentials;
use crate::config::connection::{ConnectionSettings, Credentials};
use async_nats::rustls;
use async_nats::{
    AuthError, Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError,
};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// A dead server is noticed after two to three of these without any traffic.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Limit of one attempt at one address, from TCP to the end of the login.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Messages that wait in one subscription. When it is full the newest are dropped and [`ConnectionEvent::SlowConsumer`]
/// says so.
const SUBSCRIPTION_CAPACITY: usize = 8192;
/// Commands (publish, subscribe, ..) that wait for the connection. When it is full, publishing waits: so publish only
/// while connected, and with a timeout.
const COMMAND_CAPACITY: usize = 512;
/// Shortest time before another attempt. Without one, a load balancer that accepts and closes is dialled hundreds of
/// times a second.
const RETRY_FLOOR: Duration = Duration::from_millis(100);
/// Longest time before another attempt.
const RETRY_CAP: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The instance, as in `instance.name`.
    pub instance: String,
    /// What the connection does for it: `system`, `alerts`, `vantage/east`.
    pub name: String,
    /// Stay with the servers given, never follow those that a server tells of. Vantages need it: a vantage that
    /// lands in another cluster lies.
    pub ignore_discovered: bool,
    /// Time between two pings; [`PING_INTERVAL`] unless there is a reason.
    pub ping_interval: Duration,
}

impl Role {
    /// A connection that may follow to any server of its cluster.
    #[must_use]
    pub fn new(instance: &str, name: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            name: name.to_owned(),
            ignore_discovered: false,
            ping_interval: PING_INTERVAL,
        }
    }

    /// A connection that stays with the servers it is given.
    #[must_use]
    pub fn pinned(instance: &str, name: &str) -> Self {
        Self { ignore_discovered: true, ..Self::new(instance, name) }
    }

    /// The connection's name as servers show it: `<instance>/<name>`.
    #[must_use]
    pub fn connection_name(&self) -> String {
        format!("{}/{}", self.instance, self.name)
    }
}

/// Something happened to a connection. These are hints, which can be lost; [`Client::connection_state`] is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// Connected and logged in, for the first time or again.
    Connected,
    /// The connection ended; the client is already trying again.
    Disconnected,
    /// The server will close this connection within its lame duck time.
    LameDuck,
    /// The client is shutting down by its owner's wish.
    Closing,
    /// Messages of this subscription were dropped because they were read too slowly.
    SlowConsumer(u64),
    /// Attempts to connect fail, with the reason and how to mend it; the client tries again. From [`connect`] it comes
    /// for the first failure and then every 15 s.
    AttemptFailed(String),
    /// The server said something is wrong: a refused subscription or publish, an expired login.
    ServerError(String),
}

impl From<Event> for ConnectionEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Connected => Self::Connected,
            Event::Disconnected => Self::Disconnected,
            Event::LameDuckMode => Self::LameDuck,
            Event::Draining | Event::Closed => Self::Closing,
            Event::SlowConsumer(sid) | Event::ServerError(ServerError::SlowConsumer(sid)) => {
                Self::SlowConsumer(sid)
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                Self::ServerError("authorization violation".to_owned())
            }
            Event::ServerError(ServerError::Other(text)) => Self::ServerError(text),
            Event::ClientError(ClientError::Other(text)) => Self::AttemptFailed(text),
            Event::ClientError(error @ (ClientError::MaxReconnects | ClientError::ServerNotInPool)) => {
                Self::AttemptFailed(error.to_string())
            }
        }
    }
}

/// Makes a client that connects in the background and never gives up: for the daemon.
///
/// It returns at once, not yet connected. Credentials, certificates and keys are read anew at every attempt. `events`
/// gets what happens; when it is full, an event is dropped.
///
/// # Errors
/// [`ConnectError::NoServers`] when there is nothing to connect to; nothing else is final.
pub async fn connect(
    settings: &ConnectionSettings,
    role: &Role,
    events: mpsc::Sender<ConnectionEvent>,
) -> Result<Client, ConnectError> {
    let Some(first) = settings.servers.first() else { return Err(no_servers(role)) };
    options(settings, role, explained(settings, role, events))
        .retry_on_initial_connect()
        .connect(&settings.servers[..])
        .await
        .map_err(|error| explain(Attempt::new(first, settings, role.connection_name()), error))
}

/// Connects now or fails with the reason: for verbs that a person waits for.
///
/// Servers are tried in their order, each once; one that refuses the login does not keep the others from being
/// tried. Once connected, the client reconnects by itself like that of [`connect`].
///
/// # Errors
/// Why it failed at the server that came nearest to working, and how to mend it.
pub async fn first_connect(
    settings: &ConnectionSettings,
    role: &Role,
    events: mpsc::Sender<ConnectionEvent>,
) -> Result<Client, ConnectError> {
    let mut nearest: Option<ConnectError> = None;
    for server in &settings.servers {
        match try_server(server, settings, role, &events).await {
            Ok(client) => {
                widen_pool(&client, &settings.servers).await;
                return Ok(client);
            }
            Err(error) if nearest.as_ref().is_none_or(|best| error.progress() > best.progress()) => {
                nearest = Some(error);
            }
            Err(_) => {}
        }
    }
    Err(nearest.unwrap_or_else(|| no_servers(role)))
}

async fn try_server(
    server: &ServerAddr,
    settings: &ConnectionSettings,
    role: &Role,
    events: &mpsc::Sender<ConnectionEvent>,
) -> Result<Client, ConnectError> {
    let attempt = Attempt::new(server, settings, role.connection_name());
    // Ahead of the client, which would hand the reason on as plain text.
    if let Err(source) = credentials::auth(&settings.credentials, b"").await {
        return Err(ConnectError::Credentials { attempt, source });
    }
    let dial = options(settings, role, events.clone()).connect(server.clone());
    // The client's own limit does not cover the look-up of the name.
    match tokio::time::timeout(2 * CONNECT_TIMEOUT, dial).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(explain(attempt, error)),
        Err(_) => Err(explain(attempt, async_nats::ConnectError::new(ConnectErrorKind::TimedOut))),
    }
}

/// Lets a client that was connected to one server reconnect to the others too.
async fn widen_pool(client: &Client, servers: &[ServerAddr]) {
    let known = client.server_pool().await.unwrap_or_default();
    let mut pool = servers.to_vec();
    pool.extend(known.into_iter().map(|server| server.addr).filter(|addr| !servers.contains(addr)));
    if let Err(error) = client.set_server_pool(pool).await {
        tracing::debug!(%error, "the client keeps to the one server it is connected to");
    }
}

/// The options for a connection of this role, without retrying the first connect.
pub(super) fn options(
    settings: &ConnectionSettings,
    role: &Role,
    events: mpsc::Sender<ConnectionEvent>,
) -> ConnectOptions {
    // Without a default the first TLS connect panics as soon as any dependency brings a second provider.
    // An error means that there is a default already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = with_login(&settings.credentials, &events)
        .name(role.connection_name())
        .custom_inbox_prefix(&settings.inbox_prefix)
        .ping_interval(role.ping_interval)
        .connection_timeout(CONNECT_TIMEOUT)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .client_capacity(COMMAND_CAPACITY)
        .reconnect_delay_callback(retry_delays())
        .event_callback(move |event| {
            // Full: the receiver has events to read already, and they are hints.
            let _ = events.try_send(event.into());
            std::future::ready(())
        })
        .require_tls(requires_tls(settings));
    if role.ignore_discovered {
        options = options.ignore_discovered_servers();
    }
    with_tls(options, settings)
}

/// Whether a server without TLS is refused. URLs that all say `tls://` speak for the servers discovered from there too:
/// otherwise the login would go out in the clear to one that offers TLS without requiring it.
fn requires_tls(settings: &ConnectionSettings) -> bool {
    let servers = &settings.servers;
    settings.tls.required || (!servers.is_empty() && servers.iter().all(ServerAddr::tls_required))
}

/// A callback for every kind of login, because only its files are read anew at every attempt.
fn with_login(credentials: &Credentials, events: &mpsc::Sender<ConnectionEvent>) -> ConnectOptions {
    if *credentials == Credentials::None {
        return ConnectOptions::new();
    }
    let (credentials, events) = (credentials.clone(), events.clone());
    ConnectOptions::with_auth_callback(move |nonce| {
        let (credentials, events) = (credentials.clone(), events.clone());
        async move {
            credentials::auth(&credentials, &nonce).await.map_err(|error| {
                // The client passes on only that signing failed.
                let _ = events.try_send(ConnectionEvent::AttemptFailed(error.to_string()));
                AuthError::new(error)
            })
        }
    })
}

fn with_tls(mut options: ConnectOptions, settings: &ConnectionSettings) -> ConnectOptions {
    let tls = &settings.tls;
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some(client) = &tls.client {
        options = options.add_client_certificate(client.cert.clone(), client.key.clone());
    }
    if tls.first { options.tls_first() } else { options }
}

/// How long to wait before each attempt: nothing before the very first, then doubling from the floor to the cap.
fn retry_delays() -> impl Fn(usize) -> Duration + Send + Sync {
    let started = AtomicBool::new(false);
    move |attempt| {
        if !started.swap(true, Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let randomness = RandomState::new().hash_one(attempt) % 1024;
        retry_delay(attempt, f64::from(u16::try_from(randomness).unwrap_or(0)) / 1024.0)
    }
}

/// The delay before attempt number `attempt` since the last connection; `jitter` (0..1) takes away up to half of it,
/// so that the vantages of one daemon do not dial in step.
fn retry_delay(attempt: usize, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let full = RETRY_FLOOR.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_CAP);
    full.mul_f64(1.0 - jitter / 2.0).max(RETRY_FLOOR)
}

fn no_servers(role: &Role) -> ConnectError {
    ConnectError::NoServers { connection: role.connection_name() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_double_from_the_floor_to_the_cap() {
        let delays: Vec<u128> = (0..8).map(|attempt| retry_delay(attempt, 0.0).as_millis()).collect();
        assert_eq!(delays, [100, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(retry_delay(usize::MAX, 0.0), RETRY_CAP);
    }

    #[test]
    fn jitter_takes_at_most_half_and_never_goes_below_the_floor() {
        assert_eq!(retry_delay(4, 0.5), Duration::from_millis(600));
        assert_eq!(retry_delay(9, 1.0), Duration::from_secs(1));
        assert_eq!(retry_delay(1, 1.0), RETRY_FLOOR);
    }

    #[test]
    fn only_the_very_first_attempt_does_not_wait() {
        let delay = retry_delays();
        assert_eq!(delay(1), Duration::ZERO);
        assert!((0..100).all(|_| (RETRY_FLOOR..=RETRY_CAP).contains(&delay(1))));
        assert!((0..100).all(|_| (RETRY_CAP / 2..=RETRY_CAP).contains(&delay(50))));
    }
}
