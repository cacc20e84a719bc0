//! Looks at gateway addresses from this host: does the name resolve, does the port answer, who greets, with what certificate.
//!
//! Owns how often and how many at once; `look` owns one look. A look says what *this host* sees. It never logs in and never
//! sends more than a TLS handshake without a client certificate. Every stage of a look has its own limit in time and bytes, so a
//! hostile peer costs a few seconds of one of a few places. Safe to stop at any moment: nothing outlives it but name look-ups
//! the operating system has not answered yet, which are few.

mod certificate;
mod look;
mod recent;
mod resolve;
mod tls;

use crate::clock::Clock;
use crate::config::settings::ProbeSettings;
use crate::metrics::Metrics;
use crate::model::ids::ClusterName;
use crate::model::probe::{GatewayAddress, ProbeFound, ProbeReport, ProbeRequest};
use look::Looker;
use recent::Recent;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::AbortOnDropHandle;

/// Requests that wait to be taken in. When full, further ones are refused and counted.
const REQUESTS: usize = 32;
/// Addresses looked at per request; the rest is left out and counted.
const ADDRESSES: usize = 32;
/// Looks at once.
const AT_ONCE: usize = 4;

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Probes are switched off.
    #[error("probes are switched off")]
    Off,
    /// Too many requests wait already.
    #[error("too many requests to look at gateway addresses wait already")]
    Full,
}

/// The way to have addresses looked at. Looking ends when it is dropped.
#[derive(Debug)]
pub struct Prober {
    requests: Option<mpsc::Sender<ProbeRequest>>,
    metrics: Arc<Metrics>,
    task: Option<AbortOnDropHandle<()>>,
}

impl Prober {
    /// Starts to look at what is asked for, unless the settings say not to. What is found goes to `reports`; while nobody takes it
    /// off, no further looks are made. An address that was looked at less than ten seconds ago is left out.
    #[must_use]
    pub fn start(
        settings: &ProbeSettings,
        clock: Clock,
        metrics: &Arc<Metrics>,
        reports: mpsc::Sender<ProbeReport>,
    ) -> Self {
        if !settings.enabled {
            return Self { requests: None, metrics: Arc::clone(metrics), task: None };
        }
        let (requests, asked) = mpsc::channel(REQUESTS);
        let task = Task {
            looker: Arc::new(Looker::new(clock, settings.ca.clone())),
            clock,
            metrics: Arc::clone(metrics),
            asked,
            reports,
            recent: Recent::default(),
            waiting: VecDeque::new(),
            looks: JoinSet::new(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(task.run()));
        Self { requests: Some(requests), metrics: Arc::clone(metrics), task: Some(task) }
    }

    /// Has these addresses looked at, without waiting.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing is looked at then.
    pub fn try_send(&self, request: ProbeRequest) -> Result<(), NotTaken> {
        let requests = self.requests.as_ref().ok_or(NotTaken::Off)?;
        requests.try_send(request).map_err(|_| {
            self.metrics.probes_dropped.bump();
            NotTaken::Full
        })
    }

    /// Stops at once; looks under way are given up.
    pub async fn stop(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Aborted is what it should be, and a task that panicked has stopped too.
            let _ = task.await;
        }
    }
}

/// An address that waits to be looked at, with the cluster whose gateway should listen there.
type Waiting = (ClusterName, GatewayAddress);

struct Task {
    looker: Arc<Looker>,
    clock: Clock,
    metrics: Arc<Metrics>,
    asked: mpsc::Receiver<ProbeRequest>,
    reports: mpsc::Sender<ProbeReport>,
    recent: Recent,
    /// At most one request's worth: the next is taken in when these are under way.
    waiting: VecDeque<Waiting>,
    /// Tasks of their own: what a peer sends must not be able to end more than the look at it.
    looks: JoinSet<()>,
}

impl Task {
    async fn run(mut self) {
        loop {
            while self.looks.len() < AT_ONCE
                && let Some(next) = self.waiting.pop_front()
            {
                self.begin(next);
            }
            tokio::select! {
                Some(ended) = self.looks.join_next() => check(ended),
                request = self.asked.recv(), if self.waiting.is_empty() => match request {
                    Some(request) => self.take_in(request),
                    None => return,
                },
            }
        }
    }

    fn take_in(&mut self, request: ProbeRequest) {
        let now = self.clock.mono();
        let asked = request.addresses.len();
        let addresses = request.addresses.into_iter().take(ADDRESSES);
        let due = addresses.filter(|address| self.recent.admit(address, now));
        self.waiting.extend(due.map(|address| (request.target.clone(), address)));
        let left_out = asked.saturating_sub(self.waiting.len());
        self.metrics.probes_limited.add(u64::try_from(left_out).unwrap_or(u64::MAX));
    }

    fn begin(&mut self, (target, address): Waiting) {
        let (looker, clock) = (Arc::clone(&self.looker), self.clock);
        let (metrics, reports) = (Arc::clone(&self.metrics), self.reports.clone());
        self.looks.spawn(async move {
            let found = looker.look(&target, &address).await;
            metrics.probes.bump(word(&found));
            tracing::debug!(cluster = %target, %address, found = word(&found), "looked at a gateway address");
            // Nobody to tell: then nobody minds.
            let _ = reports.send(ProbeReport { target, address, at: clock.mono(), found }).await;
        });
    }
}

fn check(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a look at a gateway address failed");
    }
}

/// One word for a finding, as a label of counters.
const fn word(found: &ProbeFound) -> &'static str {
    match found {
        ProbeFound::Unresolved => "unresolved",
        ProbeFound::ResolveFailed => "resolve_failed",
        ProbeFound::Unreachable => "unreachable",
        ProbeFound::Refused => "refused",
        ProbeFound::Silent => "silent",
        ProbeFound::OtherGateway { .. } => "other_gateway",
        ProbeFound::Foreign => "foreign",
        ProbeFound::TlsFailed => "tls_failed",
        ProbeFound::Greeted { .. } => "greeted",
    }
}
