//! Vantages on real superclusters: finding the clusters, beating, losing connections, and what is told of it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "tests pick out what they are about")]

#[path = "support/watch.rs"]
mod watch;

use gatewatch::lab::{Builder, Fault, Supercluster};
use gatewatch::model::ask::{Survey, SurveyRequest, Through};
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::observation::{Disconnect, Fact, VantageEvent};
use gatewatch::model::time::Mono;
use gatewatch::nats::StartError;
use gatewatch::nats::heard::Request;
use gatewatch::wire::capture::Recorded;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use watch::{Watch, ids, one_url, settings};

const VANTAGES: [&str; 3] = ["central", "east", "west"];

/// One supercluster at a time: a laptop has few cores, and latencies are looked at.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Lab {
    lab: Supercluster,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Lab {
    type Target = Supercluster;
    fn deref(&self) -> &Supercluster {
        &self.lab
    }
}

async fn start(build: impl FnOnce(Builder) -> Builder) -> Lab {
    let _turn = ONE_AT_A_TIME.lock().await;
    let lab = build(Supercluster::builder().without_jetstream()).start().await.unwrap();
    lab.ready(Duration::from_secs(30)).await.unwrap();
    Lab { lab, _turn }
}

/// East, west and central with two servers each.
async fn three_by_two() -> Lab {
    start(|lab| lab.grid(3, 2)).await
}

/// A watch from one URL, with every vantage connected and every server beaten everywhere.
async fn beating(lab: &Supercluster) -> Watch {
    let mut watch = Watch::start(&one_url(lab, "east-1")).await.unwrap();
    watch.beat_all(lab).await;
    let servers = ids(lab.servers());
    let clusters = lab.clusters();
    let vantages: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
    watch
        .until("every vantage hears every server", |log| log.all_hear(&vantages, &servers, Mono::default()))
        .await;
    watch
}

fn members(lab: &Supercluster, cluster: &str) -> BTreeSet<ServerId> {
    ids(lab.cluster(cluster).unwrap().servers().iter().copied())
}

#[tokio::test]
async fn from_one_url_every_cluster_gets_a_vantage_and_every_vantage_hears_every_server() {
    let lab = three_by_two().await;
    let watch = beating(&lab).await;
    for cluster in VANTAGES {
        let (_, server) = watch.log().connected(cluster, Mono::default()).unwrap();
        assert!(members(&lab, cluster).contains(&server), "the vantage of {cluster} is at {server}");
        assert_eq!(*watch.log().changes(cluster, Mono::default())[0].1, VantageEvent::Dialling);
    }
    watch.stop().await;
}

#[tokio::test]
async fn a_round_is_told_before_its_answers_and_its_number_grows() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let mut watch = beating(&lab).await;
    watch.listen(Duration::from_secs(1)).await;
    let numbers: Vec<u64> = watch
        .log()
        .rounds()
        .filter(|round| round.cluster.as_str() == "east")
        .map(|round| round.number)
        .collect();
    assert!(numbers.len() >= 3 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    for observation in watch.log().observed() {
        if let Fact::Beat { number, .. } = observation.fact {
            let round = watch.log().rounds().find(|round| round.number == number).unwrap();
            assert!(round.at <= observation.at);
        }
    }
    watch.stop().await;
}

#[tokio::test]
async fn the_first_look_brings_statistics_gateways_and_configuration_of_every_server() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let mut watch = Watch::start(&one_url(&lab, "west-2")).await.unwrap();
    let servers = ids(lab.servers());
    watch
        .until("all three reports of all servers", |log| {
            let reported = |pick: fn(&Fact) -> Option<&ServerId>| -> BTreeSet<ServerId> {
                log.observed().filter_map(|observation| pick(&observation.fact)).cloned().collect()
            };
            let stats =
                reported(|fact| if let Fact::Stats(report) = fact { Some(&report.server.id) } else { None });
            let gateways =
                reported(
                    |fact| if let Fact::Gateways(report) = fact { Some(&report.server.id) } else { None },
                );
            let config =
                reported(|fact| if let Fact::Config(report) = fact { Some(&report.server.id) } else { None });
            stats == servers && gateways == servers && config == servers
        })
        .await;
    watch.stop().await;
}

#[tokio::test]
async fn a_killed_server_costs_its_vantage_milliseconds_and_the_vantage_stays_in_its_cluster() {
    let lab = three_by_two().await;
    let mut watch = beating(&lab).await;
    let (_, victim) = watch.log().connected("west", Mono::default()).unwrap();
    let server = lab.servers().iter().find(|server| server.id().as_ref() == Some(&victim)).unwrap();
    let killed = watch.clock.mono();
    server.kill().await.unwrap();
    watch.until("the vantage is back", |log| log.connected("west", killed).is_some()).await;
    let lost = watch.log().lost("west", Disconnect::Lost, killed).unwrap();
    let (back, sibling) = watch.log().connected("west", killed).unwrap();
    assert!(members(&lab, "west").contains(&sibling));
    let (noticed, blind) = (lost.since(killed), back.since(lost));
    println!("killed server: noticed after {noticed:?}, on a sibling after {blind:?} more");
    assert!(
        noticed < Duration::from_millis(300) && blind < Duration::from_millis(300),
        "{noticed:?} {blind:?}"
    );
    watch.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_by_plan_is_heard_saying_so_at_its_own_vantage() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let mut watch = beating(&lab).await;
    let (_, leaving) = watch.log().connected("west", Mono::default()).unwrap();
    let server = lab.servers().iter().find(|server| server.id().as_ref() == Some(&leaving)).unwrap();
    server.stop(Duration::from_secs(10)).await.unwrap();
    watch
        .until("its shutdown is heard in its own cluster", |log| {
            let said = |fact: &Fact| matches!(fact, Fact::Stopped(identity) if identity.id == leaving);
            log.observed()
                .any(|observation| observation.vantage.as_str() == "west" && said(&observation.fact))
        })
        .await;
    watch.stop().await;
}

#[tokio::test]
async fn packets_lost_from_east_to_west_silence_east_at_wests_vantage_only() {
    let lab = three_by_two().await;
    let mut watch = beating(&lab).await;
    lab.faults().cut_direction("east", "west", Fault::Blackhole).unwrap();
    // What was on its way when the cut was made has arrived by then; only later rounds are looked at.
    watch.listen(Duration::from_millis(500)).await;
    let cut = watch.clock.mono();
    let (east, all) = (members(&lab, "east"), ids(lab.servers()));
    let rest: BTreeSet<_> = all.difference(&east).cloned().collect();
    watch
        .until("others go on", |log| {
            log.all_hear(&["central", "east"], &all, cut) && log.all_hear(&["west"], &rest, cut)
        })
        .await;
    watch.listen(Duration::from_secs(1)).await;
    assert!(watch.log().beats(cut)["west"].is_disjoint(&east));
    lab.faults().clear_all();
    let healed = watch.clock.mono();
    watch.until("west hears east again", |log| log.all_hear(&["west"], &east, healed)).await;
    watch.stop().await;
}

#[tokio::test]
async fn a_cluster_that_is_killed_is_refused_and_found_again_when_it_is_back() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let mut watch = beating(&lab).await;
    let killed = watch.clock.mono();
    lab.cluster("west").unwrap().kill().await.unwrap();
    watch.until("its hosts refuse", |log| log.lost("west", Disconnect::Refused, killed).is_some()).await;
    let refused = watch.log().lost("west", Disconnect::Refused, killed).unwrap();
    println!("killed cluster: refused after {:?}", refused.since(killed));
    assert!(watch.log().lost("west", Disconnect::Lost, killed).is_some());
    let dead = watch.clock.mono();
    watch.listen(Duration::from_secs(1)).await;
    assert!(watch.log().rounds().all(|round| round.cluster.as_str() != "west" || round.at < dead));
    lab.cluster("west").unwrap().start().await.unwrap();
    watch.until("the vantage is back", |log| log.connected("west", dead).is_some()).await;
    watch.stop().await;
}

#[tokio::test]
async fn a_frozen_cluster_is_silent_then_given_up_and_taken_back_when_it_thaws() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let mut watch = beating(&lab).await;
    lab.cluster("west").unwrap().freeze().await.unwrap();
    watch.listen(Duration::from_millis(300)).await;
    let frozen = watch.clock.mono();
    watch.until("the vantage is given up", |log| log.lost("west", Disconnect::Lost, frozen).is_some()).await;
    let given_up = watch.log().lost("west", Disconnect::Lost, frozen).unwrap();
    println!("frozen cluster: given up after {:?}", given_up.since(frozen));
    assert!(watch.log().observed().all(|heard| heard.vantage.as_str() != "west" || heard.at < frozen));
    watch.until("no answer in time", |log| log.lost("west", Disconnect::TimedOut, frozen).is_some()).await;
    assert_eq!(watch.metrics.echo_timeouts.get(), 1);
    let thawed = watch.clock.mono();
    lab.cluster("west").unwrap().thaw().unwrap();
    watch.until("the vantage is back", |log| log.connected("west", thawed).is_some()).await;
    watch.stop().await;
}

#[tokio::test]
async fn a_frozen_server_under_a_vantage_moves_the_vantage_to_a_sibling() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let mut watch = beating(&lab).await;
    let (_, victim) = watch.log().connected("west", Mono::default()).unwrap();
    let server = lab.servers().iter().find(|server| server.id().as_ref() == Some(&victim)).unwrap();
    let frozen = watch.clock.mono();
    server.freeze().await.unwrap();
    watch.until("the vantage is on the sibling", |log| log.connected("west", frozen).is_some()).await;
    let (back, sibling) = watch.log().connected("west", frozen).unwrap();
    println!("frozen server: on the sibling after {:?}", back.since(frozen));
    assert_ne!(sibling, victim);
    assert!(back.since(frozen) < Duration::from_secs(4));
    server.thaw().unwrap();
    watch.stop().await;
}

#[tokio::test]
async fn a_cluster_without_its_vantage_is_surveyed_and_beaten_through_the_others() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let west = lab.server("west-1").unwrap();
    let user = lab.system();
    let mut watch = Watch::start(&settings(&[
        ("system.servers", &lab.server("east-1").unwrap().client_url()),
        ("system.user", &user.user),
        ("system.password", &user.password),
        ("discovery.enabled", "false"),
    ]))
    .await
    .unwrap();
    watch.beat(&lab, "west", Through::All).await;
    watch
        .until("west answers east's vantage", |log| log.all_hear(&["east"], &ids([west]), Mono::default()))
        .await;
    let ask = SurveyRequest {
        cluster: "west".into(),
        servers: vec![west.id().unwrap()],
        what: Survey::Gateways,
        through: Through::Home,
    };
    watch.request(Request::Ask(ask)).await;
    watch
        .until("west reports its gateways", |log| {
            log.observed().any(|heard| {
                matches!(&heard.fact, Fact::Gateways(report) if report.server.cluster.as_str() == "west")
            })
        })
        .await;
    assert!(
        watch.log().changes("west", Mono::default()).is_empty(),
        "a vantage was dialled without discovery"
    );
    watch.stop().await;
}

#[tokio::test]
async fn wrong_credentials_end_the_start_with_what_to_mend() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let url = lab.server("east-1").unwrap().client_url();
    let wrong =
        settings(&[("system.servers", &url), ("system.user", "nobody"), ("system.password", "wrong")]);
    let error = Watch::start(&wrong).await.err().expect("started with wrong credentials");
    assert!(matches!(error, StartError::Unusable { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("rejected the login") && message.contains("nobody"), "{message}");
    assert!(!message.contains("wrong\""), "{message}");
}

#[tokio::test]
async fn a_user_of_another_account_ends_the_start_with_what_to_mend() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let (url, user) = (lab.server("east-1").unwrap().client_url(), lab.app());
    let app = settings(&[
        ("system.servers", &url),
        ("system.user", &user.user),
        ("system.password", &user.password),
    ]);
    let error = Watch::start(&app).await.err().expect("started outside of the system account");
    let message = error.to_string();
    assert!(message.contains("not in the system account") && message.contains("system_account"), "{message}");
}

#[tokio::test]
async fn a_vantage_given_the_address_of_another_cluster_says_so_and_is_not_used() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let (east, west) =
        (lab.server("east-1").unwrap().client_url(), lab.server("west-1").unwrap().client_url());
    let user = lab.system();
    let mut watch = Watch::start(&settings(&[
        ("system.servers", &east),
        ("system.user", &user.user),
        ("system.password", &user.password),
        ("vantage.0.cluster", "west"),
        ("vantage.0.servers", &east),
        ("vantage.1.cluster", "east"),
        ("vantage.1.servers", &format!("{west},{east}")),
    ]))
    .await
    .unwrap();
    watch
        .until("the wrong cluster is told", |log| {
            log.lost("west", Disconnect::WrongCluster, Mono::default()).is_some()
        })
        .await;
    watch
        .until("the right address of two serves", |log| log.connected("east", Mono::default()).is_some())
        .await;
    assert!(watch.log().connected("west", Mono::default()).is_none());
    watch.stop().await;
}

#[tokio::test]
async fn servers_of_several_clusters_may_be_given_and_one_may_be_down() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let urls = ["east-1", "west-1", "west-2"].map(|name| lab.server(name).unwrap().client_url());
    lab.server("east-1").unwrap().kill().await.unwrap();
    let user = lab.system();
    let mut watch = Watch::start(&settings(&[
        ("system.servers", &urls.join(",")),
        ("system.user", &user.user),
        ("system.password", &user.password),
    ]))
    .await
    .unwrap();
    watch
        .until("both clusters have a vantage", |log| {
            ["east", "west"].iter().all(|cluster| log.connected(cluster, Mono::default()).is_some())
        })
        .await;
    watch.stop().await;
}

#[tokio::test]
async fn a_server_that_joins_later_is_an_address_to_fall_back_on() {
    let lab = start(|lab| lab.grid(2, 2)).await;
    let user = lab.system();
    lab.server("west-2").unwrap().kill().await.unwrap();
    let mut watch = Watch::start(&settings(&[
        ("system.servers", &lab.server("east-1").unwrap().client_url()),
        ("system.user", &user.user),
        ("system.password", &user.password),
        ("survey.varz_every", "1s"),
    ]))
    .await
    .unwrap();
    watch.until("west has a vantage", |log| log.connected("west", Mono::default()).is_some()).await;
    lab.server("west-2").unwrap().start().await.unwrap();
    let joined = lab.server("west-2").unwrap().id().unwrap();
    watch
        .until("the new server told where it is", |log| {
            log.observed()
                .any(|heard| matches!(&heard.fact, Fact::Config(report) if report.server.id == joined))
        })
        .await;
    let killed = watch.clock.mono();
    lab.server("west-1").unwrap().kill().await.unwrap();
    watch
        .until("the vantage is on the new server", |log| {
            log.connected("west", killed).is_some_and(|(_, server)| server == joined)
        })
        .await;
    watch.stop().await;
}

#[tokio::test]
async fn a_cluster_that_joins_later_gets_a_vantage() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    lab.cluster("west").unwrap().kill().await.unwrap();
    let mut watch = Watch::start(&one_url(&lab, "east-1")).await.unwrap();
    watch.until("east has a vantage", |log| log.connected("east", Mono::default()).is_some()).await;
    watch.listen(Duration::from_millis(500)).await;
    assert!(watch.log().changes("west", Mono::default()).is_empty());
    lab.cluster("west").unwrap().start().await.unwrap();
    watch.until("west has a vantage", |log| log.connected("west", Mono::default()).is_some()).await;
    watch.stop().await;
}

#[tokio::test]
async fn connections_that_come_and_go_leave_no_task_behind() {
    let lab = start(|lab| lab.grid(1, 1)).await;
    let mut watch = beating(&lab).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for _ in 0..4 {
        let killed = watch.clock.mono();
        lab.server("east-1").unwrap().kill().await.unwrap();
        watch.until("the loss is told", |log| log.lost("east", Disconnect::Refused, killed).is_some()).await;
        lab.server("east-1").unwrap().start().await.unwrap();
        watch.until("the vantage is back", |log| log.connected("east", killed).is_some()).await;
    }
    watch.until("as many tasks as before", |_| tasks() <= before).await;
    watch.stop().await;
}

#[tokio::test]
async fn a_driver_that_does_not_keep_up_is_told_of_the_gap() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let mut watch = beating(&lab).await;
    let user = lab.server("east-1").unwrap().system_client().await.unwrap();
    // Nobody takes anything off the channel meanwhile.
    for _ in 0..100 {
        if watch.metrics.driver_full.get() > 0 {
            break;
        }
        for _ in 0..500 {
            user.publish("$SYS.SERVER.X.LAMEDUCK", r#"{"id":"X","name":"x","cluster":"east"}"#.into())
                .await
                .unwrap();
        }
        user.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(watch.metrics.driver_full.get() > 0);
    watch
        .until("the gap is told", |log| {
            log.changes("east", Mono::default()).iter().any(|(_, what)| **what == VantageEvent::Dropped)
        })
        .await;
    watch.stop().await;
}

#[tokio::test]
async fn hostile_messages_are_counted_and_change_nothing() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let mut watch = beating(&lab).await;
    let user = lab.server("east-1").unwrap().system_client().await.unwrap();
    for payload in ["", "{", "[]", "\u{0}", r#"{"server":{"cluster":7}}"#] {
        user.publish("$SYS.SERVER.X.STATSZ", payload.into()).await.unwrap();
    }
    user.flush().await.unwrap();
    let metrics = std::sync::Arc::clone(&watch.metrics);
    watch.until("they are counted", |_| metrics.undecodable.total() >= 5).await;
    let after = watch.clock.mono();
    let servers = ids(lab.servers());
    watch.until("everything goes on", |log| log.all_hear(&["east", "west"], &servers, after)).await;
    watch.stop().await;
}

#[tokio::test]
async fn a_capture_gets_messages_as_they_came_and_our_own_doings() {
    let lab = start(|lab| lab.grid(2, 1)).await;
    let mut watch = Watch::start(&one_url(&lab, "east-1")).await.unwrap();
    let mut kinds = BTreeSet::new();
    let mut beaten = false;
    while kinds.len() < 3 {
        let line = tokio::time::timeout(Duration::from_secs(10), watch.tapped.recv()).await.unwrap().unwrap();
        kinds.insert(match line {
            Recorded::Message(_) => "message",
            Recorded::Asked(_) => "asked",
            Recorded::Vantage(_) => "vantage",
            other => panic!("not ours to record: {other:?}"),
        });
        if !std::mem::replace(&mut beaten, true) {
            watch.beat_all(&lab).await;
        }
    }
    watch.stop().await;
}
