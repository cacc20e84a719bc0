//! All vantages of one process.
//!
//! Owns which clusters get a vantage, and the one loop that asks: beats by the clock, surveys by the clock or on the engine's wish. The
//! loop itself never waits for a connection; each vantage runs in a task of its own, so that one that is stuck holds up no other.
//!
//! Stopping is safe at any moment: nothing is in flight that is not repeated.

use super::beat::Beater;
use super::connect::Role;
use super::dial::{DialError, Door, shown};
use super::discover::Directory;
use super::first::{self, StartError};
use super::heard::{Heard, Outlet, Request, Tap};
use super::inbox::new_inbox;
use super::lane::lane;
use super::notice::Notice;
use super::rights::Rights;
use super::survey::{Lanes, Surveyor};
use super::vantage::Vantage;
use crate::clock::Clock;
use crate::config::connection::ConnectionSettings;
use crate::config::settings::{Settings, SurveySettings};
use crate::metrics::Metrics;
use crate::model::ask::Survey;
use crate::model::ids::ClusterName;
use async_nats::ServerAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Notices that wait for the fleet. When full, readers leave them out: servers repeat themselves.
const NOTICE_ROOM: usize = 1024;
/// How often clusters without an address, and configured addresses without a cluster, are looked for.
const SEARCH_EVERY: Duration = Duration::from_secs(5);

/// What a fleet is connected to within this process.
#[derive(Debug)]
pub struct Wiring {
    /// Stamps everything heard.
    pub clock: Clock,
    /// Where counting is done.
    pub metrics: Arc<Metrics>,
    /// The driver's inbox. Bounded; when it is full, facts are dropped after 50 ms and a `Dropped` change tells of the gap.
    pub heard: mpsc::Sender<Heard>,
    /// What the engine wants. When its sender is gone, the fleet stops.
    pub requests: mpsc::Receiver<Request>,
    /// What our users may not do.
    pub rights: Arc<Rights>,
    /// Where a capture is fed from, when one is taken.
    pub tap: Option<Tap>,
    /// Stops the fleet; the fleet never cancels it itself.
    pub shutdown: CancellationToken,
}

/// Where clients connect in each cluster.
pub type Places = BTreeMap<ClusterName, Arc<[ServerAddr]>>;

/// A running fleet.
#[derive(Debug)]
pub struct Fleet {
    inbox: Arc<str>,
    places: watch::Receiver<Places>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Fleet {
    /// Makes the first connection, then keeps vantages into all clusters until shut down.
    ///
    /// Which clusters: those of `[[vantage]]`, those into which `system.servers` lead, and with `discovery.enabled` every other one
    /// that a server tells of. Without discovery, `system.servers` counts only when there is no `[[vantage]]`.
    ///
    /// While nothing can be reached this waits and tries again; a warning in the log says why.
    ///
    /// # Errors
    /// [`StartError`] when every address was tried and only a person can mend what is wrong there, or when shut down meanwhile.
    pub async fn start(settings: &Settings, wiring: Wiring) -> Result<Self, StartError> {
        let inbox: Arc<str> = new_inbox(&settings.system.inbox_prefix).into();
        let plan = Plan::new(settings, &inbox, &wiring.rights);
        first::contact(&plan.knocks(), &wiring.shutdown).await?;
        let (tasks, shutdown) = (TaskTracker::new(), wiring.shutdown.child_token());
        let wiring = Wiring { shutdown: shutdown.clone(), ..wiring };
        let hub = Hub::new(settings, plan, wiring, Arc::clone(&inbox), tasks.clone());
        let places = hub.places.subscribe();
        tasks.spawn(hub.run());
        Ok(Self { inbox, places, tasks, shutdown })
    }

    /// The inbox that all vantages listen on: what the answers in a capture are addressed to.
    #[must_use]
    pub fn inbox(&self) -> &str {
        &self.inbox
    }

    /// Where clients connect in each cluster that has a vantage.
    #[must_use]
    pub fn places(&self) -> watch::Receiver<Places> {
        self.places.clone()
    }

    /// Stops all vantages and waits until they have ended.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Where the configuration says to begin.
#[derive(Debug)]
struct Plan {
    system: Door,
    /// Addresses whose cluster is not known yet.
    seeds: Vec<ServerAddr>,
    /// Clusters with addresses and credentials of their own.
    fixed: BTreeMap<ClusterName, (Door, Vec<ServerAddr>)>,
    discovery: bool,
}

impl Plan {
    fn new(settings: &Settings, inbox: &Arc<str>, rights: &Arc<Rights>) -> Self {
        let door = |connection: &ConnectionSettings, name: &str| Door {
            settings: connection.clone(),
            role: Role::pinned(&settings.instance.name, name),
            inbox: Arc::clone(inbox),
            rights: Arc::clone(rights),
        };
        let fixed: BTreeMap<_, _> = settings
            .vantages
            .iter()
            .map(|vantage| {
                let door = door(&vantage.connection, &format!("vantage/{}", vantage.cluster));
                (vantage.cluster.clone(), (door, vantage.connection.servers.clone()))
            })
            .collect();
        let discovery = settings.discovery.enabled;
        let seeds = if discovery || fixed.is_empty() { settings.system.servers.clone() } else { Vec::new() };
        Self { system: door(&settings.system, "system"), seeds, fixed, discovery }
    }

    /// Every address of the configuration, with the cluster it has to lead into.
    fn knocks(&self) -> Vec<(Door, ServerAddr, Option<ClusterName>)> {
        let seeds = self.seeds.iter().map(|seed| (self.system.clone(), seed.clone(), None));
        let fixed = self.fixed.iter().flat_map(|(cluster, (door, addresses))| {
            addresses.iter().map(|address| (door.clone(), address.clone(), Some(cluster.clone())))
        });
        seeds.chain(fixed).collect()
    }
}

/// The one loop.
struct Hub {
    plan: Plan,
    instance: String,
    period: Duration,
    surveys: SurveySettings,
    outlet: Outlet,
    requests: mpsc::Receiver<Request>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    notices: mpsc::Receiver<Notice>,
    notice_sender: mpsc::Sender<Notice>,
    directory: Directory,
    lanes: Lanes,
    addresses: BTreeMap<ClusterName, watch::Sender<Arc<[ServerAddr]>>>,
    /// The same for whoever else connects.
    places: watch::Sender<Places>,
    beater: Beater,
    surveyor: Surveyor,
    /// Attempts to learn into which cluster a configured address leads.
    placing: JoinSet<(ServerAddr, Result<ClusterName, DialError>)>,
    looked_around: bool,
    /// Clusters that were asked for what is asked seldom.
    asked_in_depth: BTreeSet<ClusterName>,
}

impl Hub {
    fn new(settings: &Settings, plan: Plan, wiring: Wiring, inbox: Arc<str>, tasks: TaskTracker) -> Self {
        let (notice_sender, notices) = mpsc::channel(NOTICE_ROOM);
        let outlet = Outlet::new(wiring.heard, wiring.tap, wiring.clock, wiring.metrics);
        Self {
            plan,
            instance: settings.instance.name.clone(),
            period: settings.detect.beat_period,
            surveys: settings.survey,
            outlet,
            requests: wiring.requests,
            shutdown: wiring.shutdown,
            tasks,
            notices,
            notice_sender,
            directory: Directory::default(),
            lanes: BTreeMap::new(),
            addresses: BTreeMap::new(),
            places: watch::Sender::default(),
            beater: Beater::new(Arc::clone(&inbox)),
            surveyor: Surveyor::new(inbox),
            placing: JoinSet::new(),
            looked_around: false,
            asked_in_depth: BTreeSet::new(),
        }
    }

    async fn run(mut self) {
        for (cluster, (_, addresses)) in &self.plan.fixed {
            self.directory.fix(cluster, addresses.clone());
        }
        self.keep_vantages();
        let (mut beat, mut search) = (every(self.period), every(SEARCH_EVERY));
        let (mut gatewayz, mut varz) = (every(self.surveys.gatewayz_every), every(self.surveys.varz_every));
        let (mut jetstream, mut interest) =
            (self.now_and_then(self.surveys.jetstream_every), self.now_and_then(self.surveys.interest_every));
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                _ = beat.tick() => self.beater.beat(&self.lanes, &self.outlet),
                request = self.requests.recv() => match request {
                    Some(request) => self.obey(&request),
                    None => return self.shutdown.cancel(),
                },
                Some(notice) = self.notices.recv() => self.heed(notice),
                Some(Ok((address, placed))) = self.placing.join_next() => self.place(address, placed),
                _ = search.tick() => self.search(),
                _ = gatewayz.tick() => self.sweep(Survey::Gateways),
                _ = varz.tick() => self.sweep(Survey::Config),
                () = turn(&mut jetstream) => self.sweep(Survey::JetStream),
                () = turn(&mut interest) => self.sweep(Survey::Interest),
            }
        }
    }

    fn obey(&mut self, request: &Request) {
        match request {
            Request::Beat(plan) => self.beater.plan(plan),
            Request::Ask(request) => self.surveyor.ask(request, &self.lanes, &self.outlet),
        }
    }

    fn heed(&mut self, notice: Notice) {
        match notice {
            Notice::Connected(cluster) => self.look_around(&cluster),
            Notice::Config(report) => {
                if self.plan.discovery || self.lanes.contains_key(&report.server.cluster) {
                    self.directory.learn(&report);
                    self.keep_vantages();
                }
            }
            Notice::Seen(cluster) => {
                self.directory.met(&cluster);
                if self.plan.discovery && !self.lanes.contains_key(&cluster) {
                    self.surveyor.sweep(&cluster, Survey::Config, &self.lanes, &self.outlet);
                }
            }
        }
    }

    /// A vantage is connected: ask its servers for everything, and the very first time ask all servers where clusters are.
    fn look_around(&mut self, cluster: &ClusterName) {
        if self.plan.discovery && !std::mem::replace(&mut self.looked_around, true) {
            self.surveyor.everybody(Survey::Config, cluster, &self.lanes, &self.outlet);
        }
        // What is asked seldom is asked once at the start, not whenever a connection is made anew.
        let seldom = if self.asked_in_depth.insert(cluster.clone()) { self.seldom() } else { Vec::new() };
        for what in [Survey::Stats, Survey::Gateways, Survey::Config].into_iter().chain(seldom) {
            self.surveyor.sweep(cluster, what, &self.lanes, &self.outlet);
        }
    }

    /// A clock for questions that may be turned off. Its first turn is a whole period away: they are asked on connecting too.
    fn now_and_then(&self, period: Option<Duration>) -> Option<Interval> {
        let first = self.outlet.clock.instant(self.outlet.clock.mono() + period?);
        let mut turns = interval_at(first, period?);
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Some(turns)
    }

    fn seldom(&self) -> Vec<Survey> {
        let jetstream = self.surveys.jetstream_every.map(|_| Survey::JetStream);
        jetstream.into_iter().chain(self.surveys.interest_every.map(|_| Survey::Interest)).collect()
    }

    fn sweep(&mut self, what: Survey) {
        for cluster in self.directory.clusters() {
            self.surveyor.sweep(cluster, what, &self.lanes, &self.outlet);
        }
    }

    /// Looks for what is known by half: clusters without an address, configured addresses without a cluster.
    fn search(&mut self) {
        let unplaced = |cluster: &&ClusterName| self.plan.discovery && !self.lanes.contains_key(*cluster);
        for cluster in self.directory.clusters().filter(unplaced) {
            self.surveyor.sweep(cluster, Survey::Config, &self.lanes, &self.outlet);
        }
        for seed in std::mem::take(&mut self.plan.seeds) {
            let door = self.plan.system.clone();
            self.placing.spawn(async move {
                let opened = door.open(&seed, None).await;
                (seed, opened.map(|line| line.cluster))
            });
        }
    }

    fn place(&mut self, seed: ServerAddr, placed: Result<ClusterName, DialError>) {
        match placed {
            Ok(cluster) => {
                self.directory.found(&cluster, seed);
                self.keep_vantages();
            }
            Err(error) => {
                tracing::debug!(address = shown(&seed), %error, "cannot tell the cluster of a configured server yet");
                self.plan.seeds.push(seed);
            }
        }
    }

    /// Gives every cluster with an address a vantage, and every vantage the present addresses.
    fn keep_vantages(&mut self) {
        let clusters: Vec<ClusterName> = self.directory.clusters().cloned().collect();
        for cluster in clusters {
            let addresses: Arc<[ServerAddr]> = self.directory.addresses(&cluster).into();
            match self.addresses.get(&cluster) {
                Some(sender) => {
                    sender.send_if_modified(|known| {
                        let changed = *known != addresses;
                        *known = Arc::clone(&addresses);
                        changed
                    });
                }
                None if addresses.is_empty() => {}
                None => self.add_vantage(cluster, addresses),
            }
        }
        let places =
            self.addresses.iter().map(|(cluster, sender)| (cluster.clone(), Arc::clone(&sender.borrow())));
        let places: Places = places.collect();
        self.places.send_if_modified(|known| {
            let changed = *known != places;
            *known = places;
            changed
        });
    }

    fn add_vantage(&mut self, cluster: ClusterName, addresses: Arc<[ServerAddr]>) {
        tracing::info!(%cluster, addresses = addresses.len(), "vantage wanted");
        let (way, end) = lane();
        let (sender, receiver) = watch::channel(addresses);
        let vantage = Vantage {
            cluster: cluster.clone(),
            door: self.door(&cluster),
            addresses: receiver,
            lane: end,
            outlet: self.outlet.clone(),
            notices: self.notice_sender.clone(),
        };
        self.tasks.spawn(vantage.run(self.shutdown.clone()));
        self.lanes.insert(cluster.clone(), way);
        self.addresses.insert(cluster, sender);
        self.beater.vantages_changed();
    }

    fn door(&self, cluster: &ClusterName) -> Door {
        let fixed = self.plan.fixed.get(cluster).map(|(door, _)| door.clone());
        fixed.unwrap_or_else(|| Door {
            role: Role::pinned(&self.instance, &format!("vantage/{cluster}")),
            ..self.plan.system.clone()
        })
    }
}

/// Its next turn; never, when it is turned off.
async fn turn(turns: &mut Option<Interval>) {
    match turns {
        Some(turns) => drop(turns.tick().await),
        None => std::future::pending().await,
    }
}

/// A clock that leaves out turns which it is too late for.
fn every(period: Duration) -> Interval {
    let mut turns = interval(period);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    turns
}
