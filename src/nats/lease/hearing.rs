//! Hears what other gatewatch tell, as any subscriber does, and hands it to the driver.
//!
//! Its own words come back too; the engine knows them. Where the alert account's user may not subscribe to alerts, nothing is heard, and
//! what is stored must do. Safe to stop at any time.

use super::floor::{Call, Usher};
use crate::nats::jetstream::chain;
use crate::wire::advisory::{Advisories, Alert};
use async_nats::Client;
use futures::StreamExt;
use futures::stream::select;
use tokio_util::sync::CancellationToken;

/// The task that hears.
#[derive(Debug)]
pub struct Hearing {
    /// The connection to the alert account.
    pub client: Client,
    /// Names the subjects.
    pub advisories: Advisories,
    /// Tells the driver.
    pub usher: Usher,
}

impl Hearing {
    /// Runs until `shutdown`, or until the driver has ended.
    pub async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.hear()).await;
    }

    async fn hear(self) {
        let alerts = self.client.subscribe(self.advisories.alerts()).await;
        let silenced = self.client.subscribe(self.advisories.silenced()).await;
        let (Ok(alerts), Ok(silenced)) = (alerts, silenced) else {
            tracing::warn!("what other gatewatch tell cannot be subscribed to");
            return;
        };
        let mut messages = select(alerts, silenced);
        while let Some(message) = messages.next().await {
            match Alert::read(&message.payload) {
                Ok(alert) => {
                    if !self.usher.call(Call::Heard(Box::new(alert.to_model()))).await {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(subject = %message.subject, error = chain(&error), "not a word of a gatewatch: skipped");
                }
            }
        }
    }
}
