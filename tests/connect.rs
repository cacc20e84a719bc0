//! Connecting to a real server: every kind of login, and what is said when it fails.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use async_nats::{Client, ServerAddr};
use gatewatch::config::connection::{ConnectionSettings, Credentials, TlsSettings};
use gatewatch::config::secret::{Secret, SecretSource};
use gatewatch::lab::Finder;
use gatewatch::nats::connect::{ConnectionEvent, Role, connect, first_connect};
use gatewatch::nats::connect_error::ConnectError;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A server on a free port of this machine; ends with the value.
struct Server {
    child: Child,
    dir: TempDir,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn server(config: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let ports = dir.path().display().to_string();
    let path = dir.path().join("server.conf");
    std::fs::write(&path, format!("listen: \"127.0.0.1:-1\"\nports_file_dir: {ports:?}\n{config}")).unwrap();
    let binary = Finder::from_env().find().await.unwrap();
    let child = Command::new(binary.path)
        .arg("-c")
        .arg(path)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut server = Server { child, dir, url: String::new() };
    let file = server.dir.path().join(format!("nats-server_{}.ports", server.child.id()));
    server.url = eventually("the server tells its port", || client_url(&file)).await;
    server
}

fn client_url(ports_file: &Path) -> Option<String> {
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(ports_file).ok()?).ok()?;
    Some(ports["nats"][0].as_str()?.to_owned())
}

/// Polls until there is something, for at most ten seconds.
async fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let poll = async {
        loop {
            match poll() {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}

fn settings(urls: &[&str], credentials: Credentials) -> ConnectionSettings {
    ConnectionSettings {
        servers: urls.iter().map(|url| url.parse().unwrap()).collect(),
        credentials,
        tls: TlsSettings::default(),
        inbox_prefix: "_INBOX".to_owned(),
    }
}

fn inline(text: &str) -> SecretSource {
    SecretSource::Inline(Secret::new(text.to_owned()))
}

fn user(user: &str, password: &str) -> Credentials {
    Credentials::UserPassword { user: user.to_owned(), password: inline(password) }
}

async fn try_first(settings: &ConnectionSettings) -> Result<Client, ConnectError> {
    let (events, _) = mpsc::channel(16);
    first_connect(settings, &Role::new("test", "system"), events).await
}

/// A round trip, because a connected state proves nothing.
async fn works(client: &Client) -> bool {
    let reply = client.request("$SYS.REQ.USER.INFO", "".into());
    tokio::time::timeout(Duration::from_secs(5), reply).await.is_ok_and(|reply| reply.is_ok())
}

#[tokio::test]
async fn a_user_logs_in_with_the_password() {
    let server = server("authorization { user: sys, password: right }").await;
    let client = try_first(&settings(&[&server.url], user("sys", "right"))).await.unwrap();
    assert!(works(&client).await);
}

#[tokio::test]
async fn the_server_shows_the_name_of_the_connection() {
    let server = server("system_account: S\naccounts { S { users: [ { user: sys, password: p } ] } }").await;
    let client = try_first(&settings(&[&server.url], user("sys", "p"))).await.unwrap();
    let connz = client.request("$SYS.REQ.SERVER.PING.CONNZ", "".into()).await.unwrap();
    let connz: serde_json::Value = serde_json::from_slice(&connz.payload).unwrap();
    assert_eq!(connz["data"]["connections"][0]["name"], "test/system");
}

#[tokio::test]
async fn a_token_logs_in() {
    let server = server("authorization { token: s3cret }").await;
    let client = try_first(&settings(&[&server.url], Credentials::Token(inline("s3cret")))).await.unwrap();
    assert!(works(&client).await);
}

#[tokio::test]
async fn an_nkey_logs_in() {
    let key = nkeys::KeyPair::new_user();
    let server = server(&format!("authorization {{ users: [ {{ nkey: {} }} ] }}", key.public_key())).await;
    let seed = server.dir.path().join("seed.nk");
    std::fs::write(&seed, key.seed().unwrap()).unwrap();
    let client = try_first(&settings(&[&server.url], Credentials::NkeyFile(seed))).await.unwrap();
    assert!(works(&client).await);
}

#[tokio::test]
async fn a_wrong_password_names_server_and_user_but_not_the_password() {
    let server = server("authorization { user: sys, password: right }").await;
    let error = try_first(&settings(&[&server.url], user("sys", "hunter2"))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Rejected { .. }), "{error:?}");
    let expected = format!(
        "cannot connect test/system to {} with user \"sys\" and password: the server rejected the login (nats: \
         authorization violation); check that these credentials are valid, not expired, and known to this server",
        server.url
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_server_that_rejects_the_login_does_not_hide_one_that_takes_it() {
    let other = server("authorization { user: sys, password: other }").await;
    let right = server("authorization { user: sys, password: right }").await;
    let client = try_first(&settings(&[&other.url, &right.url], user("sys", "right"))).await.unwrap();
    assert!(works(&client).await);
    let pool: Vec<ServerAddr> =
        client.server_pool().await.unwrap().into_iter().map(|server| server.addr).collect();
    assert!(pool.contains(&other.url.parse().unwrap()), "{pool:?}");
}

#[tokio::test]
async fn a_closed_port_is_called_refused() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let error =
        try_first(&settings(&[&format!("nats://127.0.0.1:{port}")], Credentials::None)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&format!("nats://127.0.0.1:{port} with no credentials: connection refused"))
    );
}

#[tokio::test]
async fn a_port_that_says_nothing_times_out() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", silent.local_addr().unwrap());
    let error = try_first(&settings(&[&url], Credentials::None)).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().contains("no answer within 3 s"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let server = server("").await;
    let mut settings = settings(&[&server.url], Credentials::None);
    settings.tls.required = true;
    let error = try_first(&settings).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_seed_file_is_named() {
    let credentials = Credentials::NkeyFile("/nowhere/seed.nk".into());
    let error = try_first(&settings(&["nats://127.0.0.1:1"], credentials)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Credentials { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot read /nowhere/seed.nk"), "{error}");
}

#[tokio::test]
async fn a_password_that_is_mended_in_its_file_is_used_at_the_next_attempt() {
    let server = server("authorization { user: sys, password: right }").await;
    let file = server.dir.path().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    let credentials =
        Credentials::UserPassword { user: "sys".to_owned(), password: SecretSource::File(file.clone()) };
    let (sender, mut events) = mpsc::channel(16);
    let settings = settings(&[&server.url], credentials);
    let client = connect(&settings, &Role::pinned("test", "vantage/east"), sender).await.unwrap();
    let rejected = format!(
        "cannot connect test/vantage/east to {} with user \"sys\" and password: the server rejected the login (nats: \
         authorization violation); check that these credentials are valid, not expired, and known to this server",
        server.url
    );
    assert_eq!(next(&mut events).await, ConnectionEvent::AttemptFailed(rejected));
    std::fs::write(&file, "right\n").unwrap();
    while next(&mut events).await != ConnectionEvent::Connected {}
    assert!(works(&client).await);
}

#[tokio::test]
async fn a_failure_that_goes_on_is_told_once() {
    let closer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", closer.local_addr().unwrap());
    let (sender, mut events) = mpsc::channel(16);
    let settings = settings(&[&url], Credentials::None);
    let _client = connect(&settings, &Role::pinned("test", "alerts"), sender).await.unwrap();
    for _ in 0..5 {
        drop(closer.accept().await.unwrap());
    }
    let ConnectionEvent::AttemptFailed(reason) = next(&mut events).await else { panic!("no reason") };
    assert!(reason.contains(&format!("cannot connect test/alerts to {url} with no credentials")), "{reason}");
    drop(closer.accept().await.unwrap());
    assert!(events.try_recv().is_err());
}

async fn next(events: &mut mpsc::Receiver<ConnectionEvent>) -> ConnectionEvent {
    tokio::time::timeout(Duration::from_secs(10), events.recv()).await.expect("an event in time").unwrap()
}
