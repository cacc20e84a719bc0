//! One open incident: follows what it stands for, tells of what changed, and closes when all is good.

use super::good::{Doubt, all_good};
use super::scope::{contains, encompasses, is_about, stands_apart, strip};
use crate::engine::cause::better;
use crate::engine::checks;
use crate::engine::correlate::Finding;
use crate::engine::impact::{Toll, costs};
use crate::engine::turn::Turn;
use crate::engine::world::World;
use crate::engine::{Output, Why};
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::ServerKey;
use crate::model::impact::Impact;
use crate::model::incident::{
    Flaps, Incident, IncidentEvent, IncidentId, IncidentKind, Scope, Stage, Subject,
};
use crate::model::intent::Forget;
use crate::model::time::{Mono, Now};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How much evidence one incident carries: the first pieces are kept, they tell how it began.
const MAX_EVIDENCE: usize = 32;
/// Client connections closed this long before the incident began still count as closed by it.
const CLIENTS_BEFORE: Duration = Duration::from_secs(5);
/// A standing condition that changes a little is told again no sooner than this.
const STANDING_NEWS: Duration = Duration::from_secs(10 * 60);

/// What is told is stored by then.
const STORED_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) incident: Incident,
    /// Since when nothing explains it any more and all it touches is good.
    clear: Option<Now>,
    /// The other finding that stands in its place.
    moved: Option<Moved>,
    /// When its last revision was put out.
    told: Mono,
    /// Client connections closed on the touched servers before the incident.
    clients_before: Option<u64>,
    /// How often it has flapped by now.
    flaps: Option<Flaps>,
    /// What it costs, where it is about links.
    toll: Option<Toll>,
    /// There is something to tell that was not told, because others speak.
    kept: bool,
    /// This one told its last revision, not another.
    told_here: bool,
    /// It was seen among what is stored.
    stored: bool,
}

/// What an incident would change into.
#[derive(Debug, Clone)]
struct Moved {
    grown: bool,
    kind: IncidentKind,
    subject: Subject,
    scope: Scope,
    since: Mono,
}

impl Moved {
    /// Whether it is still the same change. What grows may go on growing meanwhile.
    fn is(&self, finding: &Finding, grown: bool) -> bool {
        self.grown == grown
            && self.kind == finding.kind
            && self.subject == finding.subject
            && (grown || self.scope == finding.scope)
    }
}

impl Entry {
    /// An incident that a former life left open.
    pub(super) fn restored(incident: Incident) -> Self {
        let (clear, moved, told) = (None, None, Mono::default());
        Self {
            incident,
            clear,
            moved,
            told,
            clients_before: None,
            flaps: None,
            toll: None,
            kept: false,
            told_here: false,
            stored: false,
        }
    }

    /// Takes over what was told of it elsewhere, unless it knows more already.
    pub(super) fn hear(&mut self, turn: &Turn<'_>, told: Incident) {
        if told.revision <= self.incident.revision {
            return;
        }
        if turn.world.hushed || !self.told_here {
            (self.incident, self.kept, self.told) = (told, false, turn.now.mono);
            self.told_here = false;
        } else {
            // What this one has told itself stands; the next revision comes after the last one there is.
            self.incident.revision = told.revision;
        }
    }

    /// Tells what was not told while others spoke.
    pub(super) fn tell_what_was_kept(&mut self, turn: &mut Turn<'_>) {
        match self.incident.revision {
            0 => self.tell(turn, Stage::Opened),
            _ if self.kept => self.tell(turn, Stage::Updated),
            _ => {}
        }
    }

    /// It was told of just now.
    pub(super) fn heard(&mut self, now: Mono) {
        self.told = now;
    }

    /// It was told of a while ago, and nothing explains it any more, by what is seen from here.
    pub(super) fn is_left_behind(&self, now: Mono) -> bool {
        self.incident.revision > 0 && self.clear.is_some() && now.since(self.told) >= STORED_WITHIN
    }

    /// It is among what is stored: once it is not any more, it is over.
    pub(super) fn is_stored(&mut self) {
        self.stored = true;
    }

    /// Whether it was seen among what is stored.
    pub(super) fn was_stored(&self) -> bool {
        self.stored
    }

    /// Whether its last revision was told by this one.
    pub(super) fn told_here(&self) -> bool {
        self.told_here
    }

    /// What sorts the oldest first.
    pub(super) fn age(&self) -> (DateTime<Utc>, &IncidentId) {
        (self.incident.opened, &self.incident.id)
    }

    /// Opens an incident for a finding.
    pub(super) fn open(turn: &mut Turn<'_>, finding: &Finding, id: IncidentId) -> Self {
        let now = turn.now;
        let (what, when) = ((finding.kind, finding.severity), (finding.since.wall, now.wall));
        let incident = Incident {
            departure: finding.departure,
            scope: finding.scope.clone(),
            cause: finding.cause,
            evidence: finding.evidence.clone(),
            flaps: finding.flaps,
            server_view: finding.view.clone(),
            basis: finding.basis,
            impact: rates(&Impact::default(), finding.rate),
            ..Incident::new(id, what, finding.subject.clone(), when)
        };
        let before = closed_until(turn.world, &incident.scope, finding.since.mono);
        let mut entry = Self {
            incident,
            clear: None,
            moved: None,
            told: now.mono,
            clients_before: Some(before),
            flaps: None,
            toll: costs(finding.kind).then(|| Toll::new(finding.since.mono)),
            kept: false,
            told_here: false,
            stored: false,
        };
        entry.tell(turn, Stage::Opened);
        entry
    }

    /// Nothing was seen for so long: no change and no good state has lasted through it.
    pub(super) fn stalled(&mut self, span: Duration) {
        if let Some(clear) = &mut self.clear {
            clear.mono = clear.mono + span;
        }
        if let Some(moved) = &mut self.moved {
            moved.since = moved.since + span;
        }
    }

    /// Follows the finding that it stands for.
    pub(super) fn follow(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        self.clear = None;
        self.weigh(turn);
        let incident = &self.incident;
        let same = incident.kind == finding.kind
            && incident.subject == finding.subject
            && incident.scope == finding.scope;
        if same {
            self.moved = None;
            self.refine(turn, finding);
            return;
        }
        let grown = finding.severity > incident.severity
            || contains(&finding.scope, &incident.scope)
            || encompasses(finding, &incident.scope);
        if self.moved_for_good(turn, finding, grown) {
            self.become_finding(turn, finding);
        }
    }

    /// Asks for what it costs, and counts what is known of that.
    fn weigh(&mut self, turn: &mut Turn<'_>) {
        let Some(toll) = &mut self.toll else { return };
        toll.broken_again();
        toll.ask(turn, &self.incident.scope);
        toll.count(turn.world, &self.incident.scope, &mut self.incident.impact);
    }

    /// Whether the change has lasted: as long as a new incident would have to when it grew, as long as a resolution when it shrank,
    /// since links heal one after the other.
    fn moved_for_good(&mut self, turn: &mut Turn<'_>, finding: &Finding, grown: bool) -> bool {
        let now = turn.now.mono;
        let (span, why) =
            if grown { (turn.policy.alert_after, Why::Alert) } else { (turn.policy.clear_after, Why::Clear) };
        let since = match &self.moved {
            Some(moved) if moved.is(finding, grown) => moved.since,
            Some(_) | None => now,
        };
        self.moved = Some(Moved {
            grown,
            kind: finding.kind,
            subject: finding.subject.clone(),
            scope: finding.scope.clone(),
            since,
        });
        turn.lasted(since, span, why)
    }

    fn become_finding(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        self.moved = None;
        let incident = &mut self.incident;
        incident.kind = finding.kind;
        incident.severity = finding.severity;
        incident.subject = finding.subject.clone();
        incident.departure = finding.departure;
        incident.scope = finding.scope.clone();
        incident.cause = finding.cause;
        incident.basis = finding.basis;
        incident.server_view = finding.view.clone();
        incident.impact = rates(&incident.impact, finding.rate);
        add_evidence(&mut incident.evidence, &finding.evidence);
        self.tell(turn, Stage::Updated);
    }

    /// The same thing, better understood: told when the cause or what the servers say has changed, and not in a burst.
    fn refine(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        let incident = &self.incident;
        let finding = &Finding { cause: better(incident.cause, finding.cause), ..finding.clone() };
        let costlier = self.toll.as_ref().is_some_and(|toll| toll.news(&incident.impact));
        let news = costlier
            || incident.cause != finding.cause
            || incident.basis != finding.basis
            || incident.departure != finding.departure
            || incident.severity != finding.severity
            || incident.server_view.still_listed.is_empty() != finding.view.still_listed.is_empty()
            || incident.server_view.known_gone.is_empty() != finding.view.known_gone.is_empty();
        if news && turn.lasted(self.told, turn.policy.look_again, Why::LookAgain) {
            self.become_finding(turn, finding);
        }
    }

    /// Nothing explains it any more: resolves it once everything it touches has been good for long enough.
    pub(super) fn clearing(&mut self, turn: &mut Turn<'_>) {
        if self.incident.resolved.is_some() {
            return;
        }
        self.moved = None;
        // A single missed beat says nothing of what went before; but nothing is resolved while it is doubted.
        if !all_good(turn.world, &self.incident, Doubt::Allowed) {
            self.clear = None;
            self.weigh(turn);
            return;
        }
        let since = *self.clear.get_or_insert(turn.now);
        self.settle(turn, since.mono);
        let lasted = turn.lasted(since.mono, turn.policy.clear_after, Why::Clear);
        if lasted && all_good(turn.world, &self.incident, Doubt::Refused) {
            self.incident.healed = Some(since.wall);
            self.resolve(turn);
        }
    }

    /// How far what it cost has settled since the heal.
    fn settle(&mut self, turn: &mut Turn<'_>, healed: Mono) {
        let Some(toll) = &mut self.toll else { return };
        toll.settle(turn, healed);
        toll.count(turn.world, &self.incident.scope, &mut self.incident.impact);
        self.incident.impact.resynced_after = toll.resynced_after();
    }

    /// Whether it lies beside all others.
    pub(super) fn stands_apart(&self) -> bool {
        stands_apart(self.incident.kind)
    }

    /// A check still finds it. What has changed is told, soon when it has become more or less urgent.
    pub(super) fn stand(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        self.clear = None;
        self.flaps = finding.flaps;
        let incident = &self.incident;
        let urgent = incident.severity != finding.severity || incident.cause != finding.cause;
        let changed = incident.scope != finding.scope || incident.flaps != finding.flaps;
        let spacing = if urgent { turn.policy.look_again } else { STANDING_NEWS };
        if (urgent || changed) && turn.lasted(self.told, spacing, Why::LookAgain) {
            self.incident.evidence.clear();
            self.become_finding(turn, finding);
        }
    }

    /// No check finds it any more: resolves it once its subject has been known to be good for long enough.
    pub(super) fn fade(&mut self, turn: &mut Turn<'_>) {
        // Of this one kind the states of links tell, not a check.
        let unwanted = self.incident.kind == IncidentKind::GatewayUnwanted;
        let good = if unwanted {
            all_good(turn.world, &self.incident, Doubt::Refused)
        } else {
            checks::good(turn, &self.incident)
        };
        if !good {
            self.clear = None;
            return;
        }
        let since = *self.clear.get_or_insert(turn.now);
        if turn.lasted(since.mono, turn.policy.clear_after, Why::Clear) {
            self.incident.healed = Some(since.wall);
            self.resolve(turn);
        }
    }

    /// What is still to settle though the incident is resolved.
    pub(super) fn unsettled(&mut self) -> Option<Toll> {
        self.toll.take_if(|toll| toll.healed().is_some() && toll.resynced_after().is_none())
    }

    pub(super) fn resolve(&mut self, turn: &mut Turn<'_>) {
        self.incident.resolved = Some(turn.now.wall);
        self.tell(turn, Stage::Resolved);
    }

    /// Tells it again when it has become silenced, or is silenced no more.
    pub(super) fn judge_silence(&mut self, turn: &mut Turn<'_>) {
        if turn.silenced(&self.incident) != self.incident.silenced {
            self.tell(turn, Stage::Updated);
        }
    }

    /// Takes what was forgotten out; resolves it when nothing else is left of it.
    pub(super) fn forget(&mut self, turn: &mut Turn<'_>, what: &Forget, says: &Says) {
        let before = self.incident.scope.clone();
        strip(&mut self.incident, what);
        let (scope, about) = (&self.incident.scope, is_about(&self.incident.subject, what));
        if !about && *scope == before {
            return;
        }
        let over = about || *scope == Scope::default();
        let evidence = &mut self.incident.evidence;
        evidence.truncate(MAX_EVIDENCE - 1);
        evidence.push(turn.evidence(says.clone()));
        if over { self.resolve(turn) } else { self.tell(turn, Stage::Updated) }
    }

    fn tell(&mut self, turn: &mut Turn<'_>, stage: Stage) {
        self.incident.silenced = turn.silenced(&self.incident);
        let incident = &mut self.incident;
        incident.flaps = self.flaps.or(incident.flaps);
        if turn.world.hushed {
            return self.keep(turn.now.mono);
        }
        (self.kept, self.told_here) = (false, true);
        incident.revision += 1;
        incident.updated = turn.now.wall;
        if let Some(before) = self.clients_before {
            let closed = closed_until(turn.world, &incident.scope, turn.now.mono + CLIENTS_BEFORE)
                .saturating_sub(before);
            incident.impact.clients_disconnected = incident.impact.clients_disconnected.max(closed);
        }
        if let Some(toll) = &mut self.toll {
            toll.count(turn.world, &incident.scope, &mut incident.impact);
            toll.tell(&incident.impact);
        }
        self.told = turn.now.mono;
        turn.out.push(Output::Incident(Box::new(IncidentEvent { stage, incident: incident.clone() })));
    }

    /// Others speak. What they told of is open until they resolve it; what nobody told of ends unheard.
    fn keep(&mut self, now: Mono) {
        let incident = &mut self.incident;
        if incident.resolved.is_some() && incident.revision > 0 {
            (incident.resolved, incident.healed, incident.merged_into) = (None, None, None);
        } else {
            (self.kept, self.told) = (true, now);
        }
    }
}

/// The impact with these rates, unless it told of more: an incident that shrinks has cost what it cost.
fn rates(impact: &Impact, rate: Option<(f64, f64)>) -> Impact {
    let most = |before: Option<f64>, now: Option<f64>| {
        before.map_or(now, |before| Some(before.max(now?))).or(before)
    };
    Impact {
        messages_per_second: most(impact.messages_per_second, rate.map(|(messages, _)| messages)),
        bytes_per_second: most(impact.bytes_per_second, rate.map(|(_, bytes)| bytes)),
        ..impact.clone()
    }
}

fn add_evidence(have: &mut Vec<Evidence>, more: &[Evidence]) {
    for one in more {
        if have.len() < MAX_EVIDENCE && !have.contains(one) {
            have.push(one.clone());
        }
    }
}

/// Client connections closed on the touched servers until shortly before `at`, as far as second-wise counts are kept.
fn closed_until(world: &World, scope: &Scope, at: Mono) -> u64 {
    let keys = scope.servers.iter().chain(scope.server_links.iter().map(|link| &link.server));
    let keys: std::collections::BTreeSet<&ServerKey> = keys.collect();
    let closed = keys.into_iter().filter_map(|key| world.server(key)).map(|ix| {
        let clients = &world.servers[ix].clients;
        let later = clients.recent.iter().filter(|(second, _)| *second + CLIENTS_BEFORE >= at);
        clients.closed.saturating_sub(later.map(|(_, count)| u64::from(*count)).sum())
    });
    closed.sum()
}
