//! What is to be written together: pure.

use super::Row;
use std::collections::{BTreeMap, BTreeSet};

/// How many incidents that are over a batch that cannot be written remembers. Beyond it the first ones are forgotten: they are only
/// needed to know better than a bucket that could not be reached when they ended.
const OVER: usize = 4096;

/// What becomes of an incident's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is open, and this is its record.
    Open(Vec<u8>),
    /// It is over, since this revision.
    Over(u32),
}

/// Changes that are written in one commit, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Messages that begin to wait.
    pub(super) messages: BTreeMap<Row, Vec<u8>>,
    /// Messages that were heard.
    pub(super) heard: BTreeSet<Row>,
    /// Messages that wait no more.
    pub(super) gone: BTreeSet<Row>,
    /// The latest of each incident.
    pub(super) incidents: BTreeMap<String, Standing>,
    /// The record of the links that are expected to exist.
    pub(super) links: Option<Vec<u8>>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A message waits no more. One that was not written yet never needs to be.
    pub(super) fn remove(&mut self, row: Row) {
        self.heard.remove(&row);
        if self.messages.remove(&row).is_none() {
            self.gone.insert(row);
        }
    }

    /// Takes in what came later.
    pub(super) fn then(&mut self, later: Self) {
        self.messages.extend(later.messages);
        self.heard.extend(later.heard);
        for row in later.gone {
            self.remove(row);
        }
        self.incidents.extend(later.incidents);
        self.links = later.links.or(self.links.take());
        let over =
            |(id, standing): (&String, &Standing)| matches!(standing, Standing::Over(_)).then(|| id.clone());
        while self.incidents.len() > OVER
            && let Some(oldest) = self.incidents.iter().find_map(over)
        {
            self.incidents.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(row: u64) -> Batch {
        Batch { messages: BTreeMap::from([(Row::Own(row), vec![1])]), ..Batch::default() }
    }

    #[test]
    fn a_message_that_came_and_went_needs_no_writing() {
        let mut batch = put(1);
        let mut later = put(2);
        later.heard.insert(Row::Own(1));
        later.remove(Row::Own(1));
        later.remove(Row::Left(7));
        batch.then(later);
        assert_eq!(batch.messages.keys().collect::<Vec<_>>(), [&Row::Own(2)]);
        assert_eq!(batch.gone, BTreeSet::from([Row::Left(7)]));
        assert!(batch.heard.is_empty());
    }

    #[test]
    fn of_an_incident_the_latest_is_written() {
        let of =
            |standing| Batch { incidents: BTreeMap::from([("I".to_owned(), standing)]), ..Batch::default() };
        let mut batch = of(Standing::Open(vec![1]));
        batch.then(of(Standing::Over(2)));
        assert_eq!(batch.incidents["I"], Standing::Over(2));
    }

    #[test]
    fn what_cannot_be_written_for_long_does_not_grow_without_end() {
        let mut batch = Batch::default();
        for number in 0..OVER + 10 {
            let incidents = BTreeMap::from([(format!("{number:08}"), Standing::Over(1))]);
            batch.then(Batch { incidents, ..Batch::default() });
        }
        assert_eq!(batch.incidents.len(), OVER);
    }
}
