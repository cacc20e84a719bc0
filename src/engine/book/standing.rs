//! Incidents that lie beside the outages: standing conditions, flapping links, unwanted ones.
//!
//! Each belongs to one kind and one subject for as long as it is open. It takes no part in what outages do among each other, and is
//! resolved only when its check knows that the subject is good again.

use super::Book;
use super::entry::Entry;
use crate::engine::correlate::Finding;
use crate::engine::turn::Turn;
use crate::engine::{Deadline, Why, checks};
use crate::model::cause::CauseKind;
use crate::model::ids::ClusterName;
use crate::model::incident::{IncidentKind, Subject};
use crate::model::time::Mono;
use std::collections::BTreeMap;
use std::time::Duration;

/// Standing conditions change slowly: they are looked for no oftener than this, however often the engine ticks. Nothing is woken for
/// it: the next tick for any other reason is soon enough.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is remembered from one look to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    looked: Option<Mono>,
    /// What the last look wants to be woken for.
    due: Option<Deadline>,
    /// What is found but not yet told, since when.
    waiting: BTreeMap<(IncidentKind, Subject), Mono>,
}

impl Book {
    /// Looks for standing conditions, when it is time to. `others` are findings of these kinds that were made elsewhere.
    pub(super) fn step_standing(&mut self, turn: &mut Turn<'_>, others: Vec<Finding>) {
        let now = turn.now.mono;
        if self.standing.looked.is_some_and(|last| now < last + LOOK_EVERY) {
            if let Some(due) = self.standing.due.filter(|due| due.at > now) {
                turn.wake_at(due.at, due.why);
            }
            return;
        }
        self.standing.looked = Some(now);
        let before = turn.wake.take();
        self.compare_standing(turn, others);
        self.standing.due = *turn.wake;
        if let Some(due) = before {
            turn.wake_at(due.at, due.why);
        }
    }

    fn compare_standing(&mut self, turn: &mut Turn<'_>, others: Vec<Finding>) {
        let mut found = checks::findings(turn);
        found.extend(others);
        found.retain(|finding| !turn.policy.checks.off.contains(&finding.kind));
        found.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
        for entry in self.open.iter_mut().filter(|entry| entry.stands_apart()) {
            match found.iter().find(|finding| is_about(entry, finding)) {
                Some(finding) => entry.stand(turn, finding),
                None => entry.fade(turn),
            }
        }
        self.drop_resolved();
        self.open_standing(turn, &found);
    }

    /// Opens an incident for each finding that nothing open stands for and that has lasted.
    fn open_standing(&mut self, turn: &mut Turn<'_>, found: &[Finding]) {
        let before = std::mem::take(&mut self.standing.waiting);
        for finding in found {
            if self.open.iter().any(|entry| is_about(entry, finding) || tells_of(entry, finding)) {
                continue;
            }
            let about = (finding.kind, finding.subject.clone());
            let since = before.get(&about).copied().unwrap_or(turn.now.mono);
            if turn.lasted(since, checks::opens_after(finding.kind, turn.policy), Why::Alert)
                && !turn.silences_pending()
            {
                self.open.push(Entry::open(turn, finding));
            } else {
                self.standing.waiting.insert(about, since);
            }
        }
    }
}

fn is_about(entry: &Entry, finding: &Finding) -> bool {
    entry.incident.kind == finding.kind && entry.incident.subject == finding.subject
}

/// Whether an outage already says of certificates of that cluster that they have ended.
fn tells_of(entry: &Entry, finding: &Finding) -> bool {
    let scope = &entry.incident.scope;
    let about = |cluster: &ClusterName| finding.subject == Subject::Cluster(cluster.clone());
    finding.kind == IncidentKind::CertificateExpiring
        && entry.incident.cause.kind == CauseKind::TlsExpired
        && (scope.clusters.iter().any(about)
            || scope.server_links.iter().any(|link| about(&link.server.cluster) || about(&link.to)))
}
