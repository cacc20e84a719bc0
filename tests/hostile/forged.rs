//! Messages in the name of real servers: what gatewatch hears itself is not moved by them.

use crate::rig::{CLUSTERS, Rig, info};
use gatewatch::model::states::ServerState;
use serde_json::json;
use std::time::Duration;

fn state(rig: &Rig, cluster: usize, name: &str) -> Option<ServerState> {
    let snapshot = rig.snapshot();
    let cluster = snapshot.clusters.iter().find(|one| one.name.as_str() == CLUSTERS[cluster])?;
    cluster.servers.iter().find(|server| server.key.name.as_str() == name).map(|server| server.state)
}

#[test]
fn a_last_word_in_the_name_of_a_server_that_goes_on_answering_is_taken_back() {
    let mut rig = Rig::new(3);
    for _ in 0..50 {
        for ix in 0..rig.servers.len() {
            let server = rig.servers[ix].clone();
            let body = rig.info(&server).to_string();
            rig.everywhere(&format!("$SYS.SERVER.{}.SHUTDOWN", server.id), body.as_bytes());
        }
        rig.run(Duration::from_secs(1));
    }
    assert_eq!(rig.opened(), Vec::<String>::new());
    assert_eq!(state(&rig, 0, "east-0"), Some(ServerState::Live));
    assert!(rig.engine.refusals().false_ends > 100, "{:?}", rig.engine.refusals());
}

#[test]
fn a_server_that_stops_and_says_so_is_believed_at_once() {
    let mut rig = Rig::new(3);
    rig.stop(0, true);
    assert_eq!(state(&rig, 0, "east-0"), Some(ServerState::Stopped));
    rig.run(Duration::from_secs(30));
    assert_eq!(state(&rig, 0, "east-0"), Some(ServerState::Stopped));
    rig.restart(0, false);
    rig.run(Duration::from_secs(10));
    assert_eq!(state(&rig, 0, "east-0"), Some(ServerState::Live));
    assert_eq!(rig.opened(), Vec::<String>::new());
}

#[test]
fn whoever_claims_the_name_of_a_server_that_answers_is_not_believed() {
    let mut rig = Rig::new(2);
    for n in 0..1_000 {
        let server = rig.servers[n % 6].clone();
        let id = format!("NEVIL{n}");
        let claimed = info(&id, &server.name, CLUSTERS[server.cluster], rig.wall());
        let body = json!({ "server": claimed, "statsz": { "gateways": [] } }).to_string();
        rig.everywhere(&format!("$SYS.SERVER.{id}.STATSZ"), body.as_bytes());
        rig.run(Duration::from_millis(250));
    }
    assert_eq!(rig.opened(), Vec::<String>::new());
    assert!(rig.engine.refusals().impostors >= 3_000, "{:?}", rig.engine.refusals());
}

#[test]
fn a_server_that_crashes_and_comes_back_while_others_claim_its_name_is_found_again() {
    let mut rig = Rig::new(2);
    rig.stop(0, false);
    for n in 0..40 {
        let server = rig.servers[0].clone();
        let id = format!("NEVIL{n}");
        let claimed = info(&id, &server.name, "east", rig.wall());
        let body = json!({ "server": claimed, "statsz": { "gateways": [] } }).to_string();
        rig.everywhere(&format!("$SYS.SERVER.{id}.STATSZ"), body.as_bytes());
        rig.run(Duration::from_millis(500));
    }
    rig.restart(0, false);
    rig.run(Duration::from_secs(60));
    assert_eq!(state(&rig, 0, "east-0"), Some(ServerState::Live));
    assert_eq!(rig.open(), Vec::<String>::new());
}

#[test]
fn an_id_that_is_known_belongs_to_its_server_whatever_cluster_is_claimed_with_it() {
    let mut rig = Rig::new(1);
    let server = rig.servers[0].clone();
    for cluster in ["west", "evil"] {
        let claimed = info(&server.id, "evil", cluster, rig.wall());
        let body = json!({ "server": claimed, "statsz": {} }).to_string();
        rig.everywhere(&format!("$SYS.SERVER.{}.STATSZ", server.id), body.as_bytes());
    }
    // The subject names the speaker: it cannot be another than the payload's.
    let body = json!({ "server": rig.info(&server), "statsz": {} }).to_string();
    rig.everywhere("$SYS.SERVER.NOTHER.STATSZ", body.as_bytes());
    rig.run(Duration::from_secs(20));
    assert_eq!(rig.undecodable("id_mismatch"), 3);
    assert_eq!(rig.snapshot().clusters.len(), 3);
    assert_eq!(rig.opened(), Vec::<String>::new());
}

#[test]
fn a_report_that_denies_every_link_moves_nothing_that_beats_show() {
    let mut rig = Rig::new(2);
    for _ in 0..200 {
        for ix in 0..rig.servers.len() {
            let server = rig.servers[ix].clone();
            let body = json!({ "server": rig.info(&server), "statsz": { "gateways": [] } }).to_string();
            rig.everywhere(&format!("$SYS.SERVER.{}.STATSZ", server.id), body.as_bytes());
        }
        rig.run(Duration::from_millis(250));
    }
    assert_eq!(rig.opened(), Vec::<String>::new());
}
