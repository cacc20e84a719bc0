//! Why it probably happened: from evidence to a cause and how sure it is. Not knowing is a good answer.
//!
//! What the servers report comes first. What our own host sees supports a cause, but makes it likely at most: between the servers
//! another resolver, firewall or certificate store may answer.

mod facts;
mod gone;
mod names;
mod rules;

pub(super) use gone::{of_lost_cluster, of_lost_server};

use super::correlate::Cut;
use super::world::{ClusterIx, World};
use crate::model::cause::Cause;
use crate::model::evidence::Evidence;
use crate::model::time::Now;
use facts::Gathered;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many pieces of evidence support one cause.
const MAX_EVIDENCE: usize = 8;

/// A cause, with what it rests on beyond the states themselves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub(super) cause: Cause,
    pub(super) evidence: Vec<Evidence>,
}

impl Verdict {
    pub(super) fn of(cause: Cause) -> Self {
        Self { cause, evidence: Vec::new() }
    }
}

/// Which of two causes found for the same thing, one after the other, stands: evidence passes, as when servers notice what was lost, and
/// what it showed stays true.
pub(super) fn better(before: Cause, after: Cause) -> Cause {
    let weight = |cause: Cause| (rules::tells(cause.kind), Reverse(cause.confidence));
    if weight(after) >= weight(before) { after } else { before }
}

/// The cause of cut server links: judged for each direction, and told for all of them by the one that tells most.
pub(super) fn of_cuts(world: &World, now: Now, cuts: &[Cut]) -> Verdict {
    best(world, now, cuts, rules::judge)
}

/// The cause of links that are configured and have never been up.
pub(super) fn of_never_up(world: &World, now: Now, cuts: &[Cut]) -> Verdict {
    best(world, now, cuts, rules::judge_never_up)
}

fn best(world: &World, now: Now, cuts: &[Cut], judge: impl Fn(&facts::Facts) -> Cause) -> Verdict {
    let mut directions: BTreeMap<(ClusterIx, ClusterIx), Vec<Cut>> = BTreeMap::new();
    for &cut in cuts {
        directions.entry((world.servers[cut.0].cluster, cut.1)).or_default().push(cut);
    }
    let alone = cuts.iter().all(|cut| cut.0 == cuts[0].0);
    let judged: Vec<(Cause, Gathered)> = directions
        .iter()
        .map(|(&(from, to), cuts)| {
            let mut gathered = Gathered::new(world, now, (from, to), cuts);
            gathered.facts.alone = alone;
            (judge(&gathered.facts), gathered)
        })
        .collect();
    let weight = |(cause, gathered): &&(Cause, Gathered)| {
        (Reverse(cause.confidence), rules::tells(cause.kind), gathered.facts.cuts)
    };
    // The first of equals, in the order in which the clusters became known.
    let Some(cause) = judged.iter().rev().max_by_key(weight).map(|(cause, _)| *cause) else {
        return Verdict::of(Cause::UNKNOWN);
    };
    let same = judged.iter().filter(|(other, _)| other.kind == cause.kind);
    let mut evidence: Vec<Evidence> = Vec::new();
    for one in same.flat_map(|(_, gathered)| gathered.evidence_for(cause.kind)) {
        if evidence.len() < MAX_EVIDENCE && !evidence.contains(one) {
            evidence.push(one.clone());
        }
    }
    Verdict { cause, evidence }
}
