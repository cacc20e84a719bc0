//! Random stories with known truth: which faults there are, when, and what ought to be told of each.

mod clusters;
mod configs;
mod operations;
mod ours;
mod pairs;
mod servers;
mod slowly;

use crate::sim::Rng;
use crate::story::{Between, Chaos, ClusterSpec, Cut, Sel, Step, Story, Wan};
use gatewatch::model::ids::{Link, ServerKey};
use gatewatch::model::incident::{IncidentKind, Subject};
use std::collections::BTreeSet;

/// A fault that lasts this long must be told of. Milliseconds.
pub(super) const LASTING: u64 = 6_000;
/// Healthy time after each fault, in which everything must be resolved. Milliseconds.
const PAUSE: u64 = 16_000;
/// How much more it takes when messages are lost and late: what must last begins to last anew.
const CHAOS_PAUSE: u64 = 20_000;
/// How much more it takes where only reports tell that something is good again.
const BLIND_PAUSE: u64 = 45_000;
const CHAOS_SLACK: u64 = 5_000;

/// As many incidents as it takes.
const ANY: usize = 1_000;

/// One fault and its truth.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) from: u64,
    pub(super) to: u64,
    /// What must be told if it lasts; empty when nothing may be.
    pub(super) expected: Vec<Expected>,
    /// What may be told besides, while it begins or heals.
    pub(super) also: Vec<(IncidentKind, Subject)>,
    /// So many of those may each be an incident of their own.
    pub(super) extra: usize,
    /// How many incidents tell all that is expected: as many as there are expectations, unless one grows into another.
    pub(super) incidents: Option<usize>,
    /// Clusters that it touches.
    pub(super) touches: Vec<String>,
    /// A cluster, or a server of one, that is not there any more in the end.
    pub(super) gone: Option<(String, Option<usize>)>,
}

/// Which directions of a pair are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Both,
    Only(Link),
    /// It depends on what was heard of a configuration.
    Any,
}

/// One incident that ought to be told of.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) kind: IncidentKind,
    pub(super) subject: Subject,
    /// What it may seem to be about, when messages that are lost beside it look like a part of it.
    pub(super) seems: Option<Subject>,
    pub(super) way: Way,
    /// From when on it can be told. Milliseconds.
    pub(super) since: u64,
    /// How long after that at the latest. Milliseconds.
    pub(super) within: u64,
}

/// A story and the truth behind it.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) story: Story,
    pub(super) faults: Vec<Fault>,
    /// Healthy time after each fault, in which everything must be resolved. Milliseconds.
    pub(super) pause: u64,
    /// So much longer anything may take, because of chaos. Milliseconds.
    pub(super) slack: u64,
    /// Kinds that may be told, and stay told, of how it is laid out and what is changed in it.
    pub(super) standing: BTreeSet<IncidentKind>,
    /// Not everything can be seen: what is told must be about what is touched, but not all can be told as what it is.
    pub(super) blind: bool,
    /// Faults overlap: each must heal, but what is told while they last depends on both.
    pub(super) entangled: bool,
}

/// A kind of fault: its name, whether it fits, and how it is made.
type Recipe = fn(&mut Maker, &mut Scene) -> Option<Fault>;

const RECIPES: [Recipe; 45] = [
    pairs::pair_hole,
    pairs::pair_hole,
    pairs::pair_one_way,
    pairs::pair_refused,
    pairs::pair_reset,
    pairs::slower_path,
    pairs::slow,
    pairs::lossy,
    pairs::flapping,
    servers::server_out_one,
    servers::server_out_all,
    servers::server_both_ways,
    servers::all_servers_but_one,
    servers::server_killed,
    servers::server_stopped,
    servers::server_frozen,
    servers::lame_duck,
    clusters::cluster_killed,
    clusters::cluster_stopped,
    clusters::cluster_frozen,
    clusters::cluster_isolated,
    clusters::cluster_drained,
    slowly::grows_and_shrinks,
    slowly::heals_by_half,
    slowly::two_at_once,
    slowly::dials_refused,
    ours::vantage_cut,
    ours::all_vantages_cut,
    ours::vantage_reset,
    ours::own_stall,
    ours::long_stall,
    ours::overrun,
    ours::gatewatch_restarts,
    ours::started_in_an_outage,
    ours::permissions_narrow,
    operations::rolling_restart,
    operations::upgrade,
    operations::scaled_up,
    operations::scaled_down,
    operations::joins,
    operations::retired,
    configs::harmless_change,
    configs::wrong_password,
    configs::bad_certificate,
    configs::rejected,
];

/// When one fault happens.
struct Scene {
    at: u64,
    lasts: u64,
    /// It is the only one at its time.
    alone: bool,
    /// Nothing comes after it.
    last: bool,
}

struct Maker {
    rng: Rng,
    story: Story,
}

/// A random story.
pub(super) fn plan(seed: u64) -> Plan {
    let mut maker = Maker { rng: Rng::new(seed), story: Story { seed, ..Story::default() } };
    maker.lay_out();
    let entangled = maker.rng.chance(15);
    let count = if entangled { 2 } else { maker.rng.within(1, 2) };
    let count = usize::try_from(count).unwrap();
    let (pause, slack) = maker.patience();
    let (mut at, mut faults) = (0, Vec::new());
    while faults.len() < count {
        let lasts = maker.duration();
        let recipe = *maker.rng.pick(&RECIPES);
        let mut scene = Scene { at, lasts, alone: !entangled, last: faults.len() + 1 == count };
        let Some(fault) = recipe(&mut maker, &mut scene) else { continue };
        at = if entangled { at + maker.rng.within(0, 5_000) } else { fault.to + pause };
        faults.push(fault);
    }
    maker.story.end = faults.iter().map(|fault| fault.to).max().unwrap_or(0) + pause;
    maker.story.steps.sort_by_key(|(at, _)| *at);
    let (blind, standing) = (maker.is_blind(), maker.standing());
    Plan { story: maker.story, faults, pause, slack, standing, entangled, blind }
}

impl Maker {
    fn lay_out(&mut self) {
        let clusters = *self.rng.pick(&[2, 3, 3, 3, 4]);
        for name in ["east", "north", "south", "west"].iter().take(clusters) {
            let servers = *self.rng.pick(&[1, 2, 2, 3, 3, 4]);
            self.story.clusters.push(ClusterSpec::new(name, servers));
        }
        if self.rng.chance(25) {
            let (a, b) = self.pair();
            let (ms, jitter) = (self.rng.within(20, 250), self.rng.within(2, 40));
            self.story.wan.push(Wan { ends: (a, b), ms, jitter });
        }
        if self.rng.chance(10) {
            self.close_eyes();
        }
        if self.rng.chance(60) {
            self.story.chaos = self.chaos();
        }
    }

    /// Some clusters have no vantage of ours, or servers that answer no beats across gateways.
    fn close_eyes(&mut self) {
        let old = (2, 9, 10);
        let at = usize::try_from(self.rng.within(0, self.story.clusters.len() as u64 - 1)).unwrap();
        let what = self.rng.within(0, 3);
        for (place, cluster) in self.story.clusters.iter_mut().enumerate() {
            match what {
                0 => cluster.vantage = place != at,
                1 => cluster.vantage = place == at,
                2 if place == at => cluster.version = Some(old),
                2 => {}
                _ => cluster.version = Some(old),
            }
        }
    }

    /// What is worth knowing of this supercluster and what is done to it, and no outage.
    fn standing(&self) -> BTreeSet<IncidentKind> {
        let story = &self.story;
        let single = story.clusters.iter().any(|cluster| cluster.servers < 2);
        let (mut kinds, mut configured) = (BTreeSet::new(), false);
        for (_, step) in &story.steps {
            configured |= matches!(step, Step::Config(..) | Step::Join(_) | Step::Retire(_));
            if matches!(step, Step::Flap(_)) {
                kinds.insert(IncidentKind::GatewayFlapping);
            }
            if matches!(step, Step::Upgrade(..)) {
                kinds.insert(IncidentKind::MixedVersions);
            }
        }
        if story.clusters.iter().any(|cluster| cluster.version.is_some()) {
            kinds.insert(IncidentKind::MixedVersions);
        }
        if single || configured {
            kinds.insert(IncidentKind::SingleUrl);
        }
        if configured {
            let changes =
                [IncidentKind::ConfigDrift, IncidentKind::GatewayRemoved, IncidentKind::CertificateExpiring];
            kinds.extend(changes);
        }
        kinds
    }

    fn is_blind(&self) -> bool {
        self.story.clusters.iter().any(|cluster| !cluster.vantage || cluster.version.is_some())
    }

    fn patience(&self) -> (u64, u64) {
        let blind = if self.is_blind() { BLIND_PAUSE } else { 0 };
        if self.story.chaos.is_calm() {
            (PAUSE + blind, 0)
        } else {
            (PAUSE + CHAOS_PAUSE + blind, CHAOS_SLACK)
        }
    }

    /// More than real connections do: what TCP carries is late, but lost only where a listener is overrun, and then that is told.
    fn chaos(&mut self) -> Chaos {
        let rng = &mut self.rng;
        let [lost, late, twice, overtaken] = [2, 3, 10, 10].map(|most| rng.within(0, most));
        Chaos { lost, late, twice, overtaken, bursts: rng.within(0, 4) }
    }

    fn duration(&mut self) -> u64 {
        match self.rng.within(0, 9) {
            0..=2 => self.rng.within(200, 4_000),
            3..=8 => self.rng.within(LASTING + 500, 12_000),
            _ => self.rng.within(45_000, 55_000),
        }
    }

    fn many(&self) -> bool {
        self.story.clusters.len() > 2
    }

    fn cluster(&mut self) -> ClusterSpec {
        self.rng.pick(&self.story.clusters).clone()
    }

    /// Two clusters, alphabetically.
    fn pair(&mut self) -> (String, String) {
        let a = self.rng.within(0, self.story.clusters.len() as u64 - 2);
        let b = self.rng.within(a + 1, self.story.clusters.len() as u64 - 1);
        let name = |at: u64| self.story.clusters[usize::try_from(at).unwrap()].name.clone();
        (name(a), name(b))
    }

    fn others(&self, cluster: &str) -> Vec<String> {
        let others = self.story.clusters.iter().filter(|other| other.name != cluster);
        others.map(|other| other.name.clone()).collect()
    }

    fn server(&mut self, of: &ClusterSpec) -> usize {
        usize::try_from(self.rng.within(1, of.servers as u64)).unwrap()
    }

    fn does(&mut self, at: u64, step: Step) {
        self.story.steps.push((at, step));
    }

    /// Cuts between two ends from the scene's beginning to its end.
    fn cuts(&mut self, scene: &Scene, cut: Cut, between: &Between) {
        self.does(scene.at, Step::Cut(cut, between.clone()));
        self.does(scene.at + scene.lasts, Step::Heal(Some(between.clone())));
    }
}

impl Scene {
    fn fault(&self, name: &'static str, touches: &[&str]) -> Fault {
        Fault {
            name,
            from: self.at,
            to: self.at + self.lasts,
            expected: Vec::new(),
            also: Vec::new(),
            extra: 0,
            incidents: None,
            gone: None,
            touches: touches.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

impl Fault {
    fn expect(self, kind: IncidentKind, subject: Subject) -> Self {
        self.expect_within(kind, subject, 6_000)
    }

    fn expect_within(mut self, kind: IncidentKind, subject: Subject, within: u64) -> Self {
        let (seems, way, since) = (None, Way::Both, self.from);
        self.expected.push(Expected { kind, subject, seems, way, since, within });
        self
    }

    fn expect_one_way(self, from: &str, to: &str) -> Self {
        let mut fault = self.expect(IncidentKind::GatewayDown, pair_subject(from, to));
        if let Some(expected) = fault.expected.last_mut() {
            expected.way = Way::Only(Link { from: from.into(), to: to.into() });
        }
        fault
    }

    fn whichever_way(mut self) -> Self {
        if let Some(expected) = self.expected.last_mut() {
            expected.way = Way::Any;
        }
        self
    }

    /// The last of what is expected can be told only from then on, and takes so long at most.
    fn told_after(mut self, since: u64, within: u64) -> Self {
        if let Some(expected) = self.expected.last_mut() {
            (expected.since, expected.within) = (since, within);
        }
        self
    }

    /// Anything about these two clusters may be told, in as many incidents as it takes.
    fn unsettles(mut self, a: &str, b: &str) -> Self {
        for kind in [IncidentKind::GatewayDown, IncidentKind::GatewayDegraded] {
            self.also.push((kind, pair_subject(a, b)));
        }
        self.extra = ANY;
        self
    }

    /// The link of one server, while another one of it may be lost for a moment too.
    fn may_seem(mut self, chaos: Chaos, server: Subject) -> Self {
        if let Some(expected) = self.expected.last_mut().filter(|_| !chaos.is_calm()) {
            self.also.push((expected.kind, server.clone()));
            expected.seems = Some(server);
        }
        self
    }

    fn unsettles_servers(mut self, of: &ClusterSpec) -> Self {
        for number in 1..=of.servers {
            self.also.push((IncidentKind::GatewayDegraded, server_subject(&of.name, number)));
        }
        self
    }

    fn also(mut self, kind: IncidentKind, subject: Subject) -> Self {
        self.also.push((kind, subject));
        self
    }

    fn with_extra(mut self, count: usize) -> Self {
        self.extra += count;
        self
    }

    /// All that is expected is told as one incident.
    fn in_one(mut self) -> Self {
        self.incidents = Some(1);
        self
    }

    /// It need not be told, since it may be over too soon.
    fn optional(mut self) -> Self {
        self.extra += self.expected.len();
        self.also.extend(self.expected.drain(..).map(|expected| (expected.kind, expected.subject)));
        self
    }

    /// We lose our connection with it, and may have it back later than the cluster is.
    fn costs_a_connection(self, cluster: &str) -> Self {
        self.also(IncidentKind::VantageLost, cluster_subject(cluster))
    }

    /// What is left of it while it heals: pairs that are cut in whole or in part.
    fn heals_by_pairs(mut self, cluster: &str, others: &[String]) -> Self {
        for other in others {
            for kind in [IncidentKind::GatewayDown, IncidentKind::GatewayDegraded] {
                self.also.push((kind, pair_subject(cluster, other)));
            }
        }
        self
    }
}

fn pair_subject(a: &str, b: &str) -> Subject {
    let (a, b) = if a < b { (a, b) } else { (b, a) };
    Subject::Pair(a.into(), b.into())
}

fn server_subject(cluster: &str, number: usize) -> Subject {
    Subject::Server(ServerKey { cluster: cluster.into(), name: number.to_string().as_str().into() })
}

fn cluster_subject(cluster: &str) -> Subject {
    Subject::Cluster(cluster.into())
}

fn clusters(a: &str, b: &str, both: bool) -> Between {
    Between { from: Sel::Cluster(a.to_owned()), to: Sel::Cluster(b.to_owned()), both }
}
