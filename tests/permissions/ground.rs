//! A small supercluster whose users may do what a test says, and daemons beside it.

use gatewatch::config::Override;
use gatewatch::config::settings::Settings;
use gatewatch::daemon::{Daemon, RunError};
use gatewatch::lab::{Builder, Supercluster};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::nats::rights::Lack;
use gatewatch::wire::permission::{Names, Permission, Tier, User, conf_block};
use std::time::Duration;
use tokio::time::timeout;

/// How long a condition may take to come true on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

const PASSWORD: &str = "open-sesame";

/// Users of the two accounts, by name.
#[derive(Default)]
pub(crate) struct Users {
    system: String,
    alerts: String,
}

impl Users {
    /// Adds a user that may do exactly this.
    pub(crate) fn add(&mut self, user: User, name: &str, may: &[Permission]) {
        let line = format!("    {{ user: {name}, password: {PASSWORD}, {} }}\n", conf_block(may));
        match user {
            User::System => self.system.push_str(&line),
            User::Alerts => self.alerts.push_str(&line),
        }
    }

    /// The accounts, with two users besides that may do everything.
    pub(crate) fn config(&self) -> String {
        let free = |name: &str| format!("    {{ user: {name}, password: {PASSWORD} }}\n");
        format!(
            "accounts {{\n  SYS {{ users: [\n{}{}  ] }}\n  APP {{ jetstream: enabled, users: [\n{}{}  ] }}\n}}\nsystem_account: SYS\n",
            free("free-system"),
            self.system,
            free("free-alerts"),
            self.alerts
        )
    }
}

/// The whole list of a user.
pub(crate) fn all(user: User) -> Vec<Permission> {
    Names::default().permissions(user, Tier::Creates)
}

/// Two clusters of one server each, in which the lab's own clients may do everything.
pub(crate) fn pair() -> Builder {
    let login =
        |user: &str| async_nats::ConnectOptions::with_user_and_password(user.to_owned(), PASSWORD.to_owned());
    Supercluster::builder()
        .cluster("east", 1)
        .cluster("west", 1)
        .logins(login("free-system"), login("free-alerts"))
}

/// Settings of a daemon of this name, with these two users and what is given besides.
pub(crate) fn settings(
    lab: &Supercluster,
    name: &str,
    [system, alerts]: [&str; 2],
    besides: &[(&str, &str)],
) -> Settings {
    let servers: Vec<String> = lab.servers().iter().map(gatewatch::lab::LabServer::client_url).collect();
    // Both clusters are given: without some of the permissions they would not be discovered.
    let (east, servers) = (servers[0].clone(), servers.join(","));
    let given = [
        ("system.servers", servers.as_str()),
        ("system.user", system),
        ("system.password", PASSWORD),
        ("alerts.servers", &east),
        ("alerts.user", alerts),
        ("alerts.password", PASSWORD),
        ("instance.name", name),
        ("survey.gatewayz_every", "5s"),
        // On a machine that is busy with so many daemons clocks seem to be wrong.
        ("checks.disabled", "clock_skew"),
    ];
    let overrides: Vec<Override> = given
        .iter()
        .chain(besides)
        .map(|&(key, value)| Override { key: key.into(), value: value.into(), flag: "the test".into() })
        .collect();
    Settings::load(None, std::iter::empty(), &overrides).unwrap()
}

/// A daemon that starts in time, or says in time why not.
pub(crate) async fn start(settings: Settings) -> Result<Daemon, RunError> {
    timeout(SOON, Daemon::start(settings)).await.expect("it neither starts nor says why not")
}

/// Waits until the snapshot is as wanted.
pub(crate) async fn until(daemon: &Daemon, what: &str, holds: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = daemon.snapshot();
    let held = snapshots.wait_for(|snapshot| snapshot.as_ref().is_some_and(&holds));
    let in_time = timeout(SOON, held).await.is_ok();
    assert!(in_time, "not within {SOON:?}: {what}; {:#?}", *daemon.snapshot().borrow());
}

/// Waits until what is missing is as wanted.
pub(crate) async fn until_lacking(daemon: &Daemon, what: &str, holds: impl Fn(&[Lack]) -> bool) {
    let mut lacks = daemon.lacks();
    let held = timeout(SOON, lacks.wait_for(|lacks| holds(lacks))).await.is_ok();
    assert!(held, "not within {SOON:?}: {what}; {:#?}", *daemon.lacks().borrow());
}

/// What is missing, in words, each once.
pub(crate) fn said(lacks: &[Lack]) -> Vec<String> {
    let mut said: Vec<String> =
        lacks.iter().map(|lack| format!("{}: {} {}", lack.connection, lack.user, lack.missing)).collect();
    said.sort();
    said
}

/// Waits until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(SOON, polling).await.is_ok(), "not within {SOON:?}: {what}");
}
