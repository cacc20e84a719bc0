//! Among several gatewatch: one that is not to speak follows everything and puts nothing out, and takes over what others tell.
//!
//! What it finds out for itself has revision 0 until somebody tells it. What others told is kept as they told it, under their id, until
//! they resolve it. When it begins to speak, it tells what it knows and nobody told yet, and goes on with the rest.

use super::Book;
use super::entry::Entry;
use super::scope::{akin_incidents, same_subject, same_things, stands_apart};
use crate::engine::correlate::Finding;
use crate::engine::turn::Turn;
use crate::model::incident::{Incident, IncidentEvent, IncidentId, Memory, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// How many incidents of others are remembered while speaking. Beyond it, the oldest is forgotten.
const HEARD: usize = 256;

/// How many incidents may be open for others to add to. What they tell beyond it is left to them.
const OPEN: usize = 1024;

/// What others told while this one speaks too: open incidents that are none of its own.
pub(super) type Heard = BTreeMap<IncidentId, Incident>;

impl Book {
    /// Says nothing from now on. What others told meanwhile is theirs to go on with.
    pub(in crate::engine) fn hush(&mut self, turn: &mut Turn<'_>) {
        turn.world.hushed = true;
        let heard = std::mem::take(&mut self.heard);
        self.adopt(turn, heard.into_values().collect());
    }

    /// Speaks from now on, and tells first what nobody has told yet.
    pub(in crate::engine) fn speak(&mut self, turn: &mut Turn<'_>) {
        turn.world.hushed = false;
        for entry in &mut self.open {
            entry.tell_what_was_kept(turn);
        }
    }

    /// Takes over what a former life left. Memories may come from several places: of each incident the newest revision counts, and what
    /// is over stays so. Returns the incidents that are new to it.
    pub(in crate::engine) fn restore(&mut self, turn: &Turn<'_>, memory: Memory) -> Vec<Incident> {
        memory.over.into_iter().for_each(|id| self.ids.end(id));
        let known: BTreeSet<IncidentId> = self.open().map(|incident| incident.id.clone()).collect();
        self.adopt(turn, memory.incidents);
        self.open().filter(|incident| !known.contains(&incident.id)).cloned().collect()
    }

    /// Takes over incidents that a former life, or another gatewatch, left open.
    fn adopt(&mut self, turn: &Turn<'_>, incidents: Vec<Incident>) {
        for incident in incidents.into_iter().filter(|incident| incident.resolved.is_none()) {
            if !self.ids.is_over(&incident.id) {
                self.adopt_one(turn, incident);
            }
        }
        self.open.sort_by(|a, b| a.age().cmp(&b.age()));
    }

    fn adopt_one(&mut self, turn: &Turn<'_>, incident: Incident) {
        self.ids.know(incident.id.clone());
        let same = self.open.iter().position(|entry| entry.incident.id == incident.id);
        let untold =
            |entry: &Entry| entry.incident.revision == 0 && akin_incidents(&entry.incident, &incident);
        match same.or_else(|| self.open.iter().position(untold)) {
            Some(at) => {
                let entry = &mut self.open[at];
                if entry.incident.id != incident.id {
                    self.ids.take_back(&entry.incident.id);
                }
                entry.hear(turn, incident);
            }
            None if self.open.len() >= OPEN => {}
            None => {
                let mut entry = Entry::restored(incident);
                if turn.world.hushed {
                    entry.heard(turn.now.mono);
                }
                self.open.push(entry);
            }
        }
    }

    /// Everything that is open by what is stored. What was among it before is over. So is what was told a while ago and looks good; if
    /// this one told it, it may be that nobody else knows of it: then that is still told, also by a standby.
    pub(in crate::engine) fn stored(&mut self, turn: &mut Turn<'_>, incidents: Vec<Incident>) {
        let listed: BTreeSet<IncidentId> = incidents.iter().map(|incident| incident.id.clone()).collect();
        if turn.world.hushed {
            let now = turn.now.mono;
            let gone = |entry: &&mut Entry| !listed.contains(&entry.incident.id);
            for entry in self.open.iter_mut().filter(gone).filter(|entry| entry.is_left_behind(now)) {
                turn.world.hushed = !entry.told_here();
                entry.resolve(turn);
            }
            turn.world.hushed = true;
            self.close();
            self.drop_over(|entry| {
                !listed.contains(&entry.incident.id) && (entry.was_stored() || entry.is_left_behind(now))
            });
        }
        self.adopt(turn, incidents);
        for entry in self.open.iter_mut().filter(|entry| listed.contains(&entry.incident.id)) {
            entry.is_stored();
        }
    }

    /// All ids that were given of late, and those of them whose incidents are over.
    pub(in crate::engine) fn know(&mut self, turn: &Turn<'_>, given: Vec<IncidentId>, over: Vec<IncidentId>) {
        self.ids.know_all(given);
        if turn.world.hushed {
            self.drop_over(|entry| over.contains(&entry.incident.id));
        }
        let open = |id: &IncidentId| self.open.iter().any(|entry| entry.incident.id == *id);
        let over: Vec<IncidentId> = over.into_iter().filter(|id| !open(id)).collect();
        over.into_iter().for_each(|id| self.ids.end(id));
    }

    fn drop_over(&mut self, over: impl Fn(&Entry) -> bool) {
        for entry in self.open.extract_if(.., |entry| over(entry)) {
            self.ids.end(entry.incident.id);
        }
    }

    /// Somebody told this; it may have been this one itself.
    pub(in crate::engine) fn heard(&mut self, turn: &Turn<'_>, event: IncidentEvent) {
        let IncidentEvent { stage, incident } = event;
        let own = self.open.iter().any(|entry| entry.incident.id == incident.id);
        match stage {
            Stage::Resolved => {
                self.heard.remove(&incident.id);
                // While it speaks too, it resolves what it told itself.
                if turn.world.hushed || !own {
                    self.ids.end(incident.id.clone());
                    self.open.retain(|entry| entry.incident.id != incident.id);
                }
            }
            Stage::Opened | Stage::Updated if turn.world.hushed => self.adopt(turn, vec![incident]),
            Stage::Opened | Stage::Updated if own || self.ids.is_over(&incident.id) => {}
            Stage::Opened | Stage::Updated => {
                self.heard.insert(incident.id.clone(), incident);
                if self.heard.len() > HEARD {
                    self.heard.pop_first();
                }
            }
        }
    }

    /// Opens an incident for a finding: under the id that another gatewatch gave it, if one was heard.
    pub(super) fn open_for(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        let about = |incident: &&Incident| {
            if stands_apart(finding.kind) {
                incident.kind == finding.kind && incident.subject == finding.subject
            } else {
                !stands_apart(incident.kind)
                    && (same_subject(incident, finding) || same_things(incident, finding))
            }
        };
        let heard = self.heard.values().find(about).map(|incident| incident.id.clone());
        let id = match heard.inspect(|id| drop(self.heard.remove(id))) {
            Some(id) => {
                self.ids.know(id.clone());
                id
            }
            None => self.ids.give(finding),
        };
        self.open.push(Entry::open(turn, finding, id));
    }

    /// Drops what is resolved.
    pub(super) fn close(&mut self) {
        let ids = &mut self.ids;
        self.open.retain(|entry| {
            let incident = &entry.incident;
            match (incident.resolved, incident.revision) {
                (None, _) => return true,
                (Some(_), 0) => ids.take_back(&incident.id),
                (Some(_), _) => ids.end(incident.id.clone()),
            }
            false
        });
    }
}
