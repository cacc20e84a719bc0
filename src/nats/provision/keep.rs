//! Keeps trying until everything is provisioned, and looks again when something turns out to be gone.
//!
//! Safe to stop at any time: each look starts from what the server has.

use super::{ProvisionError, Provisioned, provision};
use crate::config::settings::AlertsSettings;
use crate::metrics::Metrics;
use async_nats::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Time before the second attempt; doubles up to [`RETRY_CAP`].
const RETRY_FLOOR: Duration = Duration::from_millis(250);
/// Longest time between two attempts.
const RETRY_CAP: Duration = Duration::from_secs(15);

/// How far provisioning is.
#[derive(Debug, Clone, Default)]
pub enum Provisioning {
    /// Not tried yet.
    #[default]
    Pending,
    /// Everything is there.
    Ready(Box<Provisioned>),
    /// Something is missing; it is being retried.
    Failing(Arc<ProvisionError>),
}

/// The task that provisions. Alerts are published meanwhile; only storing them waits.
#[derive(Debug)]
pub struct Keeper {
    /// The connection to the alert account.
    pub client: Client,
    /// What to provision.
    pub settings: AlertsSettings,
    /// Notified by whoever finds something gone.
    pub missing: Arc<Notify>,
    /// Tells how far it is.
    pub progress: watch::Sender<Provisioning>,
    /// Counts failures.
    pub metrics: Arc<Metrics>,
}

impl Keeper {
    /// Runs until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = self.keep() => {}
        }
    }

    async fn keep(&self) {
        loop {
            self.until_provisioned().await;
            self.missing.notified().await;
            tracing::info!("a stream or the bucket seems to be gone: looking again");
            // Whoever misses it may notify for each message.
            tokio::time::sleep(RETRY_FLOOR).await;
        }
    }

    async fn until_provisioned(&self) {
        let mut pause = RETRY_FLOOR;
        let mut said = String::new();
        loop {
            match provision(&self.client, &self.settings).await {
                Ok(provisioned) => {
                    self.progress.send_replace(Provisioning::Ready(Box::new(provisioned)));
                    return;
                }
                Err(error) => self.failed(error, &mut said),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_CAP);
        }
    }

    /// Says each reason once, not at every attempt.
    fn failed(&self, error: ProvisionError, said: &mut String) {
        self.metrics.provision_failures.bump();
        let text = error.chain();
        if text != *said {
            if error.is_transient() {
                tracing::info!(error = text, "alerts cannot be stored yet, trying again");
            } else {
                tracing::warn!(
                    error = text,
                    "alerts are published but cannot be stored until this is mended"
                );
            }
            *said = text;
        }
        self.progress.send_replace(Provisioning::Failing(Arc::new(error)));
    }
}
