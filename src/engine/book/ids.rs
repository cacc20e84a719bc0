//! Ids of incidents: made of what happened, so that a replay, and another gatewatch that watches the same, give the same.
//!
//! An id is a ULID. Its time is the minute in which the trouble began; the rest is a hash of the subject, of the family of kinds, and of
//! how many incidents of that family about that subject began in that minute before. So ids sort by that minute, and two gatewatch whose
//! sight differs by some 100 ms agree, unless the border of a minute lies between: with clocks that agree, in one of some 300 cases (0.2 s
//! of 60). Whoever has heard of the other's incident takes its id instead, so that is left where they cannot hear each other at all.

use crate::engine::correlate::Finding;
use crate::model::incident::{IncidentId, IncidentKind, Subject};
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use ulid::Ulid;

use super::scope::stands_apart;

/// How many ids are remembered: the oldest of them are long over.
const REMEMBERED: usize = 1024;
const MINUTE_MS: i64 = 60_000;

/// The ids that were given or heard of late.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    known: VecDeque<IncidentId>,
    /// Of those, what is over.
    ended: VecDeque<IncidentId>,
    /// The minute of the first judgement. What a former life gave in it is not known, unless `complete`.
    first: Option<i64>,
    complete: bool,
}

impl Ids {
    /// Judging begins.
    pub(super) fn begin(&mut self, now: DateTime<Utc>) {
        self.first.get_or_insert(minute(now));
    }

    /// The id of a new incident.
    pub(super) fn give(&mut self, finding: &Finding) -> IncidentId {
        let began = minute(finding.since.wall);
        // A former life may have told of an incident of this minute: then the id must be one that it cannot have given.
        let apart = (!self.complete && self.first.is_none_or(|first| began <= first))
            .then(|| finding.since.wall.timestamp_millis());
        let mut before = 0;
        loop {
            let id = id(finding, began, apart, before);
            if !self.known.contains(&id) {
                self.know(id.clone());
                return id;
            }
            before += 1;
        }
    }

    /// Takes an id in that was given elsewhere.
    pub(super) fn know(&mut self, id: IncidentId) {
        remember(&mut self.known, id);
    }

    /// All that were given of late are known now.
    pub(super) fn know_all(&mut self, ids: Vec<IncidentId>) {
        ids.into_iter().for_each(|id| self.know(id));
        self.complete = true;
    }

    /// Nobody was told of it, so it is free again.
    pub(super) fn take_back(&mut self, id: &IncidentId) {
        self.known.retain(|known| known != id);
    }

    /// It is over for good.
    pub(super) fn end(&mut self, id: IncidentId) {
        self.know(id.clone());
        remember(&mut self.ended, id);
    }

    pub(super) fn is_over(&self, id: &IncidentId) -> bool {
        self.ended.contains(id)
    }
}

fn remember(list: &mut VecDeque<IncidentId>, id: IncidentId) {
    if !list.contains(&id) {
        list.push_back(id);
        if list.len() > REMEMBERED {
            list.pop_front();
        }
    }
}

fn minute(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis().div_euclid(MINUTE_MS)
}

fn id(finding: &Finding, minute: i64, apart: Option<i64>, before: u32) -> IncidentId {
    let (family, subject) = (family(finding.kind), subject(&finding.subject));
    let about = format!("{family}\0{subject}\0{minute}\0{}\0{before}", apart.unwrap_or_default());
    let hash = |seed: u64| {
        about.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let random =
        (u128::from(hash(0xcbf2_9ce4_8422_2325)) << 16) | u128::from(hash(0x6c62_272e_07bb_0142) & 0xffff);
    let millis = u64::try_from(minute * MINUTE_MS).unwrap_or_default();
    IncidentId::from(Ulid::from_parts(millis, random).to_string().as_str())
}

/// Kinds that one incident may change between.
fn family(kind: IncidentKind) -> &'static str {
    if stands_apart(kind) { kind.token() } else { "outage" }
}

fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Cluster(cluster) => format!("cluster\0{cluster}"),
        Subject::Pair(a, b) => format!("pair\0{a}\0{b}"),
        Subject::Server(server) => format!("server\0{}\0{}", server.cluster, server.name),
        Subject::Instance(instance) => format!("instance\0{instance}"),
    }
}
