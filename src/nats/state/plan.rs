//! What to write next, given what is stored and what is true: pure.

use crate::model::ids::Link;
use crate::model::incident::{IncidentId, Memory};
use crate::model::snapshot::Snapshot;
use crate::model::states::LinkState;
use crate::model::time::Mono;
use crate::wire::record;
use chrono::DateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The snapshot is written this often even when only times and measurements changed, so that its age tells whether we live.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long a restored incident that never showed up in a snapshot is left alone: the engine may not have taken it in yet.
const RESTORING: Duration = Duration::from_secs(30);

/// One record to write or delete.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Write {
    /// The latest snapshot.
    Snapshot,
    /// The links that are expected to exist.
    Links(Vec<Link>),
    /// An open incident.
    Incident(IncidentId, u32),
    /// An incident that is open no more.
    Forget(IncidentId),
}

/// What is stored, as far as this process knows.
#[derive(Debug)]
pub(super) struct Stored {
    begun: Mono,
    snapshot: Option<(Mono, Snapshot)>,
    links: Option<Vec<Link>>,
    /// The revision stored of each incident.
    incidents: BTreeMap<IncidentId, u32>,
    /// Incidents that were in a snapshot of this life.
    seen: BTreeSet<IncidentId>,
}

impl Stored {
    /// What was read back at start.
    pub(super) fn new(memory: &Memory, now: Mono) -> Self {
        let incidents = memory.incidents.iter().map(|incident| (incident.id.clone(), incident.revision));
        Self {
            begun: now,
            snapshot: None,
            links: Some(memory.links.clone()),
            incidents: incidents.collect(),
            seen: BTreeSet::new(),
        }
    }

    /// What to write so that the store tells what `snapshot` does; what matters most to a restart comes first.
    pub(super) fn plan(&mut self, snapshot: &Snapshot, now: Mono) -> Vec<Write> {
        let open: BTreeMap<&IncidentId, u32> =
            snapshot.incidents.iter().map(|incident| (&incident.id, incident.revision)).collect();
        self.seen.extend(open.keys().map(|id| (*id).clone()));
        let mut writes: Vec<Write> = open
            .iter()
            .filter(|(id, revision)| self.incidents.get(**id) != Some(revision))
            .map(|(id, revision)| Write::Incident((*id).clone(), *revision))
            .collect();
        let settled = now.since(self.begun) >= RESTORING;
        let gone =
            self.incidents.keys().filter(|id| !open.contains_key(id) && (settled || self.seen.contains(*id)));
        writes.extend(gone.cloned().map(Write::Forget));
        let links = expected(snapshot);
        if self.links.as_ref() != Some(&links) {
            writes.push(Write::Links(links));
        }
        if self.wants_snapshot(snapshot, now) {
            writes.push(Write::Snapshot);
        }
        writes
    }

    fn wants_snapshot(&self, snapshot: &Snapshot, now: Mono) -> bool {
        self.snapshot
            .as_ref()
            .is_none_or(|(written, stored)| now.since(*written) >= HEARTBEAT || *stored != essence(snapshot))
    }

    /// Whatever is stored, the next snapshot is to be written.
    pub(super) fn want_snapshot(&mut self) {
        self.snapshot = None;
    }

    /// The bucket was made anew: nothing of what was stored is there any more.
    pub(super) fn lost(&mut self) {
        self.snapshot = None;
        self.links = None;
        self.incidents.clear();
    }

    /// A write was carried out.
    pub(super) fn done(&mut self, write: Write, snapshot: &Snapshot, now: Mono) {
        match write {
            Write::Snapshot => self.snapshot = Some((now, essence(snapshot))),
            Write::Links(links) => self.links = Some(links),
            Write::Incident(id, revision) => {
                self.incidents.insert(id, revision);
            }
            Write::Forget(id) => {
                self.incidents.remove(&id);
                self.seen.remove(&id);
            }
        }
    }
}

/// The key and, unless it is to be deleted, the value of a write.
pub(super) fn render(write: &Write, snapshot: &Snapshot) -> Option<(String, Option<Vec<u8>>)> {
    Some(match write {
        Write::Snapshot => (record::SNAPSHOT_KEY.to_owned(), Some(record::write_snapshot(snapshot))),
        Write::Links(links) => (record::LINKS_KEY.to_owned(), Some(record::write_links(links, snapshot.at))),
        Write::Incident(id, _) => {
            let incident = snapshot.incidents.iter().find(|incident| incident.id == *id)?;
            (record::incident_key(id), Some(record::write_incident(incident)))
        }
        Write::Forget(id) => (record::incident_key(id), None),
    })
}

fn expected(snapshot: &Snapshot) -> Vec<Link> {
    let expected = snapshot.links.iter().filter(|status| status.state != LinkState::Retired);
    expected.map(|status| status.link.clone()).collect()
}

/// The snapshot without what changes all the time: when it was taken, and what was measured.
fn essence(snapshot: &Snapshot) -> Snapshot {
    let mut essence = snapshot.clone();
    essence.at = DateTime::UNIX_EPOCH;
    for server in essence.clusters.iter_mut().flat_map(|cluster| &mut cluster.servers) {
        server.connections = None;
    }
    for part in essence.links.iter_mut().flat_map(|link| &mut link.servers) {
        part.latency = None;
    }
    essence
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
