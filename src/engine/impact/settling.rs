//! After a heal: how long until what was missed has arrived and interest is back.
//!
//! A copy that hears its origin again may still believe for a moment that it lacks nothing, so its own word counts only over several
//! looks in a row; the numbers of its last messages count at once.

use super::interest::{self, Returning};
use super::streams::{Feed, FeedId};
use super::{Base, Toll};
use crate::engine::world::World;
use crate::model::ids::{Link, ServerLink};
use crate::model::impact::CopyRole;
use crate::model::time::Mono;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Follows one heal.
#[derive(Debug, Clone)]
pub(super) struct Settling {
    pub(super) healed: Mono,
    interest: BTreeMap<ServerLink, Returning>,
    feeds: BTreeMap<FeedId, Catching>,
    /// What has settled, and when.
    settled: BTreeMap<Link, Option<Mono>>,
    /// What of the streams was looked at already.
    seen: Option<u64>,
}

/// Waits for one copy to catch up.
#[derive(Debug, Clone, Default)]
struct Catching {
    /// From the first look after the heal.
    goal: Option<Goal>,
    /// Looks in a row at which the copy hears and lacks nothing, the first of them, and the newest look.
    calm: (u8, Option<Mono>, Option<Mono>),
    done: Option<Mono>,
}

/// What a copy must have.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// A last message of at least this number.
    Last(u64),
    /// Only its own word tells.
    Word,
}

impl Settling {
    pub(super) fn new(toll: &Toll, healed: Mono) -> Self {
        let mut settled = BTreeMap::new();
        let interest = toll.interest.iter().filter(|(_, before)| !before.subscriptions.is_empty());
        let interest: BTreeMap<_, _> =
            interest.map(|(link, before)| (link.clone(), Returning::new(before, healed))).collect();
        let feeds: BTreeMap<_, _> = toll.feeds.keys().map(|id| (id.clone(), Catching::default())).collect();
        let links = interest.keys().map(ServerLink::link).chain(feeds.keys().map(|id| id.link.clone()));
        settled.extend(links.map(|link| (link, None)));
        Self { healed, interest, feeds, settled, seen: None }
    }

    /// Looks at what was told since. Returns the links that have settled just now, with the time it took each.
    pub(super) fn look(&mut self, world: &World, bases: &BTreeMap<FeedId, Base>) -> Vec<(Link, Duration)> {
        self.look_at_feeds(world, bases);
        let mut waiting: BTreeSet<Link> = BTreeSet::new();
        let mut latest: BTreeMap<Link, Mono> = BTreeMap::new();
        let mut note = |link: Link, since: Option<Mono>| match since {
            Some(since) => {
                let known = latest.entry(link).or_insert(since);
                *known = since.max(*known);
            }
            None => drop(waiting.insert(link)),
        };
        for (id, catching) in &self.feeds {
            note(id.link.clone(), catching.done);
        }
        for (link, returning) in &mut self.interest {
            note(link.link(), back(world, link, returning, self.healed));
        }
        let fresh = self.settled.iter_mut().filter(|(link, done)| done.is_none() && !waiting.contains(*link));
        let mut settled = Vec::new();
        for (link, done) in fresh {
            let since = latest.get(link).copied().unwrap_or(self.healed);
            *done = Some(since);
            settled.push((link.clone(), since.since(self.healed)));
        }
        settled
    }

    fn look_at_feeds(&mut self, world: &World, bases: &BTreeMap<FeedId, Base>) {
        let version = Some(world.streams.version);
        if self.feeds.is_empty() || self.seen == version {
            return;
        }
        self.seen = version;
        let feeds = world.streams.feeds();
        for (id, catching) in self.feeds.iter_mut().filter(|(_, catching)| catching.done.is_none()) {
            let feed = feeds.get(id).filter(|feed| feed.known_at() > self.healed);
            catching.done = feed.and_then(|feed| catching.look(self.healed, id.role, feed, bases.get(id)));
        }
    }

    /// How long all of it took; `None` while something has not settled, and when there was nothing to settle.
    pub(super) fn took(&self) -> Option<Duration> {
        let all: Option<Vec<Mono>> = self.settled.values().copied().collect();
        all?.into_iter().max().map(|last| last.since(self.healed))
    }

    /// Whether nothing is waited for.
    pub(super) fn over(&self) -> bool {
        self.settled.values().all(Option::is_some)
    }
}

/// Since when interest is back. A server that has gone has none to wait for.
fn back(world: &World, link: &ServerLink, returning: &mut Returning, healed: Mono) -> Option<Mono> {
    let place = world.server(&link.server).zip(world.cluster(&link.to));
    let Some((server, to)) = place.filter(|&(server, _)| world.servers[server].present()) else {
        return Some(healed);
    };
    returning.back(&interest::across(world, server, to)?)
}

impl Catching {
    /// Since when it has caught up.
    fn look(&mut self, healed: Mono, role: CopyRole, feed: &Feed, base: Option<&Base>) -> Option<Mono> {
        let goal = *self.goal.get_or_insert_with(|| goal(role, feed, base));
        let reached = match goal {
            Goal::Last(last) => feed.copy.last >= last,
            Goal::Word => false,
        };
        if reached { Some(feed.copy.at) } else { self.calm_since(healed, feed) }
    }

    fn calm_since(&mut self, healed: Mono, feed: &Feed) -> Option<Mono> {
        let (looks, first, newest) = &mut self.calm;
        if newest.is_some_and(|newest| newest >= feed.copy.at) {
            return None;
        }
        *newest = Some(feed.copy.at);
        if feed.lag > 0 || feed.heard < Some(healed) {
            (*looks, *first) = (0, None);
            return None;
        }
        *looks = looks.saturating_add(1);
        let first = *first.get_or_insert(feed.copy.at);
        (*looks >= super::STEADY_LOOKS).then_some(first)
    }
}

/// A mirror numbers as its origin does. A source has numbers of its own, which grow by what it takes in; how much of what the origin
/// got meanwhile it takes in is not known when it filters, so that is only the most it may need.
fn goal(role: CopyRole, feed: &Feed, base: Option<&Base>) -> Goal {
    match (role, base) {
        (CopyRole::Mirror, _) => Goal::Last(feed.origin.last),
        (CopyRole::Source, Some(base)) => {
            Goal::Last(base.copy + feed.origin.last.saturating_sub(base.origin) + base.lag)
        }
        (CopyRole::Source, None) => Goal::Word,
    }
}
