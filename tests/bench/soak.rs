//! A healthy supercluster on a busy machine, for long: nothing may be told.
//!
//! ```text
//! cargo bench --bench soak              30 minutes
//! cargo bench --bench soak -- 5         5 minutes
//! ```
//!
//! Three clusters of three real servers, every gateway with up to 50 ms of added jitter in each direction, all cores kept busy by other
//! processes at the same priority. Default settings. Ends with exit code 1 when an incident of any severity was heard.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

#[path = "../kept/mod.rs"]
mod kept;
#[path = "../stage/mod.rs"]
mod stage;

use gatewatch::lab::{Fault, Supercluster};
use stage::{Message, Stage, listing};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

const JITTER: Duration = Duration::from_millis(50);
const MINUTE: Duration = Duration::from_secs(60);

/// Processes that compute for nothing until they are dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn on_every_core() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let idle = |_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Self((0..cores).map(idle).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended already is what is wanted.
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // `cargo bench` hands `--bench` over.
    let minutes: u32 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(30);
    let mut stage = Stage::set(Supercluster::builder().grid(3, 3)).await;
    let jitter = Fault::Delay { latency: Duration::ZERO, jitter: JITTER };
    for (a, b) in [("east", "west"), ("east", "central"), ("west", "central")] {
        stage.lab.faults().cut_pair(a, b, jitter).unwrap();
    }
    let busy = Busy::on_every_core();
    let (mut events, mut alerts) = (0, Vec::new());
    for minute in 1..=minutes {
        for message in stage.rest_for(MINUTE).await {
            if message.is_alert() { alerts.push(message) } else { events += 1 }
        }
        println!("minute {minute:>3}: {} incidents, {events} events so far", opened(&alerts));
    }
    drop(busy);
    println!(
        "{minutes} minutes, {} busy processes, {JITTER:?} of jitter: {} incidents\n{}",
        std::thread::available_parallelism().map_or(2, usize::from),
        opened(&alerts),
        listing(&alerts)
    );
    if alerts.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn opened(alerts: &[Message]) -> usize {
    alerts.iter().filter(|alert| alert.text("stage") == "opened").count()
}
