//! The task's part with the outbox: on disk first, taken up again after a restart, off the disk once stored.

use super::{PublisherTask, Which};
use crate::model::time::{Mono, Now};
use crate::nats::publish::message::Message;
use crate::outbox::{self, LeftMessage, Outbox};
use std::time::Duration;

/// How long the disk may take. After it, what is to be sent is sent.
const APPEND_WITHIN: Duration = Duration::from_millis(250);
/// How long what is stored by now may stay on disk: an entry that comes back is looked up, which costs more than writing this.
const TIDY_WITHIN: Duration = Duration::from_millis(500);

/// Messages that are being written to disk.
#[derive(Debug)]
pub(super) struct Appending {
    which: Which,
    messages: Vec<Message>,
    batch: u64,
    /// When they go on without.
    by: Mono,
}

impl PublisherTask {
    /// Writes messages to disk; they go on once they are there, or at once when that makes no sense.
    pub(super) fn append(&mut self, which: Which, messages: &mut Vec<Message>) {
        let Now { mono, wall } = self.parts.clock.now();
        let mut messages: Vec<Message> = messages.drain(..).collect();
        messages.iter_mut().for_each(|message| message.at = wall);
        let Some(outbox) = &mut self.parts.outbox else {
            return messages.into_iter().for_each(|message| self.push(which, message));
        };
        for message in &mut messages {
            message.row = Some(outbox.append(&message.queued()));
            if let Some(incident) = message.incident.take() {
                outbox.remember(&incident);
            }
        }
        let batch = outbox.hand_over();
        let works = outbox.works();
        self.appending = Some(Appending { which, messages, batch, by: mono + APPEND_WITHIN });
        if !works {
            self.appended(false);
        }
    }

    pub(super) fn remember_links(&mut self) {
        let at = self.parts.clock.now().wall;
        let links = self.ends.links.borrow_and_update();
        if let Some(outbox) = &mut self.parts.outbox {
            outbox.expect_links(&links, at);
        }
    }

    /// What was to be written goes on.
    fn appended(&mut self, kept: bool) {
        let Some(Appending { which, messages, .. }) = self.appending.take() else { return };
        if !kept {
            self.parts.metrics.outbox_bypassed.add(u64::try_from(messages.len()).unwrap_or(u64::MAX));
        }
        messages.into_iter().for_each(|message| self.push(which, message));
    }

    pub(super) fn heard_of_disk(&mut self, news: outbox::News) {
        match news {
            outbox::News::Written { batch, kept } => {
                if self.appending.as_ref().is_some_and(|appending| appending.batch <= batch) {
                    self.appended(kept);
                }
            }
            outbox::News::Found(left) => self.take_over(left.messages),
        }
    }

    /// Takes up what a former life left.
    pub(super) fn take_over(&mut self, left: Vec<LeftMessage>) {
        if !left.is_empty() {
            tracing::info!(
                messages = left.len(),
                "not known to be stored by a former life: looked up, and stored if they are not"
            );
        }
        for LeftMessage { row, heard, message } in left {
            self.parts.metrics.outbox_left.bump();
            let message = Message::left(row, message);
            // The streams are made for the subjects of this life.
            let foreign = !message.subject.starts_with(&self.prefix);
            let message = Message { may_be_left_out: message.may_be_left_out || foreign, ..message };
            let which = if message.incident().is_some() { Which::Alerts } else { Which::Events };
            self.make_room(which, message.size());
            let evicted = self.track(which).lane.take_over(message, heard);
            evicted.into_iter().for_each(|evicted| self.gave_up(which, &evicted));
        }
    }

    /// A message leaves the disk.
    pub(super) fn remove(&mut self, message: &Message) {
        if let (Some(outbox), Some(row)) = (&mut self.parts.outbox, message.row) {
            outbox.remove(row);
        }
    }

    /// Lets go on what the disk holds up for too long, and tells it what is stored. Returns when to do so at the latest.
    pub(super) fn tend_disk(&mut self, now: Mono) -> Option<Mono> {
        if self.appending.as_ref().is_some_and(|appending| appending.by <= now) {
            self.parts.outbox.iter().for_each(Outbox::late);
            self.appended(false);
        }
        let outbox = self.parts.outbox.as_mut()?;
        if !outbox.is_behind() {
            self.tidy_by = None;
        } else if *self.tidy_by.get_or_insert(now + TIDY_WITHIN) <= now {
            self.tidy_by = None;
            outbox.hand_over();
        }
        let appended_by = self.appending.as_ref().map(|appending| appending.by);
        [appended_by, self.tidy_by].into_iter().flatten().min()
    }

    pub(super) fn mark_heard(&mut self, message: &Message) {
        if let (Some(outbox), Some(row)) = (&mut self.parts.outbox, message.row) {
            outbox.heard(row);
        }
    }
}

pub(super) async fn news_of(outbox: &mut Option<Outbox>) -> outbox::News {
    match outbox {
        Some(outbox) => outbox.news().await,
        None => std::future::pending().await,
    }
}
