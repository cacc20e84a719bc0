//! Memory over churn: servers restart under new ids, and some under new names, every few seconds of virtual time.
//!
//! ```text
//! cargo bench --bench churn              1 minute, which is hours of virtual time
//! cargo bench --bench churn -- 10        10 minutes
//! ```
//!
//! Three clusters of six servers; their messages go as bytes through the decoders into the engine. Every 5 s one server restarts: most
//! after they said so, some crash, and a third have no name of their own, so that every restart makes a server never heard of before.
//! Between them clusters, servers and gateways are claimed that do not exist. Ends with exit code 1 unless memory stays flat.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

#[path = "../hostile/rig.rs"]
mod rig;

use gatewatch::clock::Clock;
use rig::{Rig, info, resident};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// Virtual time between two restarts.
const EVERY: Duration = Duration::from_secs(5);
/// Growth that is no growth: what allocators keep in hand.
const SLACK: u64 = 4 << 20;
/// How many times memory is looked at.
const SAMPLES: u32 = 40;

fn main() -> ExitCode {
    let minutes: f64 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1.0);
    let (clock, span) = (Clock::start(), Duration::from_secs_f64(minutes * 60.0));
    let mut rig = Rig::new(6);
    let mut samples = Vec::new();
    let mut restarts = 0_usize;
    while clock.mono().0 < span {
        restart(&mut rig, restarts);
        claim(&mut rig, restarts);
        rig.incidents.clear();
        restarts += 1;
        if clock.mono().0 >= span * u32::try_from(samples.len() + 1).unwrap() / SAMPLES {
            let known: usize = rig.snapshot().clusters.iter().map(|cluster| cluster.servers.len()).sum();
            println!(
                "{:>7.1} h virtual: {restarts:>7} restarts, {known:>4} servers and {:>3} clusters known, {:>6.1} MB",
                rig.mono().0.as_secs_f64() / 3600.0,
                rig.snapshot().clusters.len(),
                resident() as f64 / 1e6
            );
            samples.push(resident());
        }
    }
    // The first hours fill what is remembered for hours.
    let half = samples.len() / 2;
    let (middle, end) = (median(&samples[half..half + half / 2]), median(&samples[half + half / 2..]));
    println!(
        "{restarts} restarts in {:.1} h of virtual time: {:.1} MB in the third quarter, {:.1} MB in the last; refused {:?}",
        rig.mono().0.as_secs_f64() / 3600.0,
        middle as f64 / 1e6,
        end as f64 / 1e6,
        rig.engine.refusals()
    );
    if end <= middle + SLACK { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One server after the other; a third of them has no name of its own, and every seventh restart is a crash.
fn restart(rig: &mut Rig, number: usize) {
    let ix = number % rig.servers.len();
    rig.stop(ix, !number.is_multiple_of(7));
    rig.run(Duration::from_secs(2));
    rig.restart(ix, ix.is_multiple_of(3));
    rig.run(EVERY - Duration::from_secs(2));
}

fn claim(rig: &mut Rig, number: usize) {
    let id = format!("NCLAIM{number}");
    let cluster = if number.is_multiple_of(2) { format!("claimed-{number}") } else { "east".to_owned() };
    let server = info(&id, &format!("ghost-{number}"), &cluster, rig.wall());
    let gateways = json!([{ "gwid": number, "name": format!("nowhere-{number}") }]);
    let body = json!({ "server": server, "statsz": { "gateways": gateways } }).to_string();
    rig.everywhere(&format!("$SYS.SERVER.{id}.STATSZ"), body.as_bytes());
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
