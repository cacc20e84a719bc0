//! Random superclusters, random faults, known truth: nothing is told without cause, every lasting fault is told of as what it is, and
//! everything is resolved after the heal.
//!
//! `GATEWATCH_TRUTH_RUNS` sets how many runs are made, `GATEWATCH_TRUTH_SEED` the first seed.

mod judge;
mod plan;

use crate::sim::Sim;
use judge::Delay;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs of one test, unless the environment says otherwise.
const RUNS: u64 = 2_000;
/// Runs that were untrue once, beyond the first ones that are always made.
const ONCE_UNTRUE: [u64; 8] = [13_340, 37_080, 38_377, 61_108, 65_049, 76_577, 85_151, 93_490];
/// So many untrue runs are printed.
const PRINTED: usize = 20;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn what_is_told_is_the_truth() {
    let runs = from_environment("GATEWATCH_TRUTH_RUNS", RUNS);
    let first = from_environment("GATEWATCH_TRUTH_SEED", 1);
    let next = AtomicU64::new(first);
    let (violations, delays) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let mut measured = Vec::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs {
                        break;
                    }
                    if let Some(report) = violation(seed, &mut measured) {
                        violations.lock().unwrap().insert(seed, report);
                    }
                }
                delays.lock().unwrap().append(&mut measured);
            });
        }
    });
    report(&delays.into_inner().unwrap());
    let violations = violations.into_inner().unwrap();
    let told: Vec<&str> = violations.values().take(PRINTED).map(String::as_str).collect();
    assert!(
        violations.is_empty(),
        "{} of {runs} runs are untrue:\n\n{}",
        violations.len(),
        told.join("\n\n")
    );
}

#[test]
fn what_was_untrue_once_is_true() {
    for seed in ONCE_UNTRUE {
        let untrue = violation(seed, &mut Vec::new());
        assert!(untrue.is_none(), "{}", untrue.unwrap());
    }
}

/// What is untrue in the run of this seed, with its whole story.
fn violation(seed: u64, delays: &mut Vec<Delay>) -> Option<String> {
    let plan = plan::plan(seed);
    let mut sim = Sim::new(&plan.story);
    sim.run();
    let wrong = judge::violations(&plan, &sim, delays);
    if wrong.is_empty() {
        return None;
    }
    Some(format!("seed {seed}\n{}\nas a story for tests/scenarios:\n{}", wrong.join("\n"), plan.story))
}

fn report(delays: &[Delay]) {
    let mut by_fault: BTreeMap<&str, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
    for delay in delays {
        for name in [delay.fault, "all"] {
            let (confirmed, told) = by_fault.entry(name).or_default();
            confirmed.extend(delay.confirmed);
            told.push(delay.told);
        }
    }
    eprintln!("milliseconds after the fault   runs | confirmed p50 p99 max | incident p50 p99 max");
    for (name, (confirmed, told)) in by_fault {
        eprintln!("{name:<28} {:>6} | {} | {}", told.len(), spread(confirmed), spread(told));
    }
}

fn spread(mut values: Vec<u64>) -> String {
    values.sort_unstable();
    let at =
        |percent: usize| values.get((values.len() * percent / 100).min(values.len().max(1) - 1)).copied();
    let [middle, high, most] = [50, 99, 100].map(|percent| at(percent).unwrap_or(0));
    format!("{middle:>5} {high:>5} {most:>5}")
}
