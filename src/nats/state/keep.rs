//! The task that reads the state back and then keeps it up to date.
//!
//! It writes nothing before it has read what a former life left, and hands that on. Writing is best effort: the newest snapshot wins,
//! older ones are skipped. Among several gatewatch only the one that speaks writes; it reads what there is anew before it begins. Safe to
//! stop at any time; when told to, it writes once more.

use super::bucket::{Bucket, PutError};
use super::plan::{Stored, Write, render};
use super::read::read_memory;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::ids::Link;
use crate::model::incident::Memory;
use crate::model::snapshot::Snapshot;
use crate::model::time::Mono;
use crate::nats::backoff::Backoff;
use crate::nats::jetstream::{JetStreamError, chain};
use crate::nats::lease::Duty;
use crate::nats::scan::ScanError;
use crate::wire::record;
use async_nats::Client;
use async_nats::jetstream::ErrorCode;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Shortest time between two rounds of writing.
const PACE: Duration = Duration::from_secs(1);
/// Longest time between two looks at whether there is something to write.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether a newer gatewatch writes the same keys.
const LOOK_FOR_NEWER: Duration = Duration::from_secs(30);
/// How long the last round may take at the end.
const LAST_ROUND: Duration = Duration::from_secs(2);

/// The task that keeps the state.
#[derive(Debug)]
pub struct StateKeeper {
    /// The connection to the alert account.
    pub client: Client,
    /// The key-value bucket.
    pub bucket: String,
    /// Gets what a former life left, once it could be read; then the sender is dropped.
    pub memory: mpsc::Sender<Memory>,
    /// All current truth; `None` until there is any.
    pub snapshots: watch::Receiver<Option<Snapshot>>,
    /// Whether it is ours to write.
    pub duty: watch::Receiver<Duty>,
    /// Where the links go that are expected to exist, to be remembered on disk as well.
    pub links: watch::Sender<Vec<Link>>,
    /// Notified when the bucket turns out to be missing.
    pub missing: Arc<Notify>,
    /// Counts writes and failures.
    pub metrics: Arc<Metrics>,
    /// Times writes.
    pub clock: Clock,
}

impl StateKeeper {
    /// Runs until `shutdown`, or until nobody makes snapshots any more.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let Some(memory) = shutdown.run_until_cancelled(self.restore()).await else { return };
        // Full or closed: whoever wants the memory has it already, or wants it no more.
        let _ = self.memory.send(memory.clone()).await;
        // Once it is taken out, whatever snapshot comes next knows it.
        let _ = shutdown.run_until_cancelled(self.memory.reserve_many(self.memory.max_capacity())).await;
        self.memory = mpsc::channel(1).0;
        let mut memory = Some(memory);
        let mut duty = self.duty.clone();
        while shutdown.run_until_cancelled(until(&mut duty, true)).await.is_some() {
            // What others have stored meanwhile.
            let known = match memory.take() {
                Some(known) => known,
                None => match shutdown.run_until_cancelled(self.restore()).await {
                    Some(known) => known,
                    None => return,
                },
            };
            if !self.write(known, &mut duty, &shutdown).await {
                return;
            }
        }
    }

    /// Writes for as long as it is ours to. Returns whether to go on.
    async fn write(
        &mut self,
        memory: Memory,
        duty: &mut watch::Receiver<Duty>,
        shutdown: &CancellationToken,
    ) -> bool {
        let mut writer = Writer {
            bucket: Bucket::new(&self.client, &self.bucket),
            stored: Stored::new(&memory, self.clock.mono()),
            missing: Arc::clone(&self.missing),
            metrics: Arc::clone(&self.metrics),
            links: self.links.clone(),
            clock: self.clock,
            fresh: false,
            revision: 0,
            failing: false,
            newer: BTreeMap::new(),
        };
        let snapshots = &mut self.snapshots;
        snapshots.mark_unchanged();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = until(duty, false) => return true,
            () = writer.follow(snapshots) => {}
        }
        // Whoever makes snapshots leaves a last one when it ends.
        writer.fresh |= snapshots.has_changed().unwrap_or(true);
        writer.stored.want_snapshot();
        if timeout(LAST_ROUND, writer.round(snapshots)).await.is_err() {
            tracing::warn!("the last state could not be stored in time");
        }
        false
    }

    /// Reads until it succeeds: without what was open before, incidents would be told of twice.
    async fn restore(&self) -> Memory {
        let mut backoff = Backoff::default();
        let mut said = String::new();
        loop {
            match read_memory(&self.client, &self.bucket).await {
                Ok(memory) => {
                    let (links, incidents) = (memory.links.len(), memory.incidents.len());
                    tracing::info!(bucket = self.bucket, links, incidents, "state read back");
                    return memory;
                }
                Err(error) => {
                    let text = chain(&error);
                    if text != said {
                        tracing::info!(
                            error = text,
                            "the state of a former run cannot be read yet, trying again"
                        );
                        said = text;
                    }
                }
            }
            sleep(backoff.next_pause()).await;
        }
    }
}

/// Waits until it is ours to speak, or not any more.
async fn until(duty: &mut watch::Receiver<Duty>, speaks: bool) {
    if duty.wait_for(|duty| duty.speaks() == speaks).await.is_err() {
        // It stays as it is.
        std::future::pending::<()>().await;
    }
}

struct Writer {
    bucket: Bucket,
    stored: Stored,
    links: watch::Sender<Vec<Link>>,
    missing: Arc<Notify>,
    metrics: Arc<Metrics>,
    clock: Clock,
    /// Whether there is a snapshot that knows what was read back. Not told by its time: the clock on the wall may be set.
    fresh: bool,
    /// Of the latest write. Revisions of a bucket only grow.
    revision: u64,
    failing: bool,
    /// When keys that every gatewatch writes were last looked at, and whether a newer one has written them.
    newer: BTreeMap<String, (Mono, bool)>,
}

impl Writer {
    async fn follow(&mut self, snapshots: &mut watch::Receiver<Option<Snapshot>>) {
        let mut backoff = Backoff::default();
        loop {
            // Also without news, for the heartbeat and for what failed.
            match timeout(LOOK_EVERY, snapshots.changed()).await {
                Ok(Ok(())) => self.fresh = true,
                Ok(Err(_)) => return,
                Err(_) => {}
            }
            snapshots.mark_unchanged();
            match self.round(snapshots).await {
                Ok(()) => backoff = Backoff::default(),
                Err(error) => self.failed(&error, backoff.next_pause()).await,
            }
            sleep(PACE).await;
        }
    }

    async fn failed(&mut self, error: &JetStreamError, pause: Duration) {
        self.metrics.state_write_failures.bump();
        if error.code() == Some(ErrorCode::STREAM_NOT_FOUND) {
            self.missing.notify_one();
        }
        if !self.failing {
            tracing::warn!(error = chain(error), "the state cannot be stored, trying again");
        }
        self.failing = true;
        sleep(pause).await;
    }

    /// Writes what differs from the newest snapshot.
    async fn round(&mut self, snapshots: &watch::Receiver<Option<Snapshot>>) -> Result<(), JetStreamError> {
        let newest = snapshots.borrow().clone();
        let Some(snapshot) = newest.filter(|_| self.fresh) else { return Ok(()) };
        let mut writes = VecDeque::from(self.stored.plan(&snapshot, self.clock.mono()));
        while let Some(write) = writes.pop_front() {
            let Some((key, value)) = render(&write, &snapshot) else { continue };
            if let Write::Links(links) = &write {
                self.links.send_replace(links.clone());
            }
            if self.write(&key, value).await? {
                tracing::info!("the bucket was made anew: storing the whole state");
                self.stored.lost();
                writes = self.stored.plan(&snapshot, self.clock.mono()).into();
            } else {
                self.stored.done(write, &snapshot, self.clock.mono());
            }
        }
        if std::mem::take(&mut self.failing) {
            tracing::info!("the state is stored again");
        }
        Ok(())
    }

    /// Whether a newer gatewatch keeps this key: its record is left alone. Incidents have keys of their own.
    async fn kept_by_newer(&mut self, key: &str) -> Result<bool, JetStreamError> {
        if ![record::SNAPSHOT_KEY, record::LINKS_KEY].contains(&key) {
            return Ok(false);
        }
        let (now, before) = (self.clock.mono(), self.newer.get(key).copied());
        if let Some((at, newer)) = before
            && now.since(at) < LOOK_FOR_NEWER
        {
            return Ok(newer);
        }
        let newer = match self.bucket.get(key).await {
            Ok(stored) => stored.is_some_and(|stored| record::is_newer(&stored)),
            Err(ScanError::NoStream) => false,
            Err(ScanError::JetStream(error)) => return Err(error),
        };
        self.newer.insert(key.to_owned(), (now, newer));
        if newer {
            self.metrics.newer_records.bump();
        }
        if newer && !before.is_some_and(|(_, newer)| newer) {
            tracing::warn!(
                key,
                "a newer gatewatch has written this record: it is left as it is. If none runs any more, delete the key, and this \
                 one will write it"
            );
        }
        Ok(newer)
    }

    /// Writes or deletes one key. Returns whether the bucket turned out to be another one than before.
    async fn write(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<bool, JetStreamError> {
        if self.kept_by_newer(key).await? {
            return Ok(false);
        }
        let written = match value {
            Some(value) => self.bucket.put(key, value).await,
            None => self.bucket.delete(key).await,
        };
        match written {
            Ok(revision) => {
                self.metrics.state_writes.bump();
                Ok(std::mem::replace(&mut self.revision, revision) > revision)
            }
            Err(PutError::TooLarge) => {
                self.metrics.state_write_failures.bump();
                tracing::warn!(key, "the record is larger than the server's max_payload: not stored");
                Ok(false)
            }
            Err(PutError::Failed(error)) => Err(error),
        }
    }
}
