//! The catalogue of faults on real servers: what is told of each, against what must be told. Prints the confusion matrix.
//!
//! ```text
//! cargo bench --bench catalogue                                  every entry, 3 trials, 4 superclusters at the same time
//! cargo bench --bench catalogue -- --list                        the entries
//! cargo bench --bench catalogue -- pair_ --trials 1              entries with this in their name
//! cargo bench --bench catalogue -- --tag versions --version 2.10.25
//! cargo bench --bench catalogue -- --lanes 2 --out result.ndjson one line of JSON for each trial
//! ```
//!
//! Detection settings are the defaults; `clear_after` is 2 s so that the next trial can begin sooner. Exits 1 when kind and scope are
//! right in less than 99 % of the trials, the cause in less than 95 %, or anything is told of what is healthy.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

#[path = "../catalogue_support/mod.rs"]
mod catalogue_support;
#[path = "../kept/mod.rs"]
mod kept;
#[path = "../story/mod.rs"]
mod story;

use catalogue_support::entries::{self, Entry};
use catalogue_support::matrix::{Matrix, line};
use catalogue_support::trial::Lane;
use clap::Parser;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use story::Version;
use tokio::task::JoinSet;

/// No entry takes longer, whatever happens.
const LIMIT: Duration = Duration::from_secs(400);

/// Plays the catalogue of faults on real servers.
#[derive(Debug, Parser)]
struct Args {
    /// Only entries with one of these in their name.
    entries: Vec<String>,
    /// Only entries with this tag.
    #[arg(long)]
    tag: Option<String>,
    #[arg(long, default_value_t = 3)]
    trials: usize,
    /// Superclusters at the same time.
    #[arg(long, default_value_t = 4)]
    lanes: usize,
    /// Version of the servers, installed when missing.
    #[arg(long, value_parser = version)]
    version: Option<Version>,
    /// Where a line of JSON goes for each trial.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Shows the entries and plays none.
    #[arg(long)]
    list: bool,
    /// Handed over by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn version(text: &str) -> Result<Version, String> {
    story::version(text)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let entries = wanted(&args);
    if args.list {
        for entry in &entries {
            let about = entry.story.about.first().map_or("", |line| line.trim_start_matches("# "));
            println!("{:<34} {about}", entry.name);
        }
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let matrix = runtime.block_on(play(&args, entries));
    println!("{matrix}");
    if matrix.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Entries that are asked for and can be played with these servers; those that share a supercluster together.
fn wanted(args: &Args) -> Vec<Entry> {
    let mut entries = entries::all();
    entries.retain(|entry| {
        let named = args.entries.is_empty() || args.entries.iter().any(|part| entry.name.contains(part));
        let tagged = args.tag.as_ref().is_none_or(|tag| entry.story.is_tagged(tag));
        let possible = args.version.zip(entry.story.since).is_none_or(|(own, since)| own >= since);
        named && tagged && possible && entry.is_for_real()
    });
    entries.sort_by_key(|entry| (entry.is_spoiling(), entry.cuts_clients()));
    entries
}

/// What is still to be played, and what was.
struct Work {
    queue: Mutex<VecDeque<(Entry, usize)>>,
    matrix: Mutex<Matrix>,
    out: Option<Mutex<File>>,
    version: Option<Version>,
}

async fn play(args: &Args, entries: Vec<Entry>) -> Matrix {
    let trials = entries.into_iter().flat_map(|entry| (1..=args.trials).map(move |n| (entry.clone(), n)));
    let work = Arc::new(Work {
        queue: Mutex::new(trials.collect()),
        matrix: Mutex::default(),
        out: args.out.as_ref().map(|path| Mutex::new(File::create(path).unwrap())),
        version: args.version,
    });
    let mut lanes = JoinSet::new();
    for _ in 0..args.lanes {
        lanes.spawn(lane(Arc::clone(&work)));
    }
    lanes.join_all().await;
    std::mem::take(&mut *work.matrix.lock().unwrap())
}

/// Plays what is left until nothing is.
async fn lane(work: Arc<Work>) {
    let mut lane = Lane::default();
    loop {
        let next = work.queue.lock().unwrap().pop_front();
        let Some((entry, number)) = next else { return };
        let played = tokio::time::timeout(LIMIT, lane.play(&entry, work.version)).await;
        let played = played.unwrap_or_else(|_| Err(format!("not over after {LIMIT:?}").into()));
        match played {
            Ok(trial) => {
                let took = trial.took.as_secs_f64();
                let told = if trial.verdict.is_true() { "true" } else { "UNTRUE" };
                eprintln!("{:<34} {number} {told} {took:.0} s", entry.name);
                work.write(&line(&trial, number, &work.version_name()).to_string());
                work.matrix.lock().unwrap().add(trial);
            }
            Err(trouble) => {
                eprintln!("{:<34} {number} cannot be played: {trouble}", entry.name);
                lane = Lane::default();
                work.matrix.lock().unwrap().could_not_play(&entry.name, &trouble.to_string());
            }
        }
    }
}

impl Work {
    fn version_name(&self) -> String {
        self.version.map_or_else(|| "default".to_owned(), story::dotted)
    }

    fn write(&self, line: &str) {
        if let Some(out) = &self.out {
            writeln!(out.lock().unwrap(), "{line}").unwrap();
        }
    }
}
