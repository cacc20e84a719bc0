//! Flaps: links that break and come back by themselves, each time too shortly for an incident of its own.
//!
//! A break shows in two ways: the link was found down and came back, or it was up at two looks and has another connection at the
//! second. What is part of a restart, of a departure by plan, or of an outage that is told of by itself is no flap. Each flap adds to a
//! weight of its pair of clusters, which decays: above one bound the pair is flapping, until the weight is below a lower one (as
//! routers damp routes, RFC 2439).

use super::turn::Turn;
use super::world::{ClusterIx, Server, ServerIx};
use crate::model::ask::Survey;
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::ServerId;
use crate::model::incident::{Flaps, Incident, IncidentKind, Subject};
use crate::model::states::{ServerLinkState, ServerState};
use crate::model::time::Mono;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What one flap adds.
const ONE: f64 = 1_000.0;
/// From here on a pair is flapping: the fourth flap within about four minutes, never the third.
const SUPPRESS: f64 = 3_000.0;
/// Below this it is no longer.
const REUSE: f64 = 1_000.0;
/// No pair weighs more, so that none is held for flapping long after it has calmed down.
const MOST: f64 = 6_000.0;
/// Below this, what was counted is forgotten.
const NEGLIGIBLE: f64 = 100.0;
/// Links of a pair that break within this time break together: servers report every 10 s, each at another moment.
const TOGETHER: Duration = Duration::from_secs(15);
/// A gap in the beats of connections that stayed the same counts from this length on: shorter ones are delays.
const SHORTEST: Duration = Duration::from_millis(500);
/// When the other links of that direction do not share it, from this length on: single answers are lost or late for many reasons.
const SHORTEST_ALONE: Duration = Duration::from_secs(2);
/// A link may break this long before it is known that its remote server left.
const MARGIN: Duration = Duration::from_secs(2);
/// So much longer an outage of a flapping pair must last to be told of beside the flapping.
const PATIENCE: u32 = 3;
/// Latest flaps from which the rate is taken.
const RECENT: usize = 16;
/// How much evidence is kept of one pair: the newest.
const MAX_EVIDENCE: usize = 8;

/// What is remembered of one server link, so that its breaks are noticed.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// The connection it was last listed with.
    connection: Option<u64>,
    /// When that was.
    looked: Mono,
    /// Since when it is doubted or cut, after it had been up.
    broke: Option<Mono>,
    /// When it broke last.
    since: Mono,
    /// It is listed with another connection since.
    remade: bool,
    /// The remote server at which it ended when it broke.
    peer: Option<ServerId>,
    /// What showed the break.
    evidence: Option<Evidence>,
    /// When it last came back.
    back: Mono,
}

/// A break that is over.
struct Break {
    began: Mono,
    /// How long it lasted, when that was seen.
    lasted: Option<Duration>,
    /// The connection is another one.
    remade: bool,
    peer: Option<ServerId>,
    evidence: Option<Evidence>,
}

/// A server link by place.
type Place = (ServerIx, ClusterIx);

/// What pairs of clusters weigh; the cluster known for longer stands first.
#[derive(Debug, Clone, Default)]
pub(super) struct Damping {
    pairs: BTreeMap<(ClusterIx, ClusterIx), Weight>,
}

/// The flaps of one pair.
#[derive(Debug, Clone, Default)]
pub(super) struct Weight {
    weight: f64,
    /// When it weighed that.
    at: Mono,
    flapping: bool,
    count: u32,
    recent: VecDeque<Mono>,
    /// Since when the latest links broke together, and which.
    together: (Mono, BTreeSet<Place>),
    /// Every server link that flapped since the count began.
    pub(super) links: BTreeSet<Place>,
    pub(super) evidence: VecDeque<Evidence>,
}

impl Weight {
    fn now(&self, now: Mono, half_life: Duration) -> f64 {
        let halves = now.since(self.at).as_secs_f64() / half_life.as_secs_f64().max(1.0);
        self.weight * (-halves).exp2()
    }

    /// Whether it flaps.
    pub(super) fn is_flapping(&self, now: Mono, half_life: Duration) -> bool {
        self.flapping && self.now(now, half_life) >= REUSE
    }

    /// Counts a flap of one link, unless it belongs to one that is counted already.
    fn add(&mut self, link: Place, now: Mono, half_life: Duration) {
        let weight = self.now(now, half_life);
        if weight < NEGLIGIBLE {
            *self = Self::default();
        }
        self.links.insert(link);
        let (since, members) = &mut self.together;
        let joins = self.count > 0 && now.since(*since) < TOGETHER && members.insert(link);
        if joins {
            return;
        }
        self.together = (now, BTreeSet::from([link]));
        self.flapping &= weight >= REUSE;
        (self.weight, self.at) = ((weight + ONE).min(MOST), now);
        self.flapping |= self.weight >= SUPPRESS;
        self.count = self.count.saturating_add(1);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    fn note(&mut self, evidence: Evidence) {
        if self.evidence.len() == MAX_EVIDENCE {
            self.evidence.pop_front();
        }
        self.evidence.push_back(evidence);
    }

    /// How many, and how many an hour.
    pub(super) fn told(&self) -> Flaps {
        let span = self.recent.back().zip(self.recent.front()).map(|(last, first)| last.since(*first));
        let gaps = self.recent.len().saturating_sub(1) as f64;
        let hours = span.unwrap_or_default().as_secs_f64() / 3_600.0;
        Flaps { count: self.count, per_hour: if hours > 0.0 { gaps / hours } else { 0.0 } }
    }
}

impl Damping {
    /// What a pair weighs, in either order.
    pub(super) fn of(&self, a: ClusterIx, b: ClusterIx) -> Option<&Weight> {
        self.pairs.get(&(a.min(b), a.max(b)))
    }

    /// Forgets every pair with this cluster.
    pub(super) fn forget_cluster(&mut self, ix: ClusterIx) {
        self.pairs.retain(|&(a, b), _| a != ix && b != ix);
    }

    /// Names this server no more among those whose links flapped.
    pub(super) fn forget_server(&mut self, ix: ServerIx) {
        for pair in self.pairs.values_mut() {
            pair.links.retain(|&(server, _)| server != ix);
            pair.together.1.retain(|&(server, _)| server != ix);
        }
    }

    fn entry(&mut self, a: ClusterIx, b: ClusterIx) -> &mut Weight {
        self.pairs.entry((a.min(b), a.max(b))).or_default()
    }
}

impl Turn<'_> {
    /// A server lists a link with this connection. Call it before what is known of the link's former connection is dropped.
    pub(super) fn connection_listed(&mut self, ix: ServerIx, remote: ClusterIx, at: Mono, connection: u64) {
        let Some(link) = self.world.servers[ix].links.get_mut(&remote) else { return };
        let watch = &mut link.watch;
        let looked = std::mem::replace(&mut watch.looked, at);
        if watch.connection.replace(connection).is_none_or(|before| before == connection) {
            return;
        }
        // A break that was found and is over explains the other connection, whatever has come after it.
        if watch.back >= looked {
            return;
        }
        match link.held.state {
            ServerLinkState::Suspect | ServerLinkState::Down => watch.remade = true,
            ServerLinkState::Retired => {}
            ServerLinkState::Up | ServerLinkState::Unknown => {
                let peer = link.peer.clone();
                let found = Break { began: looked, lasted: None, remade: true, peer, evidence: None };
                self.came_back(ix, remote, found);
                self.look(ix, Survey::Gateways);
            }
        }
    }

    /// A server link goes from one state to another.
    pub(super) fn link_turns(
        &mut self,
        (ix, remote): Place,
        from: ServerLinkState,
        to: ServerLinkState,
        evidence: &[Evidence],
    ) {
        use ServerLinkState::{Down, Retired, Suspect, Unknown, Up};
        let now = self.now.mono;
        let Some(link) = self.world.servers[ix].links.get_mut(&remote) else { return };
        let watch = &mut link.watch;
        match (from, to) {
            (Up, Suspect | Down) => {
                (watch.broke, watch.since, watch.remade) = (Some(now), now, false);
                (watch.peer, watch.evidence) = (link.peer.clone(), evidence.first().cloned());
            }
            (Suspect | Down, Up) => {
                let Some(broke) = watch.broke.take() else { return };
                // A doubt that did not come true.
                if from == Suspect && !watch.remade {
                    return;
                }
                watch.back = now;
                let (peer, evidence) = (watch.peer.take(), watch.evidence.take());
                let (lasted, remade) = (Some(now.since(broke)), watch.remade);
                self.came_back(ix, remote, Break { began: broke, lasted, remade, peer, evidence });
            }
            (_, Retired) => *watch = Watch::default(),
            (Up | Unknown | Retired, Up) | (Suspect | Down | Unknown | Retired, Suspect | Down) => {}
            (Up | Suspect | Down | Unknown | Retired, Unknown) => {}
        }
    }

    fn came_back(&mut self, ix: ServerIx, remote: ClusterIx, over: Break) {
        if self.is_no_flap(ix, remote, &over) {
            return;
        }
        let server = &self.world.servers[ix];
        let home = server.cluster;
        let remade =
            Says::Remade { server: server.key.clone(), remote: self.world.clusters[remote].name.clone() };
        let evidence = over.evidence.unwrap_or_else(|| self.evidence(remade));
        let pair = self.world.damping.entry(home, remote);
        pair.add((ix, remote), self.now.mono, self.policy.checks.flap_half_life);
        pair.note(evidence);
    }

    fn is_no_flap(&self, ix: ServerIx, remote: ClusterIx, over: &Break) -> bool {
        let server = &self.world.servers[ix];
        let flapping = self.is_flapping(server.cluster, remote);
        let lasting = self.policy.alert_after * if flapping { PATIENCE } else { 1 };
        let outage = over.lasted.is_some_and(|lasted| lasted >= lasting);
        let shortest =
            if self.is_shared(server.cluster, remote, over.began) { SHORTEST } else { SHORTEST_ALONE };
        let delay = !over.remade && over.lasted.is_some_and(|lasted| lasted < shortest);
        let joining = over.began < server.joined + self.policy.join_grace;
        let leaving = server.held.state != ServerState::Live;
        outage || delay || joining || leaving || self.peer_explains(remote, over)
    }

    /// Whether the whole direction broke at that moment, which the same round or the next shows; where it is a single link, the other
    /// direction too.
    fn is_shared(&self, from: ClusterIx, to: ClusterIx, began: Mono) -> bool {
        let broke = |from: ClusterIx, to: ClusterIx| {
            let servers = self.world.clusters[from].servers.iter().map(|&ix| &self.world.servers[ix]);
            let links = servers.filter(|server| server.present()).filter_map(|server| server.links.get(&to));
            let at_once = self.policy.beat_period + self.policy.latency_slack;
            let together = |since: Mono| since.since(began).max(began.since(since)) <= at_once;
            links.map(|link| together(link.watch.since)).collect::<Vec<_>>()
        };
        let there = broke(from, to);
        let all = |links: &[bool]| links.iter().all(|broke| *broke);
        all(&there) && (there.len() > 1 || all(&broke(to, from)))
    }

    /// Whether the remote server at which the link ended was restarted or left. When it is not known which one that was, any of its
    /// cluster will do.
    fn peer_explains(&self, remote: ClusterIx, over: &Break) -> bool {
        let from = Mono(over.began.0.saturating_sub(MARGIN));
        let turned = |server: &Server| server.held.since.mono.max(server.joined) >= from;
        let servers = &self.world.servers;
        match &over.peer {
            Some(peer) => self
                .world
                .life(peer)
                .is_none_or(|peer| servers[peer].held.state != ServerState::Live || turned(&servers[peer])),
            None => self.world.clusters[remote].servers.iter().any(|&server| turned(&servers[server])),
        }
    }

    /// Whether links between two clusters flap.
    fn is_flapping(&self, a: ClusterIx, b: ClusterIx) -> bool {
        let half_life = self.policy.checks.flap_half_life;
        self.world.damping.of(a, b).is_some_and(|pair| pair.is_flapping(self.now.mono, half_life))
    }

    /// How long an outage of this subject must last before it is told of. One of a flapping pair must be more than another flap.
    pub(super) fn alert_after(&self, subject: &Subject) -> Duration {
        let flapping = match subject {
            Subject::Pair(a, b) => {
                let pair = self.world.cluster(a).zip(self.world.cluster(b));
                pair.is_some_and(|(a, b)| self.is_flapping(a, b))
            }
            Subject::Cluster(_) | Subject::Server(_) | Subject::Instance(_) => false,
        };
        self.policy.alert_after * if flapping { PATIENCE } else { 1 }
    }

    /// An incident of a former life goes on: its pair weighs what it takes to open one.
    pub(super) fn flaps_restored(&mut self, incident: &Incident) {
        let (IncidentKind::GatewayFlapping, Subject::Pair(a, b)) = (incident.kind, &incident.subject) else {
            return;
        };
        let now = self.now;
        if let (Some(a), Some(b)) = (self.world.claimed_cluster(a, now), self.world.claimed_cluster(b, now)) {
            let count = incident.flaps.map_or(0, |flaps| flaps.count);
            *self.world.damping.entry(a, b) =
                Weight { weight: SUPPRESS, at: now.mono, flapping: true, count, ..Weight::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF: Duration = Duration::from_secs(300);

    /// A pair whose one link flaps at these seconds.
    fn flapped(seconds: impl IntoIterator<Item = u64>) -> Weight {
        let mut pair = Weight::default();
        for second in seconds {
            pair.add((0, 1), Mono::from_millis(second * 1_000), HALF);
        }
        pair
    }

    #[test]
    fn the_fourth_flap_within_four_minutes_is_flapping_and_the_third_is_not() {
        for every in [8, 20, 60, 75] {
            let flaps = |count: u64| flapped((0..count).map(|at| 1_000 + at * every));
            assert!(flaps(4).flapping, "every {every} s");
            assert!(!flaps(3).flapping, "every {every} s");
        }
        assert!(!flapped((0..50).map(|at| at * 900)).flapping, "four an hour are no flapping");
    }

    #[test]
    fn links_that_break_together_are_one_flap_and_the_same_link_twice_is_two() {
        let mut pair = Weight::default();
        for (second, link) in [(100, (0, 1)), (103, (1, 1)), (109, (2, 1)), (111, (5, 0))] {
            pair.add(link, Mono::from_millis(second * 1_000), HALF);
        }
        assert_eq!((pair.told().count, pair.links.len()), (1, 4));
        pair.add((0, 1), Mono::from_millis(112_000), HALF);
        assert_eq!(pair.told().count, 2);
        pair.add((1, 1), Mono::from_millis(140_000), HALF);
        assert_eq!(pair.told().count, 3);
    }

    #[test]
    fn the_rate_is_that_of_the_latest_flaps() {
        let told = flapped([0, 600, 660, 720].into_iter().chain((1..=16).map(|at| 720 + at * 8))).told();
        assert_eq!(told.count, 20);
        assert!((told.per_hour - 450.0).abs() < 0.1, "{}", told.per_hour);
    }

    proptest! {
        #[test]
        fn the_weight_is_bounded_decays_and_ends(pauses in prop::collection::vec(0_u64..400, 1..60)) {
            let mut at = 1_000;
            let times: Vec<u64> = pauses.iter().map(|pause| { at += pause; at }).collect();
            let pair = flapped(times);
            let mut before = pair.now(Mono::from_millis(at * 1_000), HALF);
            prop_assert!((0.0..=MOST).contains(&before));
            for later in 1..30 {
                let now = Mono::from_millis((at + later * 60) * 1_000);
                let weight = pair.now(now, HALF);
                prop_assert!(weight < before && weight >= 0.0);
                before = weight;
            }
            let calm = Mono::from_millis((at + 13 * 60) * 1_000);
            prop_assert!(!pair.is_flapping(calm, HALF), "calm for 13 minutes");
        }

        #[test]
        fn one_flap_more_never_weighs_less(pauses in prop::collection::vec(15_u64..400, 1..20), extra in 0_usize..20) {
            let mut at = 1_000;
            let times: Vec<u64> = pauses.iter().map(|pause| { at += pause; at }).collect();
            let fewer: Vec<u64> =
                times.iter().enumerate().filter(|(ix, _)| *ix != extra % times.len()).map(|(_, at)| *at).collect();
            let end = Mono::from_millis((at + 1) * 1_000);
            prop_assert!(flapped(times).now(end, HALF) >= flapped(fewer).now(end, HALF) - 1e-6);
        }
    }
}
