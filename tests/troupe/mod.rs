//! Several gatewatch, as the real program, beside one supercluster; a plain subscriber hears them all.

#![allow(dead_code, reason = "each user of the troupe has its own part of it")]

use crate::kept::kept_within;
use crate::stage::{self, Message};
use async_nats::Client;
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::lab::Supercluster;
use gatewatch::model::time::Mono;
use gatewatch::nats::history::History;
use gatewatch::nats::state::read_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

/// One gatewatch; killed when dropped.
pub(crate) struct Player {
    pub(crate) name: &'static str,
    child: Child,
}

impl Drop for Player {
    fn drop(&mut self) {
        // It has ended already, or it ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Player {
    /// Starts one that reaches the alert account at this URL.
    pub(crate) fn start(lab: &Supercluster, name: &'static str, alerts: &str) -> Self {
        let given = [
            ("alerts.user", lab.app().user.clone()),
            ("alerts.password", lab.app().password.clone()),
            ("system.user", lab.system().user.clone()),
            ("system.password", lab.system().password.clone()),
            ("instance.name", name.to_owned()),
            ("detect.alert_after", "1s".to_owned()),
            ("detect.clear_after", "1s".to_owned()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        command.env_clear().current_dir(lab.dir()).env("HOME", lab.dir());
        command.args(["run", "--server", &lab.servers()[0].client_url(), "--alert-server", alerts]);
        for (key, value) in given {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let log = std::fs::File::create(lab.dir().join(format!("gatewatch-{name}.log"))).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { name, child }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end after a signal that ends it.
    pub(crate) async fn ended(&mut self) {
        let ended = async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SOON, ended).await.unwrap();
    }
}

/// Who hears everything.
pub(crate) struct Audience {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    subscriber: async_nats::Subscriber,
    /// The ids that were heard.
    heard: BTreeSet<String>,
    history: History,
    bucket: String,
}

impl Audience {
    pub(crate) async fn of(lab: &Supercluster) -> Self {
        let client = lab.servers()[0].app_client().await.unwrap();
        let subscriber = client.subscribe("gatewatch.alert.>").await.unwrap();
        client.flush().await.unwrap();
        let settings = stage::settings(lab, &[]).alerts;
        let history = History::new(client.clone(), &settings);
        Self {
            client,
            clock: Clock::start(),
            subscriber,
            heard: BTreeSet::new(),
            history,
            bucket: settings.bucket,
        }
    }

    /// Who speaks by the lease.
    pub(crate) async fn speaker(&self) -> Option<String> {
        self.history.speaker().await.ok().flatten().map(|lease| lease.instance)
    }

    /// Waits until one that is wanted speaks.
    pub(crate) async fn until_speaker(&self, wanted: impl Fn(&str) -> bool) -> String {
        let found = async {
            loop {
                if let Some(name) = self.speaker().await.filter(|name| wanted(name)) {
                    return name;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SOON, found).await.unwrap()
    }

    /// Waits until the one that speaks sees everything whole.
    pub(crate) async fn until_whole(&self, clusters: usize) {
        let whole = async {
            loop {
                let snapshot = read_snapshot(&self.client, &self.bucket).await;
                if snapshot.is_ok_and(|snapshot| stage::is_whole(&snapshot, clusters)) {
                    return;
                }
                tokio::time::sleep(POLL * 5).await;
            }
        };
        tokio::time::timeout(SOON, whole).await.unwrap();
    }

    /// Waits while a border of a minute is near: there two that cannot hear each other may give different ids.
    pub(crate) async fn mid_minute(&self) {
        let left = 60_000 - self.clock.now().wall.timestamp_millis().rem_euclid(60_000);
        if left < 4_000 {
            tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap() + 200)).await;
        }
    }

    pub(crate) async fn next(&mut self, limit: Duration) -> Option<Message> {
        let message = tokio::time::timeout(limit, self.subscriber.next()).await.ok()??;
        Some(Message {
            at: self.clock.mono(),
            subject: message.subject.to_string(),
            body: serde_json::from_slice(&message.payload).unwrap(),
        })
    }

    /// When an alert of this stage was heard for the first time, and which. An alert may be told once more around a cut and its heal,
    /// under the same id.
    pub(crate) async fn hears(&mut self, stage: &str) -> Message {
        loop {
            let message = self.next(SOON).await.unwrap_or_else(|| panic!("nothing {stage} is heard"));
            println!(
                "  heard {} {} by {}",
                message.text("stage"),
                message.text("id"),
                message.text("source")
            );
            let new = self.heard.insert(message.text("id").to_owned());
            if new && message.text("stage") == stage {
                return message;
            }
        }
    }

    /// Everything heard until nothing more comes for so long.
    pub(crate) async fn rest(&mut self, silence: Duration) -> Vec<Message> {
        let mut heard = Vec::new();
        while let Some(message) = self.next(silence).await {
            self.heard.insert(message.text("id").to_owned());
            heard.push(message);
        }
        heard
    }

    pub(crate) fn since(&self, then: Mono) -> Duration {
        self.clock.mono().since(then)
    }

    /// Stage and `Nats-Msg-Id` of every alert that is stored, in their order.
    pub(crate) async fn stored(&self) -> Vec<(String, String)> {
        let kept = kept_within(SOON, &self.client, "GATEWATCH_ALERTS").await.unwrap();
        let stage_and_id = |message: &async_nats::Message| {
            let body: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).unwrap();
            (body["stage"].as_str().unwrap().to_owned(), id.to_string())
        };
        kept.iter().map(stage_and_id).collect()
    }
}
