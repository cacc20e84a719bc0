//! Very many of everything: memory stays bounded, it is counted, and what is real keeps its place.

use crate::rig::{CLUSTERS, Rig, resident};
use gatewatch::model::states::{ClusterState, ServerState};
use serde_json::json;
use std::time::Duration;

const MANY: usize = 100_000;
/// How much may be added by any flood.
const ROOM: u64 = 300 << 20;

/// Every real server is live, every real cluster healthy, and nothing was told of them.
fn all_is_well(rig: &Rig, per_cluster: usize) {
    let snapshot = rig.snapshot();
    for name in CLUSTERS {
        let cluster = snapshot.clusters.iter().find(|cluster| cluster.name.as_str() == name).unwrap();
        assert_eq!(cluster.state, ClusterState::Healthy, "{name}");
        let real = cluster.servers.iter().filter(|server| server.key.name.as_str().starts_with(name));
        assert_eq!(real.filter(|server| server.state == ServerState::Live).count(), per_cluster, "{name}");
    }
    assert_eq!(rig.opened(), Vec::<String>::new());
}

fn statsz(rig: &Rig, id: &str, name: &str, cluster: &str, gateways: &[&str]) -> Vec<u8> {
    let server = crate::rig::info(id, name, cluster, rig.wall());
    let gateways: Vec<_> = gateways.iter().map(|to| json!({ "gwid": 1, "name": to })).collect();
    json!({ "server": server, "statsz": { "gateways": gateways } }).to_string().into_bytes()
}

#[test]
fn a_hundred_thousand_claimed_clusters_are_bounded_and_counted_and_real_ones_keep_their_place() {
    let mut rig = Rig::new(2);
    let before = resident();
    for n in 0..MANY {
        let body =
            statsz(&rig, &format!("NC{n}"), "s", &format!("claimed-{n}"), &["east", &format!("other-{n}")]);
        rig.hear(n % 3, &format!("$SYS.SERVER.NC{n}.STATSZ"), &body);
        if n % 1_000 == 0 {
            rig.run(Duration::from_millis(250));
        }
    }
    rig.run(Duration::from_secs(20));
    let snapshot = rig.snapshot();
    assert!(snapshot.clusters.len() <= 256, "{}", snapshot.clusters.len());
    assert!(rig.engine.refusals().clusters > MANY as u64 - 300, "{:?}", rig.engine.refusals());
    rig.run(Duration::from_secs(90));
    assert!(resident().saturating_sub(before) < ROOM);
    all_is_well(&rig, 2);
}

#[test]
fn a_hundred_thousand_claimed_servers_of_a_real_cluster_are_not_asked_not_counted_in_and_forgotten() {
    let mut rig = Rig::new(3);
    let (before, outputs) = (resident(), rig.outputs);
    for n in 0..MANY {
        let body = statsz(&rig, &format!("NS{n}"), &format!("s-{n}"), "east", &["west"]);
        rig.hear(n % 3, &format!("$SYS.SERVER.NS{n}.STATSZ"), &body);
        if n % 5_000 == 0 {
            rig.run(Duration::from_millis(250));
        }
    }
    assert!(
        rig.outputs - outputs < 25_000,
        "{} outputs: two questions for each that is taken in, and no more",
        rig.outputs - outputs
    );
    assert!(rig.engine.refusals().servers > MANY as u64 - 5_000);
    assert!(rig.widest_plan <= 3 + 128, "{} are asked", rig.widest_plan);
    assert!(resident().saturating_sub(before) < ROOM);
    // They say that they reach the west; whoever is heard does not.
    for ix in 0..rig.servers.len() {
        if rig.servers[ix].cluster == 0 {
            rig.servers[ix].cut.insert(2);
        }
    }
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.open(), ["gateway_down Pair(\"east\", \"west\")"]);
    rig.servers.iter_mut().for_each(|server| server.cut.clear());
    rig.run(Duration::from_secs(90));
    let snapshot = rig.snapshot();
    assert_eq!(snapshot.clusters[0].servers.len(), 3, "what never answered is forgotten");
    assert_eq!(rig.open(), Vec::<String>::new());
}

#[test]
fn thousands_of_gateways_claimed_by_every_server_are_bounded() {
    let mut rig = Rig::new(2);
    let before = resident();
    for round in 0..20 {
        for ix in 0..rig.servers.len() {
            let names: Vec<String> = (0..4_000).map(|n| format!("g-{round}-{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let server = rig.servers[ix].clone();
            let body = statsz(&rig, &server.id, &server.name, CLUSTERS[server.cluster], &names);
            rig.hear(server.cluster, &format!("$SYS.SERVER.{}.STATSZ", server.id), &body);
        }
        rig.run(Duration::from_millis(250));
    }
    assert!(rig.snapshot().clusters.len() <= 256);
    assert!(resident().saturating_sub(before) < ROOM);
}

#[test]
fn a_flood_of_accounts_and_streams_is_bounded() {
    let mut rig = Rig::new(1);
    let before = resident();
    let server = rig.servers[0].clone();
    for n in 0..100 {
        let streams: Vec<_> =
            (0..4_000).map(|s| json!({ "name": format!("s-{n}-{s}"), "state": {} })).collect();
        let data = json!({ "account_details": [{ "name": format!("a-{n}"), "stream_detail": streams }] });
        let body = json!({ "server": rig.info(&server), "data": data }).to_string();
        rig.hear(0, "_INBOX.i.JSZ.1", body.as_bytes());
    }
    let accounts: Vec<_> =
        (0..MANY).map(|n| json!({ "name": format!("a{n}"), "stream_detail": [] })).collect();
    let body = json!({ "server": rig.info(&server), "data": { "account_details": accounts } }).to_string();
    rig.hear(0, "_INBOX.i.JSZ.1", body.as_bytes());
    assert!(rig.undecodable("too_many") > 0);
    assert!(resident().saturating_sub(before) < ROOM);
    all_is_well(&rig, 1);
}

#[test]
fn refused_gateways_twenty_times_a_second_for_ten_minutes_are_one_thing() {
    let mut rig = Rig::new(1);
    let server = rig.servers[0].clone();
    let outputs = rig.outputs;
    for _ in 0..10 * 60 * 4 {
        for n in 0..10 {
            let client = json!({ "kind": "Gateway", "name": format!("NUNKNOWN{n}") });
            let body =
                json!({ "server": rig.info(&server), "client": client, "reason": "Authentication Failure" });
            rig.everywhere(
                &format!("$SYS.SERVER.{}.CLIENT.AUTH.ERR", server.id),
                body.to_string().as_bytes(),
            );
        }
        rig.run(Duration::from_millis(250));
    }
    assert!(rig.outputs - outputs < 500, "{} outputs", rig.outputs - outputs);
    all_is_well(&rig, 1);
}

#[test]
fn floods_of_connects_are_added_up_and_bounded_per_second() {
    let mut rig = Rig::new(1);
    let before = resident();
    let server = rig.servers[0].clone();
    let own = json!({ "server": rig.info(&server), "client": {} }).to_string();
    for n in 0..MANY {
        let word = if n % 2 == 0 { "CONNECT" } else { "DISCONNECT" };
        rig.hear(0, &format!("$SYS.ACCOUNT.A{n}.{word}"), own.as_bytes());
        let claimed = crate::rig::info(&format!("NK{n}"), &format!("k{n}"), "east", rig.wall());
        let body = json!({ "server": claimed }).to_string();
        rig.hear(0, &format!("$SYS.ACCOUNT.A{n}.{word}"), body.as_bytes());
    }
    assert!(rig.undecodable("too_many") > MANY as u64 - 5_000);
    rig.run(Duration::from_secs(90));
    assert!(resident().saturating_sub(before) < ROOM);
    all_is_well(&rig, 1);
}
