//! Which messages a stream holds already, by their `Nats-Msg-Id`.
//!
//! Reads only headers, from shortly before the oldest of them was handed over.

use super::lane::Ticket;
use super::message::Message;
use crate::nats::jetstream::{self, JetStreamError, chain};
use crate::nats::scan::{Scan, ScanError, scan};
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::{Context, ErrorCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How far the server's clock, which streams go by, may be ahead of ours or behind.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);
/// How many subjects are read one by one. When there are more, the whole stream is read from the same moment on.
const SUBJECTS: usize = 8;
/// How long it may take in all; then it is tried again later.
const LOOK_WITHIN: Duration = Duration::from_secs(20);
/// Copies of a stream tell of themselves once a second.
const LATELY: Duration = Duration::from_secs(3);
/// How long after its copies are back a leader has stored what it was sent before, or dropped it.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);
/// The stream has no such subject.
const NO_SUCH_SUBJECT: ErrorCode = ErrorCode(10093);

/// Those that the stream holds; `None` when that cannot be found out now.
pub(super) async fn held(
    context: Context,
    stream: String,
    wanted: Vec<(Ticket, Arc<Message>)>,
    missing: Arc<Notify>,
) -> Option<BTreeSet<Ticket>> {
    let looked = timeout(LOOK_WITHIN, look(&context, &stream, &wanted)).await;
    let error = match looked {
        Ok(Ok(held)) => return Some(held),
        Ok(Err(ScanError::NoStream)) => {
            missing.notify_one();
            "there is no such stream".to_owned()
        }
        Ok(Err(ScanError::JetStream(error))) => chain(&error),
        Err(_) => chain(&JetStreamError::Silent),
    };
    tracing::debug!(error, stream, "what the stream holds cannot be told yet");
    None
}

async fn look(
    context: &Context,
    stream: &str,
    wanted: &[(Ticket, Arc<Message>)],
) -> Result<BTreeSet<Ticket>, ScanError> {
    let found = read(context, stream, wanted).await?;
    if wanted.iter().all(|(ticket, _)| found.contains(ticket)) {
        return Ok(found);
    }
    // What a leader was sent before it lost the other copies is stored, or not, soon after they are back.
    let lone = "the stream has no quorum: what its leader was sent may still be stored";
    let before = copies(context, stream).await?;
    if before.wanted == 1 {
        return Ok(found);
    }
    if !before.are_enough() {
        return Err(unsure(lone));
    }
    sleep(SETTLES_WITHIN).await;
    let after = copies(context, stream).await?;
    if !after.are_enough() || after.leader != before.leader {
        return Err(unsure(lone));
    }
    read(context, stream, wanted).await
}

async fn read(
    context: &Context,
    stream: &str,
    wanted: &[(Ticket, Arc<Message>)],
) -> Result<BTreeSet<Ticket>, ScanError> {
    let ids: BTreeMap<&str, Ticket> =
        wanted.iter().map(|(ticket, message)| (message.id.as_str(), *ticket)).collect();
    let mut subjects: BTreeSet<String> = wanted.iter().map(|(_, message)| message.subject.clone()).collect();
    if subjects.len() > SUBJECTS {
        subjects = BTreeSet::from([String::new()]);
    }
    let oldest = wanted.iter().map(|(_, message)| message.at).min().unwrap_or_default();
    let from = oldest.checked_sub_signed(CLOCKS_DIFFER).unwrap_or(DateTime::UNIX_EPOCH);
    let mut held = BTreeSet::new();
    let mut read: BTreeMap<String, u64> = BTreeMap::new();
    for subject in subjects {
        let what = Scan {
            stream,
            subject,
            from: DeliverPolicy::ByStartTime { start_time: from },
            headers_only: true,
        };
        let scanned = scan(context, what, |message| {
            let id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
            held.extend(id.and_then(|id| ids.get(id.as_str())));
            if let Ok(info) = message.info() {
                read.insert(message.subject.to_string(), info.stream_sequence);
            }
        });
        match scanned.await {
            Err(ScanError::JetStream(error)) if error.code() == Some(NO_SUCH_SUBJECT) => {}
            other => other?,
        }
    }
    let doubted = wanted.iter().filter(|(ticket, _)| !held.contains(ticket));
    let doubted: BTreeSet<&str> = doubted.map(|(_, message)| message.subject.as_str()).collect();
    for subject in doubted {
        // What was read may have come from a copy that lags behind; only the leader knows of everything.
        let last = last(context, stream, subject).await?;
        let unread =
            |last: &Last| last.time >= from && read.get(subject).is_none_or(|sequence| *sequence < last.seq);
        if last.as_ref().is_some_and(unread) {
            return Err(unsure("a copy of the stream lags behind"));
        }
    }
    Ok(held)
}

fn unsure(why: &str) -> ScanError {
    ScanError::JetStream(JetStreamError::NoLeader { description: why.to_owned() })
}

/// The copies of a stream, as its leader tells. One that has lost the others goes on answering questions.
#[derive(Debug)]
struct Copies {
    leader: Option<String>,
    /// Those heard of lately, the leader among them.
    there: usize,
    wanted: usize,
}

impl Copies {
    fn are_enough(&self) -> bool {
        self.there * 2 > self.wanted
    }
}

async fn copies(context: &Context, stream: &str) -> Result<Copies, ScanError> {
    #[derive(Debug, Deserialize)]
    struct Info {
        config: Config,
        cluster: Option<Cluster>,
    }
    #[derive(Debug, Deserialize)]
    struct Config {
        num_replicas: usize,
    }
    #[derive(Debug, Default, Deserialize)]
    struct Cluster {
        leader: Option<String>,
        #[serde(default)]
        replicas: Vec<Other>,
    }
    #[derive(Debug, Deserialize)]
    struct Other {
        current: bool,
        #[serde(default)]
        offline: bool,
        /// Nanoseconds since it was heard of.
        #[serde(default)]
        active: u64,
    }
    let info: Info = jetstream::ask(context, format!("STREAM.INFO.{stream}"), &json!({})).await?;
    let cluster = info.cluster.unwrap_or_default();
    let lately =
        |other: &&Other| other.current && !other.offline && Duration::from_nanos(other.active) <= LATELY;
    let there = 1 + cluster.replicas.iter().filter(lately).count();
    Ok(Copies { leader: cluster.leader, there, wanted: info.config.num_replicas })
}

/// The latest message under a subject.
#[derive(Debug, Deserialize)]
struct Last {
    seq: u64,
    time: DateTime<Utc>,
}

/// Asks the stream's leader for it.
async fn last(context: &Context, stream: &str, subject: &str) -> Result<Option<Last>, ScanError> {
    #[derive(Debug, Deserialize)]
    struct Answer {
        message: Last,
    }
    let asked = json!({ "last_by_subj": subject });
    match jetstream::ask::<Answer>(context, format!("STREAM.MSG.GET.{stream}"), &asked).await {
        Ok(answer) => Ok(Some(answer.message)),
        Err(error) if error.code() == Some(ErrorCode::NO_MESSAGE_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
