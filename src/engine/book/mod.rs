//! The book of open incidents: matches findings to them, opens, updates, resolves.
//!
//! An incident keeps its id while it grows, shrinks or changes its kind. Bad states open one when they have lasted; only good states
//! that have lasted resolve it, never the absence of news.

mod entry;
mod good;
mod scope;

use super::Why;
use super::correlate::{Finding, findings};
use super::turn::Turn;
use crate::model::incident::{Incident, Subject};
use crate::model::intent::Forget;
use crate::model::time::Mono;
use entry::Entry;
use scope::{contains, covers, same_subject, same_things};
use std::collections::BTreeMap;

/// Open incidents.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    open: Vec<Entry>,
    /// What is found but not yet told, since when: what another incident explained until now has that long to heal with it.
    waiting: BTreeMap<Subject, Mono>,
}

impl Book {
    /// Open incidents, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.iter().map(|entry| &entry.incident)
    }

    /// Takes over incidents that a former life left open.
    pub(super) fn restore(&mut self, incidents: Vec<Incident>) {
        self.open.extend(
            incidents.into_iter().filter(|incident| incident.resolved.is_none()).map(Entry::restored),
        );
        self.open.sort_by(|a, b| a.incident.id.cmp(&b.incident.id));
    }

    /// Compares what is found with what is open, and puts out the difference.
    pub(super) fn step(&mut self, turn: &mut Turn<'_>) {
        let found = findings(turn.world, turn.now);
        let mut owners: Vec<Option<usize>> = vec![None; self.open.len()];
        let mut unmatched: Vec<usize> = (0..found.len()).collect();
        // The same subject first, for all of them: what merely touches an incident must not take it from the cause it is about.
        for matches in [same_subject, same_things] {
            unmatched.retain(|&at| {
                let free = |entry: &usize| {
                    owners[*entry].is_none() && matches(&self.open[*entry].incident, &found[at])
                };
                let owner = (0..self.open.len()).find(free);
                owner.inspect(|&entry| owners[entry] = Some(at)).is_none()
            });
        }
        self.merge(turn, &found, &owners);
        for (entry, owner) in self.open.iter_mut().zip(&owners) {
            match owner {
                Some(at) => entry.follow(turn, &found[*at]),
                None => entry.clearing(turn),
            }
        }
        self.open.retain(|entry| entry.incident.resolved.is_none());
        self.open_lasting(turn, unmatched.into_iter().map(|at| &found[at]));
        self.judge_silences(turn);
    }

    /// What is silenced now and was not, or the other way round, is told again.
    fn judge_silences(&mut self, turn: &mut Turn<'_>) {
        for entry in &mut self.open {
            entry.judge_silence(turn);
        }
        if !self.open.is_empty() {
            turn.wake_for_silences();
        }
    }

    /// Takes what was forgotten out of every incident, and resolves those that are about it.
    pub(super) fn forget(&mut self, turn: &mut Turn<'_>, what: &Forget) {
        for entry in &mut self.open {
            entry.forget(turn, what);
        }
        self.open.retain(|entry| entry.incident.resolved.is_none());
    }

    /// Opens an incident for each finding that nothing open stands for and that has lasted.
    fn open_lasting<'f>(&mut self, turn: &mut Turn<'_>, unmatched: impl Iterator<Item = &'f Finding>) {
        let before = std::mem::take(&mut self.waiting);
        for finding in unmatched {
            // What is left of something bigger belongs to it until that has resolved or shrunk for good.
            if self.open.iter().any(|entry| covers(&entry.incident, finding)) {
                continue;
            }
            let since = before.get(&finding.subject).copied().unwrap_or(turn.now.mono);
            if turn.lasted(since, turn.policy.alert_after, Why::Alert) && !turn.silences_pending() {
                self.open.push(Entry::open(turn, finding));
            } else {
                self.waiting.insert(finding.subject.clone(), since);
            }
        }
    }

    /// Resolves incidents that a finding owned by another one explains as well.
    fn merge(&mut self, turn: &mut Turn<'_>, found: &[Finding], owners: &[Option<usize>]) {
        for (at, owner) in owners.iter().enumerate() {
            if owner.is_some() {
                continue;
            }
            let scope = &self.open[at].incident.scope;
            let host = owners.iter().enumerate().find_map(|(host, owner)| {
                let finding = &found[(*owner)?];
                contains(&finding.scope, scope).then(|| self.open[host].incident.id.clone())
            });
            if let Some(host) = host {
                let entry = &mut self.open[at];
                entry.incident.merged_into = Some(host);
                entry.resolve(turn);
            }
        }
    }
}
