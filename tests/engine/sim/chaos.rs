//! Lost, late, doubled, overtaken: what becomes of a message besides the faults of a story.
//!
//! Chance depends on the seed, the way and the moment only, so that what is asked more or less often changes nothing else.

use super::{Rng, Sim};
use gatewatch::model::observation::Fact;

/// The last part of a story is calm: what is true in the end can be told in the end. Milliseconds.
const CALM: u64 = 8_000;
/// At most one burst of a kind in so long; each kind has its own part of it, so that no two bursts together last long enough to be told.
/// Milliseconds.
const SLOT: u64 = 12_000;
const PART: u64 = 4_000;
/// How much later than its part a burst begins at most. Milliseconds.
const STAGGER: u64 = 1_400;
const SLOTS_PER_HOUR: u64 = 3_600_000 / SLOT;
/// A burst is shorter than what an incident needs to last. Milliseconds.
const SHORTEST: u64 = 200;
const LONGEST: u64 = 1_200;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) lost: bool,
    /// Held up for so long, and what comes behind it too.
    pub(super) late: u64,
    /// Held up for so long, alone.
    pub(super) overtaken: u64,
    /// Heard once more, so much later.
    pub(super) again: Option<u64>,
}

impl Sim {
    /// What becomes of a fact of `from` on its way to our connection `to`.
    pub(super) fn fate(&self, from: usize, to: usize, fact: &Fact) -> Fate {
        if self.is_calm() {
            return Fate::default();
        }
        let chaos = self.story.chaos;
        let mut rng = self.dice(1, (from as u64) << 8 | to as u64, self.now ^ kind(fact) << 40);
        let (lost, late) = (rng.number() % 1000 < chaos.lost, rng.number() % 1000 < chaos.late);
        let (twice, overtaken) = (rng.number() % 1000 < chaos.twice, rng.number() % 1000 < chaos.overtaken);
        // An announcement is said once; whether it is lost decides what can be known, so it never is.
        let announced = matches!(fact, Fact::Leaving(_) | Fact::Stopped(_));
        let own = |rng: &mut Rng, is: bool, most| if is { rng.within(20, most) } else { 0 };
        Fate {
            lost: !announced && (lost || self.in_burst(from, to)),
            late: own(&mut rng, late, 1_500),
            overtaken: own(&mut rng, overtaken, 800),
            again: twice.then(|| rng.within(0, 800)),
        }
    }

    /// Whether a question through our connection `at` is lost.
    pub(super) fn question_lost(&self, at: usize, server: usize) -> bool {
        !self.is_calm()
            && self.dice(2, (server as u64) << 8 | at as u64, self.now).number() % 1000
                < self.story.chaos.lost
    }

    fn is_calm(&self) -> bool {
        self.story.chaos.is_calm() || self.now + CALM > self.end()
    }

    fn in_burst(&self, from: usize, to: usize) -> bool {
        self.story.chaos.bursts > 0
            && match self.now % SLOT / PART {
                0 => self.bursts(3, to as u64),
                1 => self.bursts(4, from as u64),
                _ => self.bursts(5, (from as u64) << 8 | to as u64),
            }
    }

    /// Whether one thing is in a burst in this part of the time.
    fn bursts(&self, what: u64, who: u64) -> bool {
        let mut rng = self.dice(what, who, self.now / SLOT);
        if rng.number() % SLOTS_PER_HOUR >= self.story.chaos.bursts {
            return false;
        }
        let from = rng.within(0, STAGGER);
        let at = self.now % PART;
        at >= from && at < from + rng.within(SHORTEST, LONGEST)
    }

    fn dice(&self, what: u64, who: u64, when: u64) -> Rng {
        let mixed = (what << 56 ^ who << 32).wrapping_mul(0x2545_f491_4f6c_dd1d) ^ when;
        Rng::new(self.story.seed.rotate_left(29) ^ mixed)
    }
}

fn kind(fact: &Fact) -> u64 {
    match fact {
        Fact::Beat { .. } => 1,
        Fact::Stats(_) => 2,
        Fact::Gateways(_) => 3,
        Fact::Config(_) => 4,
        Fact::Leaving(_) => 5,
        Fact::Stopped(_) => 6,
        Fact::AuthError(_) => 7,
        Fact::Clients(_) => 8,
        Fact::JetStream(_) => 9,
    }
}
