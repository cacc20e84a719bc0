//! Follows the connection to the alert account: logs what happens to it, and finds out what its user may not do.
//!
//! Safe to stop at any time: nothing depends on it.

use super::health::Refusal;
use crate::clock::Clock;
use crate::nats::connect::ConnectionEvent;
use crate::nats::rights::{LOOK_EVERY, Rights};
use crate::wire::permission::User;
use async_nats::Client;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// One connection, followed.
#[derive(Debug)]
pub(super) struct Follower {
    /// The connection.
    pub(super) client: Client,
    /// Its name.
    pub(super) connection: String,
    /// What happens to it.
    pub(super) events: mpsc::Receiver<ConnectionEvent>,
    /// What its user may not do.
    pub(super) rights: Arc<Rights>,
    /// Reads the clocks.
    pub(super) clock: Clock,
    /// Whether it is there, for our own health.
    pub(super) connected: watch::Sender<bool>,
    /// The latest refusal of something published, for our own health.
    pub(super) refused: watch::Sender<Refusal>,
}

impl Follower {
    /// Runs until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.follow()).await;
    }

    async fn follow(mut self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => {
                    if event == ConnectionEvent::Connected {
                        looks.reset_immediately();
                    }
                    self.heed(event);
                }
                _ = looks.tick(), if *self.connected.borrow() => {
                    self.rights.look(User::Alerts, &self.connection, &self.client).await;
                }
                else => return,
            }
        }
    }

    fn heed(&self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Connected => {
                self.connected.send_replace(true);
                self.rights.ended(&self.connection);
                tracing::info!("connected to the alert account");
            }
            ConnectionEvent::Disconnected => {
                self.connected.send_replace(false);
                tracing::warn!("connection to the alert account lost");
            }
            ConnectionEvent::LameDuck | ConnectionEvent::Closing => {
                tracing::info!("the server of the alert connection is about to leave");
            }
            ConnectionEvent::SlowConsumer(_) => {}
            ConnectionEvent::AttemptFailed(error) => {
                tracing::warn!(error, "no connection to the alert account");
            }
            ConnectionEvent::ServerError(error) => {
                if error.to_lowercase().contains("permissions violation for publish") {
                    self.refused.send_replace(Some((self.clock.mono(), error.clone())));
                }
                if self.rights.refused(User::Alerts, &self.connection, &error).is_none() {
                    tracing::warn!(error, "the alert account's server reports an error");
                }
            }
        }
    }
}
