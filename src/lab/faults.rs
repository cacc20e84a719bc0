//! Which fault is in force on which path between clusters or servers.
//!
//! Owns the table of rules and answers "what about a connection that X dialled to Y?", also while the table changes.
//! Moves no bytes: that is [`super::pump`].

use crate::model::ids::{ClusterName, ServerKey, ServerName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// There is no server or cluster of this name in the lab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no server or cluster of this lab is named {0:?}")]
pub struct UnknownName(pub String);

/// What happens to a gateway connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing: bytes pass.
    #[default]
    Pass,
    /// Bytes stop in both directions and the sockets stay open, as when packets are dropped on the way. A new
    /// connection is accepted and then hears nothing. What was held flows on after the heal, so links are back at
    /// once (over a real network the first redial after a heal takes a second or two).
    ///
    /// Where the system does not tell who owns a socket (other than Linux), a new connection still gets the greeting
    /// of the server it dials, since the dialler says who it is only then: it may be listed as up for a while.
    Blackhole,
    /// Existing connections are closed with a TCP reset, and new ones as long as the fault lasts.
    Reset,
    /// New connections are reset; existing ones live on.
    Refuse,
    /// Everything arrives later, in order and without loss of throughput, in each direction of the connection.
    Delay {
        /// Added to every byte.
        latency: Duration,
        /// A random time up to this long is added on top.
        jitter: Duration,
    },
    /// What TCP makes of lost packets: now and then everything behind a lost one waits until it was sent again, in each
    /// direction of the connection.
    Lossy {
        /// How many of a hundred packets of full size are lost. The repeated packet may be lost as well.
        percent: u8,
        /// How long it takes until a lost packet is sent again; twice as long for each further time.
        retransmit: Duration,
    },
    /// Each direction of the connection carries no more than this.
    Slow {
        /// Bytes per second.
        bytes_per_second: NonZeroU32,
    },
}

/// What clients are to the table of rules: a cluster whose name no server would take, because of the space.
const CLIENTS: &str = "any client";

/// One end of a [`Path`]: a whole cluster, or one server of it, or (as the dialling end) all clients.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side {
    /// The cluster.
    pub cluster: ClusterName,
    /// The server, or `None` for every server of the cluster.
    pub server: Option<ServerName>,
}

impl Side {
    /// Every server of a cluster.
    pub fn cluster(cluster: impl Into<ClusterName>) -> Self {
        Self { cluster: cluster.into(), server: None }
    }

    /// One server.
    pub fn server(cluster: impl Into<ClusterName>, server: impl Into<ServerName>) -> Self {
        Self { cluster: cluster.into(), server: Some(server.into()) }
    }

    /// All clients that dial the client proxies of a lab which has them: see
    /// [`Builder::client_proxies`](super::Builder::client_proxies).
    #[must_use]
    pub fn clients() -> Self {
        Self::cluster(CLIENTS)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "{}/{server}", self.cluster),
            None => self.cluster.fmt(f),
        }
    }
}

/// The dialler of every connection to a client proxy.
pub(super) fn any_client() -> ServerKey {
    ServerKey { cluster: CLIENTS.into(), name: CLIENTS.into() }
}

/// The gateway connections dialled by servers of `from` to servers of `to`.
///
/// A server sends messages to a remote cluster only over the connection it dialled itself, so a path is also a
/// direction of messages. (Interest and keep-alives travel both ways on it.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// Who dials.
    pub from: Side,
    /// Who is dialled.
    pub to: Side,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

/// The faults in force, by path. Changes reach existing connections within milliseconds.
///
/// A rule that names servers wins over one that names clusters: first both ends by server, then the dialler by
/// server, then the target by server, then cluster to cluster.
#[derive(Debug)]
pub struct Faults {
    known: BTreeSet<Side>,
    rules: watch::Sender<Rules>,
}

type Rules = Arc<BTreeMap<Path, Fault>>;

impl Faults {
    pub(super) fn new(servers: &[ServerKey]) -> Self {
        let sides = servers.iter().flat_map(|key| {
            [Side::cluster(key.cluster.clone()), Side::server(key.cluster.clone(), key.name.clone())]
        });
        let known = sides.collect();
        Self { known, rules: watch::Sender::new(Rules::default()) }
    }

    /// With client proxies, so that a fault can be put on what clients dial.
    pub(super) fn with_clients(mut self) -> Self {
        self.known.insert(Side::clients());
        self
    }

    /// Puts a fault on a path, in place of the one that was on exactly this path.
    ///
    /// # Errors
    /// [`UnknownName`] when a side is not in this lab.
    pub fn set(&self, path: Path, fault: Fault) -> Result<(), UnknownName> {
        self.set_all([path], fault)
    }

    /// Removes the rule on exactly this path. Less exact rules that cover it come into force again.
    pub fn clear(&self, path: &Path) {
        tracing::debug!(%path, "fault cleared");
        self.change(|rules| {
            rules.remove(path);
        });
    }

    /// Removes every rule: all paths pass.
    pub fn clear_all(&self) {
        tracing::debug!("all faults cleared");
        self.change(BTreeMap::clear);
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> BTreeMap<Path, Fault> {
        BTreeMap::clone(&self.rules.borrow())
    }

    /// Both directions between two clusters.
    ///
    /// # Errors
    /// [`UnknownName`] when a cluster is not in this lab.
    pub fn cut_pair(&self, a: &str, b: &str, fault: Fault) -> Result<(), UnknownName> {
        self.set_all(both_ways(Side::cluster(a), &Side::cluster(b)), fault)
    }

    /// What `from` sends to `to`: the connections dialled by servers of `from`.
    ///
    /// # Errors
    /// [`UnknownName`] when a cluster is not in this lab.
    pub fn cut_direction(&self, from: &str, to: &str, fault: Fault) -> Result<(), UnknownName> {
        self.set(Path { from: Side::cluster(from), to: Side::cluster(to) }, fault)
    }

    /// One server and a remote cluster: what it dials there, and what is dialled from there to it.
    ///
    /// # Errors
    /// [`UnknownName`] when a name is not in this lab.
    pub fn cut_server(
        &self,
        cluster: &str,
        server: &str,
        remote: &str,
        fault: Fault,
    ) -> Result<(), UnknownName> {
        self.set_all(both_ways(Side::server(cluster, server), &Side::cluster(remote)), fault)
    }

    /// What clients dial in one cluster, over the client proxies. The lab's own clients go past these. On Linux also new
    /// connections of processes that are no servers to gateway ports: a cluster that a watcher cannot reach is not open
    /// to its probes either.
    ///
    /// # Errors
    /// [`UnknownName`] when the cluster is not in this lab, or the lab has no client proxies.
    pub fn cut_clients(&self, cluster: &str, fault: Fault) -> Result<(), UnknownName> {
        self.set(Path { from: Side::clients(), to: Side::cluster(cluster) }, fault)
    }

    /// What clients dial anywhere, over the client proxies.
    ///
    /// # Errors
    /// [`UnknownName`] when the lab has no client proxies.
    pub fn cut_all_clients(&self, fault: Fault) -> Result<(), UnknownName> {
        let paths = self.clusters().map(|to| Path { from: Side::clients(), to: to.clone() });
        self.set_all(paths, fault)
    }

    /// Both directions between a cluster and every other one.
    ///
    /// # Errors
    /// [`UnknownName`] when the cluster is not in this lab.
    pub fn isolate(&self, cluster: &str, fault: Fault) -> Result<(), UnknownName> {
        let side = Side::cluster(cluster);
        self.check(&side)?;
        let others = self.clusters().filter(|other| **other != side);
        self.set_all(others.flat_map(|other| both_ways(side.clone(), other)), fault)
    }

    fn clusters(&self) -> impl Iterator<Item = &Side> {
        self.known.iter().filter(|side| side.server.is_none() && **side != Side::clients())
    }

    /// A source of views for the proxies, which do not own the table.
    pub(super) fn subscribe(&self) -> FaultSource {
        FaultSource(self.rules.subscribe())
    }

    /// One change of the table, so that no connection sees half of it.
    fn set_all(&self, paths: impl IntoIterator<Item = Path>, fault: Fault) -> Result<(), UnknownName> {
        let paths: Vec<Path> = paths.into_iter().collect();
        paths.iter().try_for_each(|path| self.check(&path.from).and_then(|()| self.check(&path.to)))?;
        for path in &paths {
            tracing::debug!(%path, ?fault, "fault set");
        }
        self.change(|rules| rules.extend(paths.into_iter().map(|path| (path, fault))));
        Ok(())
    }

    fn check(&self, side: &Side) -> Result<(), UnknownName> {
        if self.known.contains(side) { Ok(()) } else { Err(UnknownName(side.to_string())) }
    }

    fn change(&self, apply: impl FnOnce(&mut BTreeMap<Path, Fault>)) {
        self.rules.send_modify(|rules| apply(Arc::make_mut(rules)));
    }
}

fn both_ways(a: Side, b: &Side) -> [Path; 2] {
    [Path { from: a.clone(), to: b.clone() }, Path { from: b.clone(), to: a }]
}

/// Makes a [`FaultView`] once it is known who dials.
#[derive(Debug, Clone)]
pub(super) struct FaultSource(watch::Receiver<Rules>);

impl FaultSource {
    pub(super) fn view(&self, dialler: ServerKey, target: ServerKey) -> FaultView {
        FaultView { rules: self.0.clone(), dialler, target }
    }
}

/// The fault in force on one connection.
#[derive(Debug, Clone)]
pub(super) struct FaultView {
    rules: watch::Receiver<Rules>,
    dialler: ServerKey,
    target: ServerKey,
}

impl FaultView {
    /// The fault now. [`FaultView::changed`] reports changes after this call.
    pub(super) fn current(&mut self) -> Fault {
        let rules = self.rules.borrow_and_update();
        decide(&rules, &self.dialler, &self.target)
    }

    /// Waits until the table has changed; false when the lab is gone.
    pub(super) async fn changed(&mut self) -> bool {
        self.rules.changed().await.is_ok()
    }
}

fn decide(rules: &BTreeMap<Path, Fault>, dialler: &ServerKey, target: &ServerKey) -> Fault {
    let whole = |key: &ServerKey| Side::cluster(key.cluster.clone());
    let exact = |key: &ServerKey| Side::server(key.cluster.clone(), key.name.clone());
    [
        (exact(dialler), exact(target)),
        (exact(dialler), whole(target)),
        (whole(dialler), exact(target)),
        (whole(dialler), whole(target)),
    ]
    .into_iter()
    .find_map(|(from, to)| rules.get(&Path { from, to }).copied())
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cluster: &str, name: &str) -> ServerKey {
        ServerKey { cluster: cluster.into(), name: name.into() }
    }

    fn faults() -> Faults {
        let servers: Vec<ServerKey> = ["east", "west", "central"]
            .iter()
            .flat_map(|cluster| (1..=2).map(move |n| key(cluster, &format!("{cluster}-{n}"))))
            .collect();
        Faults::new(&servers)
    }

    fn between(faults: &Faults, dialler: (&str, &str), target: (&str, &str)) -> Fault {
        faults.subscribe().view(key(dialler.0, dialler.1), key(target.0, target.1)).current()
    }

    const E1: (&str, &str) = ("east", "east-1");
    const E2: (&str, &str) = ("east", "east-2");
    const W1: (&str, &str) = ("west", "west-1");
    const C1: (&str, &str) = ("central", "central-1");

    #[test]
    fn a_direction_is_the_connections_dialled_in_it() {
        let faults = faults();
        faults.cut_direction("east", "west", Fault::Blackhole).unwrap();
        assert_eq!(between(&faults, E1, W1), Fault::Blackhole);
        assert_eq!(between(&faults, W1, E1), Fault::Pass);
        assert_eq!(between(&faults, E1, C1), Fault::Pass);
    }

    #[test]
    fn a_server_is_cut_both_ways_and_its_peer_is_not() {
        let faults = faults();
        faults.cut_server("east", "east-1", "west", Fault::Reset).unwrap();
        assert_eq!(between(&faults, E1, W1), Fault::Reset);
        assert_eq!(between(&faults, W1, E1), Fault::Reset);
        assert_eq!(between(&faults, E2, W1), Fault::Pass);
        assert_eq!(between(&faults, W1, E2), Fault::Pass);
    }

    #[test]
    fn a_rule_for_a_server_wins_over_one_for_its_cluster() {
        let faults = faults();
        faults.cut_pair("east", "west", Fault::Blackhole).unwrap();
        let spared = Path { from: Side::server("east", "east-1"), to: Side::cluster("west") };
        faults.set(spared.clone(), Fault::Pass).unwrap();
        assert_eq!(between(&faults, E1, W1), Fault::Pass);
        assert_eq!(between(&faults, E2, W1), Fault::Blackhole);
        faults.clear(&spared);
        assert_eq!(between(&faults, E1, W1), Fault::Blackhole);
    }

    #[test]
    fn isolating_cuts_a_cluster_from_every_other_one_only() {
        let faults = faults();
        faults.isolate("east", Fault::Blackhole).unwrap();
        for (dialler, target) in [(E1, W1), (W1, E1), (E1, C1), (C1, E2)] {
            assert_eq!(between(&faults, dialler, target), Fault::Blackhole);
        }
        assert_eq!(between(&faults, W1, C1), Fault::Pass);
        faults.clear_all();
        assert_eq!(between(&faults, E1, W1), Fault::Pass);
    }

    #[test]
    fn clients_are_cut_from_one_cluster_or_all_and_servers_never_with_them() {
        let faults = faults().with_clients();
        let client = (CLIENTS, CLIENTS);
        faults.cut_clients("east", Fault::Blackhole).unwrap();
        assert_eq!(between(&faults, client, E2), Fault::Blackhole);
        assert_eq!(between(&faults, client, W1), Fault::Pass);
        faults.cut_all_clients(Fault::Reset).unwrap();
        assert_eq!(between(&faults, client, C1), Fault::Reset);
        assert_eq!(between(&faults, E1, W1), Fault::Pass);
        faults.clear_all();
        faults.isolate("east", Fault::Blackhole).unwrap();
        assert_eq!(between(&faults, client, E1), Fault::Pass);
    }

    #[test]
    fn without_client_proxies_clients_cannot_be_cut() {
        faults().cut_clients("east", Fault::Blackhole).unwrap_err();
        faults().cut_all_clients(Fault::Blackhole).unwrap_err();
    }

    #[test]
    fn a_misspelt_name_is_refused_and_changes_nothing() {
        let faults = faults();
        let error = faults.cut_pair("east", "wset", Fault::Reset).unwrap_err();
        assert!(error.to_string().contains("wset"), "{error}");
        faults.cut_server("east", "west-1", "west", Fault::Reset).unwrap_err();
        assert!(faults.rules().is_empty());
    }
}
