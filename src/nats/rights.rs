//! What our users may not do though they should, connection by connection.
//!
//! Owns saying it: once for each capability of a connection, with what is lost without it. It is known in two ways: servers (>= 2.10)
//! tell a user what it may do, and every server says when it refuses something. Refuses to act on it: whoever cannot do its work
//! without a permission degrades by itself.

use crate::metrics::Metrics;
use crate::wire::permission::{
    self, Act, Capability, Granted, Missing, Names, OWN_RIGHTS, Permission, Tier, User,
};
use async_nats::Client;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a server may take to tell what our user may do.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How often it is asked anew: permissions change while the process runs.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// One capability that one connection lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The connection's name, as servers show it.
    pub connection: String,
    /// Whose connection it is.
    pub user: User,
    /// What is off, and why.
    pub missing: Missing,
}

/// A server refused something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused.
    pub act: Act,
    /// Where.
    pub subject: String,
    /// What it was for; `None` for a subject that is on no list.
    pub capability: Option<Capability>,
}

/// What is missing at this moment. Cheap to share.
#[derive(Debug)]
pub struct Rights {
    system: Vec<Permission>,
    alerts: Vec<Permission>,
    metrics: Arc<Metrics>,
    known: watch::Sender<Known>,
    lacks: watch::Sender<Vec<Lack>>,
}

/// By connection and capability.
type Key = (String, Option<Capability>);

#[derive(Debug, Default)]
struct Known {
    lacks: BTreeMap<Key, Lack>,
    /// What was said before, also over an earlier connection of the same name.
    said: BTreeSet<Key>,
}

impl Rights {
    /// For users that need what these names stand for.
    #[must_use]
    pub fn new(names: &Names, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            system: names.permissions(User::System, Tier::Creates),
            alerts: names.permissions(User::Alerts, Tier::Creates),
            metrics,
            known: watch::Sender::default(),
            lacks: watch::Sender::default(),
        })
    }

    /// What is missing, sorted by connection and capability; empty when all is well.
    #[must_use]
    pub fn lacks(&self) -> watch::Receiver<Vec<Lack>> {
        self.lacks.subscribe()
    }

    /// Asks the server what the user of a connection may do, and says what it may not. `None` when the server does not tell.
    pub async fn look(&self, user: User, connection: &str, client: &Client) -> Option<Vec<Missing>> {
        let asked = timeout(ANSWER_WITHIN, client.request(OWN_RIGHTS, Bytes::new())).await.ok()?;
        let granted = Granted::read(&asked.ok()?.payload)?;
        let missing = permission::missing(self.list(user), &granted);
        self.found(user, connection, &missing);
        Some(missing)
    }

    /// A connection ended, or begins anew: nothing is known of what its user may do.
    pub fn ended(&self, connection: &str) {
        self.change(|known| known.lacks.retain(|(at, _), _| at != connection));
    }

    /// Takes in what a server reports as an error. `None` when it is no refusal.
    pub fn refused(&self, user: User, connection: &str, error: &str) -> Option<Refusal> {
        let (act, subject) = permission::violation(error)?;
        let permission = permission::covering(self.list(user), act, subject);
        let capability = permission.map(|permission| permission.capability);
        self.metrics.refusals.bump(capability.map_or("unlisted", Capability::word));
        match permission {
            Some(permission) => {
                let denied = (act, permission.subject.clone());
                self.add(user, connection, permission.capability, denied);
            }
            None => self.unlisted(user, connection, act, subject),
        }
        Some(Refusal { act, subject: subject.to_owned(), capability })
    }

    fn list(&self, user: User) -> &[Permission] {
        match user {
            User::System => &self.system,
            User::Alerts => &self.alerts,
        }
    }

    /// All that a connection lacks, as its server tells.
    fn found(&self, user: User, connection: &str, missing: &[Missing]) {
        self.change(|known| {
            let lacking: BTreeSet<Capability> = missing.iter().map(|missing| missing.capability).collect();
            known.lacks.retain(|(at, capability), lack| {
                let gone =
                    at == connection && capability.is_none_or(|capability| !lacking.contains(&capability));
                // Whether streams may be created is not looked at, because they may exist: only a refusal tells.
                !gone || !lack.missing.capability.is_needed_to_run()
            });
            let back: Vec<Key> = known
                .said
                .iter()
                .filter(|key| key.0 == connection && !known.lacks.contains_key(*key))
                .filter(|key| key.1.is_some_and(|capability| !lacking.contains(&capability)))
                .cloned()
                .collect();
            for key in back {
                let capability = key.1.map_or("", Capability::word);
                tracing::info!(connection, capability, "{user} is permitted again");
                known.said.remove(&key);
            }
            for missing in missing {
                self.metrics.permissions_missing.bump(missing.capability.word());
                known.put(Lack { connection: connection.to_owned(), user, missing: missing.clone() });
            }
        });
    }

    fn add(&self, user: User, connection: &str, capability: Capability, denied: (Act, String)) {
        self.change(|known| {
            let key = (connection.to_owned(), Some(capability));
            let mut all = known.lacks.get(&key).map(|lack| lack.missing.denied.clone()).unwrap_or_default();
            if all.insert(denied) {
                let missing = Missing { capability, denied: all };
                known.put(Lack { connection: connection.to_owned(), user, missing });
            }
        });
    }

    /// Said once, because a flood of these must not become one in the log.
    fn unlisted(&self, user: User, connection: &str, act: Act, subject: &str) {
        self.change(|known| {
            if known.said.insert((connection.to_owned(), None)) {
                tracing::warn!(
                    connection,
                    subject,
                    "{user} may not {act} this subject, which is on no list of ours"
                );
            } else {
                tracing::debug!(connection, subject, "{user} may not {act} this subject");
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        self.known.send_modify(|known| {
            change(known);
            let lacks: Vec<Lack> = known.lacks.values().cloned().collect();
            self.lacks.send_if_modified(|before| {
                let differs = *before != lacks;
                *before = lacks;
                differs
            });
        });
    }
}

impl Known {
    fn put(&mut self, lack: Lack) {
        let key = (lack.connection.clone(), Some(lack.missing.capability));
        let (connection, user, missing) = (&lack.connection, lack.user, &lack.missing);
        let capability = missing.capability.word();
        if self.lacks.get(&key) == Some(&lack) {
            return;
        }
        if self.said.insert(key.clone()) {
            tracing::warn!(
                connection,
                capability,
                "{user} {missing}; `gatewatch permissions` prints what is needed"
            );
        } else {
            tracing::debug!(connection, capability, "{user} {missing}");
        }
        self.lacks.insert(key, lack);
    }
}

#[cfg(test)]
#[path = "rights_tests.rs"]
mod tests;
