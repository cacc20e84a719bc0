//! Which voices to speak through, so that everybody hears a message once: pure.
//!
//! A gateway is one hop: a message is heard in the cluster of the server on which it is published, and in every cluster to which this
//! very server has a link that is up (NATS.md F9, F10). Given who is heard where, this finds the cheapest set of voices by which
//! everybody who can be reached is reached. Cheaper is, in this order: fewer hearings beyond the first, fewer voices, home among them,
//! those that are listed first.
//!
//! The search is exact until it has looked at [`NODES`] sets, which twenty clusters with a tangle of cuts do not reach; beyond that the
//! best one found so far holds.

use std::cmp::Ordering;

/// Sets looked at before the search is content with what it has.
const NODES: usize = 20_000;

/// A set of clusters, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Clusters(Vec<u64>);

impl Clusters {
    pub(super) fn add(&mut self, cluster: usize) {
        let word = cluster / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << (cluster % 64);
        }
    }

    pub(super) fn has(&self, cluster: usize) -> bool {
        self.0.get(cluster / 64).is_some_and(|bits| bits & (1 << (cluster % 64)) != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        self.merged(other, |a, b| a | b)
    }

    pub(super) fn common(&self, other: &Self) -> Self {
        self.merged(other, |a, b| a & b)
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        self.merged(other, |a, b| a & !b)
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|cluster| self.has(*cluster))
    }

    fn merged(&self, other: &Self, merge: impl Fn(u64, u64) -> u64) -> Self {
        let word = |words: &Self, at: usize| words.0.get(at).copied().unwrap_or(0);
        let length = self.0.len().max(other.0.len());
        let mut merged: Vec<u64> = (0..length).map(|at| merge(word(self, at), word(other, at))).collect();
        while merged.last() == Some(&0) {
            merged.pop();
        }
        Self(merged)
    }
}

impl FromIterator<usize> for Clusters {
    fn from_iter<I: IntoIterator<Item = usize>>(clusters: I) -> Self {
        let mut set = Self::default();
        clusters.into_iter().for_each(|cluster| set.add(cluster));
        set
    }
}

/// One voice, to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Whether it is the connection at home.
    pub(super) home: bool,
    /// The clusters in which it is heard.
    pub(super) hears: Clusters,
}

/// The voices, by number and in order, through which everybody in `wanted` hears a message who can; whoever is not in `wanted` is to be
/// spared where that is possible.
pub(super) fn choose(voices: &[Candidate], wanted: &Clusters) -> Vec<usize> {
    let heard = voices.iter().fold(Clusters::default(), |all, voice| all.union(&voice.hears));
    let wanted = wanted.common(&heard);
    let spared = heard.without(&wanted);
    let alone = |voice: &Candidate| voice.home && voice.hears == wanted;
    if let Some(home) = voices.iter().position(alone) {
        return vec![home];
    }
    let mut search = Search {
        voices,
        useful: useful(voices, &wanted),
        wanted,
        best: None,
        chosen: Vec::new(),
        nodes: NODES,
    };
    search.greedily(&spared);
    search.deepen(&spared, 0);
    search.best.map_or_else(Vec::new, |best| best.voices)
}

/// Those that are heard by anybody wanted, one of each that are heard alike.
fn useful(voices: &[Candidate], wanted: &Clusters) -> Vec<usize> {
    let mut useful: Vec<usize> = Vec::new();
    let home_first = (0..voices.len())
        .filter(|at| voices[*at].home)
        .chain((0..voices.len()).filter(|at| !voices[*at].home));
    for at in home_first {
        let hears = &voices[at].hears;
        let known = useful.iter().any(|other| voices[*other].hears == *hears);
        if !known && !hears.common(wanted).is_empty() {
            useful.push(at);
        }
    }
    useful.sort_unstable();
    useful
}

#[derive(Debug)]
struct Found {
    doubles: usize,
    voices: Vec<usize>,
}

struct Search<'a> {
    voices: &'a [Candidate],
    useful: Vec<usize>,
    wanted: Clusters,
    best: Option<Found>,
    chosen: Vec<usize>,
    nodes: usize,
}

impl Search<'_> {
    /// A first set, so that the search has something to beat: whoever is heard by most that hear nothing yet.
    fn greedily(&mut self, spared: &Clusters) {
        let (mut covered, mut doubles, mut chosen) = (spared.clone(), 0, Vec::new());
        while !self.wanted.without(&covered).is_empty() {
            let gain = |at: &usize| {
                let hears = &self.voices[*at].hears;
                let twice = hears.common(&covered).len();
                (hears.len() - twice, usize::MAX - twice)
            };
            // The first of the best, as `max_by_key` would give the last.
            let Some(next) = self.useful.iter().copied().rev().max_by_key(gain) else { return };
            doubles += self.voices[next].hears.common(&covered).len();
            covered = covered.union(&self.voices[next].hears);
            chosen.push(next);
        }
        chosen.sort_unstable();
        self.best = Some(Found { doubles, voices: chosen });
    }

    /// Tries everything that can be added to what is chosen. Whoever hears nothing yet must hear somebody, so it is enough to try those
    /// who are heard there.
    fn deepen(&mut self, covered: &Clusters, doubles: usize) {
        if self.nodes == 0 {
            return;
        }
        self.nodes -= 1;
        let open = self.wanted.without(covered);
        let more = usize::from(!open.is_empty());
        let hopeless = |best: &Found| (best.doubles, best.voices.len()) < (doubles, self.chosen.len() + more);
        if self.best.as_ref().is_some_and(hopeless) {
            return;
        }
        let Some(hardest) = open.iter().min_by_key(|cluster| self.heard_by(*cluster).count()) else {
            return self.offer(doubles);
        };
        let tries: Vec<usize> = self.heard_by(hardest).collect();
        for next in tries {
            let hears = &self.voices[next].hears;
            let (twice, both) = (hears.common(covered).len(), covered.union(hears));
            self.chosen.push(next);
            self.deepen(&both, doubles + twice);
            self.chosen.pop();
        }
    }

    /// The voices that are heard there.
    fn heard_by(&self, cluster: usize) -> impl Iterator<Item = usize> {
        self.useful.iter().copied().filter(move |at| self.voices[*at].hears.has(cluster))
    }

    fn offer(&mut self, doubles: usize) {
        let mut voices = self.chosen.clone();
        voices.sort_unstable();
        let found = Found { doubles, voices };
        if self.best.as_ref().is_none_or(|best| self.compare(&found, best) == Ordering::Less) {
            self.best = Some(found);
        }
    }

    fn compare(&self, one: &Found, other: &Found) -> Ordering {
        let far = |found: &Found| !found.voices.iter().any(|at| self.voices[*at].home);
        let cost = |found: &Found| (found.doubles, found.voices.len(), far(found));
        cost(one).cmp(&cost(other)).then_with(|| one.voices.cmp(&other.voices))
    }
}

#[cfg(test)]
#[path = "cover_tests.rs"]
mod tests;
