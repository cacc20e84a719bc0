//! Plain subscribers in the alert account, one in each cluster: together they hear what any downstream service would, whichever
//! cluster is cut off or restarts.

use super::Trouble;
use super::ground::APP;
use crate::story::{About, Said, Way};
use async_nats::ConnectOptions;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::lab::Supercluster;
use gatewatch::model::time::{Mono, Now};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// An alert, as the first of the subscribers heard it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) at: Mono,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Notes {
    /// By incident and revision.
    alerts: BTreeMap<(String, u64), Heard>,
    /// Events by id.
    events: BTreeMap<String, (Mono, String)>,
}

type Log = Arc<Mutex<Notes>>;

/// The subscribers; they leave when it is dropped.
pub(crate) struct Ears {
    log: Log,
    _listening: JoinSet<()>,
}

impl Ears {
    pub(crate) async fn open(lab: &Supercluster, clock: Clock) -> Result<Self, Trouble> {
        let (log, mut listening) = (Log::default(), JoinSet::new());
        for cluster in lab.clusters() {
            let urls = lab.cluster(cluster.as_str())?.client_urls();
            let client = ConnectOptions::with_user_and_password(APP.user.into(), APP.password.into())
                .ignore_discovered_servers()
                .reconnect_delay_callback(|_| Duration::from_millis(100))
                .connect(urls)
                .await?;
            let mut messages = client.subscribe("gatewatch.>").await?;
            client.flush().await?;
            let log = Arc::clone(&log);
            listening.spawn(async move {
                while let Some(message) = messages.next().await {
                    note(&log, clock.mono(), &message);
                }
            });
        }
        Ok(Self { log, _listening: listening })
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Notes::default();
    }

    /// The subjects of all events, with their time: for people who wonder why.
    pub(crate) fn events(&self, start: Mono) -> Vec<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events: Vec<_> = log.events.values().collect();
        events.sort();
        events.iter().map(|(at, subject)| format!("{} ms {subject}", at.since(start).as_millis())).collect()
    }

    /// Every alert of an incident that began after `start`, in order of time, counted from there. Alerts may be published anew when
    /// their stream was not there at first.
    pub(crate) fn said(&self, start: Now) -> Vec<Said> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut said: Vec<_> =
            log.alerts.iter().map(|((_, revision), heard)| (heard.at, *revision, heard)).collect();
        said.sort_by_key(|(at, revision, _)| (*at, *revision));
        let since = |body: &Value| {
            let opened = body["opened"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
            opened.is_none_or(|opened| opened >= start.wall)
        };
        let said = said.into_iter().filter(|(_, _, heard)| since(&heard.body));
        said.filter_map(|(at, _, heard)| told(at.since(start.mono), &heard.body)).collect()
    }
}

fn note(log: &Log, at: Mono, message: &async_nats::Message) {
    let Ok(body) = serde_json::from_slice::<Value>(&message.payload) else { return };
    let mut notes = log.lock().unwrap_or_else(PoisonError::into_inner);
    if message.subject.starts_with("gatewatch.alert.") {
        let key = (text(&body["incident"]), body["revision"].as_u64().unwrap_or_default());
        notes.alerts.entry(key).or_insert(Heard { at, body });
    } else {
        notes.events.entry(text(&body["id"])).or_insert((at, message.subject.to_string()));
    }
}

/// An alert in the words of a story; `None` when it is no alert that a story could mean.
fn told(at: Duration, body: &Value) -> Option<Said> {
    let scope = &body["scope"];
    let link = |link: &Value| format!("{}>{}", text(&link["from"]), text(&link["to"]));
    let links = list(&scope["links"], link);
    Some(Said {
        at: u64::try_from(at.as_millis()).ok()?,
        incident: text(&body["incident"]),
        revision: body["revision"].as_u64()?,
        stage: text(&body["stage"]),
        kind: text(&body["kind"]),
        severity: text(&body["severity"]),
        about: about(&body["subject"])?,
        way: match body["direction"].as_str() {
            Some("both") => Some(Way::Both),
            Some(_) => links.first().cloned().map(Way::One),
            None => None,
        },
        servers: list(&scope["servers"], server),
        cut: list(&scope["server_links"], |cut| format!("{}>{}", server(&cut["server"]), text(&cut["to"]))),
        departure: body["departure"].as_str().map(str::to_owned),
        listed: body["server_view"]["still_listed"].as_array().map_or(0, Vec::len),
        cause: text(&body["cause"]["kind"]),
        links,
    })
}

fn about(subject: &Value) -> Option<About> {
    match subject["about"].as_str()? {
        "cluster" => Some(About::Cluster(text(&subject["cluster"]))),
        "pair" => Some(About::pair(&text(&subject["clusters"][0]), &text(&subject["clusters"][1]))),
        "server" => About::server(&server(&subject["server"])),
        _ => None,
    }
}

/// `east/2` for the server that the lab names `east-2`.
fn server(server: &Value) -> String {
    let (cluster, name) = (text(&server["cluster"]), text(&server["name"]));
    let number = name.strip_prefix(&format!("{cluster}-")).unwrap_or(&name);
    format!("{cluster}/{number}")
}

fn list(list: &Value, name: impl Fn(&Value) -> String) -> Vec<String> {
    let mut names: Vec<String> = list.as_array().into_iter().flatten().map(name).collect();
    names.sort();
    names
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
