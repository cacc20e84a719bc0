use super::*;
use crate::cli::samples::{assert_golden, at, degraded, partition_story};

#[test]
fn the_list_tells_what_is_open_and_how_long_it_lasted() {
    let resolved = partition_story().pop().unwrap().incident;
    let incidents = vec![resolved, degraded().incidents.remove(0)];
    let text = list(&incidents, at(200.0), Style::PLAIN);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_golden("incidents_list", &text);
}

#[test]
fn an_empty_list_says_so() {
    assert_eq!(list(&[], at(0.0), Style::PLAIN), "no incident\n");
}

#[test]
fn the_story_of_an_open_incident_ends_with_what_to_do() {
    assert_golden("incident_open", &story(&partition_story()[..1], at(20.0), Style::PLAIN));
}

#[test]
fn the_story_of_a_resolved_incident_tells_all_revisions() {
    assert_golden("incident_resolved", &story(&partition_story(), at(999.0), Style::PLAIN));
}
