//! Standing checks: a small supercluster told of by reports only, each server as it is configured here.

use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::engine::{Engine, Input, Output, Policy};
use gatewatch::model::ids::{ServerId, ServerName};
use gatewatch::model::incident::{Incident, IncidentEvent, IncidentKind, Memory, Severity, Stage};
use gatewatch::model::observation::{
    ConfigReport, ConfiguredRemote, Fact, GatewaysReport, Observation, OutboundStats, ServerIdentity,
    ServerVersion, Stall, StatsReport, VantageChange, VantageEvent,
};
use gatewatch::model::time::{Mono, Now};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: i64 = 24 * 60 * 60;

/// One server, as it reports of itself.
#[derive(Clone)]
struct Server {
    cluster: &'static str,
    name: String,
    life: u32,
    /// Second of this life's start.
    started: u64,
    version: (u16, u16, u16),
    /// Configured remotes with the addresses it knows.
    remotes: Vec<(&'static str, Vec<String>)>,
    rejects: bool,
    certificate: Option<DateTime<Utc>>,
    /// Servers that it has no route to.
    unrouted: Vec<String>,
    /// Its clock is ahead by so many milliseconds.
    skew: i64,
    /// It says nothing.
    silent: bool,
}

/// Several servers with an engine that hears them. Time is in seconds.
struct Rig {
    engine: Engine,
    policy: Policy,
    now: u64,
    /// Our wall clock is ahead by so many milliseconds.
    our_skew: i64,
    servers: Vec<Server>,
    told: Vec<(u64, IncidentEvent)>,
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

fn urls(cluster: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{cluster}-{number}:7222")).collect()
}

impl Rig {
    /// Three clusters of three, healthy.
    fn new() -> Self {
        Self::of(&["east", "north", "west"], 3, Policy::default())
    }

    fn of(clusters: &[&'static str], size: usize, policy: Policy) -> Self {
        let mut servers = Vec::new();
        for &cluster in clusters {
            let others = || clusters.iter().filter(|other| **other != cluster);
            for number in 1..=size {
                servers.push(Server {
                    cluster,
                    name: format!("{cluster}-{number}"),
                    life: 1,
                    started: 0,
                    version: (2, 15, 1),
                    remotes: others().map(|other| (*other, urls(other, size))).collect(),
                    rejects: false,
                    certificate: None,
                    unrouted: Vec::new(),
                    skew: 0,
                    silent: false,
                });
            }
        }
        let engine = Engine::new(policy.clone());
        let mut rig = Self { engine, policy, now: 0, our_skew: 0, servers, told: Vec::new() };
        rig.connect();
        rig
    }

    fn connect(&mut self) {
        let clusters: std::collections::BTreeSet<_> = self.servers.iter().map(|one| one.cluster).collect();
        for cluster in clusters {
            let what = VantageEvent::Connected { server: None };
            let at = Mono::from_millis(self.now * 1_000);
            self.feed(Input::Vantage(VantageChange { cluster: cluster.into(), at, what }));
        }
    }

    fn wall(&self) -> DateTime<Utc> {
        start() + TimeDelta::seconds(i64::try_from(self.now).unwrap())
    }

    fn feed(&mut self, input: Input) {
        let wall = self.wall() + TimeDelta::milliseconds(self.our_skew);
        let now = Now { mono: Mono::from_millis(self.now * 1_000), wall };
        for output in self.engine.handle(input, now) {
            if let Output::Incident(event) = output {
                self.told.push((self.now, *event));
            }
        }
    }

    fn server(&mut self, name: &str) -> &mut Server {
        self.servers.iter_mut().find(|server| server.name == name).unwrap()
    }

    fn each(&mut self, cluster: &str, change: impl Fn(&mut Server)) {
        self.servers.iter_mut().filter(|server| server.cluster == cluster).for_each(change);
    }

    /// Restarts a server by plan, changed.
    fn restart(&mut self, name: &str, change: impl Fn(&mut Server)) {
        let now = self.now;
        let server = self.server(name);
        let stopped = identity(server);
        server.life += 1;
        server.started = now + 1;
        change(server);
        self.hear(server_cluster(&stopped), Fact::Stopped(stopped));
    }

    fn hear(&mut self, vantage: &str, fact: Fact) {
        let at = Mono::from_millis(self.now * 1_000);
        self.feed(Input::Observed(Observation { vantage: vantage.into(), at, fact }));
    }

    /// Lets time pass: every server reports at a second of its own.
    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            for (place, server) in self.servers.clone().into_iter().enumerate() {
                let phase = self.now + place as u64;
                if !server.silent && self.now >= server.started {
                    self.report(&server, phase);
                }
            }
            self.feed(Input::Tick);
        }
    }

    fn report(&mut self, server: &Server, phase: u64) {
        let made = Some(self.wall() + TimeDelta::milliseconds(server.skew));
        if phase.is_multiple_of(10) {
            let stats = self.stats(server, made);
            self.hear(server.cluster, Fact::Stats(stats));
        }
        if phase.is_multiple_of(30) {
            let (outbound, inbound) = (Vec::new(), Vec::new());
            let report = GatewaysReport { server: identity(server), outbound, inbound, made };
            if server.remotes.is_empty() {
                self.hear(server.cluster, Fact::Gateways(report));
            }
        }
        // The first question is asked as soon as a server is heard of.
        if phase.is_multiple_of(60) || self.now == server.started + 2 {
            let remotes = server.remotes.iter();
            let remotes = remotes
                .map(|(name, urls)| ConfiguredRemote { cluster: (*name).into(), urls: urls.clone() })
                .collect();
            self.hear(
                server.cluster,
                Fact::Config(ConfigReport {
                    remotes,
                    rejects_unknown: server.rejects,
                    gateway_tls: server.certificate.is_some(),
                    certificate_ends: server.certificate,
                    made,
                    ..ConfigReport::new(identity(server))
                }),
            );
        }
    }

    fn stats(&self, server: &Server, made: Option<DateTime<Utc>>) -> StatsReport {
        let peers = self.servers.iter().filter(|peer| {
            peer.cluster == server.cluster
                && peer.name != server.name
                && !server.unrouted.contains(&peer.name)
        });
        let mut routes: Vec<ServerName> = peers.map(|peer| peer.name.as_str().into()).collect();
        routes.sort();
        let gateways = server.remotes.iter().enumerate().map(|(place, (remote, _))| OutboundStats {
            to: (*remote).into(),
            connection: place as u64 + 5,
            sent_messages: 0,
            sent_bytes: 0,
            inbound: 1,
        });
        StatsReport {
            server: identity(server),
            started: None,
            active_servers: None,
            connections: 0,
            gateways: gateways.collect(),
            routes: Some(routes),
            made,
            asked: true,
        }
    }

    /// Ends this process and starts another one with what it left.
    fn restart_gatewatch(&mut self) {
        let incidents: Vec<Incident> = self.open().into_iter().cloned().collect();
        let wall = self.wall();
        let links = self.engine.snapshot(Now { mono: Mono::from_millis(self.now * 1_000), wall }).links;
        let links = links.into_iter().map(|link| link.link).collect();
        self.engine = Engine::new(self.policy.clone());
        self.feed(Input::Restored(Memory { links, incidents }));
        self.connect();
    }

    /// Incidents that are open, as last told.
    fn open(&self) -> Vec<&Incident> {
        let mut open: Vec<&Incident> = Vec::new();
        for (_, event) in &self.told {
            open.retain(|one| one.id != event.incident.id);
            if event.stage != Stage::Resolved {
                open.push(&event.incident);
            }
        }
        open
    }

    /// The one incident that is open.
    fn the_one(&self) -> &Incident {
        let open = self.open();
        let [one] = open[..] else { panic!("not one incident is open: {:?}", kinds(&open)) };
        one
    }

    fn nothing_told(&self) {
        let told: Vec<_> =
            self.told.iter().map(|(at, event)| (at, event.stage, event.incident.kind)).collect();
        assert!(told.is_empty(), "{told:?}");
    }

    fn all_resolved(&self) {
        assert!(self.open().is_empty(), "{:?}", kinds(&self.open()));
    }
}

fn kinds(incidents: &[&Incident]) -> Vec<(IncidentKind, String)> {
    incidents.iter().map(|one| (one.kind, format!("{:?}", one.subject))).collect()
}

fn server_cluster(who: &ServerIdentity) -> &'static str {
    match who.cluster.as_str() {
        "east" => "east",
        "north" => "north",
        _ => "west",
    }
}

fn identity(server: &Server) -> ServerIdentity {
    let (major, minor, patch) = server.version;
    ServerIdentity {
        id: ServerId::from(format!("{}.{}", server.name, server.life).as_str()),
        name: server.name.as_str().into(),
        cluster: server.cluster.into(),
        version: Some(ServerVersion { major, minor, patch }),
    }
}

#[test]
fn a_healthy_supercluster_raises_nothing() {
    let mut rig = Rig::new();
    for (place, server) in rig.servers.iter_mut().enumerate() {
        server.skew = i64::try_from(place).unwrap() * 50 - 200;
        server.certificate = Some(start() + TimeDelta::seconds(90 * DAY));
    }
    rig.run(2 * HOUR);
    rig.nothing_told();
}

#[test]
fn rolling_restarts_and_an_upgrade_in_progress_raise_nothing() {
    let mut rig = Rig::new();
    rig.run(10 * MINUTE);
    for cluster in ["east", "north", "west"] {
        for number in 1..=3 {
            rig.restart(&format!("{cluster}-{number}"), |server| server.version = (2, 16, 0));
            rig.run(4 * MINUTE);
        }
    }
    rig.run(HOUR);
    rig.nothing_told();
}

#[test]
fn a_certificate_is_worth_knowing_then_a_warning_and_good_again_when_renewed() {
    let mut rig = Rig::new();
    rig.each("west", |server| server.certificate = Some(start() + TimeDelta::seconds(8 * DAY)));
    rig.server("west-3").certificate = Some(start() + TimeDelta::seconds(80 * DAY));
    rig.run(3 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.severity), (IncidentKind::CertificateExpiring, Severity::Info));
    assert_eq!(incident.scope.servers.len(), 2);
    rig.our_skew = 2 * DAY * 1_000;
    rig.run(2 * MINUTE);
    assert_eq!(rig.the_one().severity, Severity::Warning);
    rig.our_skew = 0;
    rig.each("west", |server| server.certificate = Some(start() + TimeDelta::seconds(80 * DAY)));
    rig.run(2 * MINUTE);
    rig.all_resolved();
}

#[test]
fn silence_resolves_no_standing_incident_and_a_stop_by_plan_does() {
    let mut rig = Rig::new();
    rig.server("west-1").certificate = Some(start() + TimeDelta::seconds(3 * DAY));
    rig.run(3 * MINUTE);
    assert_eq!(rig.the_one().kind, IncidentKind::CertificateExpiring);
    rig.server("west-1").silent = true;
    rig.run(10 * MINUTE);
    let open = rig.open();
    assert!(open.iter().any(|one| one.kind == IncidentKind::CertificateExpiring), "{:?}", kinds(&open));
    assert!(open.iter().any(|one| one.kind == IncidentKind::ServerLost), "{:?}", kinds(&open));
    let gone = identity(rig.server("west-1"));
    rig.hear("west", Fact::Stopped(gone));
    rig.run(MINUTE);
    rig.all_resolved();
}

#[test]
fn a_standing_incident_lies_beside_an_outage_of_the_same_cluster() {
    let mut rig = Rig::new();
    rig.each("west", |server| server.certificate = Some(start() + TimeDelta::seconds(3 * DAY)));
    rig.run(3 * MINUTE);
    let certificate = rig.the_one().id.clone();
    rig.each("east", |server| server.remotes.retain(|(remote, _)| *remote == "north"));
    // The servers go on naming west in their configuration: they only list the links no longer.
    let outage = |rig: &Rig| rig.open().iter().any(|one| !one.kind.is_standing());
    rig.servers.iter_mut().filter(|server| server.cluster == "east").for_each(|server| server.silent = true);
    rig.run(2 * MINUTE);
    assert!(outage(&rig), "{:?}", kinds(&rig.open()));
    let open = rig.open();
    let same = open.iter().find(|one| one.id == certificate).unwrap();
    assert_eq!((same.kind, same.merged_into.clone()), (IncidentKind::CertificateExpiring, None));
}

#[test]
fn a_restart_of_ours_goes_on_with_a_standing_incident() {
    let mut rig = Rig::new();
    rig.server("west-1").certificate = Some(start() + TimeDelta::seconds(3 * DAY));
    rig.run(3 * MINUTE);
    let id = rig.the_one().id.clone();
    rig.restart_gatewatch();
    rig.run(5 * MINUTE);
    assert_eq!(rig.the_one().id, id);
    rig.server("west-1").certificate = None;
    rig.run(2 * MINUTE);
    rig.all_resolved();
}

#[test]
fn a_server_that_names_fewer_remotes_than_its_peers_drifts() {
    let mut rig = Rig::new();
    rig.restart("west-2", |server| server.remotes.retain(|(remote, _)| *remote == "east"));
    rig.each("west", |server| server.rejects = server.name == "west-2");
    rig.run(4 * MINUTE);
    assert!(rig.open().iter().all(|one| one.kind != IncidentKind::ConfigDrift));
    rig.run(4 * MINUTE);
    let open = rig.open();
    let drift = open.iter().find(|one| one.kind == IncidentKind::ConfigDrift).unwrap();
    assert_eq!((drift.severity, drift.scope.servers.len()), (Severity::Warning, 1));
    let said: Vec<String> = drift.evidence.iter().map(|one| format!("{:?}", one.says)).collect();
    assert!(said.iter().any(|one| one.contains("does not name north")), "{said:?}");
    assert!(said.iter().any(|one| one.contains("RejectUnknown")), "{said:?}");
    let north = ("north", urls("north", 3));
    rig.restart("west-2", |server| {
        server.remotes.push(north.clone());
        server.rejects = false;
    });
    rig.run(10 * MINUTE);
    rig.all_resolved();
}

#[test]
fn a_configuration_that_is_rolled_out_server_by_server_is_no_drift() {
    let mut rig = Rig::new();
    rig.run(10 * MINUTE);
    for number in 1..=3 {
        rig.restart(&format!("west-{number}"), |server| server.rejects = true);
        rig.run(4 * MINUTE);
    }
    rig.run(HOUR);
    rig.nothing_told();
}

#[test]
fn a_cluster_that_does_not_name_one_that_names_it_is_told_of() {
    let mut rig = Rig::new();
    rig.each("west", |server| server.remotes.retain(|(remote, _)| *remote == "north"));
    rig.run(10 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.severity), (IncidentKind::ConfigDrift, Severity::Info));
    assert_eq!(format!("{:?}", incident.subject), "Pair(\"east\", \"west\")");
}

#[test]
fn an_address_that_only_one_server_lacks_is_drift_and_one_that_only_one_has_is_not() {
    let mut rig = Rig::new();
    rig.server("east-1").remotes[0].1.push("north-9:7222".to_owned());
    rig.run(HOUR);
    rig.nothing_told();
    rig.server("east-1").remotes[0].1 = urls("north", 2);
    rig.run(10 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.severity), (IncidentKind::ConfigDrift, Severity::Info));
}

#[test]
fn a_remote_known_by_a_single_address_is_told_of_unless_it_has_no_other_server() {
    let mut rig = Rig::new();
    rig.each("east", |server| server.remotes[1].1 = urls("west", 1));
    rig.run(5 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.severity), (IncidentKind::SingleUrl, Severity::Info));
    rig.each("east", |server| server.remotes[1].1 = urls("west", 3));
    rig.run(2 * MINUTE);
    rig.all_resolved();
    let mut alone = Rig::of(&["east", "west"], 1, Policy::default());
    alone.run(HOUR);
    alone.nothing_told();
}

#[test]
fn a_wrong_clock_is_told_of_and_ours_is_not_theirs() {
    let mut rig = Rig::new();
    rig.run(5 * MINUTE);
    rig.server("north-2").skew = -5_000;
    rig.run(3 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.severity), (IncidentKind::ClockSkew, Severity::Warning));
    assert_eq!(incident.scope.servers[0].name.as_str(), "north-2");
    rig.server("north-2").skew = 100;
    rig.run(3 * MINUTE);
    rig.all_resolved();
    rig.told.clear();
    for jump in [30_000, -40_000, 0] {
        rig.our_skew = jump;
        rig.run(5 * MINUTE);
    }
    rig.nothing_told();
}

#[test]
fn answers_that_waited_while_we_did_not_run_measure_no_clock() {
    let mut rig = Rig::new();
    rig.run(5 * MINUTE);
    for _ in 0..20 {
        let answers: Vec<(&str, StatsReport)> = rig
            .servers
            .iter()
            .take(2)
            .map(|server| (server.cluster, rig.stats(server, Some(rig.wall()))))
            .collect();
        let from = Mono::from_millis(rig.now * 1_000);
        rig.now += 15;
        let to = Mono::from_millis(rig.now * 1_000);
        rig.feed(Input::Stalled(Stall { from, to }));
        for (cluster, stats) in answers {
            rig.hear(cluster, Fact::Stats(stats));
        }
        rig.feed(Input::Tick);
    }
    assert!(
        rig.told.iter().all(|(_, event)| event.incident.kind != IncidentKind::ClockSkew),
        "{:?}",
        rig.told
    );
}

#[test]
fn different_versions_are_told_of_when_an_upgrade_takes_too_long() {
    let mut rig = Rig::new();
    rig.run(MINUTE);
    rig.restart("east-1", |server| server.version = (2, 16, 0));
    rig.run(29 * MINUTE);
    rig.nothing_told();
    rig.run(3 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.severity), (IncidentKind::MixedVersions, Severity::Info));
    let behind: Vec<_> =
        incident.scope.servers.iter().map(|server| server.name.as_str().to_owned()).collect();
    assert_eq!(behind, ["east-2", "east-3"]);
    rig.restart("east-2", |server| server.version = (2, 16, 0));
    rig.restart("east-3", |server| server.version = (2, 16, 0));
    rig.run(2 * MINUTE);
    rig.all_resolved();
}

#[test]
fn a_route_that_both_ends_miss_is_told_of_and_one_that_one_end_misses_is_not() {
    let mut rig = Rig::new();
    rig.server("east-1").unrouted = vec!["east-3".to_owned()];
    rig.run(5 * MINUTE);
    rig.nothing_told();
    rig.server("east-3").unrouted = vec!["east-1".to_owned()];
    rig.run(2 * MINUTE);
    let incident = rig.the_one();
    assert_eq!((incident.kind, incident.scope.servers.len()), (IncidentKind::RoutesIncomplete, 2));
    rig.server("east-1").unrouted.clear();
    rig.server("east-3").unrouted.clear();
    rig.run(MINUTE);
    rig.all_resolved();
}

#[test]
fn a_link_that_nobody_configures_any_more_is_told_of_for_a_while() {
    let mut rig = Rig::of(&["east", "west"], 2, Policy::default());
    rig.run(2 * MINUTE);
    for name in ["east-1", "west-1", "east-2", "west-2"] {
        rig.restart(name, |server| server.remotes.clear());
    }
    rig.run(5 * MINUTE);
    let open = rig.open();
    let removed = open.iter().find(|one| one.kind == IncidentKind::GatewayRemoved);
    let removed = removed.unwrap_or_else(|| panic!("{:?}", kinds(&open)));
    assert_eq!((removed.severity, removed.scope.links.len()), (Severity::Info, 2));
    rig.run(HOUR);
    rig.all_resolved();
}

#[test]
fn what_is_switched_off_is_not_looked_for() {
    let mut policy = Policy::default();
    policy.checks.off.insert(IncidentKind::CertificateExpiring);
    let mut rig = Rig::of(&["east", "west"], 2, policy);
    rig.each("west", |server| server.certificate = Some(start() + TimeDelta::seconds(DAY)));
    rig.run(10 * MINUTE);
    rig.nothing_told();
}
