use super::*;
use crate::engine::policy::Policy;
use crate::model::ids::Link;
use crate::model::jetstream::{Origin, StreamInfo};
use crate::model::observation::{AccountInterest, ServerIdentity};
use crate::model::time::Now;
use proptest::prelude::*;

/// east-1 and west-1, each with a link to the other.
struct Scene {
    world: World,
    policy: Policy,
    now: Now,
}

fn second(at: u64) -> Mono {
    Mono::from_millis(at * 1_000)
}

fn stream(name: &str, last_sequence: u64) -> StreamInfo {
    let account = "APP".to_owned();
    let (mirror, sources) = (None, Vec::new());
    StreamInfo { account, name: name.to_owned(), last_sequence, messages: last_sequence, mirror, sources }
}

/// What the copy knows: it lacks so much, and heard of its origin so long ago.
fn origin(lag: u64, heard: Option<u64>) -> Origin {
    Origin { stream: "ORDERS".to_owned(), lag, heard: heard.map(Duration::from_secs), external: false }
}

impl Scene {
    fn new() -> Self {
        let now = Now { mono: Mono::default(), wall: chrono::DateTime::UNIX_EPOCH };
        let mut scene = Self { world: World::default(), policy: Policy::default(), now };
        for name in ["east", "west"] {
            let who = ServerIdentity {
                id: name.into(),
                name: format!("{name}-1").as_str().into(),
                cluster: name.into(),
                version: None,
            };
            scene.world.see(&who, Duration::ZERO, now);
        }
        for (server, to) in [(0, 1), (1, 0)] {
            scene.world.ensure_outbound(server, to, now);
            scene.world.servers[server].held.state = crate::model::states::ServerState::Live;
        }
        scene
    }

    fn interest(&mut self, at: u64, subscriptions: &[(&str, u64)]) {
        let subscriptions: BTreeMap<_, _> =
            subscriptions.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let total = subscriptions.len() as u64;
        let link = self.world.servers[0].links.get_mut(&1).unwrap();
        link.interest = Some((second(at), AccountInterest { subscriptions, total }));
    }

    fn jsz(&mut self, at: u64, (ours, mirror): (u64, u64), (all, source): (u64, Origin)) {
        let (east, west) = (self.world.servers[0].key.clone(), self.world.servers[1].key.clone());
        self.world.streams.take(&east, second(at), &[stream("ORDERS", ours)]);
        let far = StreamInfo { mirror: Some(origin(0, None)), ..stream("FAR", mirror) };
        let all = StreamInfo { sources: vec![source], ..stream("ALL", all) };
        self.world.streams.take(&west, second(at), &[far, all]);
    }

    fn scope() -> Scope {
        Scope { links: vec![Link { from: "east".into(), to: "west".into() }], ..Scope::default() }
    }

    fn count(&self, toll: &mut Toll) -> Impact {
        let mut impact = Impact::default();
        toll.counted = None;
        toll.count(&self.world, &Self::scope(), &mut impact);
        impact
    }

    /// One turn at `at` after a heal at second 100: what is put out, and whether it is over.
    fn settle(&mut self, toll: &mut Toll, at: u64) -> (Vec<Output>, bool) {
        let (mut out, mut wake) = (Vec::new(), None);
        self.now.mono = second(at);
        let (policy, world, now) = (&self.policy, &mut self.world, self.now);
        let mut turn = Turn { policy, world, now, out: &mut out, wake: &mut wake };
        let over = toll.settle(&mut turn, second(100));
        assert!(over || wake.is_some(), "what is waited for has an end");
        (out, over)
    }
}

fn lags(impact: &Impact) -> Vec<(&str, Option<u64>)> {
    impact.replication.iter().map(|copy| (copy.stream.as_str(), copy.lag)).collect()
}

fn resynced(out: &[Output]) -> Vec<(String, u64)> {
    let told = out.iter().filter_map(|output| match output {
        Output::Transition(transition) => {
            let Change::Resynced { link, after } = &transition.change else { panic!("{transition:?}") };
            Some((link.to_string(), after.as_secs()))
        }
        Output::Ask(_) => None,
        Output::Incident(_) | Output::Beat(_) | Output::Probe(_) | Output::Forgotten(..) => {
            panic!("none of these is put out here")
        }
    });
    told.collect()
}

/// A loss at second 10 with 50 messages that did not cross.
fn lost() -> (Scene, Toll) {
    let mut scene = Scene::new();
    scene.interest(5, &[("APP", 3), ("$SYS", 60)]);
    scene.jsz(5, (20, 20), (20, origin(0, Some(0))));
    let mut toll = Toll::new(second(10));
    scene.count(&mut toll);
    scene.jsz(12, (30, 20), (20, origin(0, Some(2))));
    scene.count(&mut toll);
    scene.jsz(90, (80, 20), (20, origin(0, Some(80))));
    scene.count(&mut toll);
    (scene, toll)
}

#[test]
fn accounts_are_those_with_interest_before_the_loss_without_the_system_account() {
    let mut scene = Scene::new();
    scene.interest(5, &[("APP", 3), ("$SYS", 60)]);
    let mut toll = Toll::new(second(10));
    assert_eq!(scene.count(&mut toll).accounts, ["APP"]);
    scene.interest(20, &[("OTHER", 3)]);
    let impact = scene.count(&mut toll);
    assert_eq!((impact.accounts, impact.accounts_total), (vec!["APP".to_owned()], 1));

    scene.world.servers[0].reports.system_account = Some("OTHER".to_owned());
    assert_eq!(scene.count(&mut Toll::new(second(30))).accounts_total, 0);
}

#[test]
fn what_was_told_before_the_loss_says_nothing_of_a_lag() {
    let mut scene = Scene::new();
    scene.jsz(5, (20, 18), (20, origin(4, Some(0))));
    let impact = scene.count(&mut Toll::new(second(10)));
    assert_eq!(lags(&impact), [("ALL", None), ("FAR", None)]);
}

#[test]
fn a_mirror_lags_by_its_number_and_a_source_by_what_its_origin_got_since() {
    let mut scene = Scene::new();
    let mut toll = Toll::new(second(10));
    scene.jsz(12, (30, 20), (500, origin(7, Some(2))));
    assert_eq!(lags(&scene.count(&mut toll)), [("ALL", Some(7)), ("FAR", Some(10))]);
    scene.jsz(22, (130, 20), (500, origin(7, Some(12))));
    assert_eq!(lags(&scene.count(&mut toll)), [("ALL", Some(107)), ("FAR", Some(110))]);
    // The source hears its origin again: now its own word counts.
    scene.jsz(32, (130, 130), (560, origin(47, Some(1))));
    assert_eq!(lags(&scene.count(&mut toll)), [("ALL", Some(47)), ("FAR", Some(0))]);
}

#[test]
fn copies_are_news_when_they_become_known_and_when_they_fall_far_behind() {
    let mut scene = Scene::new();
    let mut toll = Toll::new(second(10));
    let mut news = |at, ours| {
        scene.jsz(at, (ours, 20), (20, origin(0, Some(at - 10))));
        let impact = scene.count(&mut toll);
        let news = toll.news(&impact);
        if news {
            toll.tell(&impact);
        }
        news
    };
    assert!(news(5 + 10, 21));
    assert!(!news(20, 40));
    assert!(!news(30, 60));
    assert!(news(40, 90), "a hundred in all");
    assert!(!news(50, 400));
    assert!(news(60, 1_500));
}

#[test]
fn only_copies_fed_through_what_is_cut_are_told_of() {
    let mut scene = Scene::new();
    scene.jsz(5, (20, 18), (20, origin(4, Some(0))));
    let feeds = scene.world.streams.feeds();
    let feed = feeds.values().next().unwrap();
    let cut = |server: usize, to: &str| Scope {
        server_links: vec![scene.world.servers[server].server_link(&to.into())],
        ..Scope::default()
    };
    assert!(
        fed_across(feed, &Scene::scope())
            && fed_across(feed, &cut(0, "west"))
            && fed_across(feed, &cut(1, "east"))
    );
    assert!(!fed_across(feed, &cut(0, "central")) && !fed_across(feed, &Scope::default()));
}

#[test]
fn a_heal_is_settled_when_what_was_missed_has_arrived_and_interest_is_back() {
    let (mut scene, mut toll) = lost();
    let (out, over) = scene.settle(&mut toll, 100);
    assert!(!over);
    assert!(matches!(out.first(), Some(Output::Ask(ask)) if ask.what == Survey::JetStream), "{out:?}");
    // Hears again, lacks nothing by its own word, and has not received anything yet.
    scene.interest(101, &[("APP", 3)]);
    scene.jsz(101, (80, 20), (20, origin(0, Some(0))));
    assert!(!scene.settle(&mut toll, 101).1);
    scene.jsz(103, (80, 80), (80, origin(0, Some(0))));
    let (out, over) = scene.settle(&mut toll, 103);
    assert_eq!((resynced(&out), over), (vec![("east -> west".to_owned(), 3)], true));
    assert_eq!(toll.resynced_after(), Some(Duration::from_secs(3)));
    assert_eq!(resynced(&scene.settle(&mut toll, 104).0), [], "told once");
}

#[test]
fn a_source_that_filters_is_believed_when_it_says_the_same_at_several_looks() {
    let (mut scene, mut toll) = lost();
    scene.interest(101, &[("APP", 3)]);
    for at in 101..=103 {
        assert_eq!(toll.resynced_after(), None, "{at}");
        scene.jsz(at, (80, 80), (25, origin(0, Some(0))));
        scene.settle(&mut toll, at);
    }
    assert_eq!(toll.resynced_after(), Some(Duration::from_secs(1)), "since the first of them");
}

#[test]
fn interest_that_stays_other_than_before_is_what_there_is_now() {
    let mut scene = Scene::new();
    scene.interest(5, &[("APP", 3), ("GONE", 1)]);
    let mut toll = Toll::new(second(10));
    scene.count(&mut toll);
    for (at, count) in [(101, 1), (102, 2), (103, 2), (104, 2)] {
        assert_eq!(toll.resynced_after(), None, "{at}");
        scene.interest(at, &[("APP", count)]);
        scene.settle(&mut toll, at);
    }
    assert_eq!(toll.resynced_after(), Some(Duration::from_secs(2)));
}

#[test]
fn nothing_to_settle_is_not_told_as_settled() {
    let mut scene = Scene::new();
    let mut toll = Toll::new(second(10));
    scene.count(&mut toll);
    let (out, over) = scene.settle(&mut toll, 100);
    assert_eq!((out.as_slice(), over, toll.resynced_after()), ([].as_slice(), true, None));
}

#[test]
fn what_never_settles_is_given_up_and_asked_for_no_oftener_than_once_a_second() {
    let (mut scene, mut toll) = lost();
    let mut asks = 0;
    for at in 100..=220 {
        let (out, over) = scene.settle(&mut toll, at);
        let (more, _) = scene.settle(&mut toll, at);
        assert!(more.is_empty(), "{more:?}");
        asks += out.len();
        assert_eq!(over, at == 220);
    }
    assert_eq!(asks, 120 * 4, "two questions to two clusters");
    assert_eq!(toll.resynced_after(), None);
}

#[test]
fn questions_that_are_turned_off_are_not_asked() {
    let (mut scene, mut toll) = lost();
    (scene.policy.ask_jetstream, scene.policy.ask_interest) = (false, false);
    assert!(scene.settle(&mut toll, 100).0.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_told_each_link_settles_at_most_once(
        looks in prop::collection::vec((0_u64..90, 0_u64..90, 0_u64..90, 0_u64..4, 0_u64..60, 0_u64..5), 1..40)
    ) {
        let (mut scene, mut toll) = lost();
        let mut settled = Vec::new();
        for (at, (ours, mirror, all, lag, heard, subscriptions)) in (101..).zip(looks) {
            scene.jsz(at, (ours, mirror), (all, origin(lag, Some(heard))));
            scene.interest(at, &[("APP", subscriptions)]);
            scene.count(&mut toll);
            settled.extend(resynced(&scene.settle(&mut toll, at).0));
            prop_assert_eq!(settled.is_empty(), toll.resynced_after().is_none());
        }
        prop_assert!(settled.len() <= 1);
    }
}
