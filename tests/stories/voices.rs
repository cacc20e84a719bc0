//! Both sides of a cut hear of it, once: subscribers on every server of three clusters, through one partition after the other.

use crate::stage::{Stage, listing, settings};
use async_nats::header::NATS_MESSAGE_ID;
use futures::StreamExt;
use gatewatch::lab::{Builder, Fault, Supercluster};
use gatewatch::nats::publish::{Message, Publisher, PublisherParts, publisher};
use gatewatch::nats::voices::{Voices, VoicesParts, VoicesTask};
use gatewatch::wire::advisory::Advisory;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

const SOON: Duration = Duration::from_secs(30);
/// Long enough for a second copy to arrive that is on its way.
const REST: Duration = Duration::from_millis(1_000);

/// How often each alert was heard at each server, in the order in which they were first heard.
type Heard = BTreeMap<String, Vec<(String, Value, usize)>>;

/// A subscriber on each server.
struct Ears {
    heard: Arc<Mutex<Heard>>,
    /// What had been told before the present scene; it may be told once more when a cut begins.
    earlier: Mutex<BTreeSet<String>>,
    _listening: JoinSet<()>,
}

impl Ears {
    async fn open(lab: &Supercluster) -> Self {
        let (heard, mut listening) = (Arc::<Mutex<Heard>>::default(), JoinSet::new());
        for server in lab.servers() {
            let client = server.app_client().await.unwrap();
            let mut messages = client.subscribe("gatewatch.alert.>").await.unwrap();
            client.flush().await.unwrap();
            let (heard, name) = (Arc::clone(&heard), server.key().name.to_string());
            listening.spawn(async move {
                let _client = client;
                while let Some(message) = messages.next().await {
                    let id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
                    let id = id.unwrap().to_string();
                    let mut heard = heard.lock().unwrap();
                    let own = heard.entry(name.clone()).or_default();
                    match own.iter_mut().find(|(known, ..)| *known == id) {
                        Some((.., times)) => *times += 1,
                        None => own.push((id, serde_json::from_slice(&message.payload).unwrap(), 1)),
                    }
                }
            });
        }
        Self { heard, earlier: Mutex::default(), _listening: listening }
    }

    /// From now on only alerts that are new count.
    fn begin(&self) {
        let mut heard = self.heard.lock().unwrap();
        self.earlier.lock().unwrap().extend(heard.values().flatten().map(|(id, ..)| id.clone()));
        heard.clear();
    }

    fn heard(&self) -> Heard {
        let (mut heard, earlier) = (self.heard.lock().unwrap().clone(), self.earlier.lock().unwrap());
        heard.values_mut().for_each(|own| own.retain(|(id, ..)| !earlier.contains(id)));
        heard
    }

    /// Waits until an alert like this was heard at every server but those of `deaf`.
    async fn all_hear(&self, lab: &Supercluster, deaf: &str, what: &str, is_it: impl Fn(&Value) -> bool) {
        let servers = hearing(lab, deaf);
        let all = async {
            loop {
                let heard = self.heard();
                let has = |server: &String| {
                    heard.get(server).is_some_and(|own| own.iter().any(|(_, body, _)| is_it(body)))
                };
                if servers.iter().all(has) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(SOON, all).await.is_err() {
            let heard = self.heard();
            let last = heard.values().next().and_then(|own| own.last()).map(|(_, body, _)| body);
            panic!("{what}: not heard by all: {}\nthe last: {last:#?}", shown(&heard));
        }
    }

    /// Every alert was heard at every server once, or once more when it was told while a cut began or healed: those of which `may_repeat`
    /// says so. Revisions of an incident were heard in their order.
    fn assert(&self, lab: &Supercluster, deaf: &str, what: &str, may_repeat: impl Fn(&str) -> bool) {
        let heard = self.heard();
        let everything: BTreeMap<&String, &Value> =
            heard.values().flatten().map(|(id, body, _)| (id, body)).collect();
        for server in hearing(lab, deaf) {
            let own = heard.get(&server).unwrap();
            for id in everything.keys() {
                let times = own.iter().find(|(known, ..)| known == *id).map_or(0, |(.., times)| *times);
                let most = if may_repeat(id) { 2 } else { 1 };
                assert!(
                    (1..=most).contains(&times),
                    "{what}: {id} was heard {times} times at {server}: {}",
                    shown(&heard)
                );
            }
            let mut last: BTreeMap<&str, u64> = BTreeMap::new();
            for (_, body, _) in own {
                let (incident, revision) =
                    (body["incident"].as_str().unwrap_or(""), body["revision"].as_u64().unwrap_or(0));
                let before = last.insert(incident, revision);
                assert!(before < Some(revision), "{what}: out of order at {server}: {}", shown(&heard));
            }
        }
    }
}

fn hearing(lab: &Supercluster, deaf: &str) -> Vec<String> {
    let servers = lab.servers().iter().filter(|server| server.key().cluster.as_str() != deaf);
    servers.map(|server| server.key().name.to_string()).collect()
}

fn shown(heard: &Heard) -> String {
    let mut text = String::new();
    for (server, own) in heard {
        text.push_str(&format!("\n  {server}:"));
        for (id, body, times) in own {
            let (stage, kind) = (&body["stage"], &body["kind"]);
            text.push_str(&format!(" [{} {stage} {kind} x{times}]", &id[id.len().saturating_sub(8)..]));
        }
    }
    text
}

fn is(stage: &'static str) -> impl Fn(&Value) -> bool {
    move |body| body["stage"] == stage
}

/// Breaks, waits until it is told, heals, waits until that is told, and counts. While it is broken, an alert is published from another
/// cluster than that of the stream, too.
async fn partition(
    (stage, ears, beside): (&mut Stage, &Ears, &Publisher),
    (what, nth): (&str, u32),
    kinds: &'static [&'static str],
    cut: impl FnOnce(&Supercluster),
) {
    ears.begin();
    let begin = stage.clock.mono();
    cut(&stage.lab);
    let told =
        move |body: &Value| body["stage"] != "resolved" && kinds.iter().any(|kind| body["kind"] == *kind);
    ears.all_hear(&stage.lab, "", what, told).await;
    let told = stage.clock.mono().since(begin);
    tokio::time::sleep(REST).await;
    beside.publish(alert("BESIDE", nth));
    ears.all_hear(&stage.lab, "", what, of("BESIDE", nth)).await;
    tokio::time::sleep(REST).await;
    // On a busy machine the first alert may come before the cut is known in full.
    ears.assert(&stage.lab, "", what, |id| !id.starts_with("BESIDE"));

    let begin = stage.clock.mono();
    stage.lab.faults().clear_all();
    ears.all_hear(&stage.lab, "", what, is("resolved")).await;
    stage.whole().await;
    let healed = stage.clock.mono().since(begin);
    tokio::time::sleep(REST).await;
    ears.assert(&stage.lab, "", what, |_| true);
    println!("{what}: told everywhere after {told:?}, healed after {healed:?}{}", shown(&ears.heard()));
}

fn of(incident: &'static str, revision: u32) -> impl Fn(&Value) -> bool {
    move |body| body["incident"] == incident && body["revision"] == revision
}

async fn killed(stage: &mut Stage, ears: &Ears, cluster: &str) {
    let what = "cluster killed";
    ears.begin();
    stage.lab.cluster(cluster).unwrap().kill().await.unwrap();
    let opened = |body: &Value| body["kind"] == "cluster_offline";
    ears.all_hear(&stage.lab, cluster, what, opened).await;
    tokio::time::sleep(REST).await;
    ears.assert(&stage.lab, cluster, what, |_| true);
    println!("{what}: {}", shown(&ears.heard()));
}

/// A publisher of its own, at home in central, that rests on what the daemon finds out.
async fn publisher_beside(stage: &Stage) -> (Publisher, DropGuard) {
    let settings = settings(&stage.lab, &[("instance.name", "beside")]);
    let home = stage.lab.server("central-1").unwrap().app_client().await.unwrap();
    let (metrics, clock) = (Arc::default(), stage.clock);
    let parts = VoicesParts {
        home,
        snapshot: stage.daemon().snapshot(),
        provisioning: stage.daemon().provisioning(),
        noticed_within: Duration::from_secs(5),
        metrics: Arc::clone(&metrics),
        clock,
    };
    let voices = Voices::new(parts, &settings.alerts);
    let places = stage.lab.clusters().into_iter().map(|cluster| {
        let urls = stage.lab.cluster(cluster.as_str()).unwrap().client_urls();
        (cluster, urls.iter().map(|url| url.parse().unwrap()).collect())
    });
    let (_, places) = watch::channel(places.collect());
    let shutdown = CancellationToken::new();
    tokio::spawn(VoicesTask::new(&voices, &settings, places).run(shutdown.clone()));
    let (outbox, left, max_bytes) = (None, Vec::new(), 1 << 20);
    let parts = PublisherParts { voices, missing: Arc::default(), metrics, clock, outbox, left, max_bytes };
    let (publisher, task) = publisher(parts, &settings.alerts);
    tokio::spawn(task.run());
    (publisher, shutdown.drop_guard())
}

fn alert(incident: &str, revision: u32) -> Message {
    let (id, subject) = (format!("{incident}.{revision}"), "gatewatch.alert.info.test.east._".to_owned());
    let body = serde_json::json!({ "incident": incident, "revision": revision, "id": id, "stage": "test" });
    let advisory = Advisory { subject, id, headers: Vec::new(), body: serde_json::to_vec(&body).unwrap() };
    Message::alert(&incident.into(), advisory)
}

/// What is told in the half second before a cut is known is lost beyond it, and told again there.
async fn at_the_moment_of_a_cut(stage: &mut Stage, ears: &Ears, beside: &Publisher) {
    let what = "at the moment of a cut";
    ears.begin();
    stage.lab.faults().isolate("west", Fault::Blackhole).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for revision in 1..=3 {
        beside.publish(alert("CUT", revision));
    }
    ears.all_hear(&stage.lab, "west", what, of("CUT", 3)).await;
    let early = ears.heard().get("west-1").cloned().unwrap_or_default();
    assert!(early.is_empty(), "{what}: {}", shown(&ears.heard()));
    ears.all_hear(&stage.lab, "", what, of("CUT", 3)).await;
    ears.all_hear(&stage.lab, "", what, is("opened")).await;
    tokio::time::sleep(REST).await;
    ears.assert(&stage.lab, "", what, |_| true);
    println!("{what}: {}", shown(&ears.heard()));
    stage.lab.faults().clear_all();
    ears.all_hear(&stage.lab, "", what, is("resolved")).await;
    stage.whole().await;
    tokio::time::sleep(REST).await;
    ears.assert(&stage.lab, "", what, |_| true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cluster_hears_each_alert_once_whatever_is_cut() {
    let lab = Builder::default().grid(3, 3).start().await.unwrap();
    let given = [("detect.alert_after", "1s"), ("detect.clear_after", "1s")];
    let settings = settings(&lab, &given);
    let mut stage = Stage::on(lab, settings).await;
    let ears = Ears::open(&stage.lab).await;
    let voices = async {
        while stage.daemon().metrics().voice_connects.get() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, voices).await.expect("a voice in each of the other clusters");

    let (beside, _running) = publisher_beside(&stage).await;
    partition((&mut stage, &ears, &beside), ("a pair cut", 1), &["gateway_down"], |lab| {
        lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    })
    .await;
    partition((&mut stage, &ears, &beside), ("another cluster isolated", 2), &["cluster_isolated"], |lab| {
        lab.faults().isolate("west", Fault::Blackhole).unwrap();
    })
    .await;
    partition((&mut stage, &ears, &beside), ("home isolated", 3), &["cluster_isolated"], |lab| {
        lab.faults().isolate("east", Fault::Reset).unwrap();
    })
    .await;
    partition((&mut stage, &ears, &beside), ("one way cut", 4), &["gateway_down"], |lab| {
        lab.faults().cut_direction("east", "west", Fault::Blackhole).unwrap();
    })
    .await;
    // Should all servers of west have dialled this one, then nothing at all crosses to east.
    let kinds = &["gateway_degraded", "gateway_down"];
    partition((&mut stage, &ears, &beside), ("the server at home cut", 5), kinds, |lab| {
        lab.faults().cut_server("east", "east-1", "west", Fault::Blackhole).unwrap();
    })
    .await;
    at_the_moment_of_a_cut(&mut stage, &ears, &beside).await;
    killed(&mut stage, &ears, "central").await;

    beside.flush(SOON).await.unwrap();
    let kept = stage.stored("GATEWATCH_ALERTS").await;
    let ids: Vec<&str> = kept.iter().map(|alert| alert.text("id")).collect();
    let once: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len(), "stored once each:\n{}", listing(&kept));
    for id in (1..=5).map(|nth| format!("BESIDE.{nth}")).chain((1..=3).map(|nth| format!("CUT.{nth}"))) {
        assert!(once.contains(id.as_str()), "{id} is not stored:\n{}", listing(&kept));
    }
    let heard = ears.heard();
    assert!(heard["east-1"].iter().all(|(id, ..)| once.contains(id.as_str())), "{}", shown(&heard));
}
