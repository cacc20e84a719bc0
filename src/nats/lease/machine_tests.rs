//! Contenders in virtual time: partitions of the store, answers that are lost, processes that are stopped.

use super::*;

const TTL: Duration = Duration::from_secs(3);
const TIMING: fn() -> Timing = || Timing::of(TTL);

fn at(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

/// Small and good enough: the tests must give the same each time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The store: one record, compare-and-set, dropped when it has not been written for so long.
#[derive(Default)]
struct Store {
    sequence: u64,
    record: Option<(u64, Option<usize>, Mono)>,
    /// `None` keeps records for ever.
    max_age: Option<Duration>,
}

impl Store {
    fn current(&mut self, now: Mono) -> Option<(u64, Option<usize>)> {
        if let (Some((_, _, written)), Some(age)) = (self.record, self.max_age)
            && now.since(written) >= age
        {
            self.record = None;
        }
        self.record.map(|(revision, holder, _)| (revision, holder))
    }

    fn write(&mut self, over: u64, holder: Option<usize>, now: Mono) -> Option<u64> {
        if self.current(now).map_or(0, |(revision, _)| revision) != over {
            return None;
        }
        self.sequence += 1;
        self.record = Some((self.sequence, holder, now));
        Some(self.sequence)
    }

    fn act(&mut self, who: usize, action: Action, now: Mono) -> Answer {
        match action {
            Action::Look => match self.current(now) {
                None => Answer::Free,
                Some((revision, None)) => Answer::Held(revision, Holder::Nobody),
                Some((revision, Some(holder))) if holder == who => Answer::Held(revision, Holder::Own),
                Some((revision, Some(_))) => Answer::Held(revision, Holder::Other),
            },
            Action::Claim(over) => self.write(over, Some(who), now).map_or(Answer::Lost, Answer::Won),
        }
    }
}

/// One contender with its way to the store.
struct Contender {
    machine: Machine,
    /// What is on its way to the store; what is on its way back; when the attempt is given up.
    going: Option<(Action, Mono)>,
    coming: Option<(Answer, Mono)>,
    give_up: Mono,
    cut_until: Mono,
    frozen_until: Mono,
    /// Since when its way to the store has been whole and it has run.
    whole_since: Mono,
}

impl Contender {
    fn new(now: Mono) -> Self {
        Self {
            machine: Machine::new(TIMING(), now),
            going: None,
            coming: None,
            give_up: now,
            cut_until: now,
            frozen_until: now,
            whole_since: now,
        }
    }

    fn runs(&self, now: Mono) -> bool {
        now >= self.frozen_until
    }

    fn reaches(&self, now: Mono) -> bool {
        now >= self.cut_until
    }
}

struct World {
    store: Store,
    all: Vec<Contender>,
    rng: Rng,
    now: u64,
    /// So many of a hundred answers are lost.
    loss: u64,
}

impl World {
    fn new(seed: u64, contenders: usize, max_age: Option<Duration>) -> Self {
        let store = Store { max_age, ..Store::default() };
        let all = (0..contenders).map(|_| Contender::new(at(0))).collect();
        Self { store, all, rng: Rng(seed), now: 0, loss: 0 }
    }

    fn now(&self) -> Mono {
        at(self.now)
    }

    fn step(&mut self) {
        self.now += 10;
        let now = self.now();
        for who in 0..self.all.len() {
            self.carry(who, now);
            let contender = &mut self.all[who];
            if !contender.runs(now) || !contender.reaches(now) {
                contender.whole_since = now;
            }
            if contender.runs(now) {
                self.run(who, now);
            }
        }
    }

    /// The network: also while the process is stopped.
    fn carry(&mut self, who: usize, now: Mono) {
        let reaches = self.all[who].reaches(now);
        if let Some((action, arrives)) = self.all[who].going
            && arrives <= now
        {
            self.all[who].going = None;
            if reaches {
                let answer = self.store.act(who, action, now);
                let back = now + Duration::from_millis(self.rng.below(120));
                // The answer may be lost though it was done.
                if self.rng.chance(self.loss) {
                    self.all[who].whole_since = now;
                } else {
                    self.all[who].coming = Some((answer, back));
                }
            }
        }
    }

    fn run(&mut self, who: usize, now: Mono) {
        let reaches = self.all[who].reaches(now);
        let contender = &mut self.all[who];
        match contender.coming {
            Some((answer, arrives)) if arrives <= now && reaches => {
                contender.coming = None;
                contender.machine.answered(answer, now);
            }
            Some(_) | None if contender.machine.asked.is_some() && now >= contender.give_up => {
                contender.coming = None;
                contender.machine.answered(Answer::Failed, now);
            }
            Some(_) | None => {}
        }
        if let Some(action) = contender.machine.due(now) {
            contender.give_up = now + TIMING().within;
            contender.going = Some((action, now + Duration::from_millis(self.rng.below(120))));
        }
    }

    fn duty(&self) -> Vec<Duty> {
        let now = self.now();
        self.all.iter().map(|contender| contender.machine.duty(now)).collect()
    }

    fn count(&self, duty: Duty) -> usize {
        self.duty().into_iter().filter(|is| *is == duty).count()
    }

    fn until(&mut self, limit: u64, done: impl Fn(&Self) -> bool) -> u64 {
        let begun = self.now;
        while !done(self) {
            assert!(self.now - begun <= limit, "not within {limit} ms: {:?}", self.duty());
            self.step();
        }
        self.now - begun
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.step();
        }
    }

    fn speaker(&self) -> usize {
        self.duty().iter().position(|duty| *duty == Duty::Speaker).unwrap()
    }
}

#[test]
fn one_of_several_speaks_and_goes_on_speaking() {
    let mut world = World::new(1, 3, Some(TTL));
    world.until(1_000, |world| world.count(Duty::Speaker) == 1);
    let speaker = world.speaker();
    for _ in 0..6_000 {
        world.step();
        assert_eq!((world.speaker(), world.count(Duty::Open)), (speaker, 0));
    }
}

#[test]
fn when_the_speaker_dies_another_speaks_within_its_time_and_a_look() {
    for seed in 1..200 {
        for max_age in [Some(TTL), Some(TTL * 1000), None] {
            let mut world = World::new(seed, 3, max_age);
            world.until(1_000, |world| world.count(Duty::Speaker) == 1);
            let pause = 1_000 + world.rng.below(2_000);
            world.pass(pause);
            let speaker = world.speaker();
            world.all[speaker].frozen_until = at(u64::MAX / 1_000_000);
            let died = world.now;
            let other = |world: &World| {
                world.duty().iter().enumerate().any(|(who, duty)| who != speaker && *duty == Duty::Speaker)
            };
            world.until(4_500, other);
            assert!(world.now - died >= 1_500, "nobody may be so fast");
        }
    }
}

#[test]
fn who_was_stopped_knows_before_it_is_told_that_it_speaks_no_more() {
    let mut world = World::new(3, 2, Some(TTL));
    world.until(1_000, |world| world.count(Duty::Speaker) == 1);
    world.pass(2_000);
    let speaker = world.speaker();
    world.all[speaker].frozen_until = world.now() + Duration::from_secs(60);
    world.pass(59_990);
    // Nothing of it has run yet since.
    let thawed = &world.all[speaker].machine;
    assert!(thawed.speaks_until() < world.now());
    for _ in 0..1_000 {
        world.step();
        assert!(!world.duty()[speaker].speaks(), "it is neither the speaker nor open");
        assert_eq!(world.count(Duty::Speaker), 1);
    }
}

#[test]
fn without_a_store_each_speaks_soon_and_one_alone_hardly_pauses() {
    let mut world = World::new(4, 2, Some(TTL));
    world.all.iter_mut().for_each(|contender| contender.cut_until = at(60_000));
    assert!(world.until(5_000, |world| world.count(Duty::Open) == 2) <= 3_300);
    world.until(65_000, |world| world.count(Duty::Speaker) == 1);
    world.until(1_500, |world| world.count(Duty::Open) == 0);

    let mut world = World::new(5, 1, Some(TTL));
    world.until(1_000, |world| world.count(Duty::Speaker) == 1);
    world.pass(5_000);
    world.all[0].cut_until = world.now() + Duration::from_secs(60);
    world.until(4_000, |world| !world.duty()[0].speaks());
    assert!(world.until(1_500, |world| world.duty()[0].speaks()) <= 700);
    world.pass(10_000);
    assert_eq!(world.duty(), [Duty::Open]);
}

#[test]
fn who_is_refused_at_once_speaks_after_two_thirds_of_the_time() {
    let mut machine = Machine::new(TIMING(), at(0));
    let mut now = 0;
    while !machine.duty(at(now)).speaks() {
        if machine.due(at(now)).is_some() {
            machine.answered(Answer::Failed, at(now));
        }
        now += 10;
        assert!(now < 3_000);
    }
    assert!(now >= 2_000, "{now}");
}

/// As a leader without a quorum does.
#[test]
fn a_store_that_can_be_read_and_not_written_is_as_good_as_none() {
    for holder in [Holder::Own, Holder::Other, Holder::Nobody] {
        let mut machine = Machine::new(TIMING(), at(0));
        let (mut now, mut open_since) = (0, None);
        while now < 20_000 {
            let answer = machine.due(at(now)).map(|action| match action {
                Action::Look => Answer::Held(1, holder),
                Action::Claim(_) => Answer::Failed,
            });
            answer.into_iter().for_each(|answer| machine.answered(answer, at(now + 5)));
            now += 10;
            match (open_since, machine.duty(at(now))) {
                (None, Duty::Open) => open_since = Some(now),
                (Some(_), duty) => assert_eq!(duty, Duty::Open, "{holder:?} after {now} ms"),
                (None, duty) => assert_eq!(duty, Duty::Standby),
            }
        }
        assert!(open_since.is_some_and(|since| since <= 5_500), "{holder:?}: {open_since:?}");
    }
}

#[test]
fn a_lease_that_was_given_up_is_taken_at_the_next_look() {
    let mut world = World::new(6, 2, Some(TTL));
    world.until(1_000, |world| world.count(Duty::Speaker) == 1);
    world.pass(3_000);
    let speaker = world.speaker();
    let revision = world.all[speaker].machine.held().unwrap();
    let now = world.now();
    if world.store.write(revision, None, now).is_none() {
        return;
    }
    world.all[speaker].frozen_until = at(u64::MAX / 1_000_000);
    world.until(1_200, |world| world.duty()[1 - speaker] == Duty::Speaker);
}

#[test]
fn a_write_that_was_done_but_not_confirmed_is_found_and_made_anew() {
    let mut machine = Machine::new(TIMING(), at(0));
    assert_eq!(machine.due(at(0)), Some(Action::Look));
    machine.answered(Answer::Free, at(1));
    assert_eq!(machine.due(at(1)), Some(Action::Claim(0)));
    machine.answered(Answer::Failed, at(1_001));
    assert_eq!(machine.due(machine.wake()), Some(Action::Look));
    machine.answered(Answer::Held(7, Holder::Own), at(1_100));
    assert_eq!(machine.duty(at(1_100)), Duty::Standby);
    assert_eq!(machine.due(at(1_100)), Some(Action::Claim(7)));
    machine.answered(Answer::Won(8), at(1_150));
    assert_eq!(machine.duty(at(1_150)), Duty::Speaker);
    // From when it was sent, not from when it was confirmed.
    assert_eq!(machine.speaks_until(), at(1_100 + 2_700));
}

#[test]
fn a_confirmation_that_comes_after_the_time_is_up_makes_nobody_the_speaker() {
    let mut machine = Machine::new(TIMING(), at(0));
    machine.due(at(0));
    machine.answered(Answer::Free, at(1));
    machine.due(at(1));
    machine.answered(Answer::Won(1), at(60_000));
    assert_eq!(machine.duty(at(60_000)), Duty::Standby);
    assert_eq!(machine.due(at(60_000)), Some(Action::Look));
}

#[test]
fn an_attempt_that_was_stopped_on_the_way_does_not_count_against_the_store() {
    let mut machine = Machine::new(TIMING(), at(0));
    machine.due(at(0));
    machine.answered(Answer::Failed, at(60_000));
    assert_eq!(machine.duty(at(60_000)), Duty::Standby);
}

#[test]
fn chaos_never_makes_two_speakers_and_never_leaves_it_silent() {
    for seed in 1..300 {
        let max_age = [Some(TTL), Some(TTL * 5), None][usize::try_from(seed % 3).unwrap()];
        let contenders = 2 + usize::try_from(seed / 3 % 3).unwrap();
        let mut world = World::new(seed, contenders, max_age);
        world.loss = 3;
        let mut silent = 0;
        for _ in 0..6_000 {
            if world.rng.chance(1) {
                let who = usize::try_from(world.rng.below(contenders as u64)).unwrap();
                let end = world.now() + Duration::from_millis(world.rng.below(9_000));
                match world.rng.below(3) {
                    0 => world.all[who].cut_until = end,
                    1 => world.all[who].frozen_until = end,
                    // Nobody reaches it.
                    _ => world.all.iter_mut().for_each(|contender| contender.cut_until = end),
                }
            }
            world.step();
            let now = world.now();
            assert!(world.count(Duty::Speaker) <= 1, "seed {seed} at {now:?}: {:?}", world.duty());
            for contender in &world.all {
                let whole = now.since(contender.whole_since);
                let open = contender.machine.duty(now) == Duty::Open;
                assert!(!open || whole <= TTL, "seed {seed} at {now:?}: open though it reaches the store");
            }
            // Whoever runs makes up for who does not, or is open.
            let able = world.all.iter().any(|contender| contender.runs(now));
            let speaks = world.all.iter().any(|one| one.runs(now) && one.machine.duty(now).speaks());
            silent = if able && !speaks { silent + 10 } else { 0 };
            let running = world.all.iter().map(|one| now.since(one.frozen_until)).max().unwrap_or_default();
            if running > Duration::from_secs(9) {
                assert!(silent <= 9_000, "seed {seed} at {now:?}: silent for {silent} ms");
            }
        }
    }
}
