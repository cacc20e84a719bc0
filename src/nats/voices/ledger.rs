//! Which alerts were told a moment ago, through what, and who may not have heard them after all: pure.
//!
//! A cut is known half a second after it began; what was told in between is lost beyond it. The same goes for what was written to a
//! connection whose server had stopped reading. Whoever may have missed an alert is told once more, and nobody is told more than once
//! more.

use super::parcel::Parcel;
use super::reach::{self, Cut, Reach, VoiceId};
use crate::model::ids::{ClusterName, ServerKey};
use crate::model::incident::IncidentId;
use crate::model::snapshot::Snapshot;
use crate::model::states::Basis;
use crate::model::time::Mono;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long an alert is remembered: for those who cannot be reached at all, and for cuts that only the servers' own reports tell of, some
/// 40 s late (NATS.md F13).
const KEEP: Duration = Duration::from_secs(60);
/// Alerts that are remembered. When more are told within [`KEEP`], the oldest are forgotten.
const MANY: usize = 512;
/// How long after a cut became known it is waited until the rest of it is known too.
const SETTLE: Duration = Duration::from_millis(500);
/// How long a connection may go on taking messages after its server stopped reading them: three pings, 2 s apart.
const UNREAD_FOR: Duration = Duration::from_secs(6);

/// Alerts told lately, oldest first.
#[derive(Debug)]
pub(super) struct Ledger {
    told: VecDeque<Told>,
    /// How long before a cut was known it may have begun, where beats prove it; longer by four times the latency of the link.
    noticed_within: Duration,
}

#[derive(Debug)]
struct Told {
    at: Mono,
    parcel: Arc<Parcel>,
    copies: Vec<Copied>,
    /// Where it may not have been heard, and since when that is known.
    lost: BTreeMap<ClusterName, Mono>,
    /// Where it was told once more.
    twice: BTreeSet<ClusterName>,
}

/// What was published through one connection.
#[derive(Debug)]
struct Copied {
    voice: VoiceId,
    from: ClusterName,
    server: Option<ServerKey>,
    to: BTreeSet<ClusterName>,
    /// The connection has ended since.
    ended: bool,
    /// It may have got no further than our end of the connection.
    failed: bool,
    /// Where it cannot have arrived.
    cut: BTreeSet<ClusterName>,
}

impl Told {
    /// Whether every copy that should have been heard there may be lost.
    fn is_lost(&self, cluster: &ClusterName) -> bool {
        let mut copies = self.copies.iter().filter(|copy| copy.to.contains(cluster));
        copies.all(|copy| copy.failed || copy.cut.contains(cluster))
    }

    /// Everywhere it should have been heard, or was not.
    fn hearers(&self) -> BTreeSet<ClusterName> {
        self.copies.iter().flat_map(|copy| &copy.to).chain(self.lost.keys()).cloned().collect()
    }
}

impl Ledger {
    pub(super) fn new(noticed_within: Duration) -> Self {
        Self { told: VecDeque::new(), noticed_within }
    }

    /// An alert is told through these connections; `everybody` is who ought to hear it.
    pub(super) fn note(
        &mut self,
        now: Mono,
        parcel: &Arc<Parcel>,
        through: &[&Reach],
        everybody: &BTreeSet<ClusterName>,
    ) {
        // Offered once more because nobody took it.
        self.told.retain(|told| told.parcel.id != parcel.id);
        let copies: Vec<Copied> = through
            .iter()
            .map(|reach| Copied {
                voice: reach.voice.id.clone(),
                from: reach.voice.cluster.clone(),
                server: reach.server.clone(),
                to: reach.hears.clone(),
                ended: false,
                failed: false,
                cut: BTreeSet::new(),
            })
            .collect();
        let heard: BTreeSet<&ClusterName> = copies.iter().flat_map(|copy| &copy.to).collect();
        let lost =
            everybody.iter().filter(|cluster| !heard.contains(cluster)).map(|cluster| (cluster.clone(), now));
        let lost = lost.collect();
        self.told.push_back(Told {
            at: now,
            parcel: Arc::clone(parcel),
            copies,
            lost,
            twice: BTreeSet::new(),
        });
        if self.told.len() > MANY {
            self.told.pop_front();
        }
    }

    /// An alert is told again because it was not stored.
    pub(super) fn note_again(&mut self, id: &str, through: &Reach) {
        if let Some(told) = self.told.iter_mut().rev().find(|told| told.parcel.id == id) {
            told.twice.extend(through.hears.iter().cloned());
            told.lost.retain(|cluster, _| !through.hears.contains(cluster));
        }
    }

    /// It could not even be written.
    pub(super) fn unsent(&mut self, id: &str, voice: &VoiceId) {
        for told in self.told.iter_mut().rev().filter(|told| told.parcel.id == id) {
            told.copies.iter_mut().filter(|copy| copy.voice == *voice).for_each(|copy| copy.failed = true);
        }
    }

    /// Takes in what is known now, and which connections there are.
    pub(super) fn look(&mut self, now: Mono, attached: &BTreeSet<VoiceId>, snapshot: &Snapshot) {
        self.told.retain(|told| now.since(told.at) <= KEEP);
        let offline = reach::offline(snapshot);
        for told in &mut self.told {
            let age = now.since(told.at);
            for copy in &mut told.copies {
                if !copy.ended && !attached.contains(&copy.voice) {
                    copy.ended = true;
                    copy.failed |= age <= UNREAD_FOR;
                }
                copy.to.retain(|to| !offline.contains(to));
                let abroad = copy.to.iter().filter(|to| **to != copy.from && !copy.cut.contains(*to));
                let cut: Vec<_> = abroad
                    .filter(|to| {
                        let cut = reach::cut(snapshot, &copy.from, copy.server.as_ref(), to);
                        cut.is_some_and(|cut| age <= unnoticed(self.noticed_within, cut))
                    })
                    .cloned()
                    .collect();
                copy.cut.extend(cut);
            }
            for cluster in told.hearers() {
                // Who is offline has nobody left to hear it, now or later.
                if !told.is_lost(&cluster) || offline.contains(&cluster) || told.twice.contains(&cluster) {
                    told.lost.remove(&cluster);
                } else {
                    told.lost.entry(cluster).or_insert(now);
                }
            }
        }
    }

    /// What to tell again now, oldest first, and through which of the connections. With `before`, only alerts of that incident: a later
    /// one of it is about to be told through those connections, so they are told again at once and the same way, lest they be overtaken.
    pub(super) fn due(
        &mut self,
        now: Mono,
        before: Option<(&IncidentId, &[usize])>,
        reaches: &[Reach],
    ) -> Vec<(Arc<Parcel>, Vec<usize>)> {
        let mut again = Vec::new();
        for told in self.told.iter_mut().filter(|told| !told.lost.is_empty()) {
            if before.is_some_and(|(incident, _)| told.parcel.incident.as_ref() != Some(incident)) {
                continue;
            }
            let speaks = |at: &usize| before.is_none_or(|(_, through)| through.contains(at));
            let spares = |at: &usize| reaches[*at].hears.is_disjoint(&told.twice);
            let open: Vec<usize> = (0..reaches.len()).filter(|at| speaks(at) && spares(at)).collect();
            let able: Vec<Reach> = open.iter().map(|at| reaches[*at].clone()).collect();
            let settled = told.lost.iter().filter(|(_, since)| before.is_some() || **since + SETTLE <= now);
            let wanted: BTreeSet<&ClusterName> = settled.map(|(cluster, _)| cluster).collect();
            let through: Vec<usize> = reach::choose(&able, &wanted).into_iter().map(|at| open[at]).collect();
            if through.is_empty() {
                continue;
            }
            told.twice.extend(through.iter().flat_map(|at| &reaches[*at].hears).cloned());
            let twice = &told.twice;
            told.lost.retain(|cluster, _| !twice.contains(cluster));
            again.push((Arc::clone(&told.parcel), through));
        }
        again
    }

    /// Forgets everything that was told.
    pub(super) fn forget(&mut self) {
        self.told.clear();
    }

    /// Whether anything is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

/// How long a cut may have gone unnoticed.
fn unnoticed(noticed_within: Duration, cut: Cut) -> Duration {
    match cut.basis {
        Basis::Beats => noticed_within + 4 * cut.latency,
        Basis::Reports => KEEP,
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
