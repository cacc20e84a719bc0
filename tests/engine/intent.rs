//! What people want: links that must or must not exist, silences, things to forget.

use crate::sim::{Sim, Told};
use crate::story::Story;
use gatewatch::engine::{Input, Policy};
use gatewatch::model::evidence::Says;
use gatewatch::model::ids::{Link, ServerKey};
use gatewatch::model::incident::{Incident, IncidentEvent, IncidentKind, Severity, Stage, Subject};
use gatewatch::model::intent::{Expectations, Forget, Matcher, Silence};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::LinkState;
use gatewatch::model::transition::Change;
use std::time::Duration;

const THREE: &str = "seed 7\ncluster east 2\ncluster north 2\ncluster west 2\n";

fn story(steps: &str) -> Story {
    Story::parse(&format!("{THREE}{steps}")).unwrap()
}

fn run(mut sim: Sim) -> Sim {
    sim.run();
    sim
}

fn incidents(sim: &Sim) -> Vec<(i64, IncidentEvent)> {
    let told = sim.told.iter().filter_map(|(at, told)| match told {
        Told::Incident(event) => Some((*at, (**event).clone())),
        Told::Step(_) | Told::Transition(_) => None,
    });
    told.collect()
}

/// Stage, kind and whether it is silenced, of everything that was told of incidents.
fn steps(sim: &Sim) -> Vec<(Stage, IncidentKind, bool)> {
    let told = incidents(sim).into_iter();
    told.map(|(_, event)| (event.stage, event.incident.kind, event.incident.silenced.is_some())).collect()
}

fn answers(sim: &Sim) -> Vec<String> {
    let told = sim.told.iter().filter_map(|(_, told)| match told {
        Told::Step(text) if text.contains(": ") => Some(text.clone()),
        Told::Step(_) | Told::Transition(_) | Told::Incident(_) => None,
    });
    told.collect()
}

fn link(from: &str, to: &str) -> Link {
    Link { from: from.into(), to: to.into() }
}

fn pair(cluster: &str, remote: &str) -> Matcher {
    Matcher { cluster: Some(cluster.into()), remote: Some(remote.into()), ..Matcher::default() }
}

fn silence(sim: &Sim, id: &str, matcher: Matcher, (from, until): (u64, u64)) -> Silence {
    Silence {
        id: id.into(),
        matcher,
        from: sim.wall_at(from),
        until: sim.wall_at(until),
        comment: String::new(),
        author: String::new(),
    }
}

fn expecting(required: &[Link], forbidden: &[Link]) -> Policy {
    let expect = Expectations { required: required.to_vec(), forbidden: forbidden.to_vec() };
    Policy { expect, ..Policy::default() }
}

fn names(snapshot: &Snapshot, name: &str) -> bool {
    snapshot.clusters.iter().any(|cluster| cluster.name.as_str() == name)
        || snapshot.links.iter().any(|one| one.link.from.as_str() == name || one.link.to.as_str() == name)
        || snapshot.vantages.iter().any(|vantage| vantage.cluster.as_str() == name)
}

use IncidentKind::{ClusterOffline, GatewayDown, GatewayUnwanted};
use Stage::{Opened, Resolved, Updated};

#[test]
fn an_incident_of_a_silenced_pair_is_told_as_silenced_whichever_cluster_was_named_first() {
    for (cluster, remote) in [("east", "west"), ("west", "east")] {
        let mut sim = Sim::new(&story("0s blackhole east west\n20s heal\n60s end"));
        let one = silence(&sim, "S", pair(cluster, remote), (0, 3_600_000));
        sim.wish(0, Input::Silences(vec![one]));
        let sim = run(sim);
        let told = steps(&sim);
        assert_eq!(told.first(), Some(&(Opened, GatewayDown, true)));
        assert_eq!(told.last(), Some(&(Resolved, GatewayDown, true)));
        assert!(told.iter().all(|(.., silenced)| *silenced), "{told:?}");
    }
}

#[test]
fn incidents_that_do_not_match_are_told_as_ever() {
    let mut sim = Sim::new(&story("0s blackhole east west\n20s heal\n60s end"));
    let others = [
        pair("east", "north"),
        Matcher { kind: Some(ClusterOffline), ..Matcher::default() },
        Matcher { severity: Some(Severity::Info), ..Matcher::default() },
    ];
    let silences = others.into_iter().enumerate();
    let silences = silences.map(|(at, one)| silence(&sim, &at.to_string(), one, (0, 3_600_000))).collect();
    sim.wish(0, Input::Silences(silences));
    assert!(steps(&run(sim)).iter().all(|(.., silenced)| !silenced));
}

#[test]
fn when_a_silence_ends_an_open_incident_is_told_again_within_seconds() {
    let mut sim = Sim::new(&story("0s blackhole east west\n60s heal\n90s end"));
    let one = silence(&sim, "S", pair("east", "west"), (0, 30_000));
    sim.wish(0, Input::Silences(vec![one]));
    let told = incidents(&run(sim));
    let (at, loud) = told.iter().find(|(_, event)| event.incident.silenced.is_none()).unwrap();
    assert_eq!(loud.stage, Updated);
    assert!((30_000..30_300).contains(at), "{at}");
    assert_eq!(told.last().map(|(_, event)| event.incident.silenced.clone()), Some(None));
}

#[test]
fn a_silence_that_begins_later_or_is_removed_early_is_told_once_each() {
    let mut sim = Sim::new(&story("0s blackhole east west\n60s heal\n90s end"));
    let one = silence(&sim, "S", pair("east", "west"), (50, 3_600_000));
    sim.wish(20_000, Input::Silences(vec![one.clone()]));
    // Given again, as after a reconnection, it changes nothing.
    sim.wish(22_000, Input::Silences(vec![one]));
    sim.wish(40_000, Input::Silences(Vec::new()));
    let told = incidents(&run(sim));
    let marks: Vec<_> =
        told.windows(2).filter(|two| two[0].1.incident.silenced != two[1].1.incident.silenced).collect();
    let turns: Vec<_> = marks.iter().map(|two| (two[1].0 / 1_000, two[1].1.stage)).collect();
    assert_eq!(turns, [(20, Updated), (40, Updated)]);
}

#[test]
fn one_silence_after_the_other_leaves_no_gap_and_is_told_once() {
    let mut sim = Sim::new(&story("0s blackhole east west\n60s heal\n90s end"));
    let all = vec![
        silence(&sim, "A", pair("east", "west"), (0, 30_000)),
        silence(&sim, "B", pair("west", "east"), (25_000, 3_600_000)),
    ];
    sim.wish(0, Input::Silences(all));
    let told = incidents(&run(sim));
    let marks: Vec<_> =
        told.iter().map(|(_, event)| event.incident.silenced.as_ref().map(ToString::to_string)).collect();
    assert!(marks.iter().all(Option::is_some), "{marks:?}");
    assert_eq!(marks.windows(2).filter(|two| two[0] != two[1]).count(), 1);
}

#[test]
fn a_restart_keeps_a_silenced_incident_silent_until_the_list_is_known() {
    let mut sim =
        Sim::new(&story("0s blackhole east west\n20s gatewatch stops\n25s gatewatch starts\n60s end"));
    let one = silence(&sim, "S", pair("east", "west"), (0, 3_600_000));
    sim.wish(0, Input::Silences(vec![one.clone()]));
    let policy = Policy { silences_within: Duration::from_secs(5), ..Policy::default() };
    let mut waiting = Sim::with_policy(
        &story("0s blackhole east west\n20s gatewatch stops\n25s gatewatch starts\n60s end"),
        policy,
    );
    waiting.wish(0, Input::Silences(vec![one]));
    // The same, but the list of the new life comes never: what is marked stays so.
    assert!(steps(&run(waiting)).iter().all(|(.., silenced)| *silenced));
    // Where no list is awaited, the empty one counts.
    assert!(steps(&run(sim)).iter().any(|(.., silenced)| !silenced));
}

#[test]
fn the_first_incidents_wait_for_the_list_of_silences_but_not_for_ever() {
    let policy = Policy { silences_within: Duration::from_secs(20), ..Policy::default() };
    let story = Story::parse(&format!("cold\n{THREE}0s blackhole east west\n90s end")).unwrap();
    let opened = |sim: Sim| {
        let (at, event) = incidents(&run(sim)).into_iter().find(|(_, event)| event.stage == Opened).unwrap();
        (at, event.incident.silenced.is_some())
    };
    let (early, _) = opened(Sim::new(&story));
    let mut sim = Sim::with_policy(&story, policy.clone());
    let one = silence(&sim, "S", Matcher::default(), (0, 3_600_000));
    let late = u64::try_from(early).unwrap() + 2_000;
    sim.wish(late, Input::Silences(vec![one]));
    let (at, silenced) = opened(sim);
    assert!(silenced && at >= i64::try_from(late).unwrap(), "{early} {at}");
    let (at, silenced) = opened(Sim::with_policy(&story, policy));
    assert!(!silenced && (20_000..21_000).contains(&at), "{at}");
}

#[test]
fn a_link_that_must_not_exist_is_told_of_while_it_is_up() {
    let policy = expecting(&[], &[link("east", "west"), link("west", "east")]);
    let sim = run(Sim::with_policy(&story("30s end"), policy));
    let told = incidents(&sim);
    let [(_, event)] = told.as_slice() else { panic!("{told:?}") };
    let Incident { kind, severity, subject, scope, evidence, .. } = &event.incident;
    assert_eq!((*kind, *severity), (GatewayUnwanted, Severity::Warning));
    assert_eq!(*subject, Subject::Pair("east".into(), "west".into()));
    assert_eq!(scope.links, [link("east", "west"), link("west", "east")]);
    let forbidden = |one: &Says| matches!(one, Says::Forbidden { .. });
    let shown = |one: &Says| matches!(one, Says::Listed { .. } | Says::BeatHeard { .. });
    assert_eq!(evidence.iter().filter(|one| forbidden(&one.says)).count(), 2);
    assert!(evidence.iter().any(|one| shown(&one.says)));
}

#[test]
fn a_link_that_must_not_exist_is_never_an_outage() {
    let policy = expecting(&[], &[link("east", "west"), link("west", "east")]);
    let sim = run(Sim::with_policy(&story("10s refuse east west\n60s end"), policy));
    let told = steps(&sim);
    assert_eq!(told, [(Opened, GatewayUnwanted, false), (Resolved, GatewayUnwanted, false)]);
    for (_, told) in &sim.told {
        let Told::Transition(transition) = told else { continue };
        let Change::Link { link, to, .. } = &transition.change else { continue };
        assert!(matches!(to, LinkState::Up | LinkState::Retired), "{link}: {to}");
    }
}

#[test]
fn a_link_that_must_not_exist_is_settled_while_beats_are_lost() {
    let policy = expecting(&[], &[link("east", "west"), link("west", "east")]);
    let sim = run(Sim::with_policy(&story("10s blackhole east west\n20s heal\n90s end"), policy));
    let changes = sim.told.iter().filter(|(_, told)| match told {
        Told::Transition(transition) => matches!(&transition.change, Change::Link { .. }),
        Told::Step(_) | Told::Incident(_) => false,
    });
    assert!(changes.count() <= 12, "the link flutters");
    assert!(steps(&sim).iter().all(|(_, kind, _)| *kind == GatewayUnwanted));
}

#[test]
fn a_link_that_must_exist_is_missed_though_no_server_is_configured_with_it() {
    let hub = "link east north\nlink north west\ngiven blackhole east west\ncold\n40s end";
    let policy = expecting(&[link("east", "west")], &[]);
    let sim = run(Sim::with_policy(&story(hub), policy));
    let told = incidents(&sim);
    assert!(!told.is_empty());
    for (_, event) in told {
        assert_eq!(event.incident.subject, Subject::Pair("east".into(), "west".into()));
        assert_eq!(event.incident.scope.links, [link("east", "west")]);
    }
    assert_eq!(incidents(&run(Sim::new(&story(hub)))), []);
}

#[test]
fn a_cluster_that_was_forgotten_is_gone_with_its_incident() {
    let mut sim = Sim::new(&story("0s stop west\n60s end"));
    sim.wish(30_000, Input::Forget(Forget::Cluster("west".into())));
    let sim = run(sim);
    assert_eq!(answers(&sim), ["cluster west: done"]);
    assert_eq!(steps(&sim), [(Opened, ClusterOffline, false), (Resolved, ClusterOffline, false)]);
    let last = incidents(&sim).pop().unwrap().1.incident;
    let said = last.evidence.last().map(|one| one.says.clone());
    assert_eq!(said, Some(Says::Forgotten { what: Forget::Cluster("west".into()) }));
    // Others go on being configured with it: that does not bring it back.
    let snapshot = sim.snapshot().unwrap();
    assert!(!names(&snapshot, "west"), "{snapshot:#?}");
    assert!(names(&snapshot, "east") && snapshot.incidents.is_empty());
}

#[test]
fn what_is_still_heard_is_not_forgotten() {
    let mut sim = Sim::new(&story("20s end"));
    sim.wish(5_000, Input::Forget(Forget::Cluster("west".into())));
    let server = ServerKey { cluster: "west".into(), name: "1".into() };
    sim.wish(6_000, Input::Forget(Forget::Server(server)));
    sim.wish(7_000, Input::Forget(Forget::Cluster("nowhere".into())));
    let sim = run(sim);
    assert_eq!(
        answers(&sim),
        ["cluster west: still_heard", "server west/1: still_heard", "cluster nowhere: unknown"]
    );
    assert_eq!(steps(&sim), []);
    assert!(names(&sim.snapshot().unwrap(), "west"));
}

#[test]
fn a_cluster_that_comes_back_after_it_was_forgotten_is_watched_like_any_other() {
    let mut sim =
        Sim::new(&story("0s stop west\n60s start west\n90s blackhole east west\n100s heal\n150s end"));
    sim.wish(30_000, Input::Forget(Forget::Cluster("west".into())));
    let sim = run(sim);
    let told = steps(&sim);
    assert_eq!(told[1], (Resolved, ClusterOffline, false));
    assert_eq!(told[2], (Opened, GatewayDown, false));
    assert_eq!(told.last(), Some(&(Resolved, GatewayDown, false)));
    let snapshot = sim.snapshot().unwrap();
    assert!(snapshot.incidents.is_empty());
    assert!(snapshot.links.iter().all(|link| link.state == LinkState::Up), "{:#?}", snapshot.links);
}

#[test]
fn a_cluster_that_must_exist_is_not_forgotten() {
    let mut sim = Sim::with_policy(&story("0s stop west\n60s end"), expecting(&[link("east", "west")], &[]));
    sim.wish(30_000, Input::Forget(Forget::Cluster("west".into())));
    let sim = run(sim);
    assert_eq!(answers(&sim), ["cluster west: required"]);
    assert_eq!(sim.snapshot().unwrap().incidents.len(), 1);
}

#[test]
fn a_server_that_was_forgotten_is_gone_and_with_the_last_one_its_cluster() {
    let server = |number: &str| Forget::Server(ServerKey { cluster: "west".into(), name: number.into() });
    let mut sim = Sim::new(&story("0s kill west/1\n60s end"));
    sim.wish(30_000, Input::Forget(server("1")));
    let sim = run(sim);
    assert_eq!(answers(&sim), ["server west/1: done"]);
    assert_eq!(steps(&sim).last(), Some(&(Resolved, IncidentKind::ServerLost, false)));
    let snapshot = sim.snapshot().unwrap();
    let west = snapshot.clusters.iter().find(|cluster| cluster.name.as_str() == "west").unwrap();
    assert_eq!(west.servers.len(), 1);
    assert!(snapshot.incidents.is_empty());

    let mut sim = Sim::new(&story("0s stop west\n60s end"));
    sim.wish(30_000, Input::Forget(server("1")));
    sim.wish(31_000, Input::Forget(server("2")));
    let sim = run(sim);
    assert_eq!(answers(&sim), ["server west/1: done", "server west/2: done"]);
    assert!(!names(&sim.snapshot().unwrap(), "west"));
    assert!(sim.snapshot().unwrap().incidents.is_empty());
}
