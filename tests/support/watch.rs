//! A fleet with its driver's end in the hands of a test: everything heard is kept, with what it proves.

use gatewatch::clock::Clock;
use gatewatch::config::Override;
use gatewatch::config::settings::Settings;
use gatewatch::lab::{LabServer, Supercluster};
use gatewatch::metrics::Metrics;
use gatewatch::model::ask::{BeatPlan, Through};
use gatewatch::model::ids::ServerId;
use gatewatch::model::observation::{Disconnect, Fact, Observation, Round, VantageEvent};
use gatewatch::model::time::Mono;
use gatewatch::nats::StartError;
use gatewatch::nats::fleet::{Fleet, Wiring};
use gatewatch::nats::heard::{Heard, Request};
use gatewatch::nats::rights::Rights;
use gatewatch::wire::capture::Recorded;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a condition may take to come true.
const SOON: Duration = Duration::from_secs(15);

/// A fleet and all that it told so far.
pub(crate) struct Watch {
    fleet: Fleet,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    requests: mpsc::Sender<Request>,
    heard: mpsc::Receiver<Heard>,
    pub(crate) tapped: mpsc::Receiver<Recorded>,
    all: Vec<Heard>,
}

/// Settings from `key=value` lines, on top of the defaults.
pub(crate) fn settings(lines: &[(&str, &str)]) -> Settings {
    let given =
        |&(key, value): &(&str, &str)| Override { key: key.into(), value: value.into(), flag: key.into() };
    Settings::load(None, std::iter::empty(), &lines.iter().map(given).collect::<Vec<_>>()).unwrap()
}

/// Settings with this one server and the lab's system user.
pub(crate) fn one_url(lab: &Supercluster, server: &str) -> Settings {
    let user = lab.system();
    let url = lab.server(server).unwrap().client_url();
    settings(&[("system.servers", &url), ("system.user", &user.user), ("system.password", &user.password)])
}

impl Watch {
    pub(crate) async fn start(settings: &Settings) -> Result<Self, StartError> {
        let (heard_sender, heard) = mpsc::channel(4096);
        let (requests, requests_receiver) = mpsc::channel(64);
        let (tap, tapped) = mpsc::channel(64);
        let (clock, metrics) = (Clock::start(), Arc::<Metrics>::default());
        let wiring = Wiring {
            clock,
            metrics: Arc::clone(&metrics),
            rights: Rights::new(&settings.names(), Arc::clone(&metrics)),
            heard: heard_sender,
            requests: requests_receiver,
            tap: Some(tap),
            shutdown: CancellationToken::new(),
        };
        let fleet = Fleet::start(settings, wiring).await?;
        Ok(Self { fleet, clock, metrics, requests, heard, tapped, all: Vec::new() })
    }

    pub(crate) async fn stop(self) {
        timeout(SOON, self.fleet.stop()).await.expect("the fleet does not stop");
    }

    pub(crate) async fn request(&self, request: Request) {
        self.requests.send(request).await.unwrap();
    }

    /// Has all running servers of the lab's clusters beaten through their home vantages.
    pub(crate) async fn beat_all(&self, lab: &Supercluster) {
        for cluster in lab.clusters() {
            self.beat(lab, cluster.as_str(), Through::Home).await;
        }
    }

    pub(crate) async fn beat(&self, lab: &Supercluster, cluster: &str, through: Through) {
        let group = lab.cluster(cluster).unwrap();
        let servers = group.servers().iter().filter_map(|server| server.id()).collect();
        self.request(Request::Beat(BeatPlan { cluster: cluster.into(), servers, through })).await;
    }

    /// Waits until what was heard so far satisfies `condition`.
    pub(crate) async fn until(&mut self, what: &str, mut condition: impl FnMut(&Log<'_>) -> bool) {
        let holds = async {
            while !condition(&Log(&self.all)) {
                match timeout(Duration::from_millis(100), self.heard.recv()).await {
                    Ok(Some(heard)) => self.all.push(heard),
                    Ok(None) => panic!("the fleet hung up before: {what}"),
                    Err(_) => {}
                }
            }
        };
        if timeout(SOON, holds).await.is_err() {
            panic!(
                "not within {SOON:?}: {what}; last heard: {:#?}",
                self.all.iter().rev().take(5).collect::<Vec<_>>()
            );
        }
    }

    /// Listens for a while, for what must not come.
    pub(crate) async fn listen(&mut self, span: Duration) {
        let until = sleep(span);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                Some(heard) = self.heard.recv() => self.all.push(heard),
            }
        }
    }

    pub(crate) fn log(&self) -> Log<'_> {
        Log(&self.all)
    }
}

/// All that was heard, with questions to ask of it.
pub(crate) struct Log<'a>(&'a [Heard]);

impl<'a> Log<'a> {
    pub(crate) fn rounds(&self) -> impl Iterator<Item = &'a Round> {
        self.0.iter().filter_map(|heard| match heard {
            Heard::Asked(round) => Some(round),
            Heard::Observed(_) | Heard::Vantage(_) | Heard::Probed(_) => None,
        })
    }

    pub(crate) fn observed(&self) -> impl Iterator<Item = &'a Observation> {
        self.0.iter().filter_map(|heard| match heard {
            Heard::Observed(observation) => Some(observation),
            Heard::Asked(_) | Heard::Vantage(_) | Heard::Probed(_) => None,
        })
    }

    /// What happened to the vantage of this cluster since `since`.
    pub(crate) fn changes(&self, cluster: &str, since: Mono) -> Vec<(Mono, &'a VantageEvent)> {
        let changes = self.0.iter().filter_map(|heard| match heard {
            Heard::Vantage(change) if change.cluster.as_str() == cluster && change.at >= since => {
                Some((change.at, &change.what))
            }
            Heard::Vantage(_) | Heard::Asked(_) | Heard::Observed(_) | Heard::Probed(_) => None,
        });
        changes.collect()
    }

    /// When the vantage was first connected since `since`, and to which server.
    pub(crate) fn connected(&self, cluster: &str, since: Mono) -> Option<(Mono, ServerId)> {
        self.changes(cluster, since).into_iter().find_map(|(at, what)| match what {
            VantageEvent::Connected { server } => Some((at, server.clone().unwrap())),
            VantageEvent::Dialling
            | VantageEvent::Disconnected(_)
            | VantageEvent::Dropped
            | VantageEvent::BeatsOff => None,
        })
    }

    /// When the vantage was first told lost for this reason since `since`.
    pub(crate) fn lost(&self, cluster: &str, reason: Disconnect, since: Mono) -> Option<Mono> {
        let told = |what: &VantageEvent| *what == VantageEvent::Disconnected(reason);
        self.changes(cluster, since).into_iter().find(|(_, what)| told(what)).map(|(at, _)| at)
    }

    /// For each vantage, the servers whose beats of rounds asked since `since` it heard.
    pub(crate) fn beats(&self, since: Mono) -> BTreeMap<String, BTreeSet<ServerId>> {
        let first = self.rounds().find(|round| round.at >= since).map_or(u64::MAX, |round| round.number);
        let mut heard: BTreeMap<String, BTreeSet<ServerId>> = BTreeMap::new();
        for observation in self.observed() {
            match &observation.fact {
                Fact::Beat { server, number } if *number >= first => {
                    heard.entry(observation.vantage.to_string()).or_default().insert(server.clone());
                }
                _ => {}
            }
        }
        heard
    }

    /// Whether every one of these vantages heard every one of these servers since `since`.
    pub(crate) fn all_hear(&self, vantages: &[&str], servers: &BTreeSet<ServerId>, since: Mono) -> bool {
        let heard = self.beats(since);
        vantages.iter().all(|&vantage| heard.get(vantage).is_some_and(|known| known.is_superset(servers)))
    }
}

/// The ids of these servers' present lives.
pub(crate) fn ids<'a>(servers: impl IntoIterator<Item = &'a LabServer>) -> BTreeSet<ServerId> {
    servers.into_iter().filter_map(LabServer::id).collect()
}
