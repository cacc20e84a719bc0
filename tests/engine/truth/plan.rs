//! Random stories with known truth: which faults there are, when, and what ought to be told of each.

use crate::sim::Rng;
use crate::story::{Between, Chaos, ClusterSpec, Cut, Sel, Step, Story, Wan};
use gatewatch::model::ids::{Link, ServerKey};
use gatewatch::model::incident::{IncidentKind, Subject};

/// A fault that lasts this long must be told of. Milliseconds.
pub(super) const LASTING: u64 = 6_000;
/// Healthy time after each fault, in which everything must be resolved. Milliseconds.
const PAUSE: u64 = 16_000;
/// How much more it takes when messages are lost and late: what must last begins to last anew.
const CHAOS_PAUSE: u64 = 20_000;
const CHAOS_SLACK: u64 = 3_000;

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
    /// Clusters that it touches.
    pub(super) touches: Vec<String>,
}

/// One incident that ought to be told of.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) kind: IncidentKind,
    pub(super) subject: Subject,
    /// The only direction that is cut, when one is.
    pub(super) only: Option<Link>,
    /// How long after the fault at the latest. Milliseconds.
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
    /// Faults overlap: each must heal, but what is told while they last depends on both.
    pub(super) entangled: bool,
}

/// A kind of fault: its name, whether it fits, and how it is made.
type Recipe = fn(&mut Maker, &mut Scene) -> Option<Fault>;

const RECIPES: [Recipe; 22] = [
    pair_hole,
    pair_hole,
    pair_one_way,
    pair_refused,
    pair_reset,
    server_out_one,
    server_out_all,
    server_both_ways,
    cluster_killed,
    cluster_stopped,
    cluster_frozen,
    cluster_isolated,
    server_killed,
    server_stopped,
    server_frozen,
    lame_duck,
    vantage_cut,
    vantage_reset,
    own_stall,
    slower_path,
    overrun,
    gatewatch_restarts,
];

/// When one fault happens.
struct Scene {
    at: u64,
    lasts: u64,
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
    let (pause, slack) = maker.patience();
    let (mut at, mut faults) = (0, Vec::new());
    while faults.len() < usize::try_from(count).unwrap() {
        let lasts = maker.duration();
        let recipe = *maker.rng.pick(&RECIPES);
        let Some(fault) = recipe(&mut maker, &mut Scene { at, lasts }) else { continue };
        at = if entangled { at + maker.rng.within(0, 5_000) } else { fault.to + pause };
        faults.push(fault);
    }
    maker.story.end = faults.iter().map(|fault| fault.to).max().unwrap_or(0) + pause;
    maker.story.steps.sort_by_key(|(at, _)| *at);
    Plan { story: maker.story, faults, pause, slack, entangled }
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
        if self.rng.chance(60) {
            self.story.chaos = self.chaos();
        }
    }

    fn patience(&self) -> (u64, u64) {
        if self.story.chaos.is_calm() { (PAUSE, 0) } else { (PAUSE + CHAOS_PAUSE, CHAOS_SLACK) }
    }

    fn chaos(&mut self) -> Chaos {
        let rng = &mut self.rng;
        let [lost, late, twice, overtaken] = [5, 5, 10, 10].map(|most| rng.within(0, most));
        Chaos { lost, late, twice, overtaken, bursts: rng.within(0, 10) }
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
            touches: touches.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

impl Fault {
    fn expect(self, kind: IncidentKind, subject: Subject) -> Self {
        self.expect_within(kind, subject, 6_000)
    }

    fn expect_within(mut self, kind: IncidentKind, subject: Subject, within: u64) -> Self {
        self.expected.push(Expected { kind, subject, only: None, within });
        self
    }

    fn expect_one_way(mut self, from: &str, to: &str) -> Self {
        let only = Some(Link { from: from.into(), to: to.into() });
        let subject = pair_subject(from, to);
        self.expected.push(Expected { kind: IncidentKind::GatewayDown, subject, only, within: 6_000 });
        self
    }

    fn also(mut self, kind: IncidentKind, subject: Subject) -> Self {
        self.also.push((kind, subject));
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

fn pair_hole(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    maker.cuts(scene, Cut::Drop, &clusters(&a, &b, true));
    let fault = scene.fault("pair hole", &[&a, &b]).expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

fn pair_refused(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    maker.cuts(scene, Cut::Refuse, &clusters(&a, &b, true));
    let fault =
        scene.fault("pair refused", &[&a, &b]).expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

fn pair_one_way(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (mut a, mut b) = maker.pair();
    if maker.rng.chance(50) {
        (a, b) = (b, a);
    }
    let cut = if maker.rng.chance(50) { Cut::Drop } else { Cut::Refuse };
    maker.cuts(scene, cut, &clusters(&a, &b, false));
    let fault = scene.fault("one direction", &[&a, &b]).expect_one_way(&a, &b);
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

fn pair_reset(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    scene.lasts = 0;
    maker.does(scene.at, Step::Reset(clusters(&a, &b, true)));
    Some(scene.fault("reset", &[&a, &b]))
}

fn server_out_one(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let to = maker.rng.pick(&maker.others(&of.name)).clone();
    let number = maker.server(&of);
    let from = Sel::Server(of.name.clone(), number);
    maker.cuts(scene, Cut::Drop, &Between { from, to: Sel::Cluster(to.clone()), both: false });
    let fault = scene.fault("one server's outbound link", &[&of.name, &to]);
    Some(if of.servers == 1 {
        fault.expect_one_way(&of.name, &to)
    } else {
        fault.expect(IncidentKind::GatewayDegraded, pair_subject(&of.name, &to))
    })
}

fn server_out_all(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 || !maker.many() {
        return None;
    }
    let number = maker.server(&of);
    let from = Sel::Server(of.name.clone(), number);
    maker.cuts(scene, Cut::Drop, &Between { from, to: Sel::Any, both: false });
    let others = maker.others(&of.name);
    let fault = scene.fault("one server's outbound links", &[&of.name]);
    let fault = fault.expect(IncidentKind::GatewayDegraded, server_subject(&of.name, number));
    Some(fault.heals_by_pairs(&of.name, &others))
}

fn server_both_ways(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let others = maker.others(&of.name);
    if of.servers == 1 || !maker.many() {
        return None;
    }
    let number = maker.server(&of);
    for other in &others {
        let (from, to) = (Sel::Server(of.name.clone(), number), Sel::Cluster(other.clone()));
        maker.cuts(scene, Cut::Drop, &Between { from, to, both: true });
    }
    let fault = scene.fault("one server cut off", &[&of.name]);
    let fault = fault.expect(IncidentKind::GatewayDegraded, server_subject(&of.name, number));
    Some(fault.heals_by_pairs(&of.name, &others))
}

fn cluster_killed(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Kill(Sel::Cluster(of.name.clone())));
    maker.does(scene.at + scene.lasts, Step::Start(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster killed", &[&of.name]);
    let fault = fault.expect(IncidentKind::ClusterOffline, cluster_subject(&of.name));
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}

fn cluster_stopped(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Stop(Sel::Cluster(of.name.clone())));
    scene.lasts = scene.lasts.max(500);
    maker.does(scene.at + scene.lasts, Step::Start(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster stopped", &[&of.name]);
    let fault = fault.expect(IncidentKind::ClusterOffline, cluster_subject(&of.name));
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}

fn cluster_frozen(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Freeze(Sel::Cluster(of.name.clone())));
    maker.does(scene.at + scene.lasts, Step::Thaw(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster frozen", &[&of.name]);
    // A single listener cannot tell a frozen cluster from its own blindness.
    let kind = if maker.many() { IncidentKind::ClusterOffline } else { IncidentKind::VantageLost };
    let fault = fault.expect(kind, cluster_subject(&of.name));
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}

fn cluster_isolated(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let others = maker.others(&of.name);
    for other in &others {
        maker.cuts(scene, Cut::Drop, &clusters(&of.name, other, true));
    }
    let mut fault = scene.fault("cluster isolated", &[&of.name]);
    // Together with another cut it may leave a third cluster alone.
    fault.touches.extend(others.iter().cloned());
    let fault = if maker.many() {
        fault.expect(IncidentKind::ClusterIsolated, cluster_subject(&of.name))
    } else {
        fault.expect(IncidentKind::GatewayDown, pair_subject(&of.name, &others[0]))
    };
    Some(fault.heals_by_pairs(&of.name, &others))
}

fn server_killed(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    let number = maker.server(&of);
    let who = Sel::Server(of.name.clone(), number);
    maker.does(scene.at, Step::Kill(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    let fault = scene.fault("server killed", &[&of.name]);
    Some(fault.expect(IncidentKind::ServerLost, server_subject(&of.name, number)))
}

fn server_stopped(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    let who = Sel::Server(of.name.clone(), maker.server(&of));
    scene.lasts = scene.lasts.max(500);
    maker.does(scene.at, Step::Stop(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    Some(scene.fault("server stopped", &[&of.name]))
}

fn server_frozen(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    let number = maker.server(&of);
    let who = Sel::Server(of.name.clone(), number);
    maker.does(scene.at, Step::Freeze(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Thaw(who));
    // When our own connection leads to the frozen server, it must first be given up and made anew.
    let fault = scene.fault("server frozen", &[&of.name]);
    Some(fault.expect_within(IncidentKind::ServerLost, server_subject(&of.name, number), 6_500))
}

fn lame_duck(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    scene.lasts = 14_000;
    let who = Sel::Server(of.name.clone(), maker.server(&of));
    maker.does(scene.at, Step::LameDuck(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    Some(scene.fault("lame duck", &[&of.name]))
}

fn vantage_cut(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let cut = if maker.rng.chance(50) { Cut::Drop } else { Cut::Refuse };
    maker.does(scene.at, Step::VantageCut(of.name.clone(), cut));
    maker.does(scene.at + scene.lasts, Step::VantageBack(of.name.clone()));
    let fault = scene.fault("vantage cut", &[&of.name]);
    Some(fault.expect(IncidentKind::VantageLost, cluster_subject(&of.name)))
}

fn vantage_reset(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    scene.lasts = 0;
    maker.does(scene.at, Step::VantageReset(of.name.clone()));
    Some(scene.fault("vantage reset", &[&of.name]))
}

fn own_stall(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    maker.does(scene.at, Step::Stall(scene.lasts));
    Some(scene.fault("own stall", &[]))
}

fn slower_path(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    let before = maker.story.wan.iter().find(|wan| wan.ends == (a.clone(), b.clone())).cloned();
    let before = before.unwrap_or(Wan { ends: (a.clone(), b.clone()), ms: 4, jitter: 3 });
    let after = Wan { ms: maker.rng.within(50, 300), jitter: maker.rng.within(0, 30), ..before.clone() };
    maker.does(scene.at, Step::Wan(after));
    maker.does(scene.at + scene.lasts, Step::Wan(before));
    Some(scene.fault("slower path", &[&a, &b]))
}

fn overrun(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Overrun(of.name.clone(), scene.lasts));
    let mut fault = scene.fault("overrun", &[&of.name]).costs_a_connection(&of.name);
    // Nothing is heard for long: when the notices of that are lost too, it is said.
    fault.extra = usize::from(!maker.story.chaos.is_calm());
    Some(fault)
}

fn gatewatch_restarts(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    maker.does(scene.at, Step::GatewatchStop);
    maker.does(scene.at + scene.lasts, Step::GatewatchStart);
    Some(scene.fault("gatewatch restarts", &[]))
}
