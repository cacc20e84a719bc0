//! The supercluster that a story needs, with gatewatch and the subscribers beside it.

use super::Trouble;
use super::ears::Ears;
use super::entries::Entry;
use super::pki::Pki;
use super::watcher::Watcher;
use crate::story::{ClusterSpec, Step, Story, Version};
use async_nats::ConnectOptions;
use gatewatch::clock::Clock;
use gatewatch::lab::{
    Builder, Fault, Finder, LabServer, ServerBinary, ServerOptions, ServerVersion, Supercluster,
};
use gatewatch::model::ids::ClusterName;
use std::time::Duration;

/// How long the supercluster, and then gatewatch's view of it, may take to become whole.
pub(super) const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// Who logs in, with what.
pub(super) struct Login {
    pub(super) user: &'static str,
    pub(super) password: &'static str,
}

pub(super) const SYSTEM: Login = Login { user: "sys", password: "catalogue-sys" };
/// A system user that may listen and not ask.
pub(super) const NARROW: Login = Login { user: "narrow", password: "catalogue-narrow" };
pub(super) const APP: Login = Login { user: "app", password: "catalogue-app" };
/// What gateways ask of each other, in stories about that.
pub(super) const GATE: Login = Login { user: "gate", password: "right" };

/// What must be equal for one supercluster to serve two stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    clusters: Vec<ClusterSpec>,
    links: Vec<(String, String)>,
    tls: bool,
    logins: bool,
    clients: bool,
    process: bool,
    /// `None`: whatever the finder finds.
    version: Option<Version>,
}

/// A running supercluster and all that belongs to it.
pub(crate) struct Ground {
    pub(crate) shape: Shape,
    pub(crate) lab: Supercluster,
    pub(crate) watcher: Watcher,
    pub(crate) ears: Ears,
    pub(crate) clock: Clock,
    pub(super) pki: Option<Pki>,
}

impl Shape {
    pub(crate) fn of(entry: &Entry, version: Option<Version>) -> Self {
        let story = &entry.story;
        Self {
            clusters: story.clusters.clone(),
            links: story.links.clone(),
            tls: story.tls,
            logins: entry.needs_logins(),
            clients: entry.cuts_clients(),
            process: entry.needs_a_process(),
            version,
        }
    }

    fn is_linked(&self, a: &str, b: &str) -> bool {
        let named = |(one, two): &(String, String)| (one == a && two == b) || (one == b && two == a);
        self.links.is_empty() || self.links.iter().any(named)
    }

    /// Clusters that run in the beginning, with how many servers.
    pub(super) fn present(&self) -> impl Iterator<Item = &ClusterSpec> {
        self.clusters.iter().filter(|cluster| !cluster.absent)
    }

    /// Directed links that are up when all is well.
    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        let names = || self.present().map(|cluster| cluster.name.as_str());
        let from = |a| names().filter(move |b| a != *b).map(move |b| (a, b));
        names().flat_map(from).filter(|(a, b)| self.is_linked(a, b)).collect()
    }
}

impl Ground {
    /// Starts the servers; what is given holds before gatewatch starts. Returns when all is whole, unless what is given or a cold
    /// start forbids to wait for that.
    pub(crate) async fn start(entry: &Entry, shape: Shape) -> Result<Self, Trouble> {
        let pki = shape.tls.then(Pki::new);
        let lab = builder(&shape, pki.as_ref()).await?.start().await?;
        if shape.links.is_empty() {
            lab.ready(WHOLE_WITHIN).await?;
        }
        let clock = Clock::start();
        let ears = Ears::open(&lab, clock).await?;
        let watcher = Watcher::new(&lab, &shape, entry.needs_a_process())?;
        let mut ground = Self { shape, lab, watcher, ears, clock, pki };
        ground.give(&entry.story).await?;
        ground.watcher.start().await?;
        if !entry.story.cold {
            ground.whole().await?;
        }
        Ok(ground)
    }

    /// Puts into force what holds from the beginning, and starts all servers into it at the same time.
    async fn give(&self, story: &Story) -> Result<(), Trouble> {
        for step in &story.given {
            match step {
                Step::Config(who, change) => self.alter(who, change),
                step => self.network(step)?,
            }
        }
        if !story.given.is_empty() {
            for cluster in self.shape.present() {
                self.lab.cluster(&cluster.name)?.kill().await?;
            }
            let running = self.lab.servers().iter().filter(|server| !server.is_spare());
            futures::future::try_join_all(running.map(LabServer::start)).await?;
        }
        self.wan(story)?;
        Ok(())
    }

    /// Ways that are long from the beginning.
    pub(super) fn wan(&self, story: &Story) -> Result<(), Trouble> {
        story.wan.iter().try_for_each(|wan| self.network(&Step::Wan(wan.clone())))
    }

    /// Brings everything back to what it was, as far as that can be: faults healed, servers running, gatewatch beside them.
    pub(crate) async fn restore(&mut self) -> Result<(), Trouble> {
        self.lab.faults().clear_all();
        for server in self.lab.servers().iter().filter(|server| !server.is_spare()) {
            if server.pid().is_some() {
                server.thaw()?;
            } else {
                server.start().await?;
            }
        }
        self.watcher.thaw();
        self.watcher.start().await?;
        self.whole().await
    }

    /// Waits until servers and gatewatch agree that all is well.
    pub(crate) async fn whole(&mut self) -> Result<(), Trouble> {
        self.watcher.whole(&self.shape, WHOLE_WITHIN).await
    }

    /// What a server's options are in the beginning.
    pub(super) fn initial(&self, server: &LabServer) -> ServerOptions {
        options(&self.shape, server.key().cluster.as_str(), self.pki.as_ref())
    }
}

async fn builder(shape: &Shape, pki: Option<&Pki>) -> Result<Builder, Trouble> {
    let mut builder = Supercluster::builder().config(&accounts());
    let login = |who: &Login| ConnectOptions::with_user_and_password(who.user.into(), who.password.into());
    builder = builder.logins(login(&SYSTEM), login(&APP));
    if let Some(version) = shape.version {
        builder = builder.binary(binary(version).await?);
    }
    if shape.clients {
        builder = builder.client_proxies();
    }
    for cluster in &shape.clusters {
        let (started, spare) =
            if cluster.absent { (0, cluster.servers) } else { (cluster.servers, cluster.spare) };
        if started > 0 {
            builder = builder.cluster(&cluster.name, started);
        }
        if spare > 0 {
            builder = builder.spare(&cluster.name, spare);
        }
        for number in 1..=started + spare {
            let mut options = options(shape, &cluster.name, pki);
            if let Some(version) = cluster.version {
                options.binary = Some(binary(version).await?);
            }
            builder = builder.server(&sides::name(&cluster.name, number), options);
        }
    }
    Ok(builder)
}

/// The program of this version.
pub(super) async fn binary((major, minor, patch): Version) -> Result<ServerBinary, Trouble> {
    Ok(Finder::from_env().version(ServerVersion(major, minor, patch)).await?)
}

fn options(shape: &Shape, cluster: &str, pki: Option<&Pki>) -> ServerOptions {
    let linked = |other: &&ClusterSpec| other.name != cluster && shape.is_linked(cluster, &other.name);
    let remotes = || shape.clusters.iter().filter(linked).map(|other| ClusterName::from(other.name.as_str()));
    ServerOptions {
        remotes: (!shape.links.is_empty()).then(|| remotes().collect()),
        gateway_login: shape.logins.then(|| gatewatch::lab::Credentials {
            user: GATE.user.to_owned(),
            password: GATE.password.to_owned(),
        }),
        gateway_tls: pki.map(|pki| pki.gateway(None)),
        ..ServerOptions::default()
    }
}

fn accounts() -> String {
    let user =
        |who: &Login, more: &str| format!("{{ user: {}, password: {}{more} }}", who.user, who.password);
    let deaf = ", permissions: { publish: { deny: [\"$SYS.REQ.>\"] } }";
    format!(
        "accounts {{\n  SYS {{ users: [{}, {}] }}\n  APP {{ jetstream: enabled, users: [{}] }}\n}}\nsystem_account: SYS\n",
        user(&SYSTEM, ""),
        user(&NARROW, deaf),
        user(&APP, ""),
    )
}

/// Which faults a ground can be asked for.
impl Ground {
    /// Steps that only concern the ways between servers.
    pub(super) fn network(&self, step: &Step) -> Result<(), Trouble> {
        let faults = self.lab.faults();
        let (between, fault) = match sides::fault(step) {
            Some(found) => found,
            None => return Err(format!("the lab cannot play: {step}").into()),
        };
        let clusters = self.lab.clusters();
        for path in sides::paths(&between, &clusters) {
            match fault {
                Fault::Pass => faults.clear(&path),
                other => faults.set(path, other)?,
            }
        }
        Ok(())
    }
}

/// From the words of a story to the lab's.
pub(super) mod sides {
    use crate::story::{Between, Cut, Sel, Step};
    use gatewatch::lab::{Fault, Path, Side};
    use gatewatch::model::ids::ClusterName;
    use std::time::Duration;

    /// How long TCP waits before it sends a lost packet again, the first time.
    const RETRANSMIT: Duration = Duration::from_millis(200);

    /// The lab's name for a server.
    pub(in super::super) fn name(cluster: &str, number: usize) -> String {
        format!("{cluster}-{number}")
    }

    /// What a step puts on which ways; `None` when it is none of those.
    pub(super) fn fault(step: &Step) -> Option<(Between, Fault)> {
        let delay = |ms, jitter| Fault::Delay {
            latency: Duration::from_millis(ms),
            jitter: Duration::from_millis(jitter),
        };
        Some(match step {
            Step::Cut(Cut::Drop, between) => (between.clone(), Fault::Blackhole),
            Step::Cut(Cut::Refuse, between) => (between.clone(), Fault::Reset),
            Step::CutDials(Cut::Refuse, between) => (between.clone(), Fault::Refuse),
            Step::Heal(Some(between)) => (between.clone(), Fault::Pass),
            Step::Slow(between, ms, jitter) => (between.clone(), delay(*ms, *jitter)),
            Step::Lossy(between, percent) => {
                (between.clone(), Fault::Lossy { percent: *percent, retransmit: RETRANSMIT })
            }
            Step::Wan(wan) => {
                let [from, to] = [&wan.ends.0, &wan.ends.1].map(|name| Sel::Cluster(name.clone()));
                (Between { from, to, both: true }, delay(wan.ms, wan.jitter))
            }
            _ => return None,
        })
    }

    /// Every way that is meant.
    pub(super) fn paths(between: &Between, clusters: &[ClusterName]) -> Vec<Path> {
        let one_way = |from: &Sel, to: &Sel| {
            let to = ends(to, clusters);
            let apart = |(a, b): &(Side, Side)| a.cluster != b.cluster;
            let all = ends(from, clusters).into_iter();
            let all = all.flat_map(move |a| to.clone().into_iter().map(move |b| (a.clone(), b)));
            all.filter(apart).map(|(from, to)| Path { from, to }).collect::<Vec<_>>()
        };
        let mut paths = one_way(&between.from, &between.to);
        if between.both {
            paths.extend(one_way(&between.to, &between.from));
        }
        paths
    }

    fn ends(sel: &Sel, clusters: &[ClusterName]) -> Vec<Side> {
        match sel {
            Sel::Any => clusters.iter().map(|name| Side::cluster(name.clone())).collect(),
            Sel::Cluster(cluster) => vec![Side::cluster(cluster.as_str())],
            Sel::Server(cluster, number) => {
                vec![Side::server(cluster.as_str(), name(cluster, *number).as_str())]
            }
        }
    }
}
