//! What the engine asks for: looks at suspected servers, and which servers are beaten through whom.

use super::turn::Turn;
use super::world::{ClusterIx, ServerIx, World};
use super::{Output, Why};
use crate::model::ask::{BeatPlan, Survey, SurveyRequest, Through};
use crate::model::states::{Basis, ClusterState, Departure, ServerLinkState, ServerState, VantageState};
use crate::model::time::Mono;
use std::collections::BTreeSet;
use std::time::Duration;

/// A suspected server is not looked at more often than this.
const LOOK_GAP: Duration = Duration::from_millis(500);
/// How long after a loss it is looked at a second time: what servers notice at all without waiting, they have noticed by then.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long after a cut its far end is asked what arrives: long enough to say, before an incident is opened.
const FAR_LOOK: Duration = Duration::from_millis(2500);
/// How often the far ends of links are asked what arrives, where no beats tell.
const FAR_LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long after the loss of a server its neighbours are asked for their routes: a host closes those of a dead process at once.
const NEIGHBOURS_LOOK: Duration = Duration::from_millis(500);
/// How long a server that said it stops is still asked for beats.
const ASKED_AFTER_STOP: Duration = Duration::from_secs(10);
/// How many servers of a cluster that have not yet answered are asked for beats at a time.
const MAX_NEW: usize = 128;
/// The same where only others speak of the cluster: all vantages ask there.
const MAX_NEW_CLAIMED: usize = 2;
/// How long a server of such a cluster is asked that never answers.
const CLAIMED_ASKED: Duration = Duration::from_secs(60);
/// How often configurations and addresses are asked anew while something about their cluster is bad.
const INQUIRE_EVERY: Duration = Duration::from_secs(15);

impl Turn<'_> {
    /// Looks at one server now. Looks at its gateways are spaced; a configuration is asked for once per life anyway.
    pub(super) fn look(&mut self, ix: ServerIx, what: Survey) {
        let server = &mut self.world.servers[ix];
        if what == Survey::Gateways {
            if server.looked.is_some_and(|last| self.now.mono.since(last) < LOOK_GAP) {
                return;
            }
            server.looked = Some(self.now.mono);
        }
        let (cluster, id) = (server.cluster, server.id.clone());
        let request = SurveyRequest {
            cluster: self.world.clusters[cluster].name.clone(),
            servers: vec![id],
            what,
            through: self.through(cluster),
        };
        self.out.push(Output::Ask(request));
    }

    /// While a link is cut, its server is looked at again: soon after the cut, then from time to time. Does it know by now?
    pub(super) fn look_again(&mut self, ix: ServerIx) {
        let server = &self.world.servers[ix];
        let cut = |state| matches!(state, ServerLinkState::Down | ServerLinkState::Suspect);
        let cuts = server.links.values().filter(|link| cut(link.held.state)).map(|link| link.held.since.mono);
        let Some(newest) = cuts.max().filter(|_| server.present()) else { return };
        if self.look_due(server.looked.unwrap_or_default(), newest) {
            self.look(ix, Survey::Gateways);
        }
    }

    /// While a link is cut that its server still lists, its far end is asked what arrives on it.
    pub(super) fn look_at_far_ends(&mut self, ix: ServerIx) {
        let server = &self.world.servers[ix];
        let open = server.links.iter().filter(|(_, link)| {
            link.held.state == ServerLinkState::Down
                && (link.half_open.is_none() || link.basis == Basis::Reports)
                && link.listed.is_some_and(|listed| listed.up)
        });
        let open: Vec<_> = open
            .filter_map(|(&to, link)| Some((to, link.peer.clone()?, link.held.since.mono, link.peer_asked)))
            .filter(|_| server.present())
            .collect();
        for (to, peer, since, asked) in open {
            let due = asked
                .filter(|asked| *asked >= since)
                .map_or(since + FAR_LOOK, |asked| asked + self.policy.look_again);
            let Some(peer) = self.world.life(&peer).filter(|&peer| self.world.servers[peer].present()) else {
                continue;
            };
            if self.lasted(due, Duration::ZERO, Why::LookAgain) {
                self.look(peer, Survey::Gateways);
                if let Some(link) = self.world.servers[ix].links.get_mut(&to) {
                    link.peer_asked = Some(self.now.mono);
                }
            }
        }
    }

    /// Where no beats tell, the far ends of links are asked what arrives on them: before their silence is long enough to mean something,
    /// and when it is.
    pub(super) fn look_at_unbeaten_ends(&mut self, ix: ClusterIx) {
        let cluster = &self.world.clusters[ix];
        let by_the_clock = cluster.far_looked.map_or(self.now.mono, |last| last + FAR_LOOK_EVERY);
        let quiet = cluster.quiet_due.map(|due| due.max(cluster.far_looked.unwrap_or_default() + LOOK_GAP));
        if let Some(due) = quiet {
            self.wake_at(due.max(self.now.mono + LOOK_GAP / 10), Why::LookAgain);
        }
        // Nothing is woken for the look by the clock: the next tick for any other reason is soon enough.
        let due = quiet.map_or(by_the_clock, |due| due.min(by_the_clock));
        if self.now.mono < due || !self.any_present(ix) || !self.has_unbeaten_links(ix) {
            return;
        }
        let cluster = &mut self.world.clusters[ix];
        (cluster.far_looked, cluster.quiet_due) = (Some(self.now.mono), None);
        self.survey(ix, Survey::Gateways);
    }

    fn has_unbeaten_links(&self, to: ClusterIx) -> bool {
        self.world.servers_by_key().map(|server| &self.world.servers[server]).any(|server| {
            let link = server.links.get(&to).filter(|_| server.present());
            link.is_some_and(|link| {
                link.basis == Basis::Reports && link.listed.is_some_and(|listed| listed.up)
            })
        })
    }

    /// The neighbours of a lost server are asked once whether they still have routes to it.
    pub(super) fn look_at_neighbours(&mut self, ix: ServerIx) {
        let server = &self.world.servers[ix];
        let (cluster, since) = (server.cluster, server.held.since.mono);
        if server.held.state != ServerState::Lost || server.looked >= Some(since + NEIGHBOURS_LOOK) {
            return;
        }
        if self.any_present(cluster) && self.lasted(since, NEIGHBOURS_LOOK, Why::LookAgain) {
            self.world.servers[ix].looked = Some(self.now.mono);
            self.survey(cluster, Survey::Stats);
        }
    }

    /// Asks for what may tell the cause: configurations and addresses of clusters about which something is bad.
    pub(super) fn inquire(&mut self) {
        let doubted = in_question(self.world);
        for ix in 0..self.world.clusters.len() {
            let (doubted, last) = (doubted.contains(&ix), self.world.clusters[ix].inquired);
            if !doubted && last.is_none() {
                self.probe_by_the_clock(ix);
                continue;
            }
            if last.is_none_or(|last| self.lasted(last, INQUIRE_EVERY, Why::LookAgain)) {
                // What is good again is looked at once more: what was found while it was bad must not stand.
                self.world.clusters[ix].inquired = doubted.then_some(self.now.mono);
                if self.any_present(ix) {
                    self.survey(ix, Survey::Config);
                }
                self.probe(ix);
            }
        }
    }

    /// What a gateway shows while nothing is wrong makes what it shows later worth something.
    fn probe_by_the_clock(&mut self, ix: ClusterIx) {
        let probes = &self.world.clusters[ix].probes;
        let Some(named) = probes.named.filter(|_| self.policy.probe) else { return };
        let (last, span) = match probes.asked {
            Some(asked) => (asked, self.policy.probe_every),
            None => (named, self.policy.join_grace),
        };
        if self.lasted(last, span, Why::LookAgain) {
            self.probe(ix);
        }
    }

    /// Asks every server of a cluster.
    pub(super) fn survey(&mut self, ix: ClusterIx, what: Survey) {
        let (cluster, through) = (self.world.clusters[ix].name.clone(), self.through(ix));
        self.out.push(Output::Ask(SurveyRequest { cluster, servers: Vec::new(), what, through }));
    }

    fn look_due(&mut self, last: Mono, since: Mono) -> bool {
        let soon = since + SECOND_LOOK;
        let due = if last < soon { soon } else { last + self.policy.look_again };
        self.lasted(due, Duration::ZERO, Why::LookAgain)
    }

    /// A cluster that our vantage does not hear: ask it through the others, and every other cluster whether it still lists it.
    pub(super) fn look_around(&mut self, ix: ClusterIx) {
        let cluster = &self.world.clusters[ix];
        let Some(vantage) = &cluster.vantage else { return };
        let doubted = match vantage.held.state {
            VantageState::Gone | VantageState::Impaired => {
                !matches!(cluster.held.state, ClusterState::Unknown)
            }
            VantageState::Sound | VantageState::Connecting => false,
        };
        if !doubted {
            self.world.clusters[ix].looked = None;
            return;
        }
        let again =
            cluster.looked.is_none_or(|last| self.lasted(last, self.policy.look_again, Why::LookAgain));
        if !again {
            return;
        }
        self.world.clusters[ix].looked = Some(self.now.mono);
        let others = (0..self.world.clusters.len()).filter(|&other| other != ix && self.world.sound(other));
        let asked = others.map(|other| (other, Survey::Gateways, Through::Home));
        for (cluster, what, through) in asked.chain([(ix, Survey::Stats, Through::All)]).collect::<Vec<_>>() {
            let cluster = self.world.clusters[cluster].name.clone();
            self.out.push(Output::Ask(SurveyRequest { cluster, servers: Vec::new(), what, through }));
        }
    }

    pub(super) fn through(&self, cluster: ClusterIx) -> Through {
        let vantage = self.world.clusters[cluster].vantage.as_ref();
        match vantage.map(|vantage| vantage.held.state) {
            Some(VantageState::Sound) => Through::Home,
            // Connected and not yet heard from: its own questions must be asked for it to become sound.
            Some(VantageState::Connecting) if vantage.is_some_and(|vantage| vantage.connected) => {
                Through::Home
            }
            Some(VantageState::Connecting | VantageState::Impaired | VantageState::Gone) | None => {
                Through::All
            }
        }
    }

    /// Puts out a new plan for a cluster whose servers, or whose way of being asked, changed.
    pub(super) fn plan_beats(&mut self, ix: ClusterIx) {
        let through = self.through(ix);
        let cluster = &self.world.clusters[ix];
        // Whoever said the last word is asked for a while longer: anybody may say it.
        let asked = |server: &&super::world::Server| {
            let stopped = server.held.state == ServerState::Stopped
                && self.now.mono.since(server.held.since.mono) >= ASKED_AFTER_STOP;
            server.answers_beats() && !stopped && !server.unproven
        };
        let servers = cluster.servers.iter().map(|&server| &self.world.servers[server]).filter(asked);
        let (mut servers, mut new): (Vec<_>, Vec<_>) =
            servers.partition(|server| server.heard.newest().is_some());
        // A flood of names must not become a flood of questions.
        new.sort_by(|a, b| (a.joined, &a.key).cmp(&(b.joined, &b.key)));
        let vouched = cluster.vouched;
        new.retain(|server| vouched || self.now.mono.since(server.joined) < CLAIMED_ASKED);
        servers.extend(new.into_iter().take(if vouched { MAX_NEW } else { MAX_NEW_CLAIMED }));
        servers.sort_by(|a, b| a.key.cmp(&b.key));
        let servers = servers.into_iter().map(|server| server.id.clone()).collect();
        let plan = BeatPlan { cluster: cluster.name.clone(), servers, through };
        if cluster.plan.as_ref() == Some(&plan) || (cluster.plan.is_none() && plan.servers.is_empty()) {
            return;
        }
        self.world.clusters[ix].plan = Some(plan.clone());
        self.out.push(Output::Beat(plan));
    }
}

/// Clusters about which something is bad whose cause their configurations or addresses may tell: both ends of links that servers say
/// are gone, and clusters that are silent.
fn in_question(world: &World) -> BTreeSet<ClusterIx> {
    let gone = |cluster: &ClusterIx| match world.clusters[*cluster].held.state {
        ClusterState::Offline(Departure::Crash) | ClusterState::Unreachable => true,
        ClusterState::Unknown
        | ClusterState::Healthy
        | ClusterState::Degraded
        | ClusterState::Isolated
        | ClusterState::Draining
        | ClusterState::Offline(Departure::Planned) => false,
    };
    let mut doubted: BTreeSet<ClusterIx> = (0..world.clusters.len()).filter(gone).collect();
    for server in world.servers.iter().filter(|server| server.present()) {
        for (&to, link) in &server.links {
            let known = link.listed.is_some_and(|listed| !listed.up);
            if known && matches!(link.held.state, ServerLinkState::Down | ServerLinkState::Suspect) {
                doubted.extend([server.cluster, to]);
            }
        }
    }
    doubted
}
