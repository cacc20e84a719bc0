//! The way to the alert account, for verbs that a person waits for.

use super::exit::Failure;
use crate::config::settings::Settings;
use crate::nats::connect::{ConnectionEvent, Role, first_connect};
use crate::nats::history::History;
use crate::nats::state::Wishes;
use async_nats::Client;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use ulid::Ulid;

/// Events of the connection that wait to be told. When it is full they are left out: they are hints.
const EVENTS: usize = 64;

/// A connection to the alert account.
pub(super) struct Reached {
    pub(super) history: History,
    pub(super) wishes: Wishes,
    client: Client,
    pub(super) events: mpsc::Receiver<ConnectionEvent>,
}

impl Reached {
    /// An id that nobody else has: the time, and the unique part of an inbox of this connection.
    pub(super) fn new_id(&self, now: DateTime<Utc>) -> String {
        let unique = self.client.new_inbox();
        let hash = unique.bytes().fold(0xcbf2_9ce4_8422_2325_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
        Ulid::from_parts(u64::try_from(now.timestamp_millis()).unwrap_or_default(), hash).to_string()
    }
}

/// Connects, or says why not.
pub(super) async fn alerts(settings: &Settings, verb: &str) -> Result<Reached, Failure> {
    let (sender, events) = mpsc::channel(EVENTS);
    let role = Role::new(&settings.instance.name, verb);
    let client =
        first_connect(&settings.alerts.connection, &role, sender).await.map_err(Failure::unavailable)?;
    let wishes = Wishes::new(&client, &settings.alerts.bucket);
    let history = History::new(client.clone(), &settings.alerts);
    Ok(Reached { history, wishes, client, events })
}
