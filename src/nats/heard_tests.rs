use super::{Facts, Heard, Outlet};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::ask::Through;
use crate::model::ids::ClusterName;
use crate::model::observation::{Fact, Observation, Round, VantageEvent};
use crate::model::time::Mono;
use crate::wire::capture::Recorded;
use std::sync::Arc;
use tokio::sync::mpsc;

fn outlet(room: usize, tap: Option<super::Tap>) -> (Outlet, mpsc::Receiver<Heard>) {
    let (heard, receiver) = mpsc::channel(room);
    (Outlet::new(heard, tap, Clock::start(), Arc::default()), receiver)
}

fn beat(number: u64) -> Observation {
    Observation {
        vantage: "east".into(),
        at: Mono::default(),
        fact: Fact::Beat { server: "S".into(), number },
    }
}

fn round(cluster: &str) -> Round {
    Round { cluster: cluster.into(), number: 1, at: Mono::default(), through: Through::Home }
}

fn counted(outlet: &Outlet) -> &Metrics {
    &outlet.metrics
}

#[tokio::test]
async fn a_gap_is_told_before_the_first_fact_after_it() {
    let (outlet, mut driver) = outlet(1, None);
    let mut facts = Facts::new(outlet.clone(), ClusterName::from("east"));
    facts.put(beat(1)).await;
    facts.put(beat(2)).await;
    facts.put(beat(3)).await;
    assert_eq!(counted(&outlet).driver_full.get(), 2);
    assert_eq!(driver.recv().await, Some(Heard::Observed(beat(1))));
    assert!(facts.tell_gap());
    let Some(Heard::Vantage(change)) = driver.recv().await else { panic!("the gap was not told") };
    assert_eq!(change.what, VantageEvent::Dropped);
    facts.put(beat(4)).await;
    assert_eq!(driver.recv().await, Some(Heard::Observed(beat(4))));
}

#[tokio::test]
async fn without_room_for_all_rounds_none_is_told() {
    let (outlet, mut driver) = outlet(1, None);
    assert!(!outlet.asked(vec![round("east"), round("west")]));
    assert!(driver.try_recv().is_err());
    assert!(outlet.asked(vec![round("east")]));
    assert_eq!(driver.recv().await, Some(Heard::Asked(round("east"))));
}

#[tokio::test]
async fn a_full_capture_costs_lines_and_nothing_else() {
    let (tap, mut capture) = mpsc::channel(1);
    let (outlet, mut driver) = outlet(4, Some(tap));
    assert!(outlet.asked(vec![round("east"), round("west")]));
    assert_eq!(capture.recv().await, Some(Recorded::Asked(round("east"))));
    assert_eq!(counted(&outlet).tap_full.get(), 1);
    assert_eq!(driver.recv().await, Some(Heard::Asked(round("east"))));
    assert_eq!(driver.recv().await, Some(Heard::Asked(round("west"))));
}
