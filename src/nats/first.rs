//! The first contact: is there anybody, and do they let us in?
//!
//! Owns the difference between what time heals (nothing listens yet) and what only a person can mend (credentials, another account).

use super::backoff::Backoff;
use super::dial::{DialError, Door};
use crate::model::ids::ClusterName;
use async_nats::ServerAddr;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Why a fleet did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Every address was tried, and waiting cannot help at any of them.
    #[error("no server can be used: {}", .failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable {
        /// Why, for each address.
        failures: Vec<DialError>,
    },
    /// Shut down before a server could be reached.
    #[error("shut down before any server could be reached")]
    Stopped,
}

/// Waits until one of the addresses gives a usable connection.
pub(super) async fn contact(
    addresses: &[(Door, ServerAddr, Option<ClusterName>)],
    shutdown: &CancellationToken,
) -> Result<(), StartError> {
    let keep_trying = async {
        let mut backoff = Backoff::default();
        loop {
            let Err(failures) = any(addresses).await else { return Ok(()) };
            if failures.iter().all(DialError::needs_a_person) {
                return Err(StartError::Unusable { failures });
            }
            for failure in &failures {
                tracing::warn!(%failure, "no connection yet");
            }
            sleep(backoff.next_pause()).await;
        }
    };
    shutdown.run_until_cancelled(keep_trying).await.unwrap_or(Err(StartError::Stopped))
}

/// Tries all at the same time; the first that works ends the rest.
async fn any(addresses: &[(Door, ServerAddr, Option<ClusterName>)]) -> Result<(), Vec<DialError>> {
    let mut trying: FuturesUnordered<_> =
        addresses.iter().map(|(door, address, cluster)| door.open(address, cluster.as_ref())).collect();
    let mut failures = Vec::new();
    while let Some(outcome) = trying.next().await {
        match outcome {
            Ok(_) => return Ok(()),
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures)
}
