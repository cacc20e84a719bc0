//! Confirmations of JetStream, whichever way they come back.
//!
//! A stream confirms on a subject on which every voice listens, for the same reason for which all vantages listen on one inbox: what is
//! published through one cluster may be confirmed in another, and the way back need not be open because the way there is.

use crate::nats::inbox::{new_inbox, random};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{Message, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Confirmations waited for. Beyond it, the oldest is not waited for any more: far above what the publisher has in flight.
const WAITING: usize = 8192;

/// Who waits for what.
#[derive(Debug)]
pub(super) struct Answers {
    root: String,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    issued: u64,
    senders: BTreeMap<u64, oneshot::Sender<Message>>,
}

impl Answers {
    pub(super) fn new(inbox_prefix: &str) -> Self {
        let waiting = Waiting { issued: random() >> 16, senders: BTreeMap::new() };
        Self { root: new_inbox(inbox_prefix), waiting: Mutex::new(waiting) }
    }

    /// What every voice subscribes to.
    pub(super) fn filter(&self) -> String {
        format!("{}.*", self.root)
    }

    /// A subject to be answered on, and the answer.
    pub(super) fn expect(&self) -> (String, oneshot::Receiver<Message>) {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.issued += 1;
        let token = waiting.issued;
        if waiting.senders.len() >= WAITING {
            waiting.senders.pop_first();
        }
        waiting.senders.insert(token, sender);
        (format!("{}.{token:x}", self.root), receiver)
    }

    /// Hands an answer on. The same one comes once through each voice; the first counts.
    pub(super) fn take(&self, message: Message) {
        let token = message.subject.rsplit('.').next().and_then(|token| u64::from_str_radix(token, 16).ok());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = token.and_then(|token| waiting.senders.remove(&token)) {
            // Nobody waits any more.
            let _ = sender.send(message);
        }
    }
}

/// What a stream says to a message.
pub(super) fn read(answer: &Message) -> Result<PublishAck, PublishError> {
    if answer.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(PublishError::new(PublishErrorKind::StreamNotFound));
    }
    let response = serde_json::from_slice(&answer.payload)
        .map_err(|error| PublishError::with_source(PublishErrorKind::Other, error))?;
    match response {
        Response::Ok(ack) => Ok(ack),
        Response::Err { error } => {
            let kind = match error.error_code() {
                ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID => PublishErrorKind::WrongLastMessageId,
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE => PublishErrorKind::WrongLastSequence,
                _ => PublishErrorKind::Other,
            };
            Err(PublishError::with_source(kind, error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(subject: &str, status: Option<StatusCode>, payload: &'static str) -> Message {
        Message {
            subject: subject.into(),
            reply: None,
            payload: payload.into(),
            headers: None,
            status,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn the_first_answer_counts_and_later_ones_do_no_harm() {
        let answers = Answers::new("_INBOX");
        let (subject, mut first) = answers.expect();
        let (other, mut second) = answers.expect();
        assert_ne!(subject, other);
        answers.take(answer(&subject, None, r#"{"stream":"S","seq":7}"#));
        answers.take(answer(&subject, Some(StatusCode::NO_RESPONDERS), ""));
        answers.take(answer("_INBOX.foreign.xyz", None, ""));
        assert_eq!(read(&first.try_recv().unwrap()).unwrap().sequence, 7);
        assert!(second.try_recv().is_err());
    }

    #[test]
    fn what_is_no_confirmation_is_an_error() {
        let kind = |status, payload| read(&answer("x", status, payload)).unwrap_err().kind();
        assert_eq!(kind(Some(StatusCode::NO_RESPONDERS), ""), PublishErrorKind::StreamNotFound);
        assert_eq!(kind(None, "nonsense"), PublishErrorKind::Other);
        let refusal =
            r#"{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}"#;
        assert_eq!(kind(None, refusal), PublishErrorKind::Other);
    }
}
