//! What a loss costs: accounts with interest across, JetStream copies that are fed across and how far they fall behind; and after the
//! heal, how long until all that had settled.
//!
//! ```text
//! loss --> counting (streams are asked for at both ends, ever more seldom) --> heal --> settling (asked for every second, bounded)
//! ```
//!
//! Answers with streams and interest are large: they are asked for slowly by the clock, and here only about what is cut.

mod interest;
mod settling;
mod streams;

pub(super) use streams::Streams;

use super::turn::Turn;
use super::world::World;
use super::{Output, Why};
use crate::model::ask::{Survey, SurveyRequest};
use crate::model::ids::{ClusterName, ServerLink};
use crate::model::impact::{CopyRole, Impact, Replication};
use crate::model::incident::{Family, IncidentKind, Scope};
use crate::model::time::Mono;
use crate::model::transition::Change;
use interest::Interest;
use settling::Settling;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use streams::{Feed, FeedId};

/// How many looks in a row must show the same for it to be believed to stay.
const STEADY_LOOKS: u8 = 3;
/// The least time between two questions about streams while links are cut.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(10);
/// The most time between them: what lasts for hours is looked at no oftener than what is healthy.
const ASK_AT_LEAST_EVERY: Duration = Duration::from_secs(300);
/// Time between two questions after the heal.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// After this long it is no longer watched how things settle.
const SETTLE_WITHIN: Duration = Duration::from_secs(120);
/// Accounts that one incident names.
const MAX_ACCOUNTS: usize = 32;
/// Copies that one incident names, those farthest behind first.
const MAX_COPIES: usize = 32;
/// A lag below this is no news, however much it has grown.
const SMALL_LAG: u64 = 10;

/// What one incident costs.
#[derive(Debug, Clone)]
pub(super) struct Toll {
    /// When the loss began.
    since: Mono,
    /// Interest across the cut server links, as it was before.
    interest: BTreeMap<ServerLink, Interest>,
    /// Copies fed across them.
    feeds: BTreeMap<FeedId, Feed>,
    /// How far they were at the first look after the loss.
    bases: BTreeMap<FeedId, Base>,
    /// What was counted already: the scope, and what was known of streams.
    counted: Option<(Scope, u64)>,
    /// The copies as last told.
    told: Vec<Replication>,
    settling: Option<Settling>,
}

/// How far a copy was at the first look after the loss.
#[derive(Debug, Clone, Copy)]
struct Base {
    origin: u64,
    copy: u64,
    lag: u64,
}

/// Whether incidents of this kind are about links that carry something.
pub(super) fn costs(kind: IncidentKind) -> bool {
    match kind.family() {
        Family::Cluster | Family::Cut => true,
        Family::View | Family::Flapping | Family::Server | Family::Presence | Family::Standing => false,
    }
}

impl Toll {
    pub(super) fn new(since: Mono) -> Self {
        Self {
            since,
            interest: BTreeMap::new(),
            feeds: BTreeMap::new(),
            bases: BTreeMap::new(),
            counted: None,
            told: Vec::new(),
            settling: None,
        }
    }

    /// Brings the accounts and the copies of an incident up to date. Does nothing when nothing new is known.
    pub(super) fn count(&mut self, world: &World, scope: &Scope, impact: &mut Impact) {
        let version = world.streams.version;
        if self.counted.as_ref().is_some_and(|(before, seen)| *seen == version && before == scope) {
            return;
        }
        self.counted = Some((scope.clone(), version));
        self.note_interest(world, scope);
        self.note_feeds(world, scope);
        let (named, total) = interest::accounts(self.interest.values());
        impact.accounts = named.into_iter().take(MAX_ACCOUNTS).collect();
        impact.accounts_total = total;
        impact.replication = self.replication();
    }

    /// Interest is taken as it was when the link became part of the incident: while links are cut, servers list none.
    fn note_interest(&mut self, world: &World, scope: &Scope) {
        for (link, (server, to)) in interest::cut_links(world, scope) {
            if !self.interest.contains_key(&link)
                && let Some(known) = interest::across(world, server, to)
            {
                self.interest.insert(link, known);
            }
        }
    }

    fn note_feeds(&mut self, world: &World, scope: &Scope) {
        for (id, feed) in world.streams.feeds() {
            if !self.feeds.contains_key(&id) && !fed_across(&feed, scope) {
                continue;
            }
            if feed.known_at() > self.since && !self.bases.contains_key(&id) {
                let base = Base { origin: feed.origin.last, copy: feed.copy.last, lag: feed.lag };
                self.bases.insert(id.clone(), base);
            }
            self.feeds.insert(id, feed);
        }
    }

    fn replication(&self) -> Vec<Replication> {
        let copies = self.feeds.iter().map(|(id, feed)| Replication {
            link: id.link.clone(),
            account: id.account.clone(),
            stream: id.stream.clone(),
            origin: id.origin.clone(),
            role: id.role,
            lag: self.lag(id, feed),
        });
        let mut copies: Vec<_> = copies.collect();
        copies.sort_by_key(|copy| Reverse(copy.lag));
        copies.truncate(MAX_COPIES);
        copies.sort();
        copies
    }

    /// Messages that the copy lacks. What both ends told before the loss says nothing of it.
    ///
    /// A mirror numbers its messages as the origin does. A source tells what it lacks, but stands still at that while it hears nothing:
    /// what the origin got since the first look after the loss comes on top.
    fn lag(&self, id: &FeedId, feed: &Feed) -> Option<u64> {
        if feed.known_at() <= self.since {
            return None;
        }
        match id.role {
            CopyRole::Mirror => Some(feed.origin.last.saturating_sub(feed.copy.last)),
            CopyRole::Source => {
                let base = self.bases.get(id)?;
                let hears = feed.heard > Some(self.since + SETTLE_EVERY);
                let grown = if hears { 0 } else { feed.origin.last.saturating_sub(base.origin) };
                Some(feed.lag + grown)
            }
        }
    }

    /// Whether the copies are worth telling again: others than before, a lag that was not known, or one that grew tenfold.
    pub(super) fn news(&self, impact: &Impact) -> bool {
        let known = |copies: &[Replication]| -> BTreeSet<FeedId> { copies.iter().map(feed_id).collect() };
        let lag = |copies: &[Replication]| copies.iter().map(|copy| copy.lag).sum::<Option<u64>>();
        known(&impact.replication) != known(&self.told)
            || match (lag(&self.told), lag(&impact.replication)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(before), Some(now)) => now >= before.max(SMALL_LAG).saturating_mul(10),
            }
    }

    /// Notes what is told now.
    pub(super) fn tell(&mut self, impact: &Impact) {
        self.told.clone_from(&impact.replication);
    }

    /// The heal did not last.
    pub(super) fn broken_again(&mut self) {
        self.settling = None;
    }

    /// Asks for the streams at both ends of what is cut, ever more seldom.
    pub(super) fn ask(&self, turn: &mut Turn<'_>, scope: &Scope) {
        let age = turn.now.mono.since(self.since);
        let every = (age / 10).clamp(ASK_EVERY, ASK_AT_LEAST_EVERY);
        turn.ask_costs(&ends(scope), every, &[Survey::JetStream]);
    }

    /// Follows how things settle after a heal; puts out a transition for each link that has. Returns whether it is over.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>, healed: Mono) -> bool {
        let settling = match self.settling.take() {
            Some(settling) => settling,
            None => Settling::new(self, healed),
        };
        let settling = self.settling.insert(settling);
        for (link, after) in settling.look(turn.world, &self.bases) {
            turn.emit(Change::Resynced { link, after }, None, Vec::new());
        }
        if settling.over() || turn.lasted(settling.healed, SETTLE_WITHIN, Why::Settle) {
            return true;
        }
        let clusters = self.interest.keys().flat_map(|link| [&link.server.cluster, &link.to]);
        let clusters = clusters.chain(self.feeds.values().flat_map(Feed::clusters)).cloned().collect();
        turn.ask_costs(&clusters, SETTLE_EVERY, &[Survey::JetStream, Survey::Interest]);
        false
    }

    /// How long it took to settle, once all has.
    pub(super) fn resynced_after(&self) -> Option<Duration> {
        self.settling.as_ref()?.took()
    }

    /// When it was healed, while it is watched how things settle.
    pub(super) fn healed(&self) -> Option<Mono> {
        Some(self.settling.as_ref()?.healed)
    }
}

fn feed_id(copy: &Replication) -> FeedId {
    FeedId {
        link: copy.link.clone(),
        account: copy.account.clone(),
        stream: copy.stream.clone(),
        origin: copy.origin.clone(),
        role: copy.role,
    }
}

/// Whether a copy is fed across what is cut. Messages cross through the server that leads the origin, what the copy sends back
/// through its own.
fn fed_across(feed: &Feed, scope: &Scope) -> bool {
    feed.ends().iter().any(|(leader, to)| {
        scope.links.iter().any(|link| link.from == leader.cluster && link.to == **to)
            || scope.server_links.iter().any(|link| link.server == **leader && link.to == **to)
    })
}

/// The clusters at both ends of what is cut.
pub(super) fn ends(scope: &Scope) -> BTreeSet<ClusterName> {
    let links = scope.links.iter().flat_map(|link| [&link.from, &link.to]);
    let parts = scope.server_links.iter().flat_map(|link| [&link.server.cluster, &link.to]);
    links.chain(parts).cloned().collect()
}

impl Turn<'_> {
    /// Asks clusters for what tells of costs, each no oftener than `every`, whatever asks for it.
    pub(super) fn ask_costs(&mut self, clusters: &BTreeSet<ClusterName>, every: Duration, what: &[Survey]) {
        let (streams, accounts) = (self.policy.ask_jetstream, self.policy.ask_interest);
        let allowed = |what: &&Survey| match what {
            Survey::JetStream => streams,
            Survey::Interest => accounts,
            Survey::Stats | Survey::Gateways | Survey::Config => true,
        };
        let what: Vec<Survey> = what.iter().filter(allowed).copied().collect();
        for ix in clusters.iter().filter_map(|name| self.world.cluster(name)).collect::<Vec<_>>() {
            let last = self.world.clusters[ix].weighed;
            if what.is_empty() || !last.is_none_or(|last| self.lasted(last, every, Why::Weigh)) {
                continue;
            }
            self.world.clusters[ix].weighed = Some(self.now.mono);
            let through = self.through(ix);
            let cluster = &self.world.clusters[ix].name;
            let ask = |&what: &Survey| SurveyRequest {
                cluster: cluster.clone(),
                servers: Vec::new(),
                what,
                through,
            };
            self.out.extend(what.iter().map(ask).map(Output::Ask));
        }
    }
}

#[cfg(test)]
mod tests;
