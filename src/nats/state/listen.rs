//! The task that hears what people want: reads silences and requests to forget from the bucket and hands them to the driver.
//!
//! It asks for the next message after the last one it has seen, every two seconds: one request for each kind of key that the stream's
//! leader answers from memory. A watch would hold a consumer on the server that has to be made anew, and may replay old values, after
//! every lost connection; reading on by number needs none, and misses nothing. Once a minute it reads everything anew, in case that
//! the bucket itself was. Safe to stop at any time.

use super::reading::Reading;
use super::wishes::Wishes;
use crate::clock::Clock;
use crate::model::intent::{Forget, ForgetOutcome, Silence, Wish};
use crate::nats::jetstream::chain;
use crate::nats::lease::Duty;
use crate::nats::state::StateError;
use crate::wire::wish::{self, ForgetRequest};
use async_nats::Client;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Time between two looks until the first has succeeded: incidents may be waiting for it.
const FIRST_LOOKS: Duration = Duration::from_millis(200);
/// Every so many looks, everything is read anew.
const ANEW_EVERY: u32 = 30;
/// Requests to forget wait this long after the start: before, nothing is known that could be forgotten, or be heard.
const FORGET_AFTER: Duration = Duration::from_secs(20);
/// How long a silence stays stored after its end, for `silence list --all`.
const KEEP_SILENCE: TimeDelta = TimeDelta::days(1);
/// How long a request stays stored after it was made, for whoever waits for what became of it.
const KEEP_FORGET: TimeDelta = TimeDelta::hours(1);

/// The task that hears what people want.
#[derive(Debug)]
pub struct Listener {
    /// The connection to the alert account.
    pub client: Client,
    /// The key-value bucket.
    pub bucket: String,
    /// Gets every wish. The first list of silences is handed on as soon as the bucket answers, also when there are none.
    pub wishes: mpsc::Sender<Wish>,
    /// What became of requests to forget.
    pub outcomes: mpsc::Receiver<(Forget, ForgetOutcome)>,
    /// Whether it is ours to answer and to clean up.
    pub duty: watch::Receiver<Duty>,
    /// Tells what is over.
    pub clock: Clock,
}

impl Listener {
    /// Runs until `shutdown`, or until nobody wants to hear any more.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { client, bucket, wishes, outcomes, duty, clock } = self;
        let mut task = Task {
            kept: Wishes::new(&client, &bucket),
            wishes,
            duty,
            clock,
            silences: Reading::new(wish::SILENCE_KEYS, wish::read_silence),
            forgets: Reading::new(wish::FORGET_KEYS, wish::read_forget),
            told: None,
            asked: BTreeMap::new(),
            looks: 0,
            failing: false,
        };
        shutdown.run_until_cancelled(task.follow(outcomes)).await;
    }
}

struct Task {
    kept: Wishes,
    wishes: mpsc::Sender<Wish>,
    duty: watch::Receiver<Duty>,
    clock: Clock,
    silences: Reading<Silence>,
    forgets: Reading<ForgetRequest>,
    /// The silences last handed on.
    told: Option<Vec<Silence>>,
    /// Requests that were handed on, and what became of them where that is not stored yet.
    asked: BTreeMap<Forget, Option<ForgetOutcome>>,
    looks: u32,
    failing: bool,
}

impl Task {
    async fn follow(&mut self, mut outcomes: mpsc::Receiver<(Forget, ForgetOutcome)>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                Some((what, outcome)) = outcomes.recv() => {
                    self.asked.insert(what, Some(outcome));
                }
            }
            match self.look().await {
                Ok(true) => self.worked(),
                Ok(false) => return,
                Err(error) => self.failed(&error),
            }
            if self.told.is_none() {
                looks.reset_after(FIRST_LOOKS);
            }
        }
    }

    /// Returns whether anybody still wants to hear.
    async fn look(&mut self) -> Result<bool, StateError> {
        if self.looks.is_multiple_of(ANEW_EVERY) {
            self.silences.restart();
            self.forgets.restart();
        }
        self.silences.read(self.kept.bucket()).await.map_err(|error| self.kept.unreadable(error))?;
        if !self.hand_silences_on().await {
            return Ok(false);
        }
        self.forgets.read(self.kept.bucket()).await.map_err(|error| self.kept.unreadable(error))?;
        self.looks = self.looks.wrapping_add(1);
        if !self.hand_forgets_on().await {
            return Ok(false);
        }
        if self.duty.borrow().speaks() {
            self.answer().await?;
            self.clean_up().await?;
        }
        Ok(true)
    }

    async fn hand_silences_on(&mut self) -> bool {
        let list: Vec<Silence> = self.silences.found.values().cloned().collect();
        if self.told.as_ref() == Some(&list) {
            return true;
        }
        tracing::info!(silences = list.len(), "silences read");
        self.told = Some(list.clone());
        self.wishes.send(Wish::Silences(list)).await.is_ok()
    }

    async fn hand_forgets_on(&mut self) -> bool {
        if self.clock.mono().0 < FORGET_AFTER {
            return true;
        }
        let open = self.forgets.found.values().filter(|request| request.outcome.is_none());
        let new: Vec<Forget> =
            open.map(|request| request.what.clone()).filter(|what| !self.asked.contains_key(what)).collect();
        for what in new {
            self.asked.insert(what.clone(), None);
            if self.wishes.send(Wish::Forget(what)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Stores what became of requests.
    async fn answer(&mut self) -> Result<(), StateError> {
        let answers = self.asked.iter().filter_map(|(what, outcome)| Some((what.clone(), (*outcome)?)));
        for (what, outcome) in answers.collect::<Vec<_>>() {
            let request = self.forgets.found.values_mut().find(|request| request.what == what);
            // Another gatewatch may have answered.
            if let Some(request) = request.filter(|request| request.outcome.is_none()) {
                request.outcome = Some(outcome);
                self.kept.put_forget(request).await?;
            }
            self.asked.remove(&what);
        }
        Ok(())
    }

    /// Deletes what is long over.
    async fn clean_up(&mut self) -> Result<(), StateError> {
        let now = self.clock.now().wall;
        let over = |silence: &&Silence| now - silence.until > KEEP_SILENCE;
        let over: Vec<_> = self.silences.found.values().filter(over).map(|one| one.id.clone()).collect();
        for id in over {
            self.kept.remove_silence(&id).await?;
        }
        let done = |request: &&ForgetRequest| request.outcome.is_some() && is_old(request, now);
        let done: Vec<_> = self.forgets.found.values().filter(done).map(|one| one.what.clone()).collect();
        for what in done {
            self.kept.remove_forget(&what).await?;
        }
        Ok(())
    }

    fn worked(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("silences and requests to forget can be read again");
        }
    }

    fn failed(&mut self, error: &StateError) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::info!(
                error = chain(error),
                "silences and requests to forget cannot be read, trying again"
            );
        }
    }
}

fn is_old(request: &ForgetRequest, now: DateTime<Utc>) -> bool {
    now - request.at > KEEP_FORGET
}
