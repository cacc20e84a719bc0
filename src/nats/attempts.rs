//! Why a connection that is made in the background does not come about.
//!
//! The client library tells of a failed attempt in two words ("IO error"), without the server, and again at every attempt. Here the
//! first of them has all servers tried once more, by a connection of its own that is given up at once, and what came of that is told
//! instead. Safe to stop at any moment.

use super::connect::{ConnectionEvent, Role, first_connect};
use crate::config::connection::ConnectionSettings;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::sleep;

/// How long nothing is told after a reason, unless something else happens: no log wants the same line every other second.
const REST: Duration = Duration::from_secs(15);
/// Events that wait to be looked at. They are hints: when full, further ones are lost.
const ROOM: usize = 64;

/// Where a client is to send its events, so that `events` gets them with reasons.
pub(super) fn explained(
    settings: &ConnectionSettings,
    role: &Role,
    events: Sender<ConnectionEvent>,
) -> Sender<ConnectionEvent> {
    let (sender, raw) = mpsc::channel(ROOM);
    tokio::spawn(tell(raw, events, settings.clone(), role.clone()));
    sender
}

/// Ends when the client is gone.
async fn tell(
    mut raw: Receiver<ConnectionEvent>,
    events: Sender<ConnectionEvent>,
    settings: ConnectionSettings,
    role: Role,
) {
    let mut next = raw.recv().await;
    while let Some(event) = next {
        next = if matches!(event, ConnectionEvent::AttemptFailed(_)) {
            tokio::select! {
                other = other_than_failures(&mut raw) => other,
                () = tell_reason(&settings, &role, &events) => raw.recv().await,
            }
        } else {
            // Full: the receiver has events to read already, and they are hints.
            let _ = events.try_send(event);
            raw.recv().await
        };
    }
}

async fn other_than_failures(raw: &mut Receiver<ConnectionEvent>) -> Option<ConnectionEvent> {
    loop {
        match raw.recv().await {
            Some(ConnectionEvent::AttemptFailed(_)) => {}
            other => return other,
        }
    }
}

async fn tell_reason(settings: &ConnectionSettings, role: &Role, events: &Sender<ConnectionEvent>) {
    // Nobody listens: the outcome says it all.
    let (unheard, _) = mpsc::channel(1);
    if let Err(error) = first_connect(settings, role, unheard).await {
        let _ = events.try_send(ConnectionEvent::AttemptFailed(error.to_string()));
    }
    sleep(REST).await;
}
