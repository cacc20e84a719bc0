//! Streams, as their leaders last told of them, and which of them copies which from another cluster.
//!
//! Each answer replaces all that its server told before, so a stream that moved or is gone leaves no trace once both servers were
//! asked again. What a copy is fed with is looked up by name within its account, and only where that name is not ambiguous: clusters
//! that are JetStream domains of their own may well have streams of the same name.

use crate::model::ids::{ClusterName, Link, ServerKey};
use crate::model::impact::CopyRole;
use crate::model::jetstream::{Origin, StreamInfo};
use crate::model::time::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// The most streams that are kept. Beyond it an answer counts as if it were empty.
const MAX_STREAMS: usize = 100_000;

/// What is known of streams.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Streams {
    told: BTreeMap<ServerKey, Told>,
    held: usize,
    /// Counts what was taken in: while it stands, nothing has changed.
    pub(super) version: u64,
}

/// The newest answer of one server.
#[derive(Debug, Clone)]
struct Told {
    at: Mono,
    streams: Vec<StreamInfo>,
}

/// A copy in one cluster of a stream in another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FeedId {
    /// From the cluster of the origin to that of the copy.
    pub(super) link: Link,
    pub(super) account: String,
    pub(super) stream: String,
    pub(super) origin: String,
    pub(super) role: CopyRole,
}

/// How far a copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) origin: Side,
    pub(super) copy: Side,
    /// Messages the copy knows to be missing.
    pub(super) lag: u64,
    /// When the copy last heard of its origin.
    pub(super) heard: Option<Mono>,
}

/// One end of a [`Feed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) leader: ServerKey,
    /// When its leader told so.
    pub(super) at: Mono,
    /// The number of its last message.
    pub(super) last: u64,
}

type Name<'a> = (&'a str, &'a str);

impl Streams {
    /// Takes the streams in that a server leads.
    pub(in crate::engine) fn take(&mut self, server: &ServerKey, at: Mono, streams: &[StreamInfo]) {
        if self.told.get(server).is_some_and(|before| before.at > at) {
            return;
        }
        self.version += 1;
        let before = self.told.remove(server).map_or(0, |before| before.streams.len());
        self.held -= before;
        let streams = if self.held + streams.len() > MAX_STREAMS { Vec::new() } else { streams.to_vec() };
        self.held += streams.len();
        self.told.insert(server.clone(), Told { at, streams });
    }

    /// Forgets what a server told.
    pub(in crate::engine) fn forget(&mut self, server: &ServerKey) {
        if let Some(told) = self.told.remove(server) {
            self.held -= told.streams.len();
            self.version += 1;
        }
    }

    /// Every copy whose origin is led in another cluster.
    pub(super) fn feeds(&self) -> BTreeMap<FeedId, Feed> {
        let origins = self.origins();
        let mut feeds: BTreeMap<FeedId, Feed> = BTreeMap::new();
        for (leader, told, stream) in self.all() {
            for (role, origin) in copied(stream) {
                let from = origins.get(&(stream.account.as_str(), origin.stream.as_str()));
                let Some(from) = from.and_then(|from| elsewhere(from, &leader.cluster)) else { continue };
                let (id, feed) = feed((leader, told, stream), (role, origin), from);
                // Told of by a former leader too, or taken in twice under different filters: the newest, then the worst.
                let known = feeds.get(&id);
                if known.is_none_or(|known| (known.copy.at, known.lag) < (feed.copy.at, feed.lag)) {
                    feeds.insert(id, feed);
                }
            }
        }
        feeds
    }

    fn all(&self) -> impl Iterator<Item = (&ServerKey, &Told, &StreamInfo)> {
        self.told
            .iter()
            .flat_map(|(server, told)| told.streams.iter().map(move |stream| (server, told, stream)))
    }

    /// Where the streams are that something copies, by cluster.
    fn origins(&self) -> BTreeMap<Name<'_>, BTreeMap<&ClusterName, Side>> {
        let mut origins: BTreeMap<Name<'_>, BTreeMap<&ClusterName, Side>> = BTreeMap::new();
        for (_, _, stream) in self.all() {
            for (_, origin) in copied(stream) {
                origins.entry((&stream.account, &origin.stream)).or_default();
            }
        }
        for (leader, told, stream) in self.all() {
            let Some(places) = origins.get_mut(&(stream.account.as_str(), stream.name.as_str())) else {
                continue;
            };
            let side = Side { leader: leader.clone(), at: told.at, last: stream.last_sequence };
            let place = places.entry(&leader.cluster).or_insert_with(|| side.clone());
            if side.at > place.at {
                *place = side;
            }
        }
        origins
    }
}

/// What a stream copies, as far as it is known under its name here.
fn copied(stream: &StreamInfo) -> impl Iterator<Item = (CopyRole, &Origin)> {
    let mirror = stream.mirror.iter().map(|origin| (CopyRole::Mirror, origin));
    let sources = stream.sources.iter().map(|origin| (CopyRole::Source, origin));
    mirror.chain(sources).filter(|(_, origin)| !origin.external)
}

/// The one place of an origin outside of this cluster; none when it lies inside, or in several.
fn elsewhere<'a>(places: &'a BTreeMap<&ClusterName, Side>, own: &ClusterName) -> Option<&'a Side> {
    let mut sides = places.values();
    let side = sides.next()?;
    (sides.next().is_none() && side.leader.cluster != *own).then_some(side)
}

fn feed(
    (leader, told, stream): (&ServerKey, &Told, &StreamInfo),
    (role, origin): (CopyRole, &Origin),
    from: &Side,
) -> (FeedId, Feed) {
    let id = FeedId {
        link: Link { from: from.leader.cluster.clone(), to: leader.cluster.clone() },
        account: stream.account.clone(),
        stream: stream.name.clone(),
        origin: origin.stream.clone(),
        role,
    };
    let feed = Feed {
        origin: from.clone(),
        copy: Side { leader: leader.clone(), at: told.at, last: stream.last_sequence },
        lag: origin.lag,
        heard: origin.heard.map(|ago| Mono(told.at.0.saturating_sub(ago))),
    };
    (id, feed)
}

impl Feed {
    /// When the older of the two ends was told of.
    pub(super) fn known_at(&self) -> Mono {
        self.origin.at.min(self.copy.at)
    }

    /// Both leaders' servers with the cluster that they send to.
    pub(super) fn ends(&self) -> [(&ServerKey, &ClusterName); 2] {
        let (origin, copy) = (&self.origin.leader, &self.copy.leader);
        [(origin, &copy.cluster), (copy, &origin.cluster)]
    }

    /// The clusters at both ends.
    pub(super) fn clusters(&self) -> BTreeSet<&ClusterName> {
        BTreeSet::from([&self.origin.leader.cluster, &self.copy.leader.cluster])
    }
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
