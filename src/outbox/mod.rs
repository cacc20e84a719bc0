//! What must not be lost with this process, on disk: alerts and events until their streams have them, and the open incidents.
//!
//! A message is appended before it is sent, and leaves when JetStream has confirmed it. In the same commit as an alert the record of
//! its incident is written; when the incident is resolved, that it is over. A commit counts once it is synced to the disk. What was
//! heard and what is confirmed is written along with the next commit or a moment later, so it may come back after a crash: whoever
//! takes it up again looks into the stream first.
//!
//! The file never holds anything up. When it cannot be used - the disk is full, the directory read-only, another process has it, or it
//! does not answer - everything goes on in memory, that is said once, and what waits is written when it works again. A file that is
//! damaged, of a newer version or of somebody else is set aside by another name, never deleted.
//!
//! Refuses to decide what is sent when: that is `nats::publish`.

mod batch;
mod file;
mod keeper;
mod store;

pub use file::FILE;

use crate::clock::Clock;
use crate::model::ids::Link;
use crate::model::incident::{Incident, Memory};
use crate::model::time::Mono;
use crate::wire::queued::{self, Queued};
use crate::wire::record;
use batch::{Batch, Standing};
use chrono::{DateTime, Utc};
use file::{Opener, Place};
use keeper::{Keeper, Work, say};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// How long the start waits for what a former life left. After it, everything begins without.
const OPEN_WITHIN: Duration = Duration::from_secs(2);
/// How long closing may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How the outbox stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxStatus {
    /// It is being opened.
    Opening,
    /// What is handed over is on disk before it is sent.
    Working,
    /// What is handed over is in memory only.
    Away(Trouble),
}

/// Why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Another process has the file open.
    InUse(PathBuf),
    /// It may not be written.
    ReadOnly(PathBuf),
    /// The disk, or what this user may have of it, is full.
    Full(PathBuf),
    /// The disk did not answer in time.
    NotAnswering(PathBuf),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "{} is in use by another gatewatch; give each its own instance.name or outbox.directory",
                path.display()
            ),
            Self::ReadOnly(path) => write!(
                f,
                "{} may not be written; make it writable for this user, or set outbox.directory",
                path.display()
            ),
            Self::Full(path) => {
                write!(f, "the disk of {} is full; make room, or set outbox.directory", path.display())
            }
            Self::NotAnswering(path) => write!(f, "the disk of {} does not answer", path.display()),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Names a message in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// One that a former life left, by its number in the file.
    Left(u64),
    /// One of this life, counted from its beginning.
    Own(u64),
}

/// A message that a former life left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMessage {
    /// Where it is.
    pub row: Row,
    /// Whether it is known that it was sent to be heard.
    pub heard: bool,
    /// The message.
    pub message: Queued,
}

/// What a former life left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Left {
    /// What waits to be stored, oldest first.
    pub messages: Vec<LeftMessage>,
    /// What was open, and what is over.
    pub memory: Memory,
}

/// What comes from the disk.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A batch was written, or could not be and waits in memory.
    Written {
        /// Which one, as [`Outbox::hand_over`] told.
        batch: u64,
        /// Whether it, and every one before it, is on disk.
        kept: bool,
    },
    /// What a former life left in a file that could not be opened at first.
    Found(Left),
}

/// The outbox of one process.
#[derive(Debug)]
pub struct Outbox {
    file: PathBuf,
    work: Option<SyncSender<Work>>,
    status: Arc<watch::Sender<OutboxStatus>>,
    left: mpsc::Receiver<Left>,
    /// Not handed over yet, because the thread is busy or there is no hurry.
    unsent: Batch,
    /// What is being written.
    busy: Option<oneshot::Receiver<bool>>,
    /// How many batches were handed over.
    batches: u64,
    /// How many messages were appended.
    rows: u64,
}

impl Outbox {
    /// Opens the file in this directory, or begins a new one, and gives what a former life left. Waits for the disk for at most two
    /// seconds: what it holds is found later then ([`News::Found`]).
    pub async fn open(directory: &Path, clock: Clock) -> (Self, Left) {
        Self::open_by(directory, clock, file::plainly()).await
    }

    async fn open_by(directory: &Path, clock: Clock, opener: Opener) -> (Self, Left) {
        let (work, works) = sync_channel(1);
        let (lefts, left) = mpsc::channel(1);
        let status = Arc::new(watch::Sender::new(OutboxStatus::Opening));
        let place = Place { directory: directory.to_path_buf(), opener };
        let file = place.file();
        let keeper = Keeper {
            place,
            clock,
            work: works,
            status: Arc::clone(&status),
            store: None,
            base: None,
            pending: Batch::default(),
            retry_at: Mono::default(),
            left: lefts,
        };
        let spawned = std::thread::Builder::new().name("outbox".to_owned()).spawn(|| keeper.run());
        if let Err(error) = spawned {
            say(&status, OutboxStatus::Away(Trouble::Failed(format!("no thread for it: {error}"))));
        }
        let mut outbox = Self {
            file,
            work: Some(work),
            status,
            left,
            unsent: Batch::default(),
            busy: None,
            batches: 0,
            rows: 0,
        };
        let mut watched = outbox.status.subscribe();
        let opened = watched.wait_for(|status| *status != OutboxStatus::Opening);
        if timeout(OPEN_WITHIN, opened).await.is_err() {
            outbox.late();
        }
        let left = outbox.left.try_recv().unwrap_or_default();
        (outbox, left)
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<OutboxStatus> {
        self.status.subscribe()
    }

    /// Whether it is worth waiting for the disk.
    #[must_use]
    pub fn works(&self) -> bool {
        *self.status.borrow() == OutboxStatus::Working
    }

    /// Appends a message; written with the next [`Outbox::hand_over`].
    pub fn append(&mut self, message: &Queued) -> Row {
        self.rows += 1;
        let row = Row::Own(self.rows);
        self.unsent.messages.insert(row, queued::write(message));
        row
    }

    /// Remembers an incident as open, or that it is over; written with the next [`Outbox::hand_over`].
    pub fn remember(&mut self, incident: &Incident) {
        let standing = match incident.resolved {
            None => Standing::Open(record::write_incident(incident)),
            Some(_) => Standing::Over(incident.revision),
        };
        self.unsent.incidents.insert(incident.id.as_str().to_owned(), standing);
    }

    /// Remembers which links are expected to exist; written with the next [`Outbox::hand_over`].
    pub fn expect_links(&mut self, links: &[Link], at: DateTime<Utc>) {
        self.unsent.links = Some(record::write_links(links, at));
    }

    /// A message was sent to be heard. There is no hurry to write that.
    pub fn heard(&mut self, row: Row) {
        self.unsent.heard.insert(row);
    }

    /// A message waits no more. There is no hurry to write that.
    pub fn remove(&mut self, row: Row) {
        self.unsent.remove(row);
    }

    /// Whether anything is still to be handed over.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Has everything written that was said until now, as soon as what is being written is. Returns the batch that it is in.
    pub fn hand_over(&mut self) -> u64 {
        if self.busy.is_some() {
            return self.batches + 1;
        }
        if let Some(work) = &self.work
            && !self.unsent.is_empty()
        {
            let (done, answer) = oneshot::channel();
            let batch = std::mem::take(&mut self.unsent);
            self.batches += 1;
            // The thread takes one thing at a time, and is not busy; if it has ended, nothing is answered.
            let _ = work.try_send(Work { batch, done });
            self.busy = Some(answer);
        }
        self.batches
    }

    /// Waits for what comes next from the disk; never ends while nothing can come. May be dropped and called again.
    pub async fn news(&mut self) -> News {
        let answer = async {
            match &mut self.busy {
                Some(busy) => busy.await.unwrap_or(false),
                None => std::future::pending().await,
            }
        };
        let found = async {
            match self.left.recv().await {
                Some(left) => left,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            kept = answer => {
                self.busy = None;
                let batch = self.batches;
                self.hand_over();
                News::Written { batch, kept }
            }
            left = found => News::Found(left),
        }
    }

    /// The disk has not answered for too long.
    pub fn late(&self) {
        say(&self.status, OutboxStatus::Away(Trouble::NotAnswering(self.file.clone())));
    }

    /// Writes what is left to write and closes the file, within a second.
    pub async fn close(mut self) {
        let close = async {
            while self.is_behind() || self.busy.is_some() {
                self.hand_over();
                self.news().await;
            }
            self.work = None;
            while self.left.recv().await.is_some() {}
        };
        // What could not be written comes back at the next start, and is looked up in the stream then.
        let _ = timeout(CLOSE_WITHIN, close).await;
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
