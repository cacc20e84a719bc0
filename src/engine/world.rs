//! What the engine knows: clusters, servers and server links in dense tables, found by name or id.
//!
//! Owns identity (which id is which server's present life) and the stored states. Judges nothing.

use super::latency::Latency;
use super::rounds::{Heard, Rounds};
use crate::model::ask::BeatPlan;
use crate::model::evidence::Evidence;
use crate::model::ids::{ClusterName, Link, ServerId, ServerKey, ServerLink};
use crate::model::observation::{Disconnect, ServerIdentity, ServerVersion};
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::time::{Mono, Now};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Place of a cluster in [`World::clusters`].
pub(super) type ClusterIx = usize;
/// Place of a server in [`World::servers`].
pub(super) type ServerIx = usize;

/// The most clusters that are kept; names claimed beyond are ignored and counted.
pub(super) const MAX_CLUSTERS: usize = 1_000;
/// The most servers that are kept; names claimed beyond are ignored and counted.
pub(super) const MAX_SERVERS: usize = 20_000;

/// How many former ids of a server are remembered, so that late news of them is known for what it is.
const FORMER_LIVES: usize = 8;

/// How many late answers in a row make the path's new pace.
const LATE_IN_A_ROW: u8 = 2;

/// A state with the moment it was entered and why.
#[derive(Debug, Clone)]
pub(super) struct Held<S> {
    pub(super) state: S,
    pub(super) since: Now,
    pub(super) evidence: Vec<Evidence>,
}

impl<S> Held<S> {
    pub(super) fn new(state: S, since: Now) -> Self {
        Self { state, since, evidence: Vec::new() }
    }
}

/// One of our own connections.
#[derive(Debug, Clone)]
pub(super) struct Vantage {
    pub(super) held: Held<VantageState>,
    pub(super) connected: bool,
    pub(super) why: Option<Disconnect>,
    /// Rounds asked before this moment count for nothing here.
    pub(super) void_before: Mono,
    /// Rounds of other clusters count for nothing here before this moment: interest must cross gateways first. Within its own cluster
    /// a new subscription runs ahead of the question on the same route.
    pub(super) settled: Mono,
    /// It has heard its own cluster answer a round asked at this moment.
    pub(super) alive_through: Option<Mono>,
}

/// One cluster.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) name: ClusterName,
    pub(super) held: Held<ClusterState>,
    pub(super) vantage: Option<Vantage>,
    pub(super) rounds: Rounds,
    pub(super) servers: Vec<ServerIx>,
    pub(super) plan: Option<BeatPlan>,
    /// Directed links from here, by receiving cluster.
    pub(super) links: BTreeMap<ClusterIx, ClusterLink>,
    /// A gateway that servers of this cluster refused for bad credentials.
    pub(super) refused: Option<Evidence>,
    /// When every cluster was last asked about this one, while it is doubted.
    pub(super) looked: Option<Mono>,
}

/// A directed link between clusters.
#[derive(Debug, Clone)]
pub(super) struct ClusterLink {
    pub(super) held: Held<LinkState>,
    /// It was expected in a former life of this process or of the servers.
    pub(super) remembered: bool,
}

/// One server across its lives.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) key: ServerKey,
    pub(super) id: ServerId,
    pub(super) cluster: ClusterIx,
    pub(super) version: Option<ServerVersion>,
    pub(super) held: Held<ServerState>,
    /// When this life was first heard of.
    pub(super) joined: Mono,
    pub(super) heard: Heard,
    /// When it was last heard, fresh, by whoever.
    pub(super) heard_at: Option<Mono>,
    /// By vantage.
    pub(super) paths: Vec<Path>,
    /// Outbound links, by receiving cluster.
    pub(super) links: BTreeMap<ClusterIx, Outbound>,
    pub(super) reports: Reports,
    pub(super) clients: Clients,
    /// When it was last asked for its gateways because of a suspicion.
    pub(super) looked: Option<Mono>,
    /// Ids of its latest former lives, oldest first, bounded.
    former: VecDeque<ServerId>,
}

/// When a server reports of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    pub(super) last: Option<Mono>,
    /// The server's own time of its newest report.
    pub(super) made: Option<DateTime<Utc>>,
    /// Whether it has told its configuration in this life.
    pub(super) configured: bool,
}

/// Client connections of a server.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients {
    pub(super) held: Option<u64>,
    pub(super) closed: u64,
    /// Latest counts of closed connections with their second, bounded.
    pub(super) recent: VecDeque<(Mono, u32)>,
}

/// What one vantage hears of one server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Path {
    pub(super) last: Option<u64>,
    pub(super) latency: Latency,
    /// When an answer last arrived.
    pub(super) arrived: Mono,
    /// How many late answers in a row arrived one by one, not in a burst.
    pub(super) late: u8,
}

impl Path {
    /// Measures an answer. Whether it counts as fresh is judged by what the path usually takes.
    ///
    /// Late answers are believed to be the path's new pace only when several arrive one by one: after a cut, TCP delivers what it
    /// held back in one burst, which says nothing about the path.
    pub(super) fn measure(
        &mut self,
        at: Mono,
        latency: Duration,
        allowed: Duration,
        burst_within: Duration,
    ) -> bool {
        let burst = at.since(self.arrived) < burst_within;
        self.arrived = at;
        if latency <= allowed {
            self.late = 0;
            self.latency.sample(latency);
            return true;
        }
        self.late = if burst { 0 } else { self.late.saturating_add(1) };
        if self.late >= LATE_IN_A_ROW {
            self.latency.sample(latency);
        }
        false
    }
}

/// One server's own outbound link to a remote cluster.
#[derive(Debug, Clone)]
pub(super) struct Outbound {
    pub(super) held: Held<ServerLinkState>,
    pub(super) basis: Basis,
    pub(super) configured: bool,
    /// It was up, or listed, in this life of the server.
    pub(super) seen: bool,
    pub(super) listed: Option<Listed>,
    /// The server reported it as up while beats showed it cut.
    pub(super) denied: bool,
    /// The remote server it ends at, from GATEWAYZ.
    pub(super) peer: Option<ServerId>,
    pub(super) traffic: Traffic,
}

/// What a server says of one of its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) up: bool,
    /// Since when it says so without a break.
    pub(super) since: Mono,
    /// When it said so last.
    pub(super) at: Mono,
    /// Connection id, when up.
    pub(super) connection: Option<u64>,
}

/// Traffic over one link, from the counters of successive STATSZ.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) last: Option<(Mono, u64, u64, u64)>,
    /// Messages and bytes per second.
    pub(super) rate: Option<(f64, f64)>,
}

impl Outbound {
    pub(super) fn new(now: Now) -> Self {
        Self {
            held: Held::new(ServerLinkState::Unknown, now),
            basis: Basis::Reports,
            configured: false,
            seen: false,
            listed: None,
            denied: false,
            peer: None,
            traffic: Traffic::default(),
        }
    }
}

impl Server {
    /// Whether it can be watched by beats.
    pub(super) fn answers_beats(&self) -> bool {
        self.version.is_some_and(ServerVersion::answers_beats)
    }

    /// Whether it is there: its links count.
    pub(super) fn present(&self) -> bool {
        matches!(self.held.state, ServerState::Live | ServerState::Leaving)
    }

    pub(super) fn server_link(&self, to: &ClusterName) -> ServerLink {
        ServerLink { server: self.key.clone(), to: to.clone() }
    }
}

/// Everything known.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) clusters: Vec<Cluster>,
    pub(super) servers: Vec<Server>,
    by_name: BTreeMap<ClusterName, ClusterIx>,
    by_key: BTreeMap<ServerKey, ServerIx>,
    by_id: HashMap<ServerId, ServerIx>,
    /// Clusters and servers that were not taken in because the tables are full.
    pub(super) refused: u64,
}

/// What became of an identity that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// A server never heard of before.
    New(ServerIx),
    /// A known server under a new id: it was restarted.
    Reborn(ServerIx),
    /// A known server in its known life.
    Known(ServerIx),
    /// A former life of a server that has a newer one: late news.
    Former,
    /// The tables are full.
    Refused,
}

impl World {
    /// The cluster of this name, if known.
    pub(super) fn cluster(&self, name: &ClusterName) -> Option<ClusterIx> {
        self.by_name.get(name).copied()
    }

    /// The server of this key, if known.
    pub(super) fn server(&self, key: &ServerKey) -> Option<ServerIx> {
        self.by_key.get(key).copied()
    }

    /// The server whose present life has this id.
    pub(super) fn life(&self, id: &ServerId) -> Option<ServerIx> {
        self.by_id.get(id).copied().filter(|&ix| self.servers[ix].id == *id)
    }

    /// Clusters in the order of their names.
    pub(super) fn clusters_by_name(&self) -> impl Iterator<Item = ClusterIx> + '_ {
        self.by_name.values().copied()
    }

    /// Servers in the order of their keys.
    pub(super) fn servers_by_key(&self) -> impl Iterator<Item = ServerIx> + '_ {
        self.by_key.values().copied()
    }

    /// The cluster of this name, made if it is new; `None` when the table is full.
    pub(super) fn ensure_cluster(&mut self, name: &ClusterName, now: Now) -> Option<ClusterIx> {
        if let Some(ix) = self.cluster(name) {
            return Some(ix);
        }
        if self.clusters.len() >= MAX_CLUSTERS {
            self.refused += 1;
            return None;
        }
        let ix = self.clusters.len();
        self.by_name.insert(name.clone(), ix);
        self.clusters.push(Cluster {
            name: name.clone(),
            held: Held::new(ClusterState::Unknown, now),
            vantage: None,
            rounds: Rounds::default(),
            servers: Vec::new(),
            plan: None,
            links: BTreeMap::new(),
            refused: None,
            looked: None,
        });
        for server in &mut self.servers {
            server.paths.push(Path::default());
        }
        Some(ix)
    }

    /// Takes in who a server says it is.
    ///
    /// A server keeps its name and changes its id at every restart, so a new id under a known name is a new life. An id that
    /// was superseded stays known as a former life: what still arrives from it is late news, not a second server.
    pub(super) fn see(&mut self, who: &ServerIdentity, now: Now) -> Seen {
        let key = ServerKey { cluster: who.cluster.clone(), name: who.name.clone() };
        match (self.by_id.get(&who.id).copied(), self.by_key.get(&key).copied()) {
            (Some(ix), _) if self.servers[ix].id != who.id => Seen::Former,
            (Some(ix), _) => {
                if who.version.is_some() {
                    self.servers[ix].version = who.version;
                }
                Seen::Known(ix)
            }
            (None, Some(ix)) => {
                self.begin_life(ix, who, now);
                Seen::Reborn(ix)
            }
            (None, None) => self.add_server(key, who, now),
        }
    }

    fn add_server(&mut self, key: ServerKey, who: &ServerIdentity, now: Now) -> Seen {
        if self.servers.len() >= MAX_SERVERS {
            self.refused += 1;
            return Seen::Refused;
        }
        let Some(cluster) = self.ensure_cluster(&who.cluster, now) else { return Seen::Refused };
        let ix = self.servers.len();
        self.by_key.insert(key.clone(), ix);
        self.by_id.insert(who.id.clone(), ix);
        self.clusters[cluster].servers.push(ix);
        self.servers.push(Server {
            key,
            id: who.id.clone(),
            cluster,
            version: who.version,
            held: Held::new(ServerState::Unknown, now),
            joined: now.mono,
            heard: Heard::default(),
            heard_at: None,
            paths: vec![Path::default(); self.clusters.len()],
            links: BTreeMap::new(),
            reports: Reports::default(),
            clients: Clients::default(),
            looked: None,
            former: VecDeque::new(),
        });
        Seen::New(ix)
    }

    fn begin_life(&mut self, ix: ServerIx, who: &ServerIdentity, now: Now) {
        self.by_id.insert(who.id.clone(), ix);
        let clusters = self.clusters.len();
        let server = &mut self.servers[ix];
        let former = std::mem::replace(&mut server.id, who.id.clone());
        server.former.push_back(former);
        if server.former.len() > FORMER_LIVES {
            server.former.pop_front().map(|id| self.by_id.remove(&id));
        }
        server.version = who.version.or(server.version);
        server.joined = now.mono;
        server.heard = Heard::default();
        server.reports = Reports::default();
        server.looked = None;
        for path in &mut server.paths {
            path.last = None;
        }
        server.paths.resize(clusters, Path::default());
        for link in server.links.values_mut() {
            link.seen = false;
            link.listed = None;
            link.peer = None;
            link.traffic = Traffic::default();
        }
    }

    /// The directed link `from -> to`, made if it is new.
    pub(super) fn ensure_link(&mut self, from: ClusterIx, to: ClusterIx, now: Now) -> &mut ClusterLink {
        self.clusters[from]
            .links
            .entry(to)
            .or_insert_with(|| ClusterLink { held: Held::new(LinkState::Unknown, now), remembered: false })
    }

    /// The outbound link of a server to a remote cluster, made if it is new, along with the link it is part of.
    pub(super) fn ensure_outbound(&mut self, server: ServerIx, to: ClusterIx, now: Now) -> &mut Outbound {
        self.ensure_link(self.servers[server].cluster, to, now);
        self.servers[server].links.entry(to).or_insert_with(|| Outbound::new(now))
    }

    /// Whether `from -> to` ought to exist: some present server is configured for it or has had it up, or it was there
    /// before and not every present server has yet told a configuration without it.
    pub(super) fn expected(&self, from: ClusterIx, to: ClusterIx) -> bool {
        let mut undecided = false;
        for &ix in &self.clusters[from].servers {
            let server = &self.servers[ix];
            if !server.present() {
                continue;
            }
            if server.links.get(&to).is_some_and(|link| link.configured || link.seen) {
                return true;
            }
            undecided |= !server.reports.configured;
        }
        undecided && self.clusters[from].links.get(&to).is_some_and(|link| link.remembered)
    }

    /// The names of a directed link.
    pub(super) fn link_name(&self, from: ClusterIx, to: ClusterIx) -> Link {
        Link { from: self.clusters[from].name.clone(), to: self.clusters[to].name.clone() }
    }

    /// Whether our connection into this cluster is sound.
    pub(super) fn sound(&self, cluster: ClusterIx) -> bool {
        self.clusters[cluster]
            .vantage
            .as_ref()
            .is_some_and(|vantage| vantage.held.state == VantageState::Sound)
    }
}
