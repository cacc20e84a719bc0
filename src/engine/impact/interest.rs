//! Accounts with interest across server links: as it was before a loss, and how much of it is back.

use crate::engine::world::{ClusterIx, ServerIx, World};
use crate::model::ids::ServerLink;
use crate::model::incident::Scope;
use crate::model::observation::AccountInterest;
use crate::model::time::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// The system account of a server that does not name it.
const SYSTEM_ACCOUNT: &str = "$SYS";

/// Accounts with interest across one server link, the system account left out: its interest comes and goes with every question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interest {
    /// When it was told.
    pub(super) at: Mono,
    /// Subscriptions of each account.
    pub(super) subscriptions: BTreeMap<String, u64>,
    /// How many accounts, also those left out above.
    pub(super) total: u64,
}

/// What was last told of interest across a server link; `None` when nobody was asked yet.
pub(super) fn across(world: &World, server: ServerIx, to: ClusterIx) -> Option<Interest> {
    let server = &world.servers[server];
    let (at, AccountInterest { subscriptions, total }) = server.links.get(&to)?.interest.as_ref()?;
    let system = server.reports.system_account.as_deref().unwrap_or(SYSTEM_ACCOUNT);
    let mut interest = Interest { at: *at, subscriptions: subscriptions.clone(), total: *total };
    if interest.subscriptions.remove(system).is_some() {
        interest.total = interest.total.saturating_sub(1);
    }
    Some(interest)
}

/// The server links that are cut with this scope, by name and place.
pub(super) fn cut_links(world: &World, scope: &Scope) -> BTreeMap<ServerLink, (ServerIx, ClusterIx)> {
    let mut cut = BTreeMap::new();
    for link in &scope.server_links {
        if let Some(place) = world.server(&link.server).zip(world.cluster(&link.to)) {
            cut.insert(link.clone(), place);
        }
    }
    let whole = scope.links.iter().filter_map(|link| world.cluster(&link.from).zip(world.cluster(&link.to)));
    for (from, to) in whole {
        let senders =
            world.clusters[from].servers.iter().filter(|&&ix| world.servers[ix].links.contains_key(&to));
        for &ix in senders {
            cut.insert(world.servers[ix].server_link(&world.clusters[to].name), (ix, to));
        }
    }
    cut
}

/// The accounts of several server links together, and how many there are at least.
pub(super) fn accounts<'a>(links: impl Iterator<Item = &'a Interest> + Clone) -> (BTreeSet<String>, u64) {
    let named: BTreeSet<String> = links.clone().flat_map(|link| link.subscriptions.keys().cloned()).collect();
    let most = links.map(|link| link.total).max().unwrap_or_default();
    let total = most.max(named.len() as u64);
    (named, total)
}

/// Waits for interest to be back.
#[derive(Debug, Clone)]
pub(super) struct Returning {
    before: BTreeMap<String, u64>,
    /// What was last told, when it was first told so, and how often in a row.
    last: Option<(BTreeMap<String, u64>, Mono, u8)>,
    seen: Mono,
}

impl Returning {
    /// `seen` is the moment of the heal: what was told before counts for nothing.
    pub(super) fn new(before: &Interest, seen: Mono) -> Self {
        Self { before: before.subscriptions.clone(), last: None, seen }
    }

    /// Since when it is back: every account has as many subscriptions as before; or nothing has changed over several looks, since
    /// subscribers may have gone for good meanwhile.
    pub(super) fn back(&mut self, now: &Interest) -> Option<Mono> {
        if now.at > self.seen {
            self.seen = now.at;
            let (at, looks) = match self.last.take() {
                Some((counts, at, looks)) if counts == now.subscriptions => (at, looks.saturating_add(1)),
                Some(_) | None => (now.at, 1),
            };
            self.last = Some((now.subscriptions.clone(), at, looks));
        }
        let (counts, at, looks) = self.last.as_ref()?;
        let whole = self.before.iter().all(|(account, before)| counts.get(account) >= Some(before));
        (whole || *looks >= super::STEADY_LOOKS).then_some(*at)
    }
}
