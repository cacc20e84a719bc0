//! What people want, from end to end: verbs that write it, a running daemon that heeds it, subscribers that hear the difference.

use crate::cli_support::{Place, Ran};
use crate::stage::{Message, Stage, listing};
use gatewatch::lab::{Fault, Supercluster};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Runs verbs against the alert account of a stage.
struct Person {
    place: Place,
    login: Vec<String>,
}

impl Person {
    fn of(stage: &Stage) -> Self {
        let lab = &stage.lab;
        let given = [
            ("--server", lab.servers()[0].client_url()),
            ("--alert-user", lab.app().user.clone()),
            ("--alert-password", lab.app().password.clone()),
        ];
        let login = given.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
        Self { place: Place::empty().with_env("USER", "ann"), login }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let args: Vec<&str> = args.iter().copied().chain(self.login.iter().map(String::as_str)).collect();
        tokio::task::block_in_place(|| self.place.run(&args))
    }

    /// What a verb that ends well shows as JSON. After a cut, JetStream may first have to elect a leader.
    async fn json(&self, args: &[&str]) -> Value {
        let ran = self.until(0, &[args, &["--json"]].concat()).await;
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Runs a verb until it ends with this code: the stored state follows within seconds.
    async fn until(&self, code: i32, args: &[&str]) -> Ran {
        let again = async {
            loop {
                let ran = self.run(args);
                if ran.code == Some(code) {
                    return ran;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::time::timeout(SOON, again).await.unwrap_or_else(|_| panic!("{args:?} never ends with {code}"))
    }
}

fn is_about(message: &Message, subject: &str) -> bool {
    message.subject == format!("gatewatch.{subject}")
}

fn no_alert(heard: &[Message]) {
    assert!(!heard.iter().any(Message::is_alert), "{}", listing(heard));
}

fn cut(lab: &Supercluster) {
    lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
}

const SILENCED: &str = "silenced.critical.gateway_down.east.west";
const ALERT: &str = "alert.critical.gateway_down.east.west";

#[tokio::test(flavor = "multi_thread")]
async fn what_people_want_is_heeded() {
    let builder = Supercluster::builder().cluster("east", 2).cluster("north", 1).cluster("west", 1);
    // Longer than it takes to take a silence in.
    let mut stage = Stage::set_with(builder, &[("detect.alert_after", "6s")]).await;
    let person = Person::of(&stage);
    let id = silenced_is_told_apart(&mut stage, &person).await;
    a_restart_pages_for_nothing(&mut stage).await;
    what_is_silenced_no_more_is_told(&mut stage, &person, &id).await;
    only_what_is_gone_is_forgotten(&mut stage, &person).await;
}

async fn silenced_is_told_apart(stage: &mut Stage, person: &Person) -> String {
    let added = person
        .json(&[
            "silence",
            "add",
            "--cluster",
            "west",
            "--remote",
            "east",
            "--for",
            "2h",
            "--comment",
            "new firewall",
        ])
        .await;
    assert_eq!((&added["author"], &added["comment"]), (&"ann".into(), &"new firewall".into()));
    cut(&stage.lab);
    let heard = stage.until(SOON, |message| is_about(message, SILENCED)).await;
    no_alert(&heard);
    assert_eq!(heard.last().unwrap().body["silenced"], added["id"]);

    let status = person.until(0, &["status"]).await;
    assert!(status.out.contains("DOWN"), "{}", status.out);
    let shown = format!("silenced by {}", added["id"].as_str().unwrap());
    let seen = async {
        while !person.run(&["status"]).out.contains(&shown) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(SOON, seen).await.unwrap();
    person.until(0, &["status"]).await;
    assert_eq!(person.json(&["silence", "list"]).await[0]["state"], "active");
    let incidents = person.until(0, &["incidents", "list"]).await;
    assert!(incidents.out.contains("(silenced)"), "{}", incidents.out);
    added["id"].as_str().unwrap().to_owned()
}

async fn a_restart_pages_for_nothing(stage: &mut Stage) {
    stage.restart(|_| ()).await;
    no_alert(&stage.rest_for(Duration::from_secs(15)).await);
}

async fn what_is_silenced_no_more_is_told(stage: &mut Stage, person: &Person, id: &str) {
    assert_eq!(person.json(&["silence", "remove", &id[id.len() - 6..]]).await["removed"], id);
    let heard = stage.until(SOON, |message| is_about(message, ALERT)).await;
    let told = heard.last().unwrap();
    assert_eq!((told.text("stage"), told.body.get("silenced")), ("updated", None));
    person.until(2, &["status"]).await;
    assert_eq!(person.json(&["silence", "list", "--all"]).await, Value::Array(Vec::new()));
    person.until(64, &["silence", "remove", id]).await;

    stage.lab.faults().clear_all();
    let resolved = |message: &Message| is_about(message, ALERT) && message.text("stage") == "resolved";
    stage.until(Duration::from_secs(90), resolved).await;
    let kept = stage.stored("GATEWATCH_ALERTS").await;
    assert!(kept.iter().any(|message| is_about(message, SILENCED)), "{}", listing(&kept));
    stage.whole().await;
}

async fn only_what_is_gone_is_forgotten(stage: &mut Stage, person: &Person) {
    let ran = person.run(&["forget", "cluster", "north"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("still heard"), "{}", ran.err);
    let ran = person.run(&["forget", "server", "north/nobody"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("knows no server north/nobody"), "{}", ran.err);

    stage.lab.cluster("north").unwrap().stop(SOON).await.unwrap();
    let offline = |message: &Message| is_about(message, "alert.warning.cluster_offline.north._");
    stage.until(SOON, offline).await;
    // The servers of others may go on listing it for a moment.
    let ran = person.until(0, &["forget", "cluster", "north"]).await;
    assert_eq!(ran.out, "forgotten: cluster north\n");
    let resolved = |message: &Message| offline(message) && message.text("stage") == "resolved";
    let heard = stage.until(SOON, resolved).await;
    let evidence = heard.last().unwrap().body["evidence"].as_array().unwrap().clone();
    assert_eq!(evidence.last().unwrap()["says"], "forgotten");
    let gone = async {
        while person.run(&["status"]).out.contains("north") {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
    // The servers that are left go on being configured with it.
    no_alert(&stage.rest_for(Duration::from_secs(10)).await);
    stage.lab.cluster("north").unwrap().start().await.unwrap();
    stage.whole().await;
}
