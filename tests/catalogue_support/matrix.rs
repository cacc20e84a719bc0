//! The sums over all trials: the confusion matrix, shares and delays.

use super::trial::Trial;
use crate::story::{Outcome, Said};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Kind and scope must be right in so many of a hundred trials.
const RIGHT: f64 = 99.0;
/// And the cause in so many.
const CAUSE_RIGHT: f64 = 95.0;
/// What is written where nothing was told.
const NOTHING: &str = "nothing";

/// All trials of a run.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    trials: Vec<Trial>,
    /// Trials that could not be played, with why.
    troubles: Vec<(String, String)>,
}

impl Matrix {
    pub(crate) fn add(&mut self, trial: Trial) {
        self.trials.push(trial);
    }

    pub(crate) fn could_not_play(&mut self, entry: &str, why: &str) {
        self.troubles.push((entry.to_owned(), why.to_owned()));
    }

    /// Whether every threshold is met.
    pub(crate) fn is_met(&self) -> bool {
        let sums = self.sums();
        sums.right >= RIGHT
            && sums.cause_right >= CAUSE_RIGHT
            && sums.stray == 0
            && sums.open == 0
            && self.troubles.is_empty()
    }

    /// Musts of all trials.
    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.trials.iter().flat_map(|trial| &trial.verdict.outcomes)
    }

    fn sums(&self) -> Sums {
        let mut delays: Vec<u64> = self.outcomes().filter_map(|outcome| outcome.delay).collect();
        delays.sort_unstable();
        let judged = || self.outcomes().filter(|outcome| !outcome.must.cause.is_empty());
        let right = |trial: &&Trial| trial.verdict.outcomes.iter().all(|outcome| outcome.right);
        Sums {
            right: percent(self.trials.iter().filter(right).count(), self.trials.len()),
            cause_right: percent(judged().filter(|outcome| outcome.cause_right).count(), judged().count()),
            stray: self.trials.iter().map(|trial| trial.verdict.stray.len()).sum(),
            open: self.trials.iter().map(|trial| trial.verdict.open.len()).sum(),
            delays,
        }
    }

    /// Expected against told, with how often; of kinds or of causes.
    fn confusion(
        &self,
        told: impl Fn(&Outcome, &Trial) -> (String, String),
        stray: impl Fn(&Said) -> String,
    ) -> Confusion {
        let nothing = || NOTHING.to_owned();
        let mut counts = BTreeMap::new();
        let mut count = |pair| *counts.entry(pair).or_insert(0) += 1;
        for trial in &self.trials {
            let verdict = &trial.verdict;
            verdict.outcomes.iter().for_each(|outcome| count(told(outcome, trial)));
            verdict.stray.iter().for_each(|said| count((nothing(), stray(said))));
            if verdict.outcomes.is_empty() && verdict.stray.is_empty() {
                count((nothing(), nothing()));
            }
        }
        Confusion(counts)
    }
}

struct Sums {
    right: f64,
    cause_right: f64,
    stray: usize,
    open: usize,
    delays: Vec<u64>,
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// What was told in place of something: itself when it is right, else the first thing about it, else the first at all.
fn kind_told(outcome: &Outcome, trial: &Trial) -> String {
    let about = |said: &&Said| said.about == outcome.must.about;
    let told = outcome.told.as_ref();
    let told = told.or_else(|| trial.said.iter().find(about)).or_else(|| trial.said.first());
    told.map_or_else(|| NOTHING.to_owned(), |said| said.kind.clone())
}

/// A result a line, for machines.
pub(crate) fn line(trial: &Trial, number: usize, version: &str) -> Value {
    let outcome = |outcome: &Outcome| {
        json!({
            "must": outcome.must.to_string(),
            "kind": outcome.must.kind, "about": outcome.must.about.to_string(), "cause": outcome.must.cause,
            "told_kind": kind_told(outcome, trial), "told_cause": outcome.cause,
            "right": outcome.right, "cause_right": outcome.cause_right, "delay_ms": outcome.delay,
        })
    };
    json!({
        "entry": trial.entry, "trial": number, "version": version,
        "took_ms": trial.took.as_millis() as u64,
        "true": trial.verdict.is_true(),
        "outcomes": trial.verdict.outcomes.iter().map(outcome).collect::<Vec<_>>(),
        "stray": trial.verdict.stray.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "unresolved": trial.verdict.open.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "said": trial.said.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "events": trial.events,
    })
}

/// Counts by (expected, told).
struct Confusion(BTreeMap<(String, String), usize>);

impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: BTreeSet<&String> = self.0.keys().map(|(_, told)| told).collect();
        let rows: BTreeSet<&String> = self.0.keys().map(|(expected, _)| expected).collect();
        write!(f, "{:<40}", "expected \\ told")?;
        columns.iter().try_for_each(|column| write!(f, " {column:>16}"))?;
        writeln!(f)?;
        for row in rows {
            write!(f, "{row:<40}")?;
            for column in &columns {
                let count = self.0.get(&(row.clone(), (*column).clone())).copied().unwrap_or(0);
                let shown = if count == 0 { ".".to_owned() } else { count.to_string() };
                write!(f, " {shown:>width$}", width = column.len().max(16))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_entries(f)?;
        let kind = |one: &Outcome, trial: &Trial| (one.must.kind.clone(), kind_told(one, trial));
        writeln!(f, "\nkinds\n{}", self.confusion(kind, |said| said.kind.clone()))?;
        let cause = |one: &Outcome, _: &Trial| {
            let wanted =
                if one.must.cause.is_empty() { "(any)".to_owned() } else { one.must.cause.join("|") };
            (wanted, one.cause.clone().unwrap_or_else(|| NOTHING.to_owned()))
        };
        writeln!(f, "causes\n{}", self.confusion(cause, |said| said.cause.clone()))?;
        let sums = self.sums();
        writeln!(f, "{} trials", self.trials.len())?;
        writeln!(f, "kind and scope right {:.1} % (at least {RIGHT} %)", sums.right)?;
        writeln!(f, "cause right {:.1} % (at least {CAUSE_RIGHT} %)", sums.cause_right)?;
        writeln!(
            f,
            "incidents about what is healthy: {} (none), not resolved: {} (none)",
            sums.stray, sums.open
        )?;
        let at = |percent: usize| {
            let last = sums.delays.len().saturating_sub(1);
            let at = (sums.delays.len() * percent / 100).min(last);
            sums.delays.get(at).map_or(0.0, |ms| *ms as f64 / 1000.0)
        };
        writeln!(f, "told after p50 {:.2} s, p99 {:.2} s, at most {:.2} s", at(50), at(99), at(100))?;
        self.troubles.iter().try_for_each(|(entry, why)| writeln!(f, "could not play {entry}: {why}"))
    }
}

impl Matrix {
    /// A line for each entry, and under it what was wrong.
    fn write_entries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
        for trial in &self.trials {
            entries.entry(&trial.entry).or_default().push(trial);
        }
        writeln!(f, "{:<34} {:>6} {:>6} {:>6}  told", "entry", "trials", "right", "cause")?;
        for (name, trials) in entries {
            let right = trials.iter().filter(|trial| trial.verdict.is_true()).count();
            let causes =
                trials.iter().filter(|trial| trial.verdict.outcomes.iter().all(|one| one.cause_right));
            let told = tally(&trials);
            writeln!(f, "{name:<34} {:>6} {right:>6} {:>6}  {told}", trials.len(), causes.count())?;
            let complaints: BTreeSet<String> =
                trials.iter().flat_map(|trial| trial.verdict.complaints()).collect();
            complaints.iter().try_for_each(|complaint| writeln!(f, "    {complaint}"))?;
        }
        Ok(())
    }
}

/// What was told in these trials, with how often.
fn tally(trials: &[&Trial]) -> String {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for trial in trials {
        let mut incidents: BTreeMap<&str, &Said> = BTreeMap::new();
        for said in &trial.said {
            incidents.insert(&said.incident, said);
        }
        for said in incidents.values() {
            *told.entry(format!("{} {} {}", said.kind, said.about, said.cause)).or_default() += 1;
        }
    }
    if told.is_empty() {
        return "-".to_owned();
    }
    told.iter().map(|(what, count)| format!("{what} x{count}")).collect::<Vec<_>>().join(", ")
}
