//! The way out of one vantage: questions in, bytes on the connection.
//!
//! Owns that nothing is written while the vantage is not connected, and that a connection that takes no bytes holds up only itself.

use crate::metrics::Metrics;
use async_nats::{Client, Subject};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Questions that wait for one connection. When full, beats are skipped and surveys are left out: both come again.
const ROOM: usize = 64;
/// How long a connection may take to accept what is waiting.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

/// Questions to be asked through one vantage.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// One round of beats.
    Beats {
        /// Where the answers go.
        reply: Subject,
        /// Where each server is asked.
        subjects: Arc<[Subject]>,
    },
    /// One question.
    Survey {
        /// Where to ask.
        subject: Subject,
        /// Where the answers go.
        reply: Subject,
        /// Who shall answer; empty when the subject says it.
        body: Bytes,
    },
}

/// The fleet's end of the way: offers questions without waiting.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    jobs: mpsc::Sender<Job>,
    open: Arc<AtomicBool>,
    beats: Arc<AtomicBool>,
}

/// The vantage's end of the way.
#[derive(Debug)]
pub(super) struct LaneEnd {
    jobs: mpsc::Receiver<Job>,
    open: Arc<AtomicBool>,
    beats: Arc<AtomicBool>,
}

/// A way out, closed until the vantage opens it.
pub(super) fn lane() -> (Lane, LaneEnd) {
    let (sender, receiver) = mpsc::channel(ROOM);
    let (open, beats) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let lane = Lane { jobs: sender, open: Arc::clone(&open), beats: Arc::clone(&beats) };
    (lane, LaneEnd { jobs: receiver, open, beats })
}

impl Lane {
    /// Whether the vantage is connected.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether our user may ask for beats there, as far as is known.
    pub(super) fn may_beat(&self) -> bool {
        self.beats.load(Ordering::Acquire)
    }

    /// Room for one question, when the vantage is connected and keeps up.
    pub(super) fn room(&self) -> Option<mpsc::Permit<'_, Job>> {
        if self.is_open() { self.jobs.try_reserve().ok() } else { None }
    }
}

impl LaneEnd {
    /// Tells whether our user may ask for beats.
    pub(super) fn beats(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.beats)
    }

    /// Writes what is offered until the connection refuses it for good. The lane is open exactly as long as this runs; `opened` is
    /// called when that begins.
    pub(super) async fn run(&mut self, client: &Client, metrics: &Metrics, opened: impl FnOnce()) {
        // Left over from an earlier connection: nobody waits for these answers any more.
        while self.jobs.try_recv().is_ok() {}
        let _open = Opened::new(&self.open);
        opened();
        while let Some(job) = self.jobs.recv().await {
            match timeout(WRITE_LIMIT, write(client, job, &mut self.jobs)).await {
                Ok(Ok(())) => {}
                Ok(Err(Closed)) => return,
                Err(_) => metrics.publish_timeouts.bump(),
            }
        }
    }
}

/// The client has ended.
struct Closed;

/// Writes everything that waits, then flushes once.
async fn write(client: &Client, first: Job, more: &mut mpsc::Receiver<Job>) -> Result<(), Closed> {
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Beats { reply, subjects } => {
                for subject in subjects.iter() {
                    ask(client, subject.clone(), reply.clone(), Bytes::new()).await?;
                }
            }
            Job::Survey { subject, reply, body } => ask(client, subject, reply, body).await?,
        }
        next = more.try_recv().ok();
    }
    client.flush().await.map_err(|_| Closed)
}

async fn ask(client: &Client, subject: Subject, reply: Subject, body: Bytes) -> Result<(), Closed> {
    use async_nats::client::PublishErrorKind;
    match client.publish_with_reply(subject, reply, body).await.map_err(|error| error.kind()) {
        Ok(()) | Err(PublishErrorKind::InvalidSubject | PublishErrorKind::MaxPayloadExceeded) => Ok(()),
        Err(PublishErrorKind::Send) => Err(Closed),
    }
}

/// Keeps a lane open while it lives, also when the future that holds it is dropped.
struct Opened<'a>(&'a AtomicBool);

impl<'a> Opened<'a> {
    fn new(open: &'a AtomicBool) -> Self {
        open.store(true, Ordering::Release);
        Self(open)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
impl LaneEnd {
    /// Opens the lane as a connected vantage does.
    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// The next question that was offered.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.jobs.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::lane;

    #[test]
    fn nothing_is_taken_while_the_vantage_is_not_connected() {
        let (lane, _end) = lane();
        assert!(lane.room().is_none());
    }
}
