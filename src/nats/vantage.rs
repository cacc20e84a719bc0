//! One vantage: the connection into one cluster, made again and again for as long as the process lives.
//!
//! ```text
//! Dialling -> Connected -> Disconnected(Lost) -> Disconnected(Refused | TimedOut | ..) -> Connected -> ..
//! ```
//!
//! Owns when to dial, when a connection counts as dead, and telling each change in order: `Connected` before the first fact heard on a
//! connection, `Disconnected` after the last. Safe to stop at any moment: nothing is held that is not repeated.

use super::backoff::Backoff;
use super::connect::ConnectionEvent;
use super::dial::{self, DialError, Door, Line, shown};
use super::heard::Outlet;
use super::lane::LaneEnd;
use super::notice::Notice;
use super::reader::Reader;
use super::rights::{LOOK_EVERY, Rights};
use crate::model::ids::ClusterName;
use crate::model::observation::{Disconnect, VantageEvent};
use crate::wire::permission::{Capability, User};
use async_nats::{Client, ServerAddr, Subject};
use bytes::Bytes;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Time between two echoes: a message to ourselves by way of the server.
const ECHO_EVERY: Duration = Duration::from_millis(250);
/// Echoes in a row that may be missing before the connection counts as dead: 1.5 s. Counted in turns of our own, so a stall of this
/// process cannot make up missing ones.
const ECHOES_MISSED: u32 = 6;
/// How long a connection must have lasted for the next one to be made without a pause.
const SOLID_AFTER: Duration = Duration::from_secs(2);

/// The connection into one cluster.
pub(super) struct Vantage {
    /// The cluster.
    pub(super) cluster: ClusterName,
    /// How to connect.
    pub(super) door: Door,
    /// Where to connect; changes as servers come and go.
    pub(super) addresses: watch::Receiver<Arc<[ServerAddr]>>,
    /// What is to be asked through it.
    pub(super) lane: LaneEnd,
    /// The way to the driver.
    pub(super) outlet: Outlet,
    /// The way to the fleet.
    pub(super) notices: mpsc::Sender<Notice>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was closed.
    Closed,
    /// Its server stopped answering.
    Silent,
}

impl Vantage {
    /// Keeps the vantage until told to stop.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&mut self) {
        self.outlet.changed(&self.cluster, VantageEvent::Dialling).await;
        let mut backoff = Backoff::default();
        let mut told = None;
        loop {
            let addresses = self.shuffled();
            let pause = match self.door.knock(&addresses, Some(&self.cluster)).await {
                Ok(line) => {
                    let since = self.outlet.clock.mono();
                    self.live(line).await;
                    told = Some(Disconnect::Lost);
                    if self.outlet.clock.mono().since(since) >= SOLID_AFTER {
                        backoff = Backoff::default();
                    }
                    backoff.next_pause()
                }
                Err(failures) => {
                    self.tell_failure(&failures, &mut told).await;
                    if failures.iter().all(DialError::needs_a_person) {
                        backoff.next_long_pause()
                    } else {
                        backoff.next_pause()
                    }
                }
            };
            self.pause(pause).await;
        }
    }

    /// Uses one connection until it ends.
    async fn live(&mut self, mut line: Line) {
        let metrics = Arc::clone(&self.outlet.metrics);
        let mut reader = Reader::new(&mut line, self.outlet.clone(), self.notices.clone());
        let (echoed, gaps) = (reader.echoed(), AtomicU64::new(0));
        let watched = Watched::new(self, &line.client);
        metrics.connects.bump();
        tracing::info!(cluster = %self.cluster, server = %line.server, address = shown(&line.address), "vantage connected");
        let connected = VantageEvent::Connected { server: Some(line.server.clone()) };
        self.outlet.changed(&self.cluster, connected).await;
        // Full: the fleet will look around at its own pace.
        let look_around = || drop(self.notices.try_send(Notice::Connected(self.cluster.clone())));
        let end = tokio::select! {
            () = reader.run(&gaps) => End::Closed,
            () = watch_echo(&line.client, &line.echo, &echoed, &watched.echo) => End::Silent,
            // These end with the connection, but only the reader knows when the last message is read.
            never = until_the_end(self.lane.run(&line.client, &metrics, look_around)) => match never {},
            never = until_the_end(watched.follow(&mut line.events, &gaps)) => match never {},
            never = until_the_end(watched.look()) => match never {},
        };
        watched.rights.ended(&watched.connection);
        metrics.disconnects.bump();
        if end == End::Silent {
            metrics.echo_timeouts.bump();
        }
        tracing::info!(cluster = %self.cluster, server = %line.server, address = shown(&line.address), ?end, "vantage lost its connection");
        self.outlet.changed(&self.cluster, VantageEvent::Disconnected(Disconnect::Lost)).await;
    }

    /// Tells why no connection could be made, once per reason.
    async fn tell_failure(&self, failures: &[DialError], told: &mut Option<Disconnect>) {
        let reason = dial::reason(failures);
        self.outlet.metrics.connect_failures.bump(dial::word(reason));
        if *told == Some(reason) {
            tracing::debug!(cluster = %self.cluster, ?reason, "vantage still not connected");
            return;
        }
        let failures = failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        tracing::warn!(
            cluster = %self.cluster,
            ?reason,
            failures,
            "vantage cannot connect; if these are not the addresses for this host to use, give others in a [[vantage]] block"
        );
        *told = Some(reason);
        self.outlet.changed(&self.cluster, VantageEvent::Disconnected(reason)).await;
    }

    /// Waits, but not when addresses were added meanwhile.
    async fn pause(&mut self, span: Duration) {
        tokio::select! {
            () = sleep(span) => {}
            Ok(()) = self.addresses.changed() => {}
        }
    }

    /// The present addresses in a random order, so that many processes spread over the servers.
    fn shuffled(&mut self) -> Vec<ServerAddr> {
        let mut addresses = self.addresses.borrow_and_update().to_vec();
        addresses.sort_by_cached_key(|_| super::inbox::random());
        addresses
    }
}

/// Ends when the server has not returned [`ECHOES_MISSED`] echoes in a row.
///
/// The connection state does not tell: against a frozen server it stays "connected", and flushing succeeds.
///
/// Not while our user may not send them (`permitted`): then the client's own pings must do, which takes longer.
async fn watch_echo(client: &Client, subject: &Subject, echoed: &AtomicU64, permitted: &AtomicBool) {
    let mut turns = interval(ECHO_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sent, mut heard, mut missed) = (0_u64, 0_u64, 0_u32);
    loop {
        turns.tick().await;
        let now = echoed.load(Ordering::Relaxed);
        let excused = now > heard || sent == 0 || !permitted.load(Ordering::Relaxed);
        missed = if excused { 0 } else { missed + 1 };
        heard = now;
        if missed >= ECHOES_MISSED {
            return;
        }
        sent += 1;
        let payload = Bytes::copy_from_slice(&sent.to_be_bytes());
        // A publish that is not taken in time is a missed echo.
        let _ = timeout(ECHO_EVERY, client.publish(subject.clone(), payload)).await;
    }
}

/// Runs something beside the reader and never ends by itself.
async fn until_the_end(work: impl Future<Output = ()>) -> Infallible {
    work.await;
    std::future::pending().await
}

/// What is followed beside the messages of one connection: what its server and the client library report.
struct Watched {
    cluster: ClusterName,
    connection: String,
    client: Client,
    outlet: Outlet,
    rights: Arc<Rights>,
    /// Whether our user may ask for beats.
    beats: Arc<AtomicBool>,
    /// Whether it may send messages to itself.
    echo: AtomicBool,
}

impl Watched {
    /// Of a fresh connection, whose user may do everything until something else is known.
    fn new(vantage: &Vantage, client: &Client) -> Self {
        let (rights, connection) = (Arc::clone(&vantage.door.rights), vantage.door.role.connection_name());
        rights.ended(&connection);
        let beats = vantage.lane.beats();
        beats.store(true, Ordering::Release);
        Self {
            cluster: vantage.cluster.clone(),
            connection,
            client: client.clone(),
            outlet: vantage.outlet.clone(),
            rights,
            beats,
            echo: AtomicBool::new(true),
        }
    }

    async fn follow(&self, events: &mut mpsc::Receiver<ConnectionEvent>, gaps: &AtomicU64) {
        while let Some(event) = events.recv().await {
            match event {
                ConnectionEvent::SlowConsumer(_) => {
                    gaps.fetch_add(1, Ordering::Relaxed);
                    self.outlet.metrics.slow_consumer.bump();
                }
                ConnectionEvent::ServerError(message) => self.reported(&message).await,
                ConnectionEvent::LameDuck => {
                    tracing::info!(cluster = %self.cluster, "the server of the vantage is about to leave");
                }
                ConnectionEvent::Connected
                | ConnectionEvent::Disconnected
                | ConnectionEvent::Closing
                | ConnectionEvent::AttemptFailed(_) => {}
            }
        }
    }

    async fn reported(&self, message: &str) {
        self.outlet.metrics.server_errors.bump();
        match self.rights.refused(User::System, &self.connection, message) {
            Some(refusal) => self.permit(refusal.capability, false).await,
            None => tracing::warn!(cluster = %self.cluster, message, "the server reports an error"),
        }
    }

    /// Asks the server, at once and then now and then, what our user may do.
    async fn look(&self) {
        loop {
            if let Some(missing) = self.rights.look(User::System, &self.connection, &self.client).await {
                for capability in [Capability::Beats, Capability::Echo] {
                    let lacking = missing.iter().any(|missing| missing.capability == capability);
                    self.permit(Some(capability), !lacking).await;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Acts on what our user may or may not do. That no beats can be asked for is told whenever a server says so: a round may have been
    /// asked in between.
    async fn permit(&self, capability: Option<Capability>, may: bool) {
        match capability {
            Some(Capability::Echo) => self.echo.store(may, Ordering::Relaxed),
            Some(Capability::Beats) => {
                self.beats.store(may, Ordering::Release);
                if !may {
                    self.outlet.changed(&self.cluster, VantageEvent::BeatsOff).await;
                }
            }
            Some(_) | None => {}
        }
    }
}
