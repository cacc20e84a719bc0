//! Compares what was told with what a story expects, whoever played it.

use super::said::Said;
use super::{Allowed, Expect, Must, Story};
use std::collections::{BTreeMap, BTreeSet};

/// When a step was begun and when it was done. Milliseconds from the start of the story.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) began: u64,
    pub(crate) done: u64,
}

/// What became of one thing that must be told.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) must: Must,
    /// The alert that told it as it is, in time or not.
    pub(crate) told: Option<Said>,
    /// From the end of the fault's injection to that alert. Milliseconds.
    pub(crate) delay: Option<u64>,
    /// Kind and scope are right, soon enough, from the first alert on.
    pub(crate) right: bool,
    /// The cause that was told last is among the right ones.
    pub(crate) cause_right: bool,
    /// The cause that was told last.
    pub(crate) cause: Option<String>,
}

/// What a playing of a story has shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    pub(crate) outcomes: Vec<Outcome>,
    /// Alerts about what is healthy, or told a second time: the first of each incident.
    pub(crate) stray: Vec<Said>,
    /// Incidents that were not resolved.
    pub(crate) open: Vec<Said>,
    /// Alerts before which one of the same incident is missing.
    pub(crate) torn: Vec<Said>,
}

impl Verdict {
    /// Nothing is wrong but, perhaps, a cause.
    pub(crate) fn is_true(&self) -> bool {
        let wrong = [&self.stray, &self.open, &self.torn];
        self.outcomes.iter().all(|outcome| outcome.right) && wrong.iter().all(|said| said.is_empty())
    }

    /// What is wrong, a line each.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let wrong =
            self.outcomes.iter().filter(|outcome| !outcome.right).map(|outcome| match outcome.delay {
                Some(delay) => format!("told late or first otherwise ({delay} ms): {}", outcome.must),
                None => format!("not told: {}", outcome.must),
            });
        let stray = self.stray.iter().map(|said| format!("told without cause: {said}"));
        let open = self.open.iter().map(|said| format!("not resolved: {said}"));
        let torn = self.torn.iter().map(|said| format!("one before it was not heard: {said}"));
        wrong.chain(stray).chain(open).chain(torn).collect()
    }
}

/// What `said`, in order of time, is worth. `moments` are those of the story's steps.
pub(crate) fn judge(story: &Story, moments: &[Moment], said: &[Said]) -> Verdict {
    let court = Court { story, moments, said };
    let outcomes: Vec<Outcome> = story.musts().map(|must| court.outcome(must)).collect();
    let mut stray: Vec<Said> = said.iter().filter(|said| court.is_stray(said)).cloned().collect();
    stray.extend(court.repeated());
    let mut seen = BTreeSet::new();
    stray.retain(|said| seen.insert(said.incident.clone()));
    Verdict { outcomes, stray, open: court.open(), torn: court.torn() }
}

struct Court<'a> {
    story: &'a Story,
    moments: &'a [Moment],
    said: &'a [Said],
}

impl<'a> Court<'a> {
    fn outcome(&self, must: &Must) -> Outcome {
        let moment = self.moment(must);
        let concerns = || self.said.iter().filter(|said| said.at >= moment.began && must.concerns(said));
        let told = concerns().find(|said| said.stage != "resolved" && must.fits(said)).cloned();
        let delay = told.as_ref().map(|said| said.at.saturating_sub(moment.done));
        let last = told
            .as_ref()
            .and_then(|told| concerns().rfind(|said| said.incident == told.incident && must.fits(said)));
        let wrong_first =
            |said: &Said| said.stage == "opened" && !self.is_told_by_a_must(said) && !self.may(said);
        Outcome {
            right: delay.is_some_and(|delay| delay <= must.within)
                && (!must.same || told.as_ref().is_some_and(|told| self.goes_on(must, told)))
                && !concerns().any(wrong_first),
            cause_right: last.is_some_and(|said| must.is_cause(said)),
            cause: last.map(|said| said.cause.clone()),
            must: must.clone(),
            told,
            delay,
        }
    }

    /// Whether the incident told something else before.
    fn goes_on(&self, must: &Must, told: &Said) -> bool {
        self.said.iter().any(|said| said.incident == told.incident && said.at < told.at && !must.fits(said))
    }

    fn moment(&self, must: &Must) -> Moment {
        let usual = || Moment { began: self.story.moment(must), done: self.story.moment(must) };
        must.after.map_or_else(Moment::default, |at| self.moments.get(at).copied().unwrap_or_else(usual))
    }

    fn is_told_by_a_must(&self, said: &Said) -> bool {
        self.story.musts().any(|must| must.fits(said))
    }

    fn may(&self, said: &Said) -> bool {
        self.allowed().any(|allowed| allowed.covers(said))
    }

    fn allowed(&self) -> impl Iterator<Item = &'a Allowed> {
        self.story.expect.iter().filter_map(|expect| match expect {
            Expect::May(allowed) => Some(allowed),
            Expect::Must(_) | Expect::Never(_) | Expect::Quiet => None,
        })
    }

    /// Nothing that must or may be told: it is about something healthy, or comes before there is anything to tell.
    fn is_stray(&self, said: &Said) -> bool {
        let forbidden = |expect: &Expect| match expect {
            Expect::Never(never) => never.covers(said),
            Expect::Must(_) | Expect::May(_) | Expect::Quiet => false,
        };
        let quiet = said.severity == "info" && self.story.expect.contains(&Expect::Quiet);
        let told = |must: &Must| said.at >= self.moment(must).began && must.concerns(said);
        let explained = quiet || self.may(said) || self.story.musts().any(told);
        self.story.expect.iter().any(forbidden) || !explained
    }

    /// Incidents about what another incident has told already, beyond as many as must be told about it.
    fn repeated(&self) -> Vec<Said> {
        let mut told: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
        let mut repeated = Vec::new();
        for said in self.said.iter().filter(|said| said.stage == "opened" && !self.may(said)) {
            let wanted = self.story.musts().filter(|must| must.concerns(said)).count();
            let ids = told.entry((&said.kind, said.about.to_string())).or_default();
            ids.insert(&said.incident);
            if wanted > 0 && ids.len() > wanted {
                repeated.push(said.clone());
            }
        }
        repeated
    }

    fn open(&self) -> Vec<Said> {
        let last: BTreeMap<&str, &Said> =
            self.said.iter().map(|said| (said.incident.as_str(), said)).collect();
        last.into_values().filter(|said| said.stage != "resolved" && !self.may_stay(said)).cloned().collect()
    }

    fn torn(&self) -> Vec<Said> {
        let mut revisions: BTreeMap<&str, u64> = BTreeMap::new();
        let mut torn = Vec::new();
        for said in self.said {
            let before = revisions.insert(&said.incident, said.revision).unwrap_or(0);
            if said.revision != before + 1 {
                torn.push(said.clone());
            }
        }
        torn
    }

    fn may_stay(&self, said: &Said) -> bool {
        self.story.may_stay(said)
    }
}

impl Story {
    /// Whether this incident may still be open at the end.
    pub(crate) fn may_stay(&self, said: &Said) -> bool {
        let quiet = said.severity == "info" && self.expect.contains(&Expect::Quiet);
        quiet
            || self.expect.iter().any(|expect| match expect {
                Expect::Must(must) => must.stays && must.concerns(said),
                Expect::May(allowed) => allowed.stays && allowed.covers(said),
                Expect::Never(_) | Expect::Quiet => false,
            })
    }
}
