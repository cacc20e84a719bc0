//! How this process itself is doing: what is told of that, and when. It takes no part in any verdict about clusters.
//!
//! Each ailment has a charge. It grows with the time in which things are bad and shrinks more slowly with the time in which they are
//! good, so what lasts and what comes back again and again are one rule:
//!
//! ```text
//! charge   0 ---- clears_at ---- impaired_after ---- most
//!                 told no more   told
//! ```

use super::policy::Policy;
use super::turn::Turn;
use crate::model::evidence::{Evidence, Says};
use crate::model::health::{
    Ailment, AilmentStatus, Lack, OutboxHealth, OwnHealth, OwnNews, PublishingHealth,
};
use crate::model::observation::Stall;
use crate::model::time::{Mono, Now};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much more slowly a charge shrinks than it grows: what takes less than a twentieth of the time is never told.
const SHRINKS: u32 = 20;

/// This process, as far as the engine knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// What it lacks to do its work; `None` until it is told.
    pub(super) lacks: Option<Vec<Lack>>,
    courses: BTreeMap<Ailment, Course>,
}

/// The course of one ailment.
#[derive(Debug, Clone)]
pub(super) struct Course {
    /// Whether it is bad now.
    bad: bool,
    charge: Duration,
    /// As of when that is the charge.
    as_of: Mono,
    /// How often it has become bad since the charge was last used up.
    spells: u32,
    /// Since when it is bad, at first, lately.
    pub(super) since: Now,
    told: bool,
    /// Whether, since it is told, it has been more than something that was over at once.
    lasts: bool,
    /// What was found last.
    pub(super) evidence: Evidence,
}

impl Course {
    /// Whether it lasts or has come back, rather than having been over at once.
    pub(super) fn is_lasting(&self) -> bool {
        self.lasts
    }

    /// Lets time pass.
    fn pass(&mut self, policy: &Policy, now: Mono) {
        let span = now.since(self.as_of);
        self.as_of = self.as_of.max(now);
        if self.bad {
            self.charge(policy, span);
        } else {
            self.charge = self.charge.saturating_sub(span / SHRINKS);
            self.judge(policy);
        }
    }

    fn charge(&mut self, policy: &Policy, span: Duration) {
        self.charge = self.charge.saturating_add(span).min(policy.impaired_after * 3 / 2);
        self.judge(policy);
    }

    fn judge(&mut self, policy: &Policy) {
        self.told = if self.told {
            self.charge > policy.impaired_after / 2
        } else {
            self.charge >= policy.impaired_after
        };
        self.lasts = self.told && (self.lasts || self.bad || self.spells > 1);
    }
}

impl Own {
    /// What is to be told of, what hinders most first.
    pub(super) fn told(&self) -> impl Iterator<Item = (Ailment, &Course)> {
        self.courses.iter().filter(|(_, course)| course.told).map(|(ailment, course)| (*ailment, course))
    }

    /// Everything that is bad now or is told of.
    pub(super) fn ailments(&self) -> Vec<AilmentStatus> {
        let ill = self.courses.iter().filter(|(_, course)| course.bad || course.told);
        ill.map(|(ailment, course)| AilmentStatus { ailment: *ailment, since: course.since.wall }).collect()
    }
}

impl Turn<'_> {
    /// Takes in what the process found out about itself.
    pub(super) fn own_news(&mut self, news: OwnNews) {
        match news {
            OwnNews::Health(health) => self.own_health(health),
            OwnNews::ClockJumped { by } => {
                let span = self.policy.impaired_after;
                self.own_spell(Ailment::ClockJumped, span, Says::ClockJumped { by });
            }
        }
    }

    fn own_health(&mut self, health: OwnHealth) {
        let OwnHealth { lacks, dropped, outbox, publishing } = health;
        self.world.own.lacks = Some(lacks);
        let behind = (dropped > 0).then_some(Says::FactsDropped { count: dropped });
        self.own_state(Ailment::Behind, behind);
        let queue = (outbox != OutboxHealth::Fine).then_some(Says::Outbox { health: outbox });
        self.own_state(Ailment::Outbox, queue);
        let way_out =
            (publishing != PublishingHealth::Fine).then_some(Says::Publishing { health: publishing });
        self.own_state(Ailment::Publishing, way_out);
    }

    /// This process did not run: that is bad in itself, and nothing is known of how all else was meanwhile.
    pub(super) fn own_stalled(&mut self, stall: &Stall) {
        let span = stall.to.since(stall.from);
        for course in self.world.own.courses.values_mut() {
            course.as_of = (course.as_of + span).min(stall.to);
        }
        self.own_spell(Ailment::Stalled, span, Says::DidNotRun { span });
    }

    /// Lets time pass for every ailment.
    pub(super) fn judge_own(&mut self) {
        for course in self.world.own.courses.values_mut() {
            course.pass(self.policy, self.now.mono);
        }
        self.world.own.courses.retain(|_, course| course.bad || !course.charge.is_zero());
    }

    /// Something that is over by the time it is known, and counts for `span`.
    fn own_spell(&mut self, ailment: Ailment, span: Duration, says: Says) {
        let (policy, course) = self.course(ailment, says);
        course.spells += 1;
        course.charge(policy, span);
    }

    /// Something that is as `bad` says until it is told otherwise.
    fn own_state(&mut self, ailment: Ailment, bad: Option<Says>) {
        let Some(says) = bad else {
            if let Some(course) = self.world.own.courses.get_mut(&ailment) {
                course.pass(self.policy, self.now.mono);
                course.bad = false;
            }
            return;
        };
        let (_, course) = self.course(ailment, says);
        course.spells += u32::from(!course.bad);
        course.bad = true;
    }

    /// The course of an ailment up to now, with what is found.
    fn course(&mut self, ailment: Ailment, says: Says) -> (&Policy, &mut Course) {
        let evidence = self.evidence(says);
        let (policy, now) = (self.policy, self.now);
        let course = self.world.own.courses.entry(ailment).or_insert_with(|| Course {
            bad: false,
            charge: Duration::ZERO,
            as_of: now.mono,
            spells: 0,
            since: now,
            told: false,
            lasts: false,
            evidence: evidence.clone(),
        });
        course.pass(policy, now.mono);
        if course.charge.is_zero() && !course.bad {
            (course.spells, course.since) = (0, now);
        }
        course.evidence = evidence;
        (policy, course)
    }
}
