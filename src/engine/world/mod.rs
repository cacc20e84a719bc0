//! What the engine knows: clusters, servers and server links in dense tables, found by name or id.
//!
//! Owns identity (which id is which server's present life) and the stored states. Judges nothing.

mod forget;
mod parts;
mod room;

pub(super) use parts::{
    Chase, Clients, Cluster, ClusterLink, HalfOpen, Held, Listed, Outbound, Path, Refused, Reports, Server,
    Vantage,
};
pub use room::Refusals;

use super::checks::Told;
use super::flaps::{Damping, Watch};
use super::impact::Streams;
use super::intent::{Intent, Wanted};
use super::own::Own;
use super::rounds::Heard;
use super::traffic::Traffic;
use crate::model::ids::{ClusterName, Link, ServerId, ServerKey};
use crate::model::observation::ServerIdentity;
use crate::model::states::{LinkState, ServerState, VantageState};
use crate::model::time::{Mono, Now};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Place of a cluster in [`World::clusters`].
pub(super) type ClusterIx = usize;
/// Place of a server in [`World::servers`].
pub(super) type ServerIx = usize;

/// How many former ids of a server are remembered, so that late news of them is known for what it is.
const FORMER_LIVES: usize = 8;

/// Everything known.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) clusters: Vec<Cluster>,
    pub(super) servers: Vec<Server>,
    by_name: BTreeMap<ClusterName, ClusterIx>,
    by_key: BTreeMap<ServerKey, ServerIx>,
    by_id: HashMap<ServerId, ServerIx>,
    /// Streams that servers lead, as they last told.
    pub(super) streams: Streams,
    /// Places in the tables that were left, to be used anew.
    free_clusters: Vec<ClusterIx>,
    free_servers: Vec<ServerIx>,
    /// How many server links there are.
    server_links: usize,
    /// What was not believed or not taken in.
    pub(super) refused: Refusals,
    /// When it was last looked for what has been gone for long.
    pub(super) aged: Option<Mono>,
    /// When our monotonic clock was started, by our wall clock.
    pub(super) clock_began: Option<DateTime<Utc>>,
    /// How much the links between clusters flap.
    pub(super) damping: Damping,
    /// What people want.
    pub(super) intent: Intent,
    /// Another gatewatch speaks.
    pub(super) hushed: bool,
    /// This process itself.
    pub(super) own: Own,
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
    /// The tables are full, or another life of that server answers.
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

    /// The server that has or had this id.
    pub(super) fn any_life(&self, id: &ServerId) -> Option<ServerIx> {
        self.by_id.get(id).copied()
    }

    /// Clusters in the order of their names.
    pub(super) fn clusters_by_name(&self) -> impl Iterator<Item = ClusterIx> + '_ {
        self.by_name.values().copied()
    }

    /// Servers in the order of their keys.
    pub(super) fn servers_by_key(&self) -> impl Iterator<Item = ServerIx> + '_ {
        self.by_key.values().copied()
    }

    /// As [`World::claimed_cluster`], for a cluster that is only named, not heard: `None` too when it was forgotten.
    pub(super) fn ensure_named(&mut self, name: &ClusterName, now: Now) -> Option<ClusterIx> {
        if self.intent.is_forgotten(name) { None } else { self.claimed_cluster(name, now) }
    }

    /// Takes in who a server says it is.
    ///
    /// A server keeps its name and changes its id at every restart, so a new id under a known name is a new life. An id that
    /// was superseded stays known as a former life: what still arrives from it is late news, not a second server. Whoever claims the
    /// name of a server that has answered a beat within `alive` is another one, and not believed.
    pub(super) fn see(&mut self, who: &ServerIdentity, alive: Duration, now: Now) -> Seen {
        let key = ServerKey { cluster: who.cluster.clone(), name: who.name.clone() };
        match (self.by_id.get(&who.id).copied(), self.by_key.get(&key).copied()) {
            (Some(ix), _) if self.servers[ix].id != who.id => Seen::Former,
            (Some(ix), _) => {
                if who.version.is_some() {
                    self.servers[ix].version = who.version;
                }
                Seen::Known(ix)
            }
            (None, Some(ix)) if self.answers(ix, alive, now) => {
                self.refused.impostors += 1;
                Seen::Refused
            }
            (None, Some(ix)) => {
                self.begin_life(ix, who, now);
                Seen::Reborn(ix)
            }
            (None, None) => self.add_server(key, who, now),
        }
    }

    fn add_server(&mut self, key: ServerKey, who: &ServerIdentity, now: Now) -> Seen {
        let Some(cluster) = self.claimed_cluster(&who.cluster, now) else { return Seen::Refused };
        if !self.has_room_for_server(cluster) {
            self.refused.servers += 1;
            return Seen::Refused;
        }
        let server = Server {
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
            config: None,
            told: Told::default(),
            clients: Clients::default(),
            looked: None,
            chased: None,
            former: VecDeque::new(),
            answered: None,
            unproven: false,
            said_end: false,
            disproved: false,
        };
        Seen::New(self.place_server(server))
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
        server.config = None;
        server.told = Told::default();
        server.looked = None;
        server.chased = None;
        server.answered = None;
        server.unproven = false;
        server.said_end = false;
        server.disproved = false;
        for path in &mut server.paths {
            path.last = None;
        }
        server.paths.resize(clusters, Path::default());
        for link in server.links.values_mut() {
            link.seen = false;
            link.listed = None;
            link.half_open = None;
            link.peer = None;
            link.traffic = Traffic::default();
            link.watch = Watch::default();
        }
    }

    /// The directed link `from -> to`, made if it is new.
    pub(super) fn ensure_link(&mut self, from: ClusterIx, to: ClusterIx, now: Now) -> &mut ClusterLink {
        let known = self.clusters[from].links.contains_key(&to);
        let wanted = if known { Wanted::AsConfigured } else { self.intent.wanted(&self.link_name(from, to)) };
        self.clusters[from].links.entry(to).or_insert_with(|| ClusterLink {
            held: Held::new(LinkState::Unknown, now),
            remembered: false,
            was_up: false,
            wanted,
        })
    }

    /// What the configuration of gatewatch says of `from -> to`.
    pub(super) fn wanted(&self, from: ClusterIx, to: ClusterIx) -> Wanted {
        self.clusters[from].links.get(&to).map_or(Wanted::AsConfigured, |link| link.wanted)
    }

    /// The outbound link of a server to a remote cluster, made if it is new, along with the link it is part of.
    pub(super) fn ensure_outbound(&mut self, server: ServerIx, to: ClusterIx, now: Now) -> &mut Outbound {
        self.ensure_link(self.servers[server].cluster, to, now);
        let links = &mut self.servers[server].links;
        self.server_links += usize::from(!links.contains_key(&to));
        links.entry(to).or_insert_with(|| Outbound::new(now))
    }

    /// Notes that a link has been seen up, so that it may be missed.
    pub(super) fn was_up(&mut self, server: ServerIx, to: ClusterIx) {
        let from = self.servers[server].cluster;
        if let Some(link) = self.clusters[from].links.get_mut(&to) {
            link.was_up = true;
        }
    }

    /// Whether `from -> to` ought to exist, by what we were told; else whether some present server is configured for it or has
    /// had it up, or it was there before and not every present server has yet told a configuration without it.
    pub(super) fn expected(&self, from: ClusterIx, to: ClusterIx) -> bool {
        match self.wanted(from, to) {
            Wanted::Required => return true,
            Wanted::Forbidden => return false,
            Wanted::AsConfigured => {}
        }
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
