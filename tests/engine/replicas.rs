//! Several gatewatch beside the same supercluster: what each finds out agrees, and the one that takes over goes on with what was told.

use crate::sim::{Sim, Told};
use crate::story::Story;
use gatewatch::engine::Input;
use gatewatch::model::incident::{Incident, IncidentEvent, IncidentId, Stage};
use std::collections::BTreeSet;

const CLUSTERS: &str = "cluster east 2\ncluster north 2\ncluster west 2\n";
/// Stories begin within the first minute of their engine, whose ids agree with nobody's unless it knows all that were given before.
const EVERYTHING_KNOWN: Input = Input::Known { given: Vec::new(), over: Vec::new() };

fn story(seed: u64, steps: &str) -> Story {
    Story::parse(&format!("seed {seed}\n{CLUSTERS}{steps}")).unwrap()
}

fn incidents(sim: &Sim) -> Vec<(i64, IncidentEvent)> {
    let told = sim.told.iter().filter_map(|(at, told)| match told {
        Told::Incident(event) => Some((*at, (**event).clone())),
        Told::Step(_) | Told::Transition(_) => None,
    });
    told.collect()
}

fn stages(told: &[(i64, IncidentEvent)]) -> Vec<(Stage, u32)> {
    told.iter().map(|(_, event)| (event.stage, event.incident.revision)).collect()
}

/// What one that speaks tells.
fn speaker(steps: &str) -> Vec<(i64, IncidentEvent)> {
    let mut sim = Sim::new(&story(1, steps));
    sim.wish(0, EVERYTHING_KNOWN);
    sim.run();
    incidents(&sim)
}

/// What one tells that stands by and hears the other, until it speaks at `from` of the story, when the other has fallen silent.
fn successor(steps: &str, other: &[(i64, IncidentEvent)], from: u64) -> Vec<(i64, IncidentEvent)> {
    let mut sim = Sim::new(&story(2, steps));
    sim.wish(0, Input::Hush);
    sim.wish(0, EVERYTHING_KNOWN);
    for (at, event) in other {
        let at = u64::try_from(*at).unwrap() + 20;
        if at < from {
            sim.wish(at, Input::Heard(Box::new(event.clone())));
        }
    }
    sim.wish(from, Input::Speak);
    sim.run();
    incidents(&sim)
}

#[test]
fn a_standby_says_nothing() {
    let steps = "0s blackhole east west\n20s heal\n60s end";
    let told = speaker(steps);
    assert!(!told.is_empty());
    assert_eq!(successor(steps, &told, 3_600_000), []);
    // Nor does one that hears nothing.
    assert_eq!(successor(steps, &[], 3_600_000), []);
}

#[test]
fn who_takes_over_goes_on_under_the_same_id_with_the_next_revision() {
    let steps = "0s blackhole east west\n20s heal\n60s end";
    let told = speaker(steps);
    for from in (4_000..25_000).step_by(700) {
        let heard: Vec<_> = told.iter().filter(|(at, _)| *at + 20 < i64::try_from(from).unwrap()).collect();
        let (_, last) = heard.last().unwrap();
        let more = successor(steps, &told, from);
        let (_, next) = more.first().unwrap();
        assert_eq!(next.incident.id, last.incident.id, "taken over at {from} ms");
        assert_eq!(next.incident.revision, last.incident.revision + 1);
        assert_eq!(next.incident.opened, last.incident.opened);
        assert!(more.iter().all(|(_, event)| event.stage != Stage::Opened), "{:?}", stages(&more));
        assert_eq!(more.last().unwrap().1.stage, Stage::Resolved);
        assert!(more.windows(2).all(|two| two[0].1.incident.revision + 1 == two[1].1.incident.revision));
    }
}

#[test]
fn what_was_resolved_is_not_told_again() {
    let steps = "0s blackhole east west\n10s heal\n60s end";
    let told = speaker(steps);
    let resolved = told.last().unwrap().0;
    let from = u64::try_from(resolved).unwrap() + 1_000;
    assert_eq!(successor(steps, &told, from), []);
}

#[test]
fn what_was_told_a_moment_ago_is_gone_on_with_though_it_is_not_stored_yet() {
    let steps = "0s blackhole east west\n4s heal\n60s end";
    let (at, opened) = speaker(steps).swap_remove(0);
    assert!(at < 4_000);
    let mut sim = Sim::new(&story(2, steps));
    sim.wish(0, Input::Hush);
    sim.wish(u64::try_from(at).unwrap() + 20, Input::Heard(Box::new(opened.clone())));
    sim.wish(8_000, Input::Stored(Vec::new()));
    sim.wish(8_000, Input::Speak);
    sim.run();
    let told = incidents(&sim);
    assert_eq!(stages(&told), [(Stage::Resolved, 2)]);
    assert_eq!(told[0].1.incident.id, opened.incident.id);
}

#[test]
fn what_is_not_stored_any_more_and_looks_good_is_over() {
    let steps = "0s blackhole east west\n4s heal\n60s end";
    let (at, opened) = speaker(steps).swap_remove(0);
    let mut sim = Sim::new(&story(2, steps));
    sim.wish(0, Input::Hush);
    sim.wish(u64::try_from(at).unwrap() + 20, Input::Heard(Box::new(opened)));
    sim.wish(25_000, Input::Stored(Vec::new()));
    sim.wish(30_000, Input::Speak);
    sim.run();
    assert_eq!(incidents(&sim), []);
}

#[test]
fn what_was_over_before_it_was_heard_of_does_not_take_in_what_comes_after_it() {
    let steps = "5s blackhole east west\n40s heal\n60s end";
    let (_, old) = speaker("0s blackhole east west\n4s heal\n60s end").swap_remove(0);
    let id = old.incident.id.clone();
    for over in [
        // It is not stored any more, or the history says so.
        Input::Stored(Vec::new()),
        Input::Known { given: vec![id.clone()], over: vec![id.clone()] },
    ] {
        let mut sim = Sim::new(&story(2, steps));
        sim.wish(0, Input::Hush);
        sim.wish(1_000, Input::Stored(vec![old.incident.clone()]));
        sim.wish(6_500, over);
        sim.wish(13_000, Input::Speak);
        sim.run();
        let told = incidents(&sim);
        assert_eq!((told[0].0, told[0].1.stage, told[0].1.incident.revision), (13_000, Stage::Opened, 1));
        assert!(told.iter().all(|(_, event)| event.incident.id != id), "{:?}", stages(&told));
    }
}

#[test]
fn what_only_this_one_told_is_resolved_by_it_though_it_speaks_no_more() {
    let mut sim = Sim::new(&story(2, "0s blackhole east west\n8s heal\n60s end"));
    sim.wish(6_000, Input::Hush);
    sim.wish(30_000, Input::Stored(Vec::new()));
    sim.run();
    assert_eq!(stages(&incidents(&sim)), [(Stage::Opened, 1), (Stage::Resolved, 2)]);
}

#[test]
fn what_nobody_told_yet_is_told_at_once_as_the_other_would_have() {
    let steps = "0s blackhole east west\n30s heal\n60s end";
    let told = speaker(steps);
    let more = successor(steps, &[], 6_500);
    let ((_, would), (at, does)) = (&told[0], &more[0]);
    assert_eq!(*at, 6_500);
    assert_eq!((does.stage, does.incident.revision), (Stage::Opened, 1));
    assert_eq!(does.incident.id, would.incident.id);
    assert!((does.incident.opened - would.incident.opened).num_milliseconds().abs() < 500);
}

#[test]
fn what_healed_before_anybody_told_it_is_not_told() {
    let steps = "0s blackhole east west\n8s heal\n60s end";
    assert_eq!(successor(steps, &[], 40_000), []);
}

#[test]
fn what_is_stored_as_open_and_looks_good_is_resolved_in_its_time() {
    let (_, opened) = speaker("0s blackhole east west\n20s heal\n60s end").swap_remove(0);
    let mut sim = Sim::new(&story(2, "40s end"));
    sim.wish(0, Input::Hush);
    sim.wish(10_000, Input::Stored(vec![opened.incident.clone()]));
    sim.wish(10_000, Input::Speak);
    sim.run();
    let told = incidents(&sim);
    assert_eq!(stages(&told), [(Stage::Resolved, opened.incident.revision + 1)]);
    assert_eq!(told[0].1.incident.id, opened.incident.id);
    assert!((15_000..16_000).contains(&told[0].0), "{}", told[0].0);
}

#[test]
fn the_id_that_another_gave_is_taken_also_when_it_is_another_than_ours() {
    let steps = "0s blackhole east west\n30s heal\n60s end";
    let (_, mut other) = speaker(steps).swap_remove(0);
    other.incident.id = IncidentId::from("01KD0000000000000000000000");
    other.incident.revision = 4;
    let taken = |give: Input| {
        let mut sim = Sim::new(&story(2, steps));
        sim.wish(0, Input::Hush);
        sim.wish(5_000, give);
        sim.wish(10_000, Input::Speak);
        sim.run();
        let told = incidents(&sim);
        assert!(told.iter().all(|(_, event)| event.incident.id == other.incident.id));
        assert_eq!(told[0].1.incident.revision, 5, "{:?}", stages(&told));
    };
    taken(Input::Stored(vec![other.incident.clone()]));
    taken(Input::Heard(Box::new(other.clone())));

    // While both speak: it was heard before ours was opened.
    let mut sim = Sim::new(&story(2, steps));
    sim.wish(2_000, Input::Heard(Box::new(other.clone())));
    sim.run();
    assert_eq!(incidents(&sim)[0].1.incident.id, other.incident.id);
}

#[test]
fn what_is_stored_under_two_ids_ends_up_under_one() {
    let steps = "0s blackhole east west\n30s heal\n60s end";
    let (_, mut other) = speaker(steps).swap_remove(0);
    other.incident.id = IncidentId::from("01KD0000000000000000000000");
    let mut sim = Sim::new(&story(2, steps));
    sim.wish(10_000, Input::Stored(vec![other.incident.clone()]));
    sim.run();
    let told = incidents(&sim);
    let resolved: BTreeSet<_> = told
        .iter()
        .filter(|(_, event)| event.stage == Stage::Resolved)
        .map(|(_, event)| event.incident.id.clone())
        .collect();
    let all: BTreeSet<_> = told.iter().map(|(_, event)| event.incident.id.clone()).collect();
    assert_eq!((resolved.len(), all.len()), (2, 2), "{:?}", stages(&told));
    let merged = told.iter().filter(|(_, event)| event.incident.merged_into.is_some()).count();
    assert_eq!(merged, 1);
}

#[test]
fn its_own_words_come_back_and_change_nothing() {
    let steps = "0s blackhole east west\n20s heal\n60s end";
    let told = speaker(steps);
    let mut sim = Sim::new(&story(1, steps));
    sim.wish(0, EVERYTHING_KNOWN);
    for (at, event) in &told {
        sim.wish(u64::try_from(*at).unwrap() + 3, Input::Heard(Box::new(event.clone())));
    }
    sim.run();
    let again = incidents(&sim);
    assert_eq!(stages(&again), stages(&told));
    assert_eq!(again[0].1.incident.id, told[0].1.incident.id);
}

/// Ids of what is told of three troubles, by one whose beats lie elsewhere against the same clock on the wall.
fn ids(seed: u64, second: u64, shift: u64) -> Vec<IncidentId> {
    let at = |ms: u64| format!("{}ms", second * 1_000 + 60_000 + shift + ms);
    let steps = format!(
        "{} blackhole east west\n{} heal\n{} blackhole east west\n{} heal\n{} kill west.1\n{} end",
        at(0),
        at(4_500),
        at(25_000),
        at(29_500),
        at(50_000),
        at(75_000)
    );
    let mut sim = Sim::new(&story(seed, &steps));
    sim.set_clock_back(shift);
    sim.run();
    let opened = incidents(&sim).into_iter().filter(|(_, event)| event.stage == Stage::Opened);
    opened.map(|(_, event)| event.incident.id).collect()
}

#[test]
fn ids_agree_though_each_sees_the_same_a_little_later_or_earlier() {
    let (mut compared, mut differ) = (0, 0);
    for seed in 1..=45 {
        let second = seed * 7 % 60;
        let (one, other) = (ids(seed, second, 0), ids(seed + 1_000, second, seed * 37 % 250));
        assert_eq!(one.len(), other.len(), "seed {seed}");
        assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), one.len(), "each has an id of its own");
        compared += one.len();
        differ += one.iter().zip(&other).filter(|(one, other)| one != other).count();
    }
    assert!(compared >= 80, "{compared}");
    assert!(differ * 50 <= compared, "{differ} of {compared} differ");
    eprintln!("{differ} of {compared} ids differ, for a border of a minute between");
}

#[test]
fn ids_sort_by_the_minute_in_which_it_began() {
    let (_, event) = speaker("0s blackhole east west\n20s heal\n60s end").swap_remove(0);
    let Incident { id, began, .. } = event.incident;
    let time = ulid_millis(id.as_str());
    assert_eq!(time, began.timestamp_millis() / 60_000 * 60_000);
}

/// The first ten characters of a ULID are its time.
fn ulid_millis(id: &str) -> i64 {
    const DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    id.chars().take(10).fold(0, |sum, digit| sum * 32 + i64::try_from(DIGITS.find(digit).unwrap()).unwrap())
}
