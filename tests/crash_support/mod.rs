//! A gatewatch that is killed again and again, and the history that must be whole nevertheless.
//!
//! Two superclusters: one that is watched, three clusters of one server, in which pairs are cut and healed; and a vault of three servers
//! with the alert account, whose JetStream goes away when two of them are killed, while the third goes on carrying alerts. gatewatch is
//! the real program, with a duplicate window of a few seconds: nothing rests on the streams' memory of ids.

#![allow(dead_code, reason = "each user has its part")]
#![expect(clippy::unwrap_used, reason = "a rig that cannot go on fails")]

use crate::kept::kept;
use futures::StreamExt;
use gatewatch::lab::{Fault, Path as Way, Side, Supercluster};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const READY_WITHIN: Duration = Duration::from_secs(90);
/// For everything to be healed, told and stored in the end.
const DONE_WITHIN: Duration = Duration::from_secs(120);
/// None of them: they are found in so small a supercluster, and stay.
const CHECKS: &str = "gateway_flapping,gateway_removed,config_drift,certificate_expiring,single_url,clock_skew,mixed_versions,\
                      routes_incomplete";
const PAIRS: [(&str, &str); 3] = [("east", "west"), ("east", "central"), ("west", "central")];

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(crate) fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// One revision of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    incident: String,
    revision: u64,
    stage: String,
    /// What it is about: cluster and remote of its subject.
    about: String,
    /// Whether it is about gatewatch itself: that it was impaired is told for some minutes after it is over.
    own: bool,
    /// When, as it says itself.
    at: String,
}

impl Told {
    fn of(subject: &str, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        Some(Self {
            incident: body["incident"].as_str()?.to_owned(),
            revision: body["revision"].as_u64()?,
            stage: body["stage"].as_str()?.to_owned(),
            own: body["kind"] == "gatewatch_impaired",
            at: body["timestamp"].as_str()?.to_owned(),
            about: subject.split('.').skip(4).collect::<Vec<_>>().join(" - "),
        })
    }
}

/// The real program; killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, or it ends now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Rig {
    watched: Supercluster,
    vault: Supercluster,
    place: TempDir,
    program: Option<Program>,
    heard: Arc<Mutex<Vec<Told>>>,
    listening: JoinHandle<()>,
    stored_up: bool,
    cut: Option<(usize, u64)>,
    /// How many times it was killed.
    pub(crate) kills: u32,
    away: u32,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) incidents: usize,
    pub(crate) revisions: usize,
    pub(crate) events: usize,
    /// Revisions that a plain subscriber heard.
    pub(crate) heard: usize,
    /// Revisions it heard more than once, and the first of an incident among them.
    pub(crate) heard_again: usize,
    pub(crate) opened_again: usize,
    /// Everything that must not be.
    pub(crate) complaints: Vec<String>,
}

impl Rig {
    /// Starts both superclusters and gatewatch.
    pub(crate) async fn start() -> Self {
        let watched = Supercluster::builder().grid(3, 1).start();
        let vault = Supercluster::builder().cluster("vault", 3).start();
        let (watched, vault) = (watched.await.unwrap(), vault.await.unwrap());
        watched.ready(READY_WITHIN).await.unwrap();
        vault.ready(READY_WITHIN).await.unwrap();
        let client = vault.servers()[0].app_client().await.unwrap();
        let mut alerts = client.subscribe("gatewatch.alert.>").await.unwrap();
        client.flush().await.unwrap();
        let heard = Arc::<Mutex<Vec<Told>>>::default();
        let listening = tokio::spawn({
            let heard = Arc::clone(&heard);
            async move {
                let _client = client;
                while let Some(alert) = alerts.next().await {
                    let told = Told::of(&alert.subject, &alert.payload);
                    heard.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
                }
            }
        });
        let place = tempfile::tempdir().unwrap();
        let mut rig = Self {
            watched,
            vault,
            place,
            program: None,
            heard,
            listening,
            stored_up: true,
            cut: None,
            kills: 0,
            away: 0,
        };
        rig.run();
        rig.until_stored(|stored| stored.is_some()).await;
        rig
    }

    /// Starts gatewatch.
    pub(crate) fn run(&mut self) {
        let (watched, vault) = (&self.watched, &self.vault);
        let given = [
            ("SYSTEM__SERVERS", watched.servers()[0].client_url()),
            ("SYSTEM__USER", watched.system().user.clone()),
            ("SYSTEM__PASSWORD", watched.system().password.clone()),
            ("ALERTS__SERVERS", vault.servers()[0].client_url()),
            ("ALERTS__USER", vault.app().user.clone()),
            ("ALERTS__PASSWORD", vault.app().password.clone()),
            ("ALERTS__DUPLICATE_WINDOW", "5s".to_owned()),
            ("OUTBOX__DIRECTORY", self.place.path().join("state").display().to_string()),
            ("DETECT__BEAT_PERIOD", "100ms".to_owned()),
            ("DETECT__ALERT_AFTER", "500ms".to_owned()),
            ("DETECT__CLEAR_AFTER", "500ms".to_owned()),
            ("DETECT__JOIN_GRACE", "2s".to_owned()),
            ("CHECKS__DISABLED", CHECKS.to_owned()),
            ("PROBE__ENABLED", "false".to_owned()),
            ("LOG__FILTER", "info,async_nats=off".to_owned()),
        ];
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        command.arg("run").args(["--color", "never"]).env_clear().current_dir(self.place.path());
        command.envs(given.map(|(key, value)| (format!("GATEWATCH_{key}"), value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.program = Some(Program(command.spawn().unwrap()));
    }

    /// Where gatewatch logs.
    pub(crate) fn log(&self) -> std::path::PathBuf {
        self.place.path().join("log")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.program.take());
        self.kills += 1;
    }

    /// Breaks or heals one thing.
    pub(crate) fn stir(&mut self, dice: &mut Dice) {
        let faults = self.watched.faults();
        match self.cut {
            // Both ways after one, or the heal.
            Some((pair, 0)) if dice.below(2) == 0 => {
                let (a, b) = PAIRS[pair];
                faults.cut_pair(a, b, Fault::Blackhole).unwrap();
                self.cut = Some((pair, 1));
            }
            Some(_) => {
                faults.clear_all();
                self.cut = None;
            }
            None => {
                let pair = usize::try_from(dice.below(3)).unwrap();
                let (a, b) = PAIRS[pair];
                let ways = dice.below(2);
                if ways == 0 {
                    let way = Way { from: Side::cluster(a), to: Side::cluster(b) };
                    faults.set(way, Fault::Blackhole).unwrap();
                } else {
                    faults.cut_pair(a, b, Fault::Blackhole).unwrap();
                }
                self.cut = Some((pair, ways));
            }
        }
    }

    /// Takes JetStream away while alerts are still carried, or brings it back.
    pub(crate) async fn jetstream(&mut self, up: bool) {
        if self.stored_up == up {
            return;
        }
        for server in &self.vault.servers()[1..] {
            if up { server.start().await.unwrap() } else { server.kill().await.unwrap() }
        }
        self.stored_up = up;
        self.away += u32::from(!up);
    }

    pub(crate) fn jetstream_is_up(&self) -> bool {
        self.stored_up
    }

    /// Kills gatewatch so often, at random moments, with things that break and heal meanwhile and JetStream up and down.
    pub(crate) async fn torment(&mut self, kills: u32, dice: &mut Dice) {
        let goal = self.kills + kills;
        while self.kills < goal {
            match (self.stored_up, dice.below(6)) {
                (true, 0) => self.jetstream(false).await,
                (false, 0..=2) => self.jetstream(true).await,
                _ => {}
            }
            self.stir(dice);
            sleep(dice.millis(5_000)).await;
            self.kill();
            if dice.below(3) == 0 {
                self.stir(dice);
                sleep(dice.millis(1_500)).await;
            }
            self.run();
            sleep(dice.millis(1_500)).await;
        }
    }

    /// Lets things break and heal for as long as `span` without JetStream.
    pub(crate) async fn without_jetstream(&mut self, span: Duration, dice: &mut Dice) {
        self.jetstream(false).await;
        let going_on = async {
            loop {
                self.stir(dice);
                sleep(Duration::from_millis(1_500) + dice.millis(3_000)).await;
            }
        };
        let _ = timeout(span, going_on).await;
        self.jetstream(true).await;
    }

    /// Heals everything, waits until all is told and stored, ends gatewatch in order, and looks at the history.
    pub(crate) async fn finish(mut self) -> Outcome {
        self.watched.faults().clear_all();
        self.jetstream(true).await;
        if self.program.is_none() {
            self.run();
        }
        let heard = Arc::clone(&self.heard);
        let done = |stored: Option<&[Told]>| {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
            stored.is_some_and(|stored| {
                let resolved: BTreeSet<&str> = stored
                    .iter()
                    .filter(|told| told.stage == "resolved")
                    .map(|told| told.incident.as_str())
                    .collect();
                stored.iter().chain(&heard).all(|told| told.own || resolved.contains(told.incident.as_str()))
                    && heard.iter().all(|told| stored.contains(told))
            })
        };
        // What goes wrong is told by the complaints below.
        self.until_stored(done).await;
        self.until_quiet().await;
        let mut program = self.program.take().unwrap();
        let id = Pid::from_raw(i32::try_from(program.0.id()).unwrap()).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let ended = async {
            loop {
                if let Some(status) = program.0.try_wait().unwrap() {
                    return status.success();
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let flushed = timeout(Duration::from_secs(20), ended).await.unwrap_or(false);
        let stored = self.alerts().await.unwrap_or_default();
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.listening.abort();
        let mut events = Vec::new();
        for _ in 0..30 {
            events = self.ids("GATEWATCH_EVENTS").await.unwrap_or_default();
            if !events.is_empty() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        let mut outcome = judge(&stored, &heard, &events);
        if events.is_empty() {
            outcome.complaints.push("no event is stored, or they cannot be read".to_owned());
        }
        if !flushed {
            outcome.complaints.push("gatewatch did not end in order".to_owned());
        }
        if !outcome.complaints.is_empty() {
            let log = std::env::temp_dir().join(format!("gatewatch-crash-{}.log", std::process::id()));
            std::fs::copy(self.log(), &log).unwrap();
            outcome.complaints.push(format!("the log of gatewatch: {}", log.display()));
        }
        outcome
    }

    /// Waits until what is stored satisfies, or the time is up.
    async fn until_stored(&self, done: impl Fn(Option<&[Told]>) -> bool) {
        let met = async {
            while !done(self.alerts().await.as_deref()) {
                sleep(Duration::from_millis(500)).await;
            }
        };
        let _ = timeout(DONE_WITHIN, met).await;
    }

    /// Waits until no more events come to be stored: after an outage there may be many.
    async fn until_quiet(&self) {
        let quiet = async {
            let (mut stored, mut same) = (0, 0);
            while same < 3 {
                sleep(Duration::from_secs(2)).await;
                let now = self.ids("GATEWATCH_EVENTS").await.map_or(0, |ids| ids.len());
                same = if now > 0 && now == stored { same + 1 } else { 0 };
                stored = now;
            }
        };
        let _ = timeout(DONE_WITHIN, quiet).await;
    }

    async fn alerts(&self) -> Option<Vec<Told>> {
        let kept = self.kept("GATEWATCH_ALERTS").await?;
        Some(kept.iter().filter_map(|message| Told::of(&message.subject, &message.payload)).collect())
    }

    async fn ids(&self, stream: &str) -> Option<Vec<String>> {
        let id = |message: &async_nats::Message| {
            Some(message.headers.as_ref()?.get("Nats-Msg-Id")?.as_str().to_owned())
        };
        Some(self.kept(stream).await?.iter().filter_map(id).collect())
    }

    async fn kept(&self, stream: &str) -> Option<Vec<async_nats::Message>> {
        let client = self.vault.servers()[0].app_client().await.ok()?;
        timeout(Duration::from_secs(30), kept(&client, stream)).await.ok()?.ok()
    }
}

/// Complete, each revision once, in order, ids stable, nobody paged twice.
fn judge(stored: &[Told], heard: &[Told], events: &[String]) -> Outcome {
    let mut complaints = Vec::new();
    let mut incidents: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    for told in stored {
        incidents.entry(&told.incident).or_default().push(told);
    }
    // Different incidents may be stored in another order than they happened in.
    let mut by_time: Vec<&Told> = stored.iter().collect();
    by_time.sort_by(|a, b| a.at.cmp(&b.at));
    for told in by_time {
        match told.stage.as_str() {
            "opened" => {
                if let Some(before) = open.insert(&told.about, &told.incident) {
                    complaints
                        .push(format!("{} opened for {} while {before} is open", told.incident, told.about));
                }
            }
            "resolved" => open.retain(|_, incident| *incident != told.incident),
            _ => {}
        }
    }
    for (incident, told) in &incidents {
        let revisions: Vec<u64> = told.iter().map(|told| told.revision).collect();
        let expected: Vec<u64> = (1..).take(told.len()).collect();
        if revisions != expected {
            let times: Vec<&str> = told.iter().map(|told| told.at.as_str()).collect();
            complaints.push(format!("{incident} is stored as {revisions:?}, told at {times:?}"));
        }
        let stages: Vec<&str> = told.iter().map(|told| told.stage.as_str()).collect();
        let opened = stages.iter().filter(|stage| **stage == "opened").count();
        let resolved = stages.iter().filter(|stage| **stage == "resolved").count();
        let whole = (Some(&"opened"), 1, Some(&"resolved"), 1);
        let goes_on = resolved == 0 && told.iter().all(|told| told.own);
        if (stages.first(), opened, stages.last(), resolved) != whole && !goes_on {
            complaints.push(format!("{incident} is told as {stages:?}"));
        }
    }
    let mut times: BTreeMap<(&str, u64), usize> = BTreeMap::new();
    for told in heard {
        *times.entry((&told.incident, told.revision)).or_default() += 1;
        if !stored.contains(told) {
            complaints.push(format!("heard, not stored: {told:?}"));
        }
    }
    let mut distinct: Vec<&String> = events.iter().collect();
    distinct.sort();
    distinct.dedup();
    if distinct.len() != events.len() {
        complaints.push(format!("{} events are stored twice", events.len() - distinct.len()));
    }
    let again = |times: &&usize| **times > 1;
    Outcome {
        incidents: incidents.len(),
        revisions: stored.len(),
        events: events.len(),
        heard: times.len(),
        heard_again: times.values().filter(again).count(),
        opened_again: times.iter().filter(|((_, revision), times)| *revision == 1 && again(times)).count(),
        complaints,
    }
}
