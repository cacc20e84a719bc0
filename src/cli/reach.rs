//! The way to the alert account, for verbs that a person waits for.

use super::exit::Failure;
use crate::config::settings::Settings;
use crate::nats::connect::{ConnectionEvent, Role, first_connect};
use crate::nats::history::History;
use tokio::sync::mpsc;

/// Events of the connection that wait to be told. When it is full they are left out: they are hints.
const EVENTS: usize = 64;

/// A connection to the alert account.
pub(super) struct Reached {
    pub(super) history: History,
    pub(super) events: mpsc::Receiver<ConnectionEvent>,
}

/// Connects, or says why not.
pub(super) async fn alerts(settings: &Settings, verb: &str) -> Result<Reached, Failure> {
    let (sender, events) = mpsc::channel(EVENTS);
    let role = Role::new(&settings.instance.name, verb);
    let client =
        first_connect(&settings.alerts.connection, &role, sender).await.map_err(Failure::unavailable)?;
    let history = History::new(client, &settings.alerts);
    Ok(Reached { history, events })
}
