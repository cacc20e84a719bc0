use super::Beater;
use crate::clock::Clock;
use crate::model::ask::{BeatPlan, Through};
use crate::model::ids::ClusterName;
use crate::model::observation::Round;
use crate::nats::heard::{Heard, Outlet};
use crate::nats::lane::{Job, Lane, LaneEnd, lane};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

struct Bench {
    beater: Beater,
    lanes: BTreeMap<ClusterName, Lane>,
    ends: BTreeMap<ClusterName, LaneEnd>,
    outlet: Outlet,
    driver: mpsc::Receiver<Heard>,
}

impl Bench {
    fn new(vantages: &[&str], room: usize) -> Self {
        let (sender, driver) = mpsc::channel(room);
        let outlet = Outlet::new(sender, None, Clock::start(), Arc::default());
        let mut bench = Self {
            beater: Beater::new("_INBOX.x".into()),
            lanes: BTreeMap::new(),
            ends: BTreeMap::new(),
            outlet,
            driver,
        };
        for &vantage in vantages {
            let (way, end) = lane();
            bench.lanes.insert(vantage.into(), way);
            bench.ends.insert(vantage.into(), end);
        }
        bench
    }

    fn open(&mut self, vantage: &str) {
        self.ends[vantage].open();
    }

    fn plan(&mut self, cluster: &str, servers: &[&str], through: Through) {
        let servers = servers.iter().map(|&id| id.into()).collect();
        self.beater.plan(&BeatPlan { cluster: cluster.into(), servers, through });
    }

    fn beat(&mut self) -> Vec<Round> {
        self.beater.beat(&self.lanes, &self.outlet);
        let told = std::iter::from_fn(|| self.driver.try_recv().ok());
        told.map(|heard| match heard {
            Heard::Asked(round) => round,
            Heard::Observed(_) | Heard::Vantage(_) | Heard::Probed(_) => panic!("not a round"),
        })
        .collect()
    }

    fn asked(&mut self, vantage: &str) -> Vec<String> {
        let Some(Job::Beats { reply, subjects }) = self.ends.get_mut(vantage).unwrap().next() else {
            return Vec::new();
        };
        subjects.iter().map(|subject| format!("{subject} {reply}")).collect()
    }
}

#[test]
fn every_server_is_asked_through_its_own_vantage_under_one_number() {
    let mut bench = Bench::new(&["east", "west"], 8);
    bench.open("east");
    bench.open("west");
    bench.plan("east", &["E1", "E2"], Through::Home);
    bench.plan("west", &["W1"], Through::Home);
    let rounds = bench.beat();
    assert_eq!(rounds.iter().map(|round| round.cluster.as_str()).collect::<Vec<_>>(), ["east", "west"]);
    assert!(rounds.iter().all(|round| round.number == 1));
    assert_eq!(
        bench.asked("east"),
        ["$SYS.REQ.SERVER.E1.IDZ _INBOX.x.BEAT.1", "$SYS.REQ.SERVER.E2.IDZ _INBOX.x.BEAT.1"]
    );
    assert_eq!(bench.asked("west"), ["$SYS.REQ.SERVER.W1.IDZ _INBOX.x.BEAT.1"]);
    assert_eq!(bench.beat()[0].number, 2);
}

#[test]
fn a_cluster_whose_vantage_is_not_connected_is_not_asked_and_no_round_is_told() {
    let mut bench = Bench::new(&["east", "west"], 8);
    bench.open("west");
    bench.plan("east", &["E1"], Through::Home);
    bench.plan("west", &["W1"], Through::Home);
    let rounds = bench.beat();
    assert_eq!(rounds.len(), 1);
    assert_eq!(rounds[0].cluster.as_str(), "west");
    assert!(bench.asked("east").is_empty());
}

#[test]
fn through_all_asks_at_every_connected_vantage_and_tells_one_round() {
    let mut bench = Bench::new(&["central", "east", "west"], 8);
    bench.open("central");
    bench.open("west");
    bench.plan("east", &["E1"], Through::All);
    assert_eq!(bench.beat().len(), 1);
    assert_eq!(bench.asked("central").len(), 1);
    assert_eq!(bench.asked("west").len(), 1);
    assert!(bench.asked("east").is_empty());
}

#[test]
fn without_room_at_the_driver_nothing_is_asked() {
    let mut bench = Bench::new(&["east", "west"], 1);
    bench.open("east");
    bench.open("west");
    bench.plan("east", &["E1"], Through::Home);
    bench.plan("west", &["W1"], Through::Home);
    assert!(bench.beat().is_empty());
    assert!(bench.asked("east").is_empty() && bench.asked("west").is_empty());
    assert_eq!(bench.outlet.metrics.rounds_skipped.get(), 2);
}

#[test]
fn a_stuck_vantage_is_left_out_and_holds_up_no_other() {
    let mut bench = Bench::new(&["east", "west"], 4096);
    bench.open("east");
    bench.open("west");
    bench.plan("east", &["E1"], Through::Home);
    bench.plan("west", &["W1"], Through::Home);
    let stuck = (0..1000)
        .map(|_| {
            bench.asked("west");
            bench.beat()
        })
        .find(|rounds| rounds.len() == 1);
    assert_eq!(stuck.unwrap()[0].cluster.as_str(), "west");
}

#[test]
fn an_empty_plan_ends_the_beats_of_a_cluster() {
    let mut bench = Bench::new(&["east"], 8);
    bench.open("east");
    bench.plan("east", &["E1"], Through::Home);
    bench.plan("east", &[], Through::Home);
    assert!(bench.beat().is_empty());
}
