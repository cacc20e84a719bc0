//! The logins of production, end to end: a supercluster that asks for them, and a daemon that has nothing but the settings.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "logins/jwt.rs"]
mod jwt;
mod kept;
#[path = "logins/pki.rs"]
mod pki;
mod stage;

use async_nats::{Client, ConnectOptions};
use gatewatch::config::Override;
use gatewatch::config::settings::Settings;
use gatewatch::daemon::{Daemon, RunError};
use gatewatch::lab::{Builder, Fault, ServerOptions, Supercluster};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::{LinkState, VantageState};
use gatewatch::nats::StartError;
use gatewatch::nats::provision::Provisioning;
use gatewatch::wire::permission::{self, Names, Tier};
use jwt::{Account, Operator, User};
use nkeys::KeyPair;
use pki::{Authority, Certificate};
use serde_json::Value;
use stage::{Stage, is_whole, listing};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long a condition may take to come true.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn credentials_files_log_in_and_a_replaced_one_is_used_from_the_next_connection_on() {
    let mut operator = Operator::new();
    let (lab_system, lab_app) = (operator.system.user(), operator.alerts.user());
    let lab = Supercluster::builder()
        .cluster("east", 2)
        .cluster("west", 2)
        .config(&operator.config())
        .logins(creds(&lab_system), creds(&lab_app))
        .start()
        .await
        .unwrap();
    let files = Files::new();
    let mut login = Login::new(&operator, &files);
    let settings = settings(
        &lab,
        &[("system.creds", &shown(&files.path("system"))), ("alerts.creds", &shown(&files.path("alerts")))],
    );
    let mut stage = Stage::on(lab, settings).await;
    works(&mut stage).await;
    assert!(stage.daemon().lacks().borrow().is_empty(), "{:?}", stage.daemon().lacks().borrow());
    eventually("the first users are logged in", async || users(&stage.lab).await == login.ids()).await;

    // In time: the files are replaced before the users in them are sent away.
    let old = std::mem::replace(&mut login, Login::new(&operator, &files));
    old.revoke(&mut operator, &stage.lab).await;
    eventually("the next users are logged in", async || users(&stage.lab).await == login.ids()).await;
    stage.whole().await;
    let heard = stage.rest(Duration::from_millis(200)).await;
    assert!(!heard.iter().any(stage::Message::is_alert), "alerts:\n{}", listing(&heard));

    // Too late: the users are sent away, and nobody is let in until the files are replaced.
    login.revoke(&mut operator, &stage.lab).await;
    let blind =
        |snapshot: &Snapshot| snapshot.vantages.iter().all(|vantage| vantage.state == VantageState::Gone);
    until(stage.daemon(), "both vantages are gone", blind).await;
    eventually("nobody is logged in", async || users(&stage.lab).await.is_empty()).await;
    let late = Login::new(&operator, &files);
    eventually("the last users are logged in", async || users(&stage.lab).await == late.ids()).await;
    stage.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_another_account_is_told_from_one_of_the_system_account() {
    let operator = Operator::new();
    let lab = Supercluster::builder()
        .without_jetstream()
        .cluster("east", 1)
        .config(&operator.config())
        .logins(creds(&operator.system.user()), creds(&operator.alerts.user()))
        .start()
        .await
        .unwrap();
    let files = Files::new();
    files.write("mixed-up", &operator.alerts.user().creds());
    let mixed_up = shown(&files.path("mixed-up"));
    let error = refusal(settings(&lab, &[("system.creds", &mixed_up), ("alerts.creds", &mixed_up)])).await;
    let expected = format!("credentials file {mixed_up} is accepted, but not in the system account");
    assert!(error.contains(&expected), "{error}");
    eventually("nothing of the refused daemon is left", async || users(&lab).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nkey_seeds_log_in() {
    let (system, app) = (KeyPair::new_user(), KeyPair::new_user());
    let seed = |key: &KeyPair| ConnectOptions::with_nkey(key.seed().unwrap());
    let user = |key: &KeyPair| format!("users: [{{ nkey: {} }}]", key.public_key());
    let accounts = format!(
        "accounts {{\n  SYS {{ {} }}\n  APP {{ jetstream: enabled, {} }}\n}}\nsystem_account: SYS",
        user(&system),
        user(&app)
    );
    let lab = pair().config(&accounts).logins(seed(&system), seed(&app)).start().await.unwrap();
    let files = Files::new();
    files.write("system", &system.seed().unwrap());
    files.write("alerts", &app.seed().unwrap());
    let settings = settings(
        &lab,
        &[("system.nkey", &shown(&files.path("system"))), ("alerts.nkey", &shown(&files.path("alerts")))],
    );
    works(&mut Stage::on(lab, settings).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_and_a_client_certificate_reach_every_cluster_through_discovery() {
    let authority = Authority::new();
    let (server, client) = (authority.sign("server", &["127.0.0.1"]), authority.sign("client", &["client"]));
    let lenient = ServerOptions { config: "allow_non_tls: true".to_owned(), ..ServerOptions::default() };
    let lab = with_tls(pair(), &authority, &client)
        .config(&authority.block(&server))
        .server("west-1", lenient)
        .start()
        .await
        .unwrap();
    let url = lab.servers()[0].client_url().replace("nats://", "tls://");
    let given = certificates(&authority.ca(), &client);
    let given = [&PASSWORDS[..], &[("system.servers", url.as_str())], &borrowed(&given)[..]].concat();
    let settings = settings(&lab, &given);
    let mut stage = Stage::on(lab, settings).await;
    works(&mut stage).await;
    let encrypted = |version: &str| DAEMON.map(|name| (name.to_owned(), version.to_owned())).into();
    eventually("all connections are encrypted", async || {
        connections(&stage.lab, "tls_version").await == encrypted("1.3")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_one_side_does_not_trust_is_told_with_the_url_and_what_to_change() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (server, client) = (authority.sign("server", &["127.0.0.1"]), authority.sign("client", &["client"]));
    let lab = with_tls(pair(), &authority, &client).config(&authority.block(&server)).start().await.unwrap();
    let right = certificates(&authority.ca(), &client);
    let strange_authority = certificates(&stranger.ca(), &client);
    let strange_client = certificates(&authority.ca(), &stranger.sign("client", &["client"]));
    let theirs = "give the file of the one that signed it in tls.ca";
    let ours = "give one that its authority signed and that has not expired in tls.cert and tls.key";
    let cases = [
        (&strange_authority[..], theirs),
        (&right[1..], theirs),
        (&strange_client[..], ours),
        (&right[..1], ours),
    ];
    for (given, advice) in cases {
        let error = refusal(settings(&lab, &[&PASSWORDS, &borrowed(given)[..]].concat())).await;
        assert!(error.contains(&lab.servers()[0].client_url()), "{error}");
        assert!(error.contains(advice), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_the_discovered_address_is_told_with_the_way_out() {
    LazyLock::force(&LOG);
    let authority = Authority::new();
    let (named, client) = (authority.sign("named", &["localhost"]), authority.sign("client", &["client"]));
    let numbered = authority.sign("numbered", &["127.0.0.1"]);
    let only_named = ServerOptions { config: authority.block(&named), ..ServerOptions::default() };
    let lab = with_tls(pair(), &authority, &client)
        .config(&authority.block(&numbered))
        .server("west-1", only_named)
        .start()
        .await
        .unwrap();
    let given = certificates(&authority.ca(), &client);
    let given = [&PASSWORDS, &borrowed(&given)[..]].concat();

    let daemon = Daemon::start(settings(&lab, &given)).await.unwrap();
    let by_reports = |snapshot: &Snapshot| {
        let gone: Vec<_> = snapshot.vantages.iter().map(|vantage| vantage.state).collect();
        gone == [VantageState::Sound, VantageState::Gone]
            && snapshot.links.len() == 2
            && snapshot.links.iter().all(|link| link.state == LinkState::Up)
    };
    until(&daemon, "east is connected, and the links are judged from there", by_reports).await;
    let west = lab.server("west-1").unwrap().client_url();
    let line = LOG.line_with(&format!("gatewatch/vantage/west to {}", west.replace("nats://", "tls://")));
    assert!(line.contains("certificate not valid for name"), "{line}");
    assert!(line.contains("connect by a name that the server's certificate is for"), "{line}");
    assert!(line.contains("in a [[vantage]] block"), "{line}");
    drop(daemon);

    let by_name = west.replace("127.0.0.1", "localhost");
    let vantage = [("vantage.0.cluster", "west"), ("vantage.0.servers", by_name.as_str())];
    let daemon = Daemon::start(settings(&lab, &[&given[..], &vantage].concat())).await.unwrap();
    until(&daemon, "everything is seen through the given name", |snapshot| is_whole(snapshot, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_found_between_gateways_that_speak_tls() {
    let authority = Authority::new();
    let gateway = authority.sign("gateway", &["127.0.0.1"]);
    let options = || ServerOptions { gateway_config: authority.block(&gateway), ..ServerOptions::default() };
    let mut stage = Stage::set(pair().server("east-1", options()).server("west-1", options())).await;
    works(&mut stage).await;
    stage.lab.faults().cut_direction("east", "west", Fault::Blackhole).unwrap();
    let cut = |snapshot: &Snapshot| {
        let state = |from: &str| {
            let link = snapshot.links.iter().find(|link| link.link.from.as_str() == from);
            link.map(|link| link.state)
        };
        state("east") == Some(LinkState::Down) && state("west") == Some(LinkState::Up)
    };
    until(stage.daemon(), "the direction that is cut is down, the other is up", cut).await;
    stage.lab.faults().clear_all();
    stage.whole().await;
}

/// Two clusters of one server each.
fn pair() -> Builder {
    Supercluster::builder().cluster("east", 1).cluster("west", 1)
}

/// The names of the daemon's connections, when its home is east.
const DAEMON: [&str; 4] =
    ["gatewatch/alerts", "gatewatch/alerts/west", "gatewatch/vantage/east", "gatewatch/vantage/west"];

fn creds(user: &User) -> ConnectOptions {
    ConnectOptions::with_credentials(&user.creds()).unwrap()
}

/// Logins for labs whose servers ask for TLS, which the lab's own clients then need too.
const PASSWORDS: [(&str, &str); 4] = [
    ("system.user", "sys"),
    ("system.password", "sys-secret"),
    ("alerts.user", "app"),
    ("alerts.password", "app-secret"),
];

fn with_tls(builder: Builder, authority: &Authority, client: &Certificate) -> Builder {
    let login = |user: &str, password: &str| {
        ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
            .add_root_certificates(authority.ca())
            .add_client_certificate(client.cert.clone(), client.key.clone())
    };
    builder
        .config(
            "accounts {\n  SYS { users: [{ user: sys, password: sys-secret }] }\n  \
             APP { jetstream: enabled, users: [{ user: app, password: app-secret }] }\n}\nsystem_account: SYS",
        )
        .logins(login("sys", "sys-secret"), login("app", "app-secret"))
}

fn certificates(ca: &Path, client: &Certificate) -> [(&'static str, String); 3] {
    [
        ("system.tls.ca", shown(ca)),
        ("system.tls.cert", shown(&client.cert)),
        ("system.tls.key", shown(&client.key)),
    ]
}

fn borrowed<'a>(given: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    given.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Settings as a user would write them: one URL, unless another is given, and what is given besides.
fn settings(lab: &Supercluster, given: &[(&str, &str)]) -> Settings {
    let url = lab.servers()[0].client_url();
    let url =
        (!given.iter().any(|(key, _)| *key == "system.servers")).then_some(("system.servers", url.as_str()));
    let overrides: Vec<Override> = url
        .iter()
        .chain(given)
        .map(|&(key, value)| Override { key: key.into(), value: value.into(), flag: "the test".into() })
        .collect();
    Settings::load(None, std::iter::empty(), &overrides).unwrap()
}

/// Why a daemon with these settings does not start.
async fn refusal(settings: Settings) -> String {
    match timeout(SOON, Daemon::start(settings)).await.expect("a refusal in time") {
        Err(RunError::System(error @ StartError::Unusable { .. })) => error.to_string(),
        Err(other) => panic!("refused for another reason: {other:?}"),
        Ok(_) => panic!("it started"),
    }
}

/// What a daemon that sees everything must also be able to do: keep its streams, and be heard in the alert account.
async fn works(stage: &mut Stage) {
    let mut provisioning = stage.daemon().provisioning();
    let ready = provisioning.wait_for(|progress| matches!(progress, Provisioning::Ready(_)));
    timeout(SOON, ready).await.expect("streams in time").unwrap();
    stage.until(SOON, |message| message.subject.starts_with("gatewatch.event.link.up.east.west")).await;
    eventually("an event is stored", async || !stage.stored("GATEWATCH_EVENTS").await.is_empty()).await;
}

async fn until(daemon: &Daemon, what: &str, holds: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = daemon.snapshot();
    let held = snapshots.wait_for(|snapshot| snapshot.as_ref().is_some_and(&holds));
    let in_time = timeout(SOON, held).await.is_ok();
    assert!(in_time, "not within {SOON:?}: {what}; {:#?}", *daemon.snapshot().borrow());
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let polling = async {
        while !holds().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(SOON, polling).await.is_ok(), "not within {SOON:?}: {what}");
}

/// Credentials files, gone with the value.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file at once, as whoever rotates credentials should.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }
}

/// The two users of the daemon, in its two files.
struct Login {
    system: User,
    alerts: User,
}

impl Login {
    fn new(operator: &Operator, files: &Files) -> Self {
        let listed = |user| Names::default().permissions(user, Tier::Creates);
        let login = Self {
            system: operator.system.user_that_may(&listed(permission::User::System)),
            alerts: operator.alerts.user_that_may(&listed(permission::User::Alerts)),
        };
        files.write("system", &login.system.creds());
        files.write("alerts", &login.alerts.creds());
        login
    }

    /// Whom the daemon's connections belong to, when all of them are there.
    fn ids(&self) -> BTreeSet<(String, String)> {
        let id = |name: &str| if name.contains("/alerts") { self.alerts.id() } else { self.system.id() };
        DAEMON.map(|name| (name.to_owned(), id(name))).into()
    }

    /// Has every server send both users away.
    async fn revoke(&self, operator: &mut Operator, lab: &Supercluster) {
        operator.system.revoke(&self.system);
        operator.alerts.revoke(&self.alerts);
        for account in [&operator.system, &operator.alerts] {
            push(lab, account, operator.of(account)).await;
        }
    }
}

/// Gives every server the present token of an account, and waits until each has taken it.
async fn push(lab: &Supercluster, account: &Account, token: String) {
    let subject = format!("$SYS.REQ.ACCOUNT.{}.CLAIMS.UPDATE", account.id());
    for server in lab.servers() {
        let client = server.system_client().await.unwrap();
        client.request(subject.clone(), token.clone().into()).await.unwrap();
    }
}

/// The daemon's connections by name, with the user of each.
async fn users(lab: &Supercluster) -> BTreeSet<(String, String)> {
    connections(lab, "authorized_user").await
}

/// The daemon's connections by name, with one thing that the servers tell of each.
async fn connections(lab: &Supercluster, what: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for server in lab.servers() {
        let client: Client = server.system_client().await.unwrap();
        let subject = format!("$SYS.REQ.SERVER.{}.CONNZ", server.id().unwrap());
        let answer = client.request(subject, r#"{"auth":true}"#.into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        for connection in answer["data"]["connections"].as_array().unwrap() {
            let text = |key: &str| connection[key].as_str().unwrap_or("").to_owned();
            if text("name").starts_with("gatewatch/") {
                found.insert((text("name"), text(what)));
            }
        }
    }
    found
}

/// What the daemons of this process log, once somebody asked for it.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn line_with(&self, words: &str) -> String {
        let log = self.0.lock().unwrap();
        let line = log.lines().find(|line| line.contains(words));
        line.unwrap_or_else(|| panic!("no line with {words:?} in:\n{log}")).to_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
