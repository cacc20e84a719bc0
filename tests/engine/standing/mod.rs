//! Standing checks: what is found, when it is told of, and what resolves it.

mod own;
mod rig;

use chrono::TimeDelta;
use gatewatch::engine::{Input, Policy};
use gatewatch::model::incident::{IncidentKind, Severity};
use gatewatch::model::observation::{Fact, Stall, StatsReport};
use gatewatch::model::time::Mono;
use rig::{DAY, HOUR, MINUTE, Rig, identity, kinds, start, urls};

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
