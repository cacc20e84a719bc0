//! The right to speak, as the driver sees it: it is told when to begin and when to stop, and sees for itself when its time is up.

use crate::model::incident::{Incident, IncidentEvent, IncidentId};
use crate::model::time::Mono;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Calls on their way to the driver. When it is full, the task waits, and who is overdue to be silent finds that out without it.
const CALLS: usize = 256;

/// What the driver is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Speak from now on.
    Speak {
        /// What is open by what is stored, if that could be read.
        stored: Option<Vec<Incident>>,
        /// Nobody has told of what happened since then.
        untold_since: Mono,
    },
    /// Say nothing more.
    Hush,
    /// Some gatewatch told this.
    Heard(Box<IncidentEvent>),
    /// These incidents are open by what is stored.
    Stored(Vec<Incident>),
    /// These ids were given of late.
    Known {
        /// All of them.
        given: Vec<IncidentId>,
        /// Those whose incidents are over.
        over: Vec<IncidentId>,
    },
}

/// The driver's end.
#[derive(Debug)]
pub struct Floor {
    calls: Option<mpsc::Receiver<Call>>,
    until: Until,
}

/// The other end: what a lease's task gives and takes.
#[derive(Debug, Clone)]
pub struct Usher {
    calls: mpsc::Sender<Call>,
    until: Until,
}

/// Until when one may speak, on the process's own monotonic clock.
#[derive(Debug, Clone)]
struct Until(Arc<AtomicU64>);

/// A floor and who gives and takes it. Nobody has it in the beginning.
#[must_use]
pub fn floor() -> (Usher, Floor) {
    let (calls, calls_end) = mpsc::channel(CALLS);
    let until = Until(Arc::default());
    (Usher { calls, until: until.clone() }, Floor { calls: Some(calls_end), until })
}

impl Floor {
    /// One that is always ours.
    #[must_use]
    pub fn always() -> Self {
        Self { calls: None, until: Until(Arc::new(AtomicU64::new(u64::MAX))) }
    }

    /// Whether it must be waited for.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.calls.is_some()
    }

    /// Whether the time is not up at `now`. It is up in time also when nothing but the caller runs.
    #[must_use]
    pub fn lasts(&self, now: Mono) -> bool {
        nanos(now) < self.until.0.load(Ordering::Relaxed)
    }

    /// The next call; never any more when nobody can make one.
    pub async fn next(&mut self) -> Call {
        match &mut self.calls {
            Some(calls) => match calls.recv().await {
                Some(call) => call,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

impl Usher {
    /// Lets the floor last until then.
    pub fn extend(&self, until: Mono) {
        self.until.0.store(nanos(until), Ordering::Relaxed);
    }

    /// Tells the driver. Returns whether it still listens.
    pub async fn call(&self, call: Call) -> bool {
        self.calls.send(call).await.is_ok()
    }
}

fn nanos(at: Mono) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX)
}
