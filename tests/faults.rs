//! Stories on real servers: one fault each, told as exactly one incident, resolved after the heal - or none at all.
//!
//! All stories play on one stage, one after the other; what they leave must be whole again.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a story that cannot go on fails, and tells its times"
)]

mod stage;

use chrono::{DateTime, Utc};
use gatewatch::lab::{ControlError, Fault, Path, Side, Supercluster, UnknownName};
use serde_json::{Value, json};
use stage::{Message, Stage, listing};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// How long the break lasts after its incident was heard: long enough that a second, wrong incident would open too.
const BROKEN_FOR: Duration = Duration::from_millis(3_500);
/// After the resolution, everything must stay quiet this long: longer than an incident takes to open.
const QUIET_AFTER: Duration = Duration::from_millis(3_500);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
static STAGE: LazyLock<Mutex<Option<Stage>>> = LazyLock::new(Mutex::default);

/// What must be said of a fault.
struct Verdict {
    kind: &'static str,
    severity: &'static str,
    /// `alert.<severity>.<kind>.` goes before it.
    about: &'static str,
    direction: Option<&'static str>,
    departure: Option<&'static str>,
    /// Links cut as a whole, `from>to`, sorted.
    links: &'static [&'static str],
    /// Servers named in the scope, sorted.
    servers: &'static [&'static str],
    /// Servers whose own links are cut, `server>to`; `None` when that depends on which server a link happened to end at.
    cut: Option<&'static [&'static str]>,
}

const ANY: Verdict = Verdict {
    kind: "",
    severity: "critical",
    about: "east.west",
    direction: None,
    departure: None,
    links: &[],
    servers: &[],
    cut: None,
};

const EAST: &[&str] = &["east-1>west", "east-2>west", "east-3>west"];
const BOTH: &[&str] =
    &["east-1>west", "east-2>west", "east-3>west", "west-1>east", "west-2>east", "west-3>east"];
const AROUND_WEST: &[&str] = &["central>west", "east>west", "west>central", "west>east"];
const WEST: &[&str] = &["west-1", "west-2", "west-3"];

const CRASHED: Verdict = Verdict {
    kind: "cluster_offline",
    about: "west._",
    departure: Some("crash"),
    links: AROUND_WEST,
    servers: WEST,
    ..ANY
};

type Act<'a> = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send + 'a>>;

#[derive(Debug)]
struct Failed(#[expect(dead_code, reason = "shown when a story fails")] String);

impl From<UnknownName> for Failed {
    fn from(error: UnknownName) -> Self {
        Self(error.to_string())
    }
}

impl From<ControlError> for Failed {
    fn from(error: ControlError) -> Self {
        Self(error.to_string())
    }
}

fn heal_links(lab: &Supercluster) -> Act<'_> {
    Box::pin(async {
        lab.faults().clear_all();
        Ok(())
    })
}

fn start_west(lab: &Supercluster) -> Act<'_> {
    Box::pin(async { Ok(lab.cluster("west")?.start().await?) })
}

#[test]
fn a_pair_that_drops_packets_is_one_gateway_down_both_ways_while_the_servers_still_list_it() {
    let verdict = Verdict {
        kind: "gateway_down",
        direction: Some("both"),
        links: &["east>west", "west>east"],
        cut: Some(BOTH),
        ..ANY
    };
    let alerts = story(
        &verdict,
        |lab| Box::pin(async { Ok(lab.faults().cut_pair("east", "west", Fault::Blackhole)?) }),
        heal_links,
    );
    let opened = &alerts[0].body;
    assert_eq!(opened["server_view"]["still_listed"].as_array().map(Vec::len), Some(6), "{opened:#}");
    assert_eq!(opened["cause"]["kind"], "packets_lost", "{opened:#}");
}

#[test]
fn a_pair_that_is_reset_is_one_gateway_down_both_ways_and_the_servers_know() {
    let verdict = Verdict {
        kind: "gateway_down",
        direction: Some("both"),
        links: &["east>west", "west>east"],
        cut: Some(BOTH),
        ..ANY
    };
    let alerts = story(
        &verdict,
        |lab| Box::pin(async { Ok(lab.faults().cut_pair("east", "west", Fault::Reset)?) }),
        heal_links,
    );
    assert_eq!(alerts[0].body["cause"]["kind"], "connections_closed", "{:#}", alerts[0].body);
}

#[test]
fn one_direction_that_drops_packets_is_one_gateway_down_one_way() {
    let verdict = Verdict {
        kind: "gateway_down",
        direction: Some("one_way"),
        links: &["east>west"],
        cut: Some(EAST),
        ..ANY
    };
    story(
        &verdict,
        |lab| Box::pin(async { Ok(lab.faults().cut_direction("east", "west", Fault::Blackhole)?) }),
        heal_links,
    );
}

#[test]
fn one_server_without_its_link_is_a_degraded_gateway_of_exactly_that_server() {
    // Its own outbound link only: what remote servers send to it they can send to its peers as well, once they have redialled.
    let own = || Path { from: Side::server("east", "east-2"), to: Side::cluster("west") };
    let verdict =
        Verdict { kind: "gateway_degraded", severity: "warning", cut: Some(&["east-2>west"]), ..ANY };
    story(&verdict, |lab| Box::pin(async move { Ok(lab.faults().set(own(), Fault::Reset)?) }), heal_links);
}

#[test]
fn a_killed_cluster_is_one_crash_not_a_dozen_links() {
    story(&CRASHED, |lab| Box::pin(async { Ok(lab.cluster("west")?.kill().await?) }), start_west);
}

#[test]
fn a_stopped_cluster_is_told_as_planned() {
    let verdict = Verdict { severity: "warning", departure: Some("planned"), ..CRASHED };
    story(
        &verdict,
        |lab| Box::pin(async { Ok(lab.cluster("west")?.stop(Duration::from_secs(20)).await?) }),
        start_west,
    );
}

#[test]
fn a_frozen_cluster_is_offline_though_every_connection_stays_open() {
    story(
        &CRASHED,
        |lab| Box::pin(async { Ok(lab.cluster("west")?.freeze().await?) }),
        |lab| Box::pin(async { Ok(lab.cluster("west")?.thaw()?) }),
    );
}

#[test]
fn one_killed_server_is_a_lost_server_and_nothing_more() {
    let verdict =
        Verdict { kind: "server_lost", severity: "warning", about: "west._", servers: &["west-2"], ..ANY };
    story(
        &verdict,
        |lab| Box::pin(async { Ok(lab.server("west-2")?.kill().await?) }),
        |lab| Box::pin(async { Ok(lab.server("west-2")?.start().await?) }),
    );
}

#[test]
fn a_cluster_cut_from_all_others_is_isolated_not_four_links() {
    let verdict = Verdict { kind: "cluster_isolated", about: "west._", links: AROUND_WEST, ..ANY };
    story(
        &verdict,
        |lab| Box::pin(async { Ok(lab.faults().isolate("west", Fault::Blackhole)?) }),
        heal_links,
    );
}

#[test]
fn a_rolling_restart_of_all_nine_pages_nobody_and_its_events_tell_the_story() {
    on_stage(async |stage| {
        let names: Vec<String> =
            stage.lab.servers().iter().map(|server| server.key().name.to_string()).collect();
        let began = stage.clock.now().wall;
        for name in &names {
            let server = stage.lab.server(name).unwrap();
            server.lame_duck().unwrap();
            server.await_exit(Duration::from_secs(40)).await.unwrap();
            server.start().await.unwrap();
            stage.whole().await;
        }
        stage.rest(QUIET_AFTER).await;
        let alerts = since(began, stage.stored("GATEWATCH_ALERTS").await);
        assert!(alerts.is_empty(), "nobody is paged for a rolling restart:\n{}", listing(&alerts));
        // A subscriber on a server that restarts misses messages; the stream does not.
        let events = since(began, stage.stored("GATEWATCH_EVENTS").await);
        for name in &names {
            let own = events
                .iter()
                .filter(|event| event.body["server"] == **name && event.body["entity"] == "server");
            let states: Vec<_> = own.map(|event| text(&event.body["to"]["state"])).collect();
            assert_eq!(states, ["leaving", "stopped", "live"], "the story of {name}:\n{}", listing(&events));
        }
    });
}

#[test]
fn a_restarted_gatewatch_goes_on_with_its_incident_and_closes_what_healed_meanwhile() {
    on_stage(async |stage| {
        let open = Duration::from_secs(20);
        stage.lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
        let opened = stage.until(open, Message::is_alert).await.pop().unwrap();
        stage.restart(|_| {}).await;
        let again = stage.rest_for(Duration::from_secs(6)).await;
        let again: Vec<_> = again.into_iter().filter(Message::is_alert).collect();
        assert!(
            again.iter().all(|alert| alert.text("stage") == "updated"),
            "no second page:\n{}",
            listing(&again)
        );

        stage.restart(|lab| lab.faults().clear_all()).await;
        let resolved =
            stage.until(open, |message| message.is_alert() && message.text("stage") == "resolved").await;
        let resolved = resolved.last().unwrap();
        assert_eq!(resolved.text("incident"), opened.text("incident"), "{:#}", resolved.body);
        let revisions = [opened, resolved.clone()].map(|alert| alert.body["revision"].as_u64());
        assert!(revisions[0] < revisions[1], "{revisions:?}");
        stage.whole().await;
    });
}

/// What happened after `began`, in the order in which it happened; storing may have been repeated, and then it came later.
fn since(began: DateTime<Utc>, mut stored: Vec<Message>) -> Vec<Message> {
    let time = |message: &Message| message.text("timestamp").parse::<DateTime<Utc>>().unwrap();
    stored.retain(|message| time(message) > began);
    stored.sort_by_key(time);
    stored
}

/// Plays one fault: breaks, hears exactly one incident open as `verdict` says, heals, hears it resolve, and nothing else.
/// Returns its alerts.
fn story(
    verdict: &Verdict,
    inject: impl for<'a> FnOnce(&'a Supercluster) -> Act<'a> + Send,
    heal: impl for<'a> FnOnce(&'a Supercluster) -> Act<'a> + Send,
) -> Vec<Message> {
    let alerts = Arc::new(std::sync::Mutex::new(Vec::new()));
    let result = Arc::clone(&alerts);
    on_stage(async |stage| {
        let broke = stage.clock.mono();
        inject(&stage.lab).await.unwrap();
        let mut heard = stage.until(Duration::from_secs(20), Message::is_alert).await;
        let first_event =
            heard.iter().find(|message| !message.is_alert()).map(|message| message.at.since(broke));
        println!(
            "first event {first_event:?}, alert {:?} after the break",
            heard.last().map(|alert| alert.at.since(broke))
        );
        heard.extend(stage.rest_for(BROKEN_FOR).await);
        heal(&stage.lab).await.unwrap();
        heard.extend(
            stage
                .until(Duration::from_secs(90), |message| {
                    message.is_alert() && message.text("stage") == "resolved"
                })
                .await,
        );
        heard.extend(stage.rest(QUIET_AFTER).await);
        stage.whole().await;
        let alerts: Vec<_> = heard.into_iter().filter(Message::is_alert).collect();
        judge(verdict, &alerts);
        *result.lock().unwrap() = alerts;
    });
    let alerts = alerts.lock().unwrap();
    alerts.clone()
}

fn judge(verdict: &Verdict, alerts: &[Message]) {
    let all = listing(alerts);
    let incidents: BTreeSet<&str> = alerts.iter().map(|alert| alert.text("incident")).collect();
    assert_eq!(incidents.len(), 1, "exactly one incident:\n{all}");
    let stages: Vec<_> = alerts.iter().map(|alert| alert.text("stage")).collect();
    assert_eq!((stages.first(), stages.last()), (Some(&"opened"), Some(&"resolved")), "{all}");
    assert_eq!(stages.iter().filter(|stage| **stage == "opened").count(), 1, "{all}");
    for (alert, revision) in alerts.iter().zip(1..) {
        assert_eq!(alert.body["revision"], json!(revision), "{all}");
        assert_eq!(
            alert.subject,
            format!("gatewatch.alert.{}.{}.{}", verdict.severity, verdict.kind, verdict.about),
            "{all}"
        );
        let body = &alert.body;
        assert_eq!(body["direction"], json!(verdict.direction), "{body:#}");
        assert_eq!(body["departure"], json!(verdict.departure), "{body:#}");
        let scope = &body["scope"];
        assert_eq!(
            names(&scope["links"], |link| format!("{}>{}", text(&link["from"]), text(&link["to"]))),
            verdict.links,
            "{body:#}"
        );
        assert_eq!(names(&scope["servers"], |server| text(&server["name"])), verdict.servers, "{body:#}");
        if let Some(cut) = verdict.cut {
            let own = |link: &Value| format!("{}>{}", text(&link["server"]["name"]), text(&link["to"]));
            assert_eq!(names(&scope["server_links"], own), cut, "{body:#}");
        }
    }
}

fn names(list: &Value, name: impl Fn(&Value) -> String) -> Vec<String> {
    list.as_array().into_iter().flatten().map(name).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Runs a story on the shared stage, which is set for the first one. A story that fails takes the stage down with it.
fn on_stage(play: impl AsyncFnOnce(&mut Stage)) {
    RUNTIME.block_on(async {
        let mut place = STAGE.lock().await;
        let mut stage = match place.take() {
            Some(stage) => stage,
            None => Stage::set(Supercluster::builder().grid(3, 3)).await,
        };
        play(&mut stage).await;
        *place = Some(stage);
    });
}
