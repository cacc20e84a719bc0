//! A stage for stories on real servers: a supercluster of three clusters of three, a running daemon beside it, and a plain
//! subscriber in the alert account that hears what any downstream service would.

#![allow(dead_code, reason = "each user of the stage has its own part of it")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a stage that cannot be set fails its story")]

use crate::kept::kept_within;
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::config::Override;
use gatewatch::config::settings::Settings;
use gatewatch::daemon::Daemon;
use gatewatch::lab::{Builder, Supercluster};
use gatewatch::model::incident::{Incident, Subject};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::{Basis, ClusterState, LinkState, ServerState, VantageState};
use gatewatch::model::time::Mono;
use serde_json::Value;
use std::time::Duration;

/// How long the supercluster, and then the daemon's view of it, may take to become whole.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// One message, as a plain subscriber heard it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) at: Mono,
    pub(crate) subject: String,
    pub(crate) body: Value,
}

impl Message {
    /// An alert about the supercluster. One about gatewatch itself is none that a story waits for.
    pub(crate) fn is_alert(&self) -> bool {
        self.subject.starts_with("gatewatch.alert.") && self.body["subject"]["about"] != "instance"
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.body[key].as_str().unwrap_or("")
    }
}

/// A supercluster with a daemon beside it and a subscriber.
pub(crate) struct Stage {
    pub(crate) lab: Supercluster,
    daemon: Option<Daemon>,
    settings: Settings,
    pub(crate) clock: Clock,
    subscriber: async_nats::Subscriber,
}

impl Stage {
    /// Sets the stage; returns when the daemon sees everything healthy.
    pub(crate) async fn set(builder: Builder) -> Self {
        Self::set_with(builder, &[]).await
    }

    /// As [`Stage::set`], with these settings besides.
    pub(crate) async fn set_with(builder: Builder, besides: &'static [(&'static str, &'static str)]) -> Self {
        let lab = builder.start().await.unwrap();
        let settings = settings(&lab, besides);
        Self::on(lab, settings).await
    }

    /// Sets the stage on a lab that was started, with settings of the story's own.
    pub(crate) async fn on(lab: Supercluster, settings: Settings) -> Self {
        lab.ready(WHOLE_WITHIN).await.unwrap();
        let client = lab.servers()[0].app_client().await.unwrap();
        let subscriber = client.subscribe("gatewatch.>").await.unwrap();
        client.flush().await.unwrap();
        let daemon = Daemon::start(settings.clone()).await.unwrap();
        let mut stage = Self { lab, settings, daemon: Some(daemon), clock: Clock::start(), subscriber };
        stage.whole().await;
        stage
    }

    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Stops the daemon, lets `meanwhile` happen, and starts it anew.
    pub(crate) async fn restart(&mut self, meanwhile: impl FnOnce(&Supercluster)) {
        self.daemon.take().unwrap().stop().await.unwrap();
        meanwhile(&self.lab);
        self.daemon = Some(Daemon::start(self.settings.clone()).await.unwrap());
    }

    /// Waits until every cluster is healthy, every link proven by beats, every vantage sound and no incident open.
    pub(crate) async fn whole(&mut self) {
        let clusters = self.lab.clusters().len();
        let mut snapshots = self.daemon().snapshot();
        let whole = snapshots
            .wait_for(|snapshot| snapshot.as_ref().is_some_and(|snapshot| is_whole(snapshot, clusters)));
        let waited = tokio::time::timeout(WHOLE_WITHIN, whole).await.map(|found| found.map(|_| ()));
        assert!(
            waited.is_ok(),
            "not whole after {WHOLE_WITHIN:?}: {:#?}",
            *self.daemon().snapshot().borrow()
        );
    }

    /// The next message, or `None` when none came within `limit`.
    pub(crate) async fn next(&mut self, limit: Duration) -> Option<Message> {
        let message = tokio::time::timeout(limit, self.subscriber.next()).await.ok()??;
        Some(self.message(&message))
    }

    /// Everything heard until `done` holds for a message, that one included; panics when it does not come within `limit`.
    pub(crate) async fn until(&mut self, limit: Duration, done: impl Fn(&Message) -> bool) -> Vec<Message> {
        let deadline = self.clock.mono() + limit;
        let mut heard = Vec::new();
        loop {
            let left = deadline.since(self.clock.mono());
            match self.next(left).await {
                Some(message) => {
                    heard.push(message);
                    if heard.last().is_some_and(&done) {
                        return heard;
                    }
                }
                None => panic!("not heard within {limit:?}; heard:\n{}", listing(&heard)),
            }
        }
    }

    /// Everything that a stream keeps, oldest first.
    pub(crate) async fn stored(&self, stream: &str) -> Vec<Message> {
        let client = self.lab.servers()[0].app_client().await.unwrap();
        let kept = kept_within(WHOLE_WITHIN, &client, stream).await.unwrap();
        kept.iter().map(|message| self.message(message)).collect()
    }

    fn message(&self, message: &async_nats::Message) -> Message {
        Message {
            at: self.clock.mono(),
            subject: message.subject.to_string(),
            body: serde_json::from_slice(&message.payload).expect("a JSON body"),
        }
    }

    /// Everything heard for as long as `span`.
    pub(crate) async fn rest_for(&mut self, span: Duration) -> Vec<Message> {
        let deadline = self.clock.mono() + span;
        let mut heard = Vec::new();
        while let Some(message) = self.next(deadline.since(self.clock.mono())).await {
            heard.push(message);
        }
        heard
    }

    /// Everything heard until nothing more comes for `silence`.
    pub(crate) async fn rest(&mut self, silence: Duration) -> Vec<Message> {
        let mut heard = Vec::new();
        while let Some(message) = self.next(silence).await {
            heard.push(message);
        }
        heard
    }
}

/// Subjects and titles, one a line, for a failure's message.
pub(crate) fn listing(messages: &[Message]) -> String {
    let line = |message: &Message| {
        format!("  {:8.3} s {} {}", message.at.0.as_secs_f64(), message.subject, message.text("title"))
    };
    messages.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Settings as a user would write them: one URL, and two logins.
pub(crate) fn settings(lab: &Supercluster, besides: &[(&str, &str)]) -> Settings {
    let given = |key: &str, value: &str| Override {
        key: key.to_owned(),
        value: value.to_owned(),
        flag: "the stage".to_owned(),
    };
    let overrides = [
        given("system.servers", &lab.servers()[0].client_url()),
        given("system.user", &lab.system().user),
        given("system.password", &lab.system().password),
        given("alerts.user", &lab.app().user),
        given("alerts.password", &lab.app().password),
        given("outbox.directory", &lab.dir().join("state").display().to_string()),
    ];
    let besides = besides.iter().map(|(key, value)| given(key, value));
    let overrides: Vec<_> = overrides.into_iter().chain(besides).collect();
    Settings::load(None, std::iter::empty(), &overrides).unwrap()
}

/// Whether it is about gatewatch itself, which may well get too little time on a busy machine.
fn is_own(incident: &Incident) -> bool {
    matches!(incident.subject, Subject::Instance(_))
}

/// Whether every cluster is healthy, every link proven by beats, every vantage sound and no incident open.
pub(crate) fn is_whole(snapshot: &Snapshot, clusters: usize) -> bool {
    let live = |cluster: &gatewatch::model::snapshot::ClusterStatus| {
        cluster.state == ClusterState::Healthy
            && cluster.servers.iter().all(|server| server.state == ServerState::Live)
    };
    snapshot.clusters.len() == clusters
        && snapshot.clusters.iter().all(live)
        && snapshot.vantages.len() == clusters
        && snapshot.vantages.iter().all(|vantage| vantage.state == VantageState::Sound)
        && snapshot.links.len() == clusters * (clusters - 1)
        && snapshot.links.iter().all(|link| link.state == LinkState::Up && link.basis == Some(Basis::Beats))
        && snapshot.incidents.iter().all(is_own)
}
