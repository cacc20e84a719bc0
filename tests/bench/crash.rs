//! gatewatch killed at random moments, and JetStream away for long: the history must be whole.
//!
//! ```text
//! cargo bench --bench crash                             200 kills (SIGKILL), JetStream up and down meanwhile
//! cargo bench --bench crash -- 50 --seed 7
//! cargo bench --bench crash -- --jetstream-away 10m     no kills: incidents go on without JetStream
//! ```
//!
//! Prints what is stored and heard. Exits 1 when an incident is not stored completely, in order and each revision once, when its id
//! changes, or when a second one is opened for what an open one is about.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "../crash_support/mod.rs"]
mod crash_support;
#[path = "../kept/mod.rs"]
mod kept;

use clap::Parser;
use crash_support::{Dice, Rig};
use gatewatch::clock::Clock;
use std::process::ExitCode;
use std::time::Duration;

/// Kills gatewatch and looks at the history.
#[derive(Debug, Parser)]
struct Args {
    /// How many kills.
    #[arg(default_value_t = 200)]
    kills: u32,
    /// Instead of kills: how long JetStream is away.
    #[arg(long, value_parser = humantime::parse_duration)]
    jetstream_away: Option<Duration>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `cargo bench` hands it over.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let args = Args::parse();
    let (clock, mut dice) = (Clock::start(), Dice::new(args.seed));
    let mut rig = Rig::start().await;
    match args.jetstream_away {
        Some(span) => rig.without_jetstream(span, &mut dice).await,
        None => {
            while rig.kills < args.kills {
                rig.torment((args.kills - rig.kills).min(20), &mut dice).await;
                println!("{:>4} kills after {:>4} s", rig.kills, clock.mono().0.as_secs());
            }
        }
    }
    let kills = rig.kills;
    let outcome = rig.finish().await;
    println!(
        "{kills} kills in {} s: {} incidents with {} revisions and {} events stored, {} revisions heard, {} of them more than once, {} of \
         these as opened",
        clock.mono().0.as_secs(),
        outcome.incidents,
        outcome.revisions,
        outcome.events,
        outcome.heard,
        outcome.heard_again,
        outcome.opened_again,
    );
    for complaint in &outcome.complaints {
        println!("  {complaint}");
    }
    if outcome.complaints.is_empty() {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
