use super::*;
use crate::model::incident::{Incident, IncidentKind, Severity, Subject};
use crate::model::snapshot::{LinkStatus, ServerLinkStatus};
use crate::model::states::{Basis, ServerLinkState};

fn link(from: &str, to: &str) -> Link {
    Link { from: from.into(), to: to.into() }
}

fn incident(id: &str, revision: u32) -> Incident {
    let (at, subject) = (DateTime::UNIX_EPOCH, Subject::Cluster("east".into()));
    let what = (IncidentKind::ClusterOffline, Severity::Critical);
    Incident { revision, ..Incident::new(id.into(), what, subject, (at, at)) }
}

fn snapshot(links: &[Link], incidents: Vec<Incident>) -> Snapshot {
    let at = DateTime::UNIX_EPOCH;
    let status = |link: &Link| LinkStatus {
        link: link.clone(),
        state: LinkState::Up,
        since: at,
        basis: Some(Basis::Beats),
        servers: Vec::new(),
    };
    Snapshot {
        at,
        vantages: Vec::new(),
        clusters: Vec::new(),
        links: links.iter().map(status).collect(),
        incidents,
    }
}

fn empty() -> Stored {
    Stored::new(&Memory::default(), Mono::default())
}

/// Plans and carries everything out.
fn round(stored: &mut Stored, snapshot: &Snapshot, now: Mono) -> Vec<Write> {
    let writes = stored.plan(snapshot, now);
    writes.iter().for_each(|write| stored.done(write.clone(), snapshot, now));
    writes
}

const NOW: Mono = Mono::from_millis(1_000);

#[test]
fn everything_new_is_written_once_incidents_first() {
    let mut stored = empty();
    let truth = snapshot(&[link("a", "b")], vec![incident("I", 1)]);
    let writes = round(&mut stored, &truth, NOW);
    assert_eq!(writes, [Write::Incident("I".into(), 1), Write::Links(vec![link("a", "b")]), Write::Snapshot]);
    assert_eq!(round(&mut stored, &truth, NOW), []);
}

#[test]
fn a_write_that_was_not_carried_out_is_planned_again() {
    let mut stored = empty();
    let truth = snapshot(&[], vec![incident("I", 1)]);
    assert_eq!(stored.plan(&truth, NOW), stored.plan(&truth, NOW));
}

#[test]
fn a_new_revision_is_written_and_a_resolved_incident_deleted() {
    let mut stored = empty();
    round(&mut stored, &snapshot(&[], vec![incident("I", 1)]), NOW);
    let writes = round(&mut stored, &snapshot(&[], vec![incident("I", 2)]), NOW);
    assert_eq!(writes, [Write::Incident("I".into(), 2), Write::Snapshot]);
    let resolved = snapshot(&[], vec![]);
    assert_eq!(round(&mut stored, &resolved, NOW), [Write::Forget("I".into()), Write::Snapshot]);
    let (key, value) = render(&Write::Forget("I".into()), &resolved).unwrap();
    assert_eq!((key.as_str(), value), ("incident.I", None));
}

#[test]
fn times_and_measurements_alone_are_written_only_as_a_heartbeat() {
    let mut stored = empty();
    let mut truth = snapshot(&[link("a", "b")], vec![]);
    truth.links[0].servers = vec![ServerLinkStatus {
        server: crate::model::ids::ServerKey { cluster: "a".into(), name: "a-1".into() },
        state: ServerLinkState::Up,
        since: DateTime::UNIX_EPOCH,
        latency: None,
        listed: None,
    }];
    round(&mut stored, &truth, NOW);
    truth.at += chrono::TimeDelta::seconds(1);
    truth.links[0].servers[0].latency = Some(Duration::from_millis(3));
    assert_eq!(round(&mut stored, &truth, NOW + Duration::from_secs(9)), []);
    assert_eq!(round(&mut stored, &truth, NOW + HEARTBEAT), [Write::Snapshot]);
    truth.links[0].servers[0].state = ServerLinkState::Down;
    assert_eq!(round(&mut stored, &truth, NOW + HEARTBEAT), [Write::Snapshot]);
}

#[test]
fn a_retired_link_is_expected_no_more() {
    let mut stored = empty();
    let mut truth = snapshot(&[link("a", "b"), link("b", "a")], vec![]);
    round(&mut stored, &truth, NOW);
    truth.links[0].state = LinkState::Retired;
    assert_eq!(round(&mut stored, &truth, NOW)[0], Write::Links(vec![link("b", "a")]));
}

#[test]
fn what_was_read_back_is_not_written_again_nor_deleted_before_the_engine_took_it_in() {
    let memory = Memory {
        links: vec![link("a", "b")],
        incidents: vec![incident("I", 3), incident("J", 1)],
        ..Memory::default()
    };
    let mut stored = Stored::new(&memory, Mono::default());
    let too_early = snapshot(&[link("a", "b")], vec![]);
    assert_eq!(round(&mut stored, &too_early, NOW), [Write::Snapshot]);
    let taken_in = snapshot(&[link("a", "b")], vec![incident("I", 3)]);
    assert_eq!(round(&mut stored, &taken_in, NOW), [Write::Snapshot]);
    assert_eq!(round(&mut stored, &too_early, NOW)[0], Write::Forget("I".into()));
    let later = Mono::default() + RESTORING;
    assert_eq!(round(&mut stored, &too_early, later)[0], Write::Forget("J".into()));
}

#[test]
fn when_the_bucket_was_made_anew_everything_true_is_written_again() {
    let mut stored = empty();
    let truth = snapshot(&[link("a", "b")], vec![incident("I", 1)]);
    let first = round(&mut stored, &truth, NOW);
    stored.lost();
    assert_eq!(round(&mut stored, &truth, NOW), first);
}
