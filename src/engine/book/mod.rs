//! The book of open incidents: matches findings to them, opens, updates, resolves.
//!
//! An incident keeps its id while it grows, shrinks or changes its kind. Bad states open one when they have lasted; only good states
//! that have lasted resolve it, never the absence of news. Standing conditions lie beside the outages (`standing`).

mod entry;
mod good;
mod ids;
mod others;
mod scope;
mod sight;
mod standing;

use super::Why;
use super::correlate::{Finding, findings};
use super::impact::{ASK_EVERY, Toll, costs, ends};
use super::turn::Turn;
use crate::model::ask::Survey;
use crate::model::evidence::Says;
use crate::model::ids::{ServerKey, ServerLink};
use crate::model::incident::{Incident, IncidentKind, Subject};
use crate::model::intent::Forget;
use crate::model::observation::Stall;
use crate::model::time::{Mono, Now};
use entry::Entry;
use ids::Ids;
use others::Heard;
use scope::{akin, contains, covers, same_subject, same_things, stands_apart};
use sight::{in_sight, oldest_cut, slow_start};
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Open incidents.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    open: Vec<Entry>,
    /// What resolved incidents cost, until that has settled.
    settling: Vec<Toll>,
    /// What is found but not yet told, since when: what another incident explained until now has that long to heal with it.
    waiting: BTreeMap<Subject, Waiting>,
    standing: Standing,
    ids: Ids,
    heard: Heard,
}

/// Something bad that has not been told yet.
#[derive(Debug, Clone)]
struct Waiting {
    /// Since when anything is bad about its subject, or about links of it that were found under another one.
    since: Mono,
    /// What it is now, and since when it is that.
    kind: IncidentKind,
    kind_since: Mono,
    /// Since when no part of it can be seen.
    blind: Option<Mono>,
    /// The server links it is about, and since when each of them has been found, under whatever subject.
    links: BTreeMap<ServerLink, Mono>,
}

impl Waiting {
    /// How it goes on with this finding. The same cut links may be found under another subject than a moment ago, when others come
    /// and go beside them: that begins no new time, only that of the appearance. What is left of something that has begun to heal
    /// is given the time to heal with it.
    fn of(
        before: &BTreeMap<Subject, Self>,
        finding: &Finding,
        cut: &BTreeSet<&ServerLink>,
        now: Now,
        patience: Duration,
    ) -> Self {
        let (now, kind) = (now.mono, finding.kind);
        let found = |link: &ServerLink| before.values().filter_map(|other| other.links.get(link)).min();
        let links =
            finding.scope.server_links.iter().map(|link| (link.clone(), *found(link).unwrap_or(&now)));
        let links: BTreeMap<_, _> = links.collect();
        if let Some(same) = before.get(&finding.subject) {
            return Self { links, ..same.clone().goes_on(kind, now) };
        }
        let began = links.values().min().copied().unwrap_or(now);
        let heals =
            |(link, since): (&ServerLink, &Mono)| !cut.contains(link) && *since <= began + patience / 2;
        let shared = |other: &&Self| {
            akin(other.kind, kind)
                && other.links.keys().any(|link| links.contains_key(link))
                && !other.links.iter().any(heals)
        };
        let oldest = before.values().filter(shared).min_by_key(|other| other.since);
        let (since, blind) = oldest.map_or((now, None), |other| (other.since, other.blind));
        Self { since, kind, kind_since: now, blind, links }
    }

    fn goes_on(self, kind: IncidentKind, now: Mono) -> Self {
        match self {
            before if before.kind == kind => before,
            // A pair that is down is degraded too.
            before if before.kind == IncidentKind::GatewayDown && kind == IncidentKind::GatewayDegraded => {
                Self { kind, kind_since: before.since, ..before }
            }
            before if akin(before.kind, kind) => Self { kind, kind_since: now, ..before },
            before => Self { since: now, kind, kind_since: now, blind: None, ..before },
        }
    }

    /// Time in which nothing of it can be seen does not count.
    fn look(&mut self, seen: bool, now: Mono) {
        match (seen, self.blind) {
            (true, Some(since)) => {
                self.blind = None;
                self.pause(now.since(since));
            }
            (false, None) => self.blind = Some(now),
            (true, None) | (false, Some(_)) => {}
        }
    }

    fn pause(&mut self, span: Duration) {
        self.since = self.since + span;
        self.kind_since = self.kind_since + span;
        self.blind = self.blind.map(|since| since + span);
    }
}

impl Book {
    /// Open incidents, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.iter().map(|entry| &entry.incident)
    }

    /// This process did not run: what lasted until then may have ended and begun again meanwhile.
    pub(super) fn stalled(&mut self, stall: &Stall) {
        let span = stall.to.since(stall.from);
        self.waiting.values_mut().for_each(|waiting| waiting.pause(span));
        self.open.iter_mut().for_each(|entry| entry.stalled(span));
    }

    /// Compares what is found with what is open, and puts out the difference.
    pub(super) fn step(&mut self, turn: &mut Turn<'_>) {
        self.ids.begin(turn.now.wall);
        let (apart, found): (Vec<_>, Vec<_>) =
            findings(turn.world, turn.now).into_iter().partition(|finding| stands_apart(finding.kind));
        self.step_outages(turn, &found);
        self.step_standing(turn, apart);
        self.judge_silences(turn);
    }

    fn step_outages(&mut self, turn: &mut Turn<'_>, found: &[Finding]) {
        let mut owners: Vec<Option<usize>> = vec![None; self.open.len()];
        let mut unmatched: Vec<usize> = (0..found.len()).collect();
        // The same subject first, for all of them: what merely touches an incident must not take it from the cause it is about.
        for matches in [same_subject, same_things] {
            unmatched.retain(|&at| {
                let free = |entry: &usize| {
                    owners[*entry].is_none()
                        && !self.open[*entry].stands_apart()
                        && matches(&self.open[*entry].incident, &found[at])
                };
                let owner = (0..self.open.len()).find(free);
                owner.inspect(|&entry| owners[entry] = Some(at)).is_none()
            });
        }
        self.merge(turn, found, &owners);
        for (entry, owner) in self.open.iter_mut().zip(&owners) {
            match owner {
                Some(at) => entry.follow(turn, &found[*at]),
                None if entry.stands_apart() => {}
                None => entry.clearing(turn),
            }
        }
        let resolved = self.open.iter_mut().filter(|entry| entry.incident.resolved.is_some());
        self.settling.extend(resolved.filter_map(Entry::unsettled));
        self.close();
        self.settling.retain_mut(|toll| toll.healed().is_some_and(|healed| !toll.settle(turn, healed)));
        let cut = found.iter().flat_map(|finding| &finding.scope.server_links).collect();
        self.open_lasting(turn, unmatched.into_iter().map(|at| &found[at]), &cut);
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
        self.take_out(turn, what, &Says::Forgotten { what: what.clone() });
    }

    /// The same for a server that has been silent for so long that nobody waits for it.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>, server: &ServerKey, silent_for: Duration) {
        let says = Says::NoReports { server: server.clone(), silent_for };
        self.take_out(turn, &Forget::Server(server.clone()), &says);
    }

    fn take_out(&mut self, turn: &mut Turn<'_>, what: &Forget, says: &Says) {
        for entry in &mut self.open {
            entry.forget(turn, what, says);
        }
        self.close();
    }

    /// Opens an incident for each finding that nothing open stands for and that has lasted.
    fn open_lasting<'f>(
        &mut self,
        turn: &mut Turn<'_>,
        unmatched: impl Iterator<Item = &'f Finding>,
        cut: &BTreeSet<&ServerLink>,
    ) {
        let before = std::mem::take(&mut self.waiting);
        for finding in unmatched {
            // What is left of something bigger belongs to it until that has resolved or shrunk for good.
            if self.open.iter().any(|entry| !entry.stands_apart() && covers(&entry.incident, finding)) {
                continue;
            }
            let mut waiting = Waiting::of(&before, finding, cut, turn.now, turn.policy.alert_after);
            let seen = in_sight(turn.world, turn.policy, finding);
            waiting.look(seen, turn.now.mono);
            let oldest = oldest_cut(turn.world, finding).unwrap_or(waiting.since);
            // What it has just turned into may be a moment's appearance.
            let patience =
                turn.alert_after(&finding.subject).max(slow_start(turn.world, turn.policy, finding));
            let lasted = turn.lasted(waiting.since, patience, Why::Alert)
                && turn.lasted(waiting.kind_since, patience / 2, Why::Alert)
                && turn.lasted(oldest, turn.policy.alert_after, Why::Alert);
            if lasted && seen && !turn.silences_pending() {
                self.open_for(turn, finding);
            } else {
                self.waiting.insert(finding.subject.clone(), waiting);
                // So that what it costs is known by the time it is told.
                if costs(finding.kind) {
                    turn.ask_costs(&ends(&finding.scope), ASK_EVERY, &[Survey::JetStream]);
                }
            }
        }
    }

    /// Resolves incidents that a finding owned by another one explains as well.
    fn merge(&mut self, turn: &mut Turn<'_>, found: &[Finding], owners: &[Option<usize>]) {
        for (at, owner) in owners.iter().enumerate() {
            if owner.is_some() || self.open[at].stands_apart() {
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
