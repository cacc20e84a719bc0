//! Whatever goes wrong, no secret is shown: not in errors, logs, results, and not in what is published or stored.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cli_support;
#[path = "logins/jwt.rs"]
mod jwt;

use async_nats::{ConnectOptions, Message};
use cli_support::Place;
use futures::StreamExt;
use gatewatch::lab::{Fault, Supercluster};
use jwt::Operator;
use nkeys::KeyPair;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// In every secret that is made up here.
const MARK: &str = "hunter2";

/// Panics when one of the secrets stands in the text, with the line but for the secret.
fn clean(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        if let Some(line) = text.lines().find(|line| line.contains(secret)) {
            panic!("{what} shows a secret: {}", line.replace(secret, "<<HERE>>"));
        }
    }
}

#[test]
fn no_mistake_in_a_file_shows_what_stands_beside_it() {
    let files = [
        "[system]\nuser = \"u\"\npassword = \"hunter2",
        "[system]\nuser = \"u\"\npassword = hunter2",
        "[system]\nuser = \"u\"\npassword = [\"hunter2\"]",
        "[system]\nuser = \"u\"\npassword = \"hunter2\" x",
        "[system]\nuser = \"u\"\npassword = \"hunter2\\q\"",
        "[system]\nuser = \"u\"\npassword = \"hunter2\"\ntoken = \"hunter2\"",
        "[system]\nuser = \"u\"\npassword = \"x\"\npassword = \"hunter2\"",
        "[system]\npassword = \"hunter2\"",
        "[system]\npasword = \"hunter2\"",
        "[system]\nuser = 7\npassword = \"hunter2\"\nservers = 3",
        "[system]\nservers = \"nats://u:hunter2@h:4222\"",
        "[system]\nservers = [\"nats://u:hunter2@h:42222222\"]",
        "[system]\nservers = [\"u:hunter2@h:4222\", \"nats://hunter2@h\"]",
        "[system]\nuser = \"u\"\npassword_file = \"hunter2\"",
        "[system]\ntoken_file = \"hunter2\"",
        "[system]\nnkey = \"SUANhunter2\"",
        "[system]\ncreds = \"eyJ0.hunter2.x\"",
        "[system]\ncreds = \"\"\"-----BEGIN USER NKEY SEED-----\nhunter2./\"\"\"",
        "[system.tls]\ncert = \"x\"\nkey = \"-----BEGIN PRIVATE KEY-----hunter2\"",
        "[alerts]\nuser = \"u\"\npassword = \"hunter2\"\n[detect]\nbeat_period = \"1y\"",
        "[[vantage]]\ncluster = \"a\"\ntoken = \"hunter2\"",
        "system = \"hunter2\"",
    ];
    for file in files {
        let place = Place::empty().with_file("gatewatch.toml", file);
        for verb in [
            &["config", "check"][..],
            &["--json", "config", "check"],
            &["run", "--log", "trace"],
            &["status"],
        ] {
            let ran = place.run(verb);
            assert_eq!(ran.code, Some(64), "{file}: {verb:?}: {}{}", ran.out, ran.err);
            clean(&format!("{verb:?} of {file:?}"), &(ran.out + &ran.err), &[MARK]);
        }
    }
}

#[test]
fn no_mistake_in_the_environment_or_in_flags_shows_what_stands_there() {
    for (name, value) in [
        ("GATEWATCH_SYSTEM__PASSWRD", "hunter2"),
        ("GATEWATCH_SYSTEM__PASSWORD", "hunter2"),
        ("GATEWATCH_SYSTEM__SERVERS", "nats://a:hunter2@x"),
        ("GATEWATCH_SYSTEM__NKEY", "SUANhunter2"),
        ("GATEWATCH_SYSTEM", "hunter2"),
    ] {
        let place = Place::empty().with_env(name, value);
        for verb in [&["config", "check"][..], &["--json", "config", "check"]] {
            let ran = place.run(verb);
            assert_eq!(ran.code, Some(64), "{name}: {}{}", ran.out, ran.err);
            clean(name, &(ran.out + &ran.err), &[MARK]);
        }
    }
    for flags in [
        &["--system-password", "hunter2", "--bogus"][..],
        &["--system-password", "hunter2"],
        &["--set", "system.passwrd=hunter2"],
        &["--set", "system.password hunter2"],
        &["--set", "=hunter2"],
        &["--server", "nats://a:hunter2@x:99999"],
        &["--system-creds", "SUANhunter2"],
        &["--system-user", "u", "--system-password", "hunter2", "--set", "system.token=hunter2"],
    ] {
        let ran = Place::empty().run(&[&["config", "check"], flags].concat());
        assert_eq!(ran.code, Some(64), "{flags:?}: {}{}", ran.out, ran.err);
        clean(&format!("{flags:?}"), &(ran.out + &ran.err), &[MARK]);
    }
}

#[test]
fn a_good_configuration_is_shown_without_its_secrets() {
    let file = "[system]\nuser = \"u\"\npassword = \"hunter2\"\n[alerts]\ntoken = \"hunter2\"\n\
                [[vantage]]\ncluster = \"a\"\nservers = \"h\"\nuser = \"v\"\npassword = \"hunter2\"";
    let place = Place::empty().with_file("gatewatch.toml", file);
    for verb in [&["config", "check"][..], &["--json", "config", "check"], &["permissions"]] {
        let ran = place.run(verb);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        clean(&format!("{verb:?}"), &(ran.out + &ran.err), &[MARK]);
    }
    let path = place.dir().join("gatewatch.toml");
    let settings = gatewatch::config::settings::Settings::load(Some(&path), std::iter::empty(), &[]).unwrap();
    clean("the settings, as a panic would show them,", &format!("{settings:?} {settings:#?}"), &[MARK]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_logged_published_or_stored_holds_a_password_or_a_seed() {
    let system = KeyPair::new_user();
    let seed = system.seed().unwrap();
    let accounts = format!(
        "accounts {{\n SYS {{ users: [{{ nkey: {} }}, {{ user: ears, password: ears }}] }}\n \
         APP {{ jetstream: enabled, users: [{{ user: app, password: \"app-hunter2\" }}, {{ user: ears2, password: ears }}] }}\n}}\n\
         system_account: SYS",
        system.public_key()
    );
    let ears = |user: &str| ConnectOptions::with_user_and_password(user.to_owned(), "ears".to_owned());
    let lab = Supercluster::builder()
        .cluster("east", 1)
        .cluster("west", 1)
        .config(&accounts)
        .logins(ears("ears"), ears("ears2"))
        .start()
        .await
        .unwrap();
    lab.ready(Duration::from_secs(60)).await.unwrap();
    let east = lab.server("east-1").unwrap();
    let (sys, app) = (east.system_client().await.unwrap(), east.app_client().await.unwrap());
    let mut heard =
        futures::stream::select(sys.subscribe(">").await.unwrap(), app.subscribe(">").await.unwrap());
    sys.flush().await.unwrap();
    app.flush().await.unwrap();

    let file = format!(
        "[system]\nservers = {:?}\nnkey = \"seed\"\n[alerts]\nuser = \"app\"\npassword = \"app-hunter2\"\n",
        east.client_url()
    );
    let place = Place::empty().with_file("gatewatch.toml", &file).with_file("seed", &seed);
    let secrets = [MARK, seed.as_str()];
    let mut run = start(&place, &["run", "--log", "trace", "--json"]);
    let is_open = |message: &Message| message.subject.starts_with("gatewatch.alert.");
    sleep(Duration::from_secs(5)).await;
    lab.faults().cut_pair("east", "west", Fault::Reset).unwrap();
    let (mut said, mut alerts) = (String::new(), 0);
    while let Ok(message) = timeout(Duration::from_secs(10), next_of(&mut heard, &mut said)).await {
        alerts += usize::from(is_open(&message));
        if alerts > 0 && message.subject.starts_with("$KV.GATEWATCH.") {
            break;
        }
    }
    assert!(alerts > 0, "no alert was heard");
    clean("what is published and stored", &said, &secrets);
    for verb in [
        &["status", "--log", "trace"][..],
        &["--json", "status"],
        &["--json", "incidents", "list"],
        &["silence", "list"],
    ] {
        let ran = place.run(verb);
        clean(&format!("{verb:?}"), &(ran.out + &ran.err), &secrets);
    }
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    assert!(run.wait().unwrap().success());
    let log = std::fs::read_to_string(place.dir().join("log")).unwrap();
    assert!(log.contains("connected to the alert account"), "{log}");
    clean("the log", &log, &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_that_is_refused_or_of_another_account_shows_its_secret() {
    let (operator, stranger) = (Operator::new(), Operator::new());
    let lab = Supercluster::builder()
        .without_jetstream()
        .cluster("east", 1)
        .config(&operator.config())
        .logins(
            ConnectOptions::with_credentials(&operator.system.user().creds()).unwrap(),
            ConnectOptions::with_credentials(&operator.alerts.user().creds()).unwrap(),
        )
        .start()
        .await
        .unwrap();
    let url = lab.server("east-1").unwrap().client_url();
    let (foreign, other) = (stranger.system.user().creds(), operator.alerts.user().creds());
    let seed = KeyPair::new_user().seed().unwrap();
    let damaged = foreign.replace("SU", "SUX");
    let logins = [
        ("user = \"u\"\npassword = \"hunter2\"", "rejected"),
        ("token = \"hunter2\"", "rejected"),
        ("nkey = \"seed\"", "rejected"),
        ("creds = \"foreign\"", "rejected"),
        ("creds = \"other\"", "not in the system account"),
        ("creds = \"damaged\"", "cannot be used"),
        ("creds = \"seed\"", "no user JWT"),
    ];
    let held = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.len() > 40 && !line.starts_with('-')).map(str::to_owned).collect()
    };
    let secrets: Vec<String> = [&foreign, &other, &damaged, &seed]
        .into_iter()
        .flat_map(|text| held(text))
        .chain([MARK.to_owned()])
        .collect();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    assert_eq!(secrets.len(), 8);
    for (login, expected) in logins {
        let file = format!("[system]\nservers = {url:?}\n{login}\n[alerts]\n{login}\n");
        let place = Place::empty()
            .with_file("gatewatch.toml", &file)
            .with_file("seed", &seed)
            .with_file("foreign", &foreign)
            .with_file("other", &other)
            .with_file("damaged", &damaged);
        for verb in [&["run", "--log", "trace"][..], &["run", "--json"]] {
            let ran = place.run(verb);
            assert_eq!(ran.code, Some(69), "{login}: {}", ran.err);
            assert!(ran.err.contains(expected), "{login}: {}", ran.err);
            clean(&format!("{verb:?} with {login}"), &(ran.out + &ran.err), &secrets);
        }
        let ran = place.run(&["status", "--log", "trace"]);
        clean(&format!("status with {login}"), &(ran.out + &ran.err), &secrets);
    }
}

async fn next_of(heard: &mut (impl futures::Stream<Item = Message> + Unpin), said: &mut String) -> Message {
    let message = heard.next().await.expect("the subscriptions go on");
    let _infallible = writeln!(said, "{} {:?}", message.subject, message.headers);
    said.push_str(&String::from_utf8_lossy(&message.payload));
    said.push('\n');
    message
}

fn start(place: &Place, args: &[&str]) -> Child {
    place
        .command(args)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place.dir().join("log")).unwrap())
        .spawn()
        .unwrap()
}
