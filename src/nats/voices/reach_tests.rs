use super::super::fixtures::{ALL, cut, key, set, voices, whole};
use super::*;
use crate::model::states::Departure;

fn speakers(snapshot: &Snapshot) -> Vec<&'static str> {
    for_all(&reaches(&voices(), snapshot)).into_iter().map(|at| ALL[at]).collect()
}

#[test]
fn home_speaks_alone_while_all_is_well_or_nothing_is_known() {
    assert_eq!(speakers(&whole()), ["east"]);
    let mut snapshot = whole();
    for from in ALL {
        for to in ALL.into_iter().filter(|to| *to != from) {
            set(&mut snapshot, from, to, [ServerLinkState::Unknown; 2], LinkState::Unknown);
        }
    }
    assert_eq!(speakers(&snapshot), ["east"]);
}

#[test]
fn a_doubt_alone_changes_nothing() {
    let mut snapshot = whole();
    set(&mut snapshot, "east", "west", [ServerLinkState::Suspect; 2], LinkState::Up);
    assert_eq!(speakers(&snapshot), ["east"]);
}

#[test]
fn the_catalogue_of_partitions() {
    let mut pair = whole();
    cut(&mut pair, "east", "west");
    cut(&mut pair, "west", "east");
    assert_eq!(speakers(&pair), ["north"]);

    let mut one_way = whole();
    cut(&mut one_way, "east", "west");
    assert_eq!(speakers(&one_way), ["north"]);

    let mut isolated = pair.clone();
    cut(&mut isolated, "north", "west");
    cut(&mut isolated, "west", "north");
    assert_eq!(speakers(&isolated), ["east", "west"]);

    let mut home_isolated = pair;
    cut(&mut home_isolated, "east", "north");
    cut(&mut home_isolated, "north", "east");
    assert_eq!(speakers(&home_isolated), ["east", "north"]);
}

#[test]
fn only_the_server_of_the_connection_counts() {
    let mut snapshot = whole();
    let degraded = LinkState::Degraded { cut: 1, of: 2 };
    set(&mut snapshot, "east", "west", [ServerLinkState::Up, ServerLinkState::Down], degraded);
    assert_eq!(speakers(&snapshot), ["east"]);
    set(&mut snapshot, "east", "west", [ServerLinkState::Down, ServerLinkState::Up], degraded);
    assert_eq!(speakers(&snapshot), ["north"]);
    // Started just now: it may have no gateway connection yet.
    set(&mut snapshot, "east", "west", [ServerLinkState::Unknown, ServerLinkState::Up], LinkState::Up);
    assert_eq!(speakers(&snapshot), ["north"]);
}

#[test]
fn a_cluster_that_is_offline_need_not_hear_anything() {
    let mut snapshot = whole();
    cut(&mut snapshot, "east", "west");
    cut(&mut snapshot, "north", "west");
    snapshot.clusters[2].state = ClusterState::Offline(Departure::Crash);
    assert_eq!(speakers(&snapshot), ["east"]);
    assert_eq!(alive(&snapshot).count(), 2);
}

#[test]
fn what_no_link_leads_to_is_spoken_to_from_between() {
    // A chain: east and west have no link with each other.
    let mut snapshot = whole();
    let direct =
        |link: &LinkStatus| ![&link.link.from, &link.link.to].iter().any(|name| name.as_str() == "north");
    snapshot.links.retain(|link| !direct(link));
    assert_eq!(speakers(&snapshot), ["north"]);
}

#[test]
fn a_cut_is_what_is_known_to_be_one() {
    let mut snapshot = whole();
    let (east, west) = ("east".into(), "west".into());
    let key = key("east", 1);
    let known = |snapshot: &Snapshot, from, server, to| super::cut(snapshot, from, server, to).is_some();
    assert!(!known(&snapshot, &east, Some(&key), &west));
    cut(&mut snapshot, "east", "west");
    assert!(known(&snapshot, &east, Some(&key), &west));
    assert!(known(&snapshot, &east, None, &west));
    assert!(!known(&snapshot, &west, None, &east));
}
