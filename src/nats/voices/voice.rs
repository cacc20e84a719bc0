//! One connection of the alert account into one cluster, made again and again for as long as the process lives.
//!
//! It is idle apart from what is published and confirmed through it. That it cannot be made is no error: alerts are then told from where
//! they can be, and the log says so once. Safe to stop at any moment.

use super::Shared;
use super::reach::{Attached, VoiceId};
use crate::config::connection::ConnectionSettings;
use crate::model::ids::ClusterName;
use crate::nats::backoff::Backoff;
use crate::nats::connect::{ConnectionEvent, Role};
use crate::nats::dial::shown;
use crate::nats::one_life::connect_once;
use async_nats::{Client, ServerAddr, ServerInfo, Subscriber};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a fresh connection may take to write its subscription.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection must have lasted for the next one to be made without a pause.
const SOLID_AFTER: Duration = Duration::from_secs(2);
/// Events of one connection that wait to be looked at. They are hints: when full, further ones are lost.
const EVENT_ROOM: usize = 64;

/// The connection into one cluster.
pub(super) struct Voice {
    pub(super) cluster: ClusterName,
    /// How to log in; its servers are not looked at.
    pub(super) settings: ConnectionSettings,
    pub(super) role: Role,
    /// Where to connect; changes as servers come and go.
    pub(super) addresses: watch::Receiver<Arc<[ServerAddr]>>,
    pub(super) shared: Arc<Shared>,
}

/// A connection that was just made.
struct Line {
    client: Client,
    attached: Attached,
    answers: Subscriber,
    events: mpsc::Receiver<ConnectionEvent>,
}

impl Voice {
    /// Keeps the connection until told to stop.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&mut self) {
        let (mut backoff, mut said) = (Backoff::default(), false);
        loop {
            let pause = match self.dial().await {
                Ok(line) => {
                    if said {
                        tracing::info!(cluster = %self.cluster, "alerts can be told inside the cluster again");
                    }
                    said = false;
                    let since = self.shared.clock.mono();
                    self.live(line).await;
                    if self.shared.clock.mono().since(since) >= SOLID_AFTER {
                        backoff = Backoff::default();
                    }
                    backoff.next_pause()
                }
                Err(reasons) => {
                    self.shared.metrics.voice_failures.bump();
                    if !std::mem::replace(&mut said, true) {
                        tracing::warn!(
                            cluster = %self.cluster,
                            reasons = reasons.join("; "),
                            "no connection to the alert account inside the cluster: should it be cut off, nobody there hears of it; \
                             if that is by design, switch it off with `everywhere = false` under [alerts]"
                        );
                    }
                    // Nothing depends on it now, and no server should have to refuse the same login every other second.
                    backoff.next_long_pause()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                Ok(()) = self.addresses.changed() => {}
            }
        }
    }

    /// Tries one address after the other.
    async fn dial(&mut self) -> Result<Line, Vec<String>> {
        let mut addresses = self.addresses.borrow_and_update().to_vec();
        // So that many processes spread over the servers.
        addresses.sort_by_cached_key(|_| crate::nats::inbox::random());
        let mut reasons = Vec::new();
        for address in &addresses {
            match self.open(address).await {
                Ok(line) => return Ok(line),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons)
    }

    async fn open(&self, address: &ServerAddr) -> Result<Line, String> {
        let (report, events) = mpsc::channel(EVENT_ROOM);
        let client = connect_once(address, &self.settings, &self.role, report).await;
        let client = client.map_err(|error| error.to_string())?;
        let attached = attached(&client.server_info(), false);
        if attached.cluster != self.cluster {
            return Err(format!("{}: leads into cluster {:?}", shown(address), attached.cluster));
        }
        let subscribed = async {
            let answers =
                client.subscribe(self.shared.answers.filter()).await.map_err(|error| error.to_string())?;
            client.flush().await.map_err(|error| error.to_string())?;
            Ok(answers)
        };
        let answers =
            timeout(SUBSCRIBE_WITHIN, subscribed).await.unwrap_or_else(|_| Err("takes nothing".to_owned()));
        let answers =
            answers.map_err(|reason: String| format!("{}: connected, but {reason}", shown(address)))?;
        Ok(Line { client, attached, answers, events })
    }

    /// Lends the connection to whoever speaks until it ends.
    async fn live(&self, mut line: Line) {
        tracing::debug!(cluster = %self.cluster, server = %line.attached.id.server, "alerts can be told inside the cluster");
        self.shared.metrics.voice_connects.bump();
        let _open = Opened::new(&self.shared, &self.cluster, line.client, line.attached);
        let read = async {
            while let Some(answer) = line.answers.next().await {
                self.shared.answers.take(answer);
            }
        };
        tokio::select! {
            () = read => {}
            () = watch_events(&mut line.events, &self.cluster) => {}
        }
    }
}

/// Never ends before the connection does; that is for the reader to notice.
async fn watch_events(events: &mut mpsc::Receiver<ConnectionEvent>, cluster: &ClusterName) {
    while let Some(event) = events.recv().await {
        if let ConnectionEvent::ServerError(error) = event {
            tracing::warn!(%cluster, error, "the alert account's server reports an error");
        }
    }
    std::future::pending::<()>().await;
}

/// Which connection this is.
pub(super) fn attached(info: &ServerInfo, home: bool) -> Attached {
    Attached {
        id: VoiceId { server: info.server_id.as_str().into(), connection: info.client_id },
        home,
        cluster: info.cluster.as_deref().unwrap_or_default().into(),
    }
}

/// Keeps a connection in the choir while it lives, also when the future that holds it is dropped.
struct Opened<'a> {
    shared: &'a Shared,
    cluster: &'a ClusterName,
}

impl<'a> Opened<'a> {
    fn new(shared: &'a Shared, cluster: &'a ClusterName, client: Client, attached: Attached) -> Self {
        shared.choir().insert(cluster.clone(), (client, attached));
        Self { shared, cluster }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.shared.choir().remove(self.cluster);
    }
}
