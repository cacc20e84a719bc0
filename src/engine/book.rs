//! The book of open incidents: matches findings to them, opens, updates, resolves.
//!
//! An incident keeps its id while it grows, shrinks or changes its kind. Bad states open one when they have lasted; only good states
//! that have lasted resolve it, never the absence of news.

use super::correlate::{Finding, findings};
use super::turn::Turn;
use super::world::World;
use super::{Output, Why};
use crate::model::evidence::Evidence;
use crate::model::ids::{ClusterName, ServerKey, ServerLink};
use crate::model::impact::Impact;
use crate::model::incident::{Incident, IncidentEvent, IncidentId, IncidentKind, Scope, Stage, Subject};
use crate::model::states::{ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::time::{Mono, Now};
use std::collections::BTreeMap;
use std::time::Duration;
use ulid::Ulid;

/// How much evidence one incident carries: the first pieces are kept, they tell how it began.
const MAX_EVIDENCE: usize = 32;
/// Client connections closed this long before the incident began still count as closed by it.
const CLIENTS_BEFORE: Duration = Duration::from_secs(5);

/// Open incidents.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    open: Vec<Entry>,
    /// What is found but not yet told, since when: what another incident explained until now has that long to heal with it.
    waiting: BTreeMap<Subject, Mono>,
}

#[derive(Debug, Clone)]
struct Entry {
    incident: Incident,
    /// Since when nothing explains it any more and all it touches is good.
    clear: Option<Now>,
    /// The other finding that stands in its place.
    moved: Option<Moved>,
    /// When its last revision was put out.
    told: Mono,
    /// Client connections closed on the touched servers before the incident.
    clients_before: Option<u64>,
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

impl Book {
    /// Open incidents, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.iter().map(|entry| &entry.incident)
    }

    /// Takes over incidents that a former life left open.
    pub(super) fn restore(&mut self, incidents: Vec<Incident>) {
        let entry = |incident| Entry {
            incident,
            clear: None,
            moved: None,
            told: Mono::default(),
            clients_before: None,
        };
        self.open.extend(incidents.into_iter().filter(|incident| incident.resolved.is_none()).map(entry));
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
            if turn.lasted(since, turn.policy.alert_after, Why::Alert) {
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

impl Entry {
    fn open(turn: &mut Turn<'_>, finding: &Finding) -> Self {
        let now = turn.now;
        let id = incident_id(finding, now.wall.timestamp_millis());
        let (what, when) = ((finding.kind, finding.severity), (finding.since.wall, now.wall));
        let incident = Incident {
            departure: finding.departure,
            scope: finding.scope.clone(),
            cause: finding.cause,
            evidence: finding.evidence.clone(),
            server_view: finding.view.clone(),
            impact: Impact {
                messages_per_second: finding.rate.map(|(messages, _)| messages),
                bytes_per_second: finding.rate.map(|(_, bytes)| bytes),
                ..Impact::default()
            },
            ..Incident::new(id, what, finding.subject.clone(), when)
        };
        let before = closed_until(turn.world, &incident.scope, finding.since.mono);
        let mut entry =
            Self { incident, clear: None, moved: None, told: now.mono, clients_before: Some(before) };
        entry.tell(turn, Stage::Opened);
        entry
    }

    /// Follows the finding that it stands for.
    fn follow(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        self.clear = None;
        let incident = &self.incident;
        let same = incident.kind == finding.kind
            && incident.subject == finding.subject
            && incident.scope == finding.scope;
        if same {
            self.moved = None;
            self.refine(turn, finding);
            return;
        }
        let grown = finding.severity > incident.severity || contains(&finding.scope, &incident.scope);
        if self.moved_for_good(turn, finding, grown) {
            self.become_finding(turn, finding);
        }
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
        incident.server_view = finding.view.clone();
        add_evidence(&mut incident.evidence, &finding.evidence);
        self.tell(turn, Stage::Updated);
    }

    /// The same thing, better understood: told when the cause or what the servers say has changed, and not in a burst.
    fn refine(&mut self, turn: &mut Turn<'_>, finding: &Finding) {
        let incident = &self.incident;
        let news = incident.cause != finding.cause
            || incident.departure != finding.departure
            || incident.severity != finding.severity
            || incident.server_view.still_listed.is_empty() != finding.view.still_listed.is_empty()
            || incident.server_view.known_gone.is_empty() != finding.view.known_gone.is_empty();
        if news && turn.lasted(self.told, turn.policy.look_again, Why::LookAgain) {
            self.become_finding(turn, finding);
        }
    }

    /// Nothing explains it any more: resolves it once everything it touches has been good for long enough.
    fn clearing(&mut self, turn: &mut Turn<'_>) {
        if self.incident.resolved.is_some() {
            return;
        }
        self.moved = None;
        if !all_good(turn.world, &self.incident) {
            self.clear = None;
            return;
        }
        let since = *self.clear.get_or_insert(turn.now);
        if turn.lasted(since.mono, turn.policy.clear_after, Why::Clear) {
            self.incident.healed = Some(since.wall);
            self.resolve(turn);
        }
    }

    fn resolve(&mut self, turn: &mut Turn<'_>) {
        self.incident.resolved = Some(turn.now.wall);
        self.tell(turn, Stage::Resolved);
    }

    fn tell(&mut self, turn: &mut Turn<'_>, stage: Stage) {
        let incident = &mut self.incident;
        incident.revision += 1;
        incident.updated = turn.now.wall;
        if let Some(before) = self.clients_before {
            let closed = closed_until(turn.world, &incident.scope, turn.now.mono + CLIENTS_BEFORE)
                .saturating_sub(before);
            incident.impact.clients_disconnected = incident.impact.clients_disconnected.max(closed);
        }
        self.told = turn.now.mono;
        turn.out.push(Output::Incident(Box::new(IncidentEvent { stage, incident: incident.clone() })));
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

/// Whether a finding is about what an open incident is about.
fn same_subject(incident: &Incident, finding: &Finding) -> bool {
    incident.subject == finding.subject
        && (incident.kind == finding.kind || touch(&incident.scope, &finding.scope))
}

/// Whether a finding touches what an open incident touches, and so may be what has become of it.
fn same_things(incident: &Incident, finding: &Finding) -> bool {
    touch(&incident.scope, &finding.scope)
}

fn touch(a: &Scope, b: &Scope) -> bool {
    fn meet<T: Ord>(a: &[T], b: &[T]) -> bool {
        a.iter().any(|one| b.binary_search(one).is_ok())
    }
    let sends =
        |links: &[ServerLink], servers: &[ServerKey]| links.iter().any(|link| servers.contains(&link.server));
    meet(&a.clusters, &b.clusters)
        || meet(&a.links, &b.links)
        || meet(&a.server_links, &b.server_links)
        || meet(&a.servers, &b.servers)
        || sends(&a.server_links, &b.servers)
        || sends(&b.server_links, &a.servers)
}

fn contains(whole: &Scope, part: &Scope) -> bool {
    fn within<T: Ord>(part: &[T], whole: &[T]) -> bool {
        part.iter().all(|one| whole.binary_search(one).is_ok())
    }
    within(&part.clusters, &whole.clusters)
        && within(&part.links, &whole.links)
        && within(&part.server_links, &whole.server_links)
        && within(&part.servers, &whole.servers)
}

/// Whether a finding is a part of what an open incident tells already.
fn covers(incident: &Incident, part: &Finding) -> bool {
    contains(&incident.scope, &part.scope) || {
        let about = |cluster: &ClusterName| match (&incident.kind, &incident.subject) {
            (IncidentKind::ClusterOffline | IncidentKind::ClusterIsolated, Subject::Cluster(name)) => {
                cluster == name
            }
            (
                IncidentKind::ClusterOffline
                | IncidentKind::ClusterIsolated
                | IncidentKind::VantageLost
                | IncidentKind::GatewayDown
                | IncidentKind::GatewayDegraded
                | IncidentKind::GatewayFlapping
                | IncidentKind::ServerLost
                | IncidentKind::GatewayNeverUp
                | IncidentKind::GatewayUnwanted
                | IncidentKind::GatewayRemoved
                | IncidentKind::ConfigDrift
                | IncidentKind::CertificateExpiring
                | IncidentKind::SingleUrl
                | IncidentKind::ClockSkew
                | IncidentKind::MixedVersions
                | IncidentKind::RoutesIncomplete,
                Subject::Cluster(_) | Subject::Pair(..) | Subject::Server(_),
            ) => false,
        };
        let scope = &part.scope;
        scope.clusters.iter().all(about)
            && scope.links.iter().all(|link| about(&link.from) || about(&link.to))
            && scope.server_links.iter().all(|link| about(&link.server.cluster) || about(&link.to))
            && scope.servers.iter().all(|server| about(&server.cluster))
    }
}

/// Whether everything that an incident touches is known to be good; not knowing is not good.
fn all_good(world: &World, incident: &Incident) -> bool {
    let scope = &incident.scope;
    scope.clusters.iter().all(|name| {
        world.cluster(name).is_some_and(|ix| {
            let cluster = &world.clusters[ix];
            match incident.kind {
                IncidentKind::VantageLost => {
                    cluster.vantage.as_ref().is_none_or(|vantage| vantage.held.state == VantageState::Sound)
                }
                IncidentKind::ClusterOffline
                | IncidentKind::ClusterIsolated
                | IncidentKind::GatewayDown
                | IncidentKind::GatewayDegraded
                | IncidentKind::GatewayFlapping
                | IncidentKind::ServerLost
                | IncidentKind::GatewayNeverUp
                | IncidentKind::GatewayUnwanted
                | IncidentKind::GatewayRemoved
                | IncidentKind::ConfigDrift
                | IncidentKind::CertificateExpiring
                | IncidentKind::SingleUrl
                | IncidentKind::ClockSkew
                | IncidentKind::MixedVersions
                | IncidentKind::RoutesIncomplete => {
                    matches!(
                        cluster.held.state,
                        ClusterState::Healthy | ClusterState::Degraded | ClusterState::Draining
                    )
                }
            }
        })
    }) && scope.links.iter().all(|link| {
        let (from, to) = (world.cluster(&link.from), world.cluster(&link.to));
        let held = from.zip(to).and_then(|(from, to)| world.clusters[from].links.get(&to));
        held.is_some_and(|link| matches!(link.held.state, LinkState::Up | LinkState::Retired))
    }) && scope.server_links.iter().all(|link| server_link_good(world, link))
        && scope.servers.iter().all(|key| {
            let state = world.server(key).map(|ix| world.servers[ix].held.state);
            matches!(state, Some(ServerState::Live | ServerState::Leaving | ServerState::Stopped))
        })
}

fn server_link_good(world: &World, link: &ServerLink) -> bool {
    let Some((server, to)) = world.server(&link.server).zip(world.cluster(&link.to)) else { return false };
    let server = &world.servers[server];
    match server.held.state {
        ServerState::Stopped => true,
        ServerState::Unknown | ServerState::Lost => false,
        ServerState::Live | ServerState::Leaving => {
            server.links.get(&to).is_some_and(|link| matches!(link.held.state, ServerLinkState::Up))
                || !world.expected(server.cluster, to)
        }
    }
}

/// A ULID of the opening time and of what the incident is about, so that a replay gives the same id.
fn incident_id(finding: &Finding, opened_ms: i64) -> IncidentId {
    let about = format!("{:?} {:?} {:?}", finding.kind, finding.subject, finding.since.wall);
    let hash = |seed: u64| {
        about.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let random =
        (u128::from(hash(0xcbf2_9ce4_8422_2325)) << 16) | u128::from(hash(0x6c62_272e_07bb_0142) & 0xffff);
    let id = Ulid::from_parts(u64::try_from(opened_ms).unwrap_or_default(), random);
    IncidentId::from(id.to_string().as_str())
}
