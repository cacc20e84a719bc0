//! Standing checks and flapping on real servers: nothing is found where nothing is wrong, and a link that breaks again and again is told
//! of once.

use crate::stage::{Message, Stage, listing};
use gatewatch::lab::{Fault, Supercluster};
use std::time::Duration;

/// As if hours had passed: what is found now would be told of in the end.
const IMPATIENT: &[(&str, &str)] = &[
    ("checks.standing_after", "2s"),
    ("checks.settled_after", "2s"),
    ("checks.versions_after", "2s"),
    ("detect.join_grace", "2s"),
    ("survey.gatewayz_every", "2s"),
    ("survey.varz_every", "2s"),
];
/// Long enough for every check to have seen each server three times, as the one of the clocks must: its measurements are 10 s apart.
const QUIET: Duration = Duration::from_secs(35);

fn alerts(heard: Vec<Message>) -> Vec<Message> {
    heard.into_iter().filter(Message::is_alert).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_supercluster_has_no_standing_trouble_and_a_flapping_link_has() {
    let mut stage = Stage::set_with(Supercluster::builder().grid(3, 3), IMPATIENT).await;
    let told = alerts(stage.rest_for(QUIET).await);
    assert!(told.is_empty(), "a healthy supercluster is told of:\n{}", listing(&told));

    // What is dropped stays unheard for a second; the servers themselves notice nothing of it.
    let mut told = Vec::new();
    for _ in 0..4 {
        stage.lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
        told.extend(stage.rest_for(Duration::from_millis(1_200)).await);
        stage.lab.faults().clear_all();
        told.extend(stage.rest_for(Duration::from_secs(4)).await);
    }
    let told = alerts(told);
    let flapping: Vec<_> = told.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(flapping, ["gatewatch.alert.warning.gateway_flapping.east.west"], "{}", listing(&told));
    assert_eq!(told[0].body["flaps"]["count"], 4, "{}", told[0].body);
}
