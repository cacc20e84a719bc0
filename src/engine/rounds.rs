//! The rounds of beats that a cluster's servers were asked in, newest last, bounded.

use crate::model::ask::Through;
use crate::model::time::Mono;
use std::collections::VecDeque;

/// How many rounds are remembered. At the default period this spans 16 s; an answer to an older one says nothing any more.
const KEPT: usize = 64;

/// One round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoundMark {
    /// Its number.
    pub(super) number: u64,
    /// When it was asked.
    pub(super) at: Mono,
    /// Through which vantages.
    pub(super) through: Through,
}

/// The latest rounds of one cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    marks: VecDeque<RoundMark>,
    begun: bool,
}

impl Rounds {
    /// Notes a round. One that is not newer than the last is ignored.
    pub(super) fn ask(&mut self, mark: RoundMark) {
        if self.marks.back().is_some_and(|last| last.number >= mark.number) {
            return;
        }
        if self.marks.len() == KEPT {
            self.marks.pop_front();
        }
        self.begun = true;
        self.marks.push_back(mark);
    }

    /// Forgets that any was ever asked: nothing can be asked any more, until the next is.
    pub(super) fn stop(&mut self) {
        self.forget();
        self.begun = false;
    }

    /// Whether any round was ever asked: if not, silence between beats means nothing and reports govern.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// Forgets every round: whatever they miss proves nothing.
    pub(super) fn forget(&mut self) {
        self.marks.clear();
    }

    /// The round of this number, if still remembered.
    pub(super) fn get(&self, number: u64) -> Option<&RoundMark> {
        self.after(number.checked_sub(1)).next().filter(|mark| mark.number == number)
    }

    /// The rounds asked after round `number` (all of them for `None`), oldest first.
    pub(super) fn after(&self, number: Option<u64>) -> impl Iterator<Item = &RoundMark> {
        let first = self.marks.partition_point(|mark| number.is_some_and(|number| mark.number <= number));
        self.marks.range(first..)
    }
}

/// Which of the latest 64 numbers were heard, by whoever.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    top: u64,
    bits: u64,
}

impl Heard {
    /// Notes that `number` was heard.
    pub(super) fn mark(&mut self, number: u64) {
        if number > self.top {
            let shift = number - self.top;
            self.bits = if shift >= 64 { 0 } else { self.bits << shift };
            self.top = number;
        }
        let age = self.top - number;
        if age < 64 {
            self.bits |= 1 << age;
        }
    }

    /// Whether `number` was heard. Numbers too old to be remembered were not.
    pub(super) fn has(&self, number: u64) -> bool {
        number <= self.top && self.top - number < 64 && self.bits & (1 << (self.top - number)) != 0
    }

    /// The newest number heard; `None` before the first.
    pub(super) fn newest(&self) -> Option<u64> {
        (self.bits != 0).then_some(self.top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered_across_the_window_and_forgotten_beyond() {
        let mut heard = Heard::default();
        assert_eq!(heard.newest(), None);
        heard.mark(1);
        heard.mark(40);
        heard.mark(38);
        assert!(heard.has(1) && heard.has(40) && heard.has(38) && !heard.has(39) && !heard.has(41));
        heard.mark(65);
        assert!(!heard.has(1) && heard.has(40));
        heard.mark(500);
        assert!(heard.has(500) && !heard.has(65));
        assert_eq!(heard.newest(), Some(500));
    }

    #[test]
    fn rounds_after_a_number_come_oldest_first_and_old_ones_fall_out() {
        let mut rounds = Rounds::default();
        for number in 1..=100 {
            rounds.ask(RoundMark { number, at: Mono::from_millis(number), through: Through::Home });
        }
        assert!(rounds.get(36).is_none());
        assert_eq!(rounds.get(37).map(|mark| mark.at), Some(Mono::from_millis(37)));
        assert_eq!(rounds.after(Some(98)).map(|mark| mark.number).collect::<Vec<_>>(), [99, 100]);
        assert_eq!(rounds.after(None).count(), KEPT);
    }
}
