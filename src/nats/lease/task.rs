//! The task that contends for the lease: asks what the machine wants to know, and tells the driver when to speak.
//!
//! Before the driver speaks it is handed what is stored as open, so that it goes on with that. While it does not, it is handed the same
//! from time to time. Safe to stop at any time: the lease then lapses by itself. When told to leave, it gives the lease up.

use super::floor::{Call, Usher};
use super::machine::{Action, Answer, Duty, Holder, Machine, Timing};
use super::store::{LeaseError, Store};
use crate::clock::Clock;
use crate::config::settings::{AlertsSettings, LeaseSettings};
use crate::metrics::Metrics;
use crate::model::incident::Incident;
use crate::model::time::Mono;
use crate::nats::history::recent_incidents;
use crate::nats::jetstream::chain;
use crate::nats::state::{Bucket, Reading};
use crate::wire::record::{self, Lease};
use async_nats::Client;
use chrono::TimeDelta;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

/// How long reading what is stored may hold up whoever is about to speak.
const READ_WITHIN: Duration = Duration::from_millis(500);
/// How often a standby reads what is stored, for what it did not hear.
const READ_EVERY: Duration = Duration::from_secs(3);
/// Every so many times it is read anew, in case that the bucket itself was.
const ANEW_EVERY: u32 = 20;
/// How far back ids are asked for that must not be given again.
const RECENT: TimeDelta = TimeDelta::minutes(3);
/// How long giving the lease up may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// The task that contends for the lease.
#[derive(Debug)]
pub struct LeaseKeeper {
    /// The connection to the alert account.
    pub client: Client,
    /// Where state and history are kept.
    pub alerts: AlertsSettings,
    /// The lease.
    pub lease: LeaseSettings,
    /// How this process is called.
    pub instance: String,
    /// Tells the driver.
    pub usher: Usher,
    /// Tells everybody else.
    pub duty: watch::Sender<Duty>,
    /// Counts changes and failures.
    pub metrics: Arc<Metrics>,
    /// Times everything.
    pub clock: Clock,
}

impl LeaseKeeper {
    /// Contends until `leave`, then gives up what it holds.
    pub async fn run(self, leave: CancellationToken) {
        let now = self.clock.now();
        let chance = RandomState::new().build_hasher().finish();
        let millis = u64::try_from(now.wall.timestamp_millis()).unwrap_or_default();
        let own = Lease {
            instance: self.instance.clone(),
            process: Ulid::from_parts(millis, u128::from(chance)).to_string(),
            since: now.wall.into(),
        };
        let timing = Timing::of(self.lease.ttl);
        let mut task = Task {
            store: Store::new(&self.client, &self.alerts, &self.lease, own),
            machine: Machine::new(timing, now.mono),
            timing,
            duty: Duty::Standby,
            read: None,
            recent_known: false,
            bucket: Bucket::new(&self.client, &self.alerts.bucket),
            open: Reading::new(record::INCIDENT_KEYS, record::read_incident),
            reads: 0,
            said: String::new(),
            stands_by: None,
            parts: self,
        };
        leave.run_until_cancelled(task.contend()).await;
        task.leave().await;
    }
}

struct Task {
    parts: LeaseKeeper,
    store: Store,
    machine: Machine,
    timing: Timing,
    /// As the driver was told.
    duty: Duty,
    /// When what is stored was read last.
    read: Option<Mono>,
    recent_known: bool,
    bucket: Bucket,
    /// What is stored as open, as far as it was read.
    open: Reading<Incident>,
    reads: u32,
    /// The last trouble that was logged.
    said: String,
    /// For whom it was last said that this one stands by.
    stands_by: Option<String>,
}

impl Task {
    async fn contend(&mut self) {
        loop {
            let now = self.parts.clock.mono();
            if let Some(action) = self.machine.due(now) {
                let answer = self.ask(action).await;
                self.machine.answered(answer, self.parts.clock.mono());
                if !self.machine.is_failing() && !std::mem::take(&mut self.said).is_empty() {
                    tracing::info!("the lease can be reached again");
                }
            } else {
                let end = self.machine.speaks_until();
                let wake = self.machine.wake();
                let wake = if now < end { wake.min(end) } else { wake };
                tokio::time::sleep_until(self.parts.clock.instant(wake)).await;
            }
            self.follow().await;
        }
    }

    async fn ask(&mut self, action: Action) -> Answer {
        if self.machine.held().is_none() {
            self.store.own.since = self.parts.clock.now().wall.into();
        }
        let answer = timeout(self.timing.within, self.store.act(action)).await;
        let trouble = match answer {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => say(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        self.parts.metrics.lease_failures.bump();
        if self.said.is_empty() {
            tracing::info!(error = trouble, "the lease cannot be reached, trying again");
        }
        self.said = trouble;
        Answer::Failed
    }

    /// Tells what has become of the duty.
    async fn follow(&mut self) {
        let duty = self.machine.duty(self.parts.clock.mono());
        if duty == self.duty {
            self.parts.usher.extend(self.machine.speaks_until());
            if duty == Duty::Standby {
                self.say_who_speaks();
                self.look_into_the_store().await;
            }
            return;
        }
        self.parts.metrics.duty.bump(duty.token());
        match duty {
            Duty::Standby => {
                self.parts.usher.extend(self.machine.speaks_until());
                tracing::info!(instance = self.parts.instance, "this gatewatch speaks no more");
                self.stands_by = None;
                self.parts.usher.call(Call::Hush).await;
            }
            Duty::Speaker => {
                let stored = self.read().await;
                self.parts.usher.extend(self.machine.speaks_until());
                tracing::info!(instance = self.parts.instance, "this gatewatch speaks");
                let untold_since = self.machine.untold_since();
                self.parts.usher.call(Call::Speak { stored, untold_since }).await;
            }
            Duty::Open => {
                self.parts.usher.extend(self.machine.speaks_until());
                tracing::warn!(
                    error = self.said,
                    "nobody can tell which gatewatch is to speak: this one does"
                );
                let untold_since = self.machine.untold_since();
                self.parts.usher.call(Call::Speak { stored: None, untold_since }).await;
            }
        }
        self.duty = duty;
        self.parts.duty.send_replace(duty);
    }

    fn say_who_speaks(&mut self) {
        let other = |lease: &&Lease| lease.process != self.store.own.process;
        let Some(Lease { instance: speaker, .. }) = self.store.holder.as_ref().filter(other) else { return };
        if self.stands_by.as_ref() != Some(speaker) {
            tracing::info!(speaker, "standing by: another gatewatch speaks, this one watches");
            self.stands_by = Some(speaker.clone());
        }
    }

    async fn look_into_the_store(&mut self) {
        let now = self.parts.clock.mono();
        if !self.said.is_empty() || self.read.is_some_and(|last| now.since(last) < READ_EVERY) {
            return;
        }
        if !self.recent_known {
            let since = self.parts.clock.now().wall - RECENT;
            let recent = recent_incidents(&self.parts.client, &self.parts.alerts, since);
            if let Ok(Ok((given, over))) = timeout(READ_WITHIN, recent).await {
                self.recent_known = true;
                self.parts.usher.call(Call::Known { given, over }).await;
            }
        }
        if let Some(stored) = self.read().await {
            self.parts.usher.call(Call::Stored(stored)).await;
        }
    }

    /// What is stored as open; `None` when it cannot be read in time.
    async fn read(&mut self) -> Option<Vec<Incident>> {
        self.read = Some(self.parts.clock.mono());
        if self.reads.is_multiple_of(ANEW_EVERY) {
            self.open.restart();
        }
        // What could not be read in time is read on the next time.
        self.reads = self.reads.wrapping_add(1);
        timeout(READ_WITHIN, self.open.read(&self.bucket)).await.ok()?.ok()?;
        Some(self.open.found.values().cloned().collect())
    }

    async fn leave(&mut self) {
        if self.machine.held().is_none() {
            return;
        }
        match timeout(LEAVE_WITHIN, self.release()).await {
            Ok(Ok(())) => tracing::info!("the lease is given up"),
            Ok(Err(error)) => {
                tracing::info!(error = say(&error), "the lease could not be given up: it lapses by itself");
            }
            Err(_) => tracing::info!("the lease could not be given up in time: it lapses by itself"),
        }
    }

    /// A renewal may have been under way: what counts is what the store has.
    async fn release(&mut self) -> Result<(), LeaseError> {
        match self.store.act(Action::Look).await? {
            Answer::Held(revision, Holder::Own) => self.store.release(revision).await,
            Answer::Held(..) | Answer::Free | Answer::Won(_) | Answer::Lost | Answer::Failed => Ok(()),
        }
    }
}

fn say(error: &LeaseError) -> String {
    chain(error)
}
