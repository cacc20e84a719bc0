//! The thread that owns the file: a disk that hangs holds up nobody else.
//!
//! What cannot be written stays in memory, and is written as soon as the file can be used again. Safe to stop: what was answered with
//! `true` is on disk.

use super::batch::Batch;
use super::file::{Place, trouble};
use super::store::Store;
use super::{Left, OutboxStatus, Trouble};
use crate::clock::Clock;
use crate::model::time::Mono;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Time between two attempts to use a file that cannot be used.
const RETRY: Duration = Duration::from_secs(2);

/// A batch to be written.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) batch: Batch,
    /// Gets whether it is on disk.
    pub(super) done: oneshot::Sender<bool>,
}

/// The thread's part.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) place: Place,
    pub(super) clock: Clock,
    pub(super) work: Receiver<Work>,
    pub(super) status: Arc<watch::Sender<OutboxStatus>>,
    pub(super) store: Option<Store>,
    /// The number before that of the first message of this life, once the file was open.
    pub(super) base: Option<u64>,
    /// What is not written yet.
    pub(super) pending: Batch,
    pub(super) retry_at: Mono,
    /// Gets what a former life left, once. Dropped last: then the file is closed.
    pub(super) left: mpsc::Sender<Left>,
}

impl Keeper {
    /// Works until the other end is dropped.
    pub(super) fn run(mut self) {
        self.write();
        loop {
            match self.work.recv_timeout(RETRY) {
                Ok(work) => {
                    self.pending.then(work.batch);
                    let kept = self.write();
                    // Nobody may be waiting any more.
                    let _ = work.done.send(kept);
                }
                Err(RecvTimeoutError::Timeout) if self.store.is_none() => {
                    self.write();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.retry_at = Mono::default();
                    self.write();
                    return;
                }
            }
        }
    }

    /// Writes what is pending. Returns whether all of it is on disk.
    fn write(&mut self) -> bool {
        if self.store.is_none() && !self.open() {
            return false;
        }
        let Some(store) = &self.store else { return false };
        if self.pending.is_empty() {
            return true;
        }
        let written = catch_unwind(AssertUnwindSafe(|| store.commit(&self.pending)));
        let failed = match written {
            Ok(Ok(())) => {
                self.pending = Batch::default();
                say(&self.status, OutboxStatus::Working);
                return true;
            }
            Ok(Err(error)) => trouble(&self.place.file(), &error),
            Err(_) => Trouble::Failed(format!("{}: writing failed", self.place.file().display())),
        };
        // After an error the database must be opened anew.
        self.give_up(failed);
        false
    }

    fn open(&mut self) -> bool {
        if self.clock.mono() < self.retry_at {
            return false;
        }
        let opened = self.place.open().and_then(|store| match self.base {
            Some(base) => Ok(store.again(base)),
            None => {
                let left = store.left().map_err(|error| trouble(&self.place.file(), &error))?;
                self.base = Some(store.base());
                // There is room for one, and this is the only one; or nobody wants it any more.
                let _ = self.left.try_send(left);
                Ok(store)
            }
        });
        match opened {
            Ok(store) => {
                self.store = Some(store);
                if self.pending.is_empty() {
                    say(&self.status, OutboxStatus::Working);
                }
                true
            }
            Err(trouble) => {
                self.give_up(trouble);
                false
            }
        }
    }

    fn give_up(&mut self, trouble: Trouble) {
        self.store = None;
        self.retry_at = self.clock.mono() + RETRY;
        say(&self.status, OutboxStatus::Away(trouble));
    }
}

/// Tells how it stands, when that has changed.
pub(super) fn say(status: &watch::Sender<OutboxStatus>, now: OutboxStatus) {
    let mut before = OutboxStatus::Opening;
    let changed = status.send_if_modified(|status| {
        let changed = *status != now;
        if changed {
            before = std::mem::replace(status, now.clone());
        }
        changed
    });
    match (changed, &before, &now) {
        (true, _, OutboxStatus::Away(trouble)) => tracing::error!(
            %trouble,
            "the outbox cannot be used: alerts go on, but those that JetStream has not stored yet would be lost with this process"
        ),
        (true, OutboxStatus::Away(_), OutboxStatus::Working) => {
            tracing::info!("the outbox is used again; everything that waits is in it");
        }
        (true, OutboxStatus::Opening | OutboxStatus::Working, OutboxStatus::Working)
        | (true, _, OutboxStatus::Opening)
        | (false, _, _) => {}
    }
}
