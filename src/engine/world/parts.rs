//! The things that are known, and what is known of each.

use super::{ClusterIx, ServerIx};
use crate::engine::checks::Told;
use crate::engine::flaps::Watch;
use crate::engine::intent::Wanted;
use crate::engine::latency::Latency;
use crate::engine::probes::Probes;
use crate::engine::rounds::{Heard, Rounds};
use crate::engine::traffic::{Ours, Traffic};
use crate::model::ask::BeatPlan;
use crate::model::evidence::{Evidence, Says};
use crate::model::ids::{ClusterName, ServerId, ServerKey, ServerLink};
use crate::model::observation::{AccountInterest, ConfigReport, Disconnect, ServerVersion};
use crate::model::states::{Basis, ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::time::{Mono, Now};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many late answers in a row make the path's new pace.
const LATE_IN_A_ROW: u8 = 2;

/// A state with the moment it was entered and why.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Held<S> {
    pub(in crate::engine) state: S,
    pub(in crate::engine) since: Now,
    pub(in crate::engine) evidence: Vec<Evidence>,
}

impl<S> Held<S> {
    pub(in crate::engine) fn new(state: S, since: Now) -> Self {
        Self { state, since, evidence: Vec::new() }
    }
}

/// One of our own connections.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Vantage {
    pub(in crate::engine) held: Held<VantageState>,
    pub(in crate::engine) connected: bool,
    pub(in crate::engine) why: Option<Disconnect>,
    /// Rounds asked before this moment count for nothing here.
    pub(in crate::engine) void_before: Mono,
    /// Rounds of other clusters count for nothing here before this moment: interest must cross gateways first. Within its own cluster
    /// a new subscription runs ahead of the question on the same route.
    pub(in crate::engine) settled: Mono,
    /// It has heard its own cluster answer a round asked at this moment.
    pub(in crate::engine) alive_through: Option<Mono>,
}

/// One cluster.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Cluster {
    pub(in crate::engine) name: ClusterName,
    pub(in crate::engine) held: Held<ClusterState>,
    /// We are or were connected to it, or people told of it: it is not only others that speak of it.
    pub(in crate::engine) vouched: bool,
    /// More than talk: we are connected to it, a server of it has answered, or a server of a cluster that we are connected to has had a
    /// link to it for a while. Nothing is told of clusters that are not.
    pub(in crate::engine) proven: bool,
    /// When it was first spoken of.
    pub(in crate::engine) named: Mono,
    /// When a server of it last answered a beat, heard by whoever.
    pub(in crate::engine) answered: Option<Mono>,
    pub(in crate::engine) vantage: Option<Vantage>,
    pub(in crate::engine) rounds: Rounds,
    pub(in crate::engine) servers: Vec<ServerIx>,
    pub(in crate::engine) plan: Option<BeatPlan>,
    /// Directed links from here, by receiving cluster.
    pub(in crate::engine) links: BTreeMap<ClusterIx, ClusterLink>,
    /// Gateways that servers of this cluster refused for bad credentials, by their cluster, as far as they said whose they are.
    pub(in crate::engine) refused: BTreeMap<Option<ClusterIx>, Refused>,
    /// When it was last asked for what a loss costs.
    pub(in crate::engine) weighed: Option<Mono>,
    /// When every cluster was last asked about this one, while it is doubted.
    pub(in crate::engine) looked: Option<Mono>,
    /// When its servers and addresses were last asked why something about it is bad.
    pub(in crate::engine) inquired: Option<Mono>,
    /// When its servers were last asked what arrives on connections from clusters that no beats watch.
    pub(in crate::engine) far_looked: Option<Mono>,
    /// When the silence of such a connection will have lasted long enough to mean something.
    pub(in crate::engine) quiet_due: Option<Mono>,
    /// What our own host found at its gateway addresses.
    pub(in crate::engine) probes: Probes,
}

/// A gateway that was refused for bad credentials, again and again.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Refused {
    pub(in crate::engine) evidence: Evidence,
    /// When it was last refused.
    pub(in crate::engine) last: Mono,
}

impl Cluster {
    /// A cluster of which only the name is known.
    pub(in crate::engine) fn new(name: ClusterName, now: Now) -> Self {
        Self {
            name,
            held: Held::new(ClusterState::Unknown, now),
            vouched: false,
            proven: false,
            named: now.mono,
            answered: None,
            vantage: None,
            rounds: Rounds::default(),
            servers: Vec::new(),
            plan: None,
            links: BTreeMap::new(),
            refused: BTreeMap::new(),
            weighed: None,
            looked: None,
            inquired: None,
            far_looked: None,
            quiet_due: None,
            probes: Probes::default(),
        }
    }
}

/// A directed link between clusters.
#[derive(Debug, Clone)]
pub(in crate::engine) struct ClusterLink {
    pub(in crate::engine) held: Held<LinkState>,
    /// It was expected in a former life of this process or of the servers.
    pub(in crate::engine) remembered: bool,
    /// It was up, as far as anybody remembers.
    pub(in crate::engine) was_up: bool,
    pub(in crate::engine) wanted: Wanted,
}

/// One server across its lives.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Server {
    pub(in crate::engine) key: ServerKey,
    pub(in crate::engine) id: ServerId,
    pub(in crate::engine) cluster: ClusterIx,
    pub(in crate::engine) version: Option<ServerVersion>,
    pub(in crate::engine) held: Held<ServerState>,
    /// When this life was first heard of.
    pub(in crate::engine) joined: Mono,
    pub(in crate::engine) heard: Heard,
    /// When it was last heard, fresh, by whoever.
    pub(in crate::engine) heard_at: Option<Mono>,
    /// By vantage.
    pub(in crate::engine) paths: Vec<Path>,
    /// Outbound links, by receiving cluster.
    pub(in crate::engine) links: BTreeMap<ClusterIx, Outbound>,
    pub(in crate::engine) reports: Reports,
    /// What it told of its configuration in this life.
    pub(in crate::engine) config: Option<Box<ConfigReport>>,
    /// What the standing checks need of it besides.
    pub(in crate::engine) told: Told,
    pub(in crate::engine) clients: Clients,
    /// When it was last asked for its gateways because of a suspicion.
    pub(in crate::engine) looked: Option<Mono>,
    /// Since when it is asked for a report that is late.
    pub(in crate::engine) chased: Option<Chase>,
    /// Ids of its latest former lives, oldest first, bounded.
    pub(in crate::engine) former: VecDeque<ServerId>,
    /// When this life last answered a beat, heard by whoever.
    pub(in crate::engine) answered: Option<Mono>,
    /// It was asked for beats for long and has never answered in this life, though others of its cluster do: who speaks in its name
    /// need not be a server.
    pub(in crate::engine) unproven: bool,
    /// A message said that it has stopped; otherwise it is merely silent since it announced that it leaves.
    pub(in crate::engine) said_end: bool,
    /// It went on answering after a message that said it had stopped: the next such message proves nothing.
    pub(in crate::engine) disproved: bool,
}

/// Questions for a report that is late.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Chase {
    pub(in crate::engine) from: Mono,
    /// Whether it has been asked a second time.
    pub(in crate::engine) again: bool,
}

/// When a server reports of itself.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Reports {
    pub(in crate::engine) last: Option<Mono>,
    /// The server's own time of its newest report.
    pub(in crate::engine) made: Option<DateTime<Utc>>,
    /// Whether it has told its configuration in this life.
    pub(in crate::engine) configured: bool,
    /// When it first told the configuration that it has now.
    pub(in crate::engine) told: Option<Now>,
    /// The account it calls its system account.
    pub(in crate::engine) system_account: Option<String>,
}

/// Client connections of a server.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Clients {
    pub(in crate::engine) held: Option<u64>,
    pub(in crate::engine) closed: u64,
    /// Latest counts of closed connections with their second, bounded.
    pub(in crate::engine) recent: VecDeque<(Mono, u32)>,
}

/// What one vantage hears of one server.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Path {
    pub(in crate::engine) last: Option<u64>,
    pub(in crate::engine) latency: Latency,
    /// When an answer last arrived.
    pub(in crate::engine) arrived: Mono,
    /// How many late answers in a row arrived one by one, not in a burst.
    pub(in crate::engine) late: u8,
    /// What was heard that gatewatch had asked for.
    pub(in crate::engine) ours: Ours,
}

impl Path {
    /// Measures an answer. Whether it counts as fresh is judged by what the path usually takes.
    ///
    /// Late answers are believed to be the path's new pace only when several arrive one by one: after a cut, TCP delivers what it
    /// held back in one burst, which says nothing about the path.
    pub(in crate::engine) fn measure(
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
pub(in crate::engine) struct Outbound {
    pub(in crate::engine) held: Held<ServerLinkState>,
    pub(in crate::engine) basis: Basis,
    pub(in crate::engine) configured: bool,
    /// It was up, or listed, in this life of the server.
    pub(in crate::engine) seen: bool,
    pub(in crate::engine) listed: Option<Listed>,
    /// The server reported it as up while beats showed it cut.
    pub(in crate::engine) denied: bool,
    /// What the far end said of it while it was cut: nothing arrives.
    pub(in crate::engine) half_open: Option<HalfOpen>,
    /// The remote server it ends at, from GATEWAYZ.
    pub(in crate::engine) peer: Option<ServerId>,
    /// When that server was last asked what arrives.
    pub(in crate::engine) peer_asked: Option<Mono>,
    pub(in crate::engine) traffic: Traffic,
    /// What shows whether it flaps.
    pub(in crate::engine) watch: Watch,
    /// Accounts with interest across it, as last told, and when.
    pub(in crate::engine) interest: Option<(Mono, AccountInterest)>,
}

/// What a server says of one of its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Listed {
    pub(in crate::engine) up: bool,
    /// Since when it says so without a break.
    pub(in crate::engine) since: Mono,
    /// When it said so last.
    pub(in crate::engine) at: Mono,
    /// Connection id, when up.
    pub(in crate::engine) connection: Option<u64>,
    /// When it last said that it is up.
    pub(in crate::engine) up_until: Option<Mono>,
}

/// What the far end of a link says: nothing arrives on it.
#[derive(Debug, Clone)]
pub(in crate::engine) struct HalfOpen {
    pub(in crate::engine) evidence: Evidence,
    /// Since when it says so, and when it said so last.
    pub(in crate::engine) since: Mono,
    pub(in crate::engine) at: Mono,
}

impl Outbound {
    pub(in crate::engine) fn new(now: Now) -> Self {
        Self {
            held: Held::new(ServerLinkState::Unknown, now),
            basis: Basis::Reports,
            configured: false,
            seen: false,
            listed: None,
            denied: false,
            half_open: None,
            peer: None,
            peer_asked: None,
            traffic: Traffic::default(),
            watch: Watch::default(),
            interest: None,
        }
    }
}

impl Server {
    /// Whether it can be watched by beats.
    pub(in crate::engine) fn answers_beats(&self) -> bool {
        self.version.is_some_and(ServerVersion::answers_beats)
    }

    /// Whether it is there: its links count.
    pub(in crate::engine) fn present(&self) -> bool {
        matches!(self.held.state, ServerState::Live | ServerState::Leaving)
    }

    /// Something that its configuration says, as of when it first told it.
    pub(in crate::engine) fn configuration_says(&self, says: Says) -> Evidence {
        Evidence { at: self.reports.told.map_or(self.held.since.wall, |told| told.wall), says }
    }

    pub(in crate::engine) fn server_link(&self, to: &ClusterName) -> ServerLink {
        ServerLink { server: self.key.clone(), to: to.clone() }
    }
}
