//! How fast a break is told: from the fault to the event and to the alert, as a plain subscriber hears them.
//!
//! ```text
//! cargo bench --bench detection              30 trials of each fault, about 20 minutes
//! cargo bench --bench detection -- 5         5 of each
//! ```
//!
//! Real servers, three clusters of three, default detection settings (`clear_after` is shortened between trials: it only decides how
//! soon the next one can begin). Beside it, once: how long the servers themselves go on listing a link that drops packets.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

#[path = "../kept/mod.rs"]
mod kept;
#[path = "../stage/mod.rs"]
mod stage;

use gatewatch::lab::{Fault, Path, Side, Supercluster};
use serde_json::Value;
use stage::{Message, Stage};
use std::time::Duration;

/// The kinds of fault, with the event that names each.
const FAULTS: [(&str, &str); 6] = [
    ("blackhole", "gatewatch.event.link.down.east.west"),
    ("reset", "gatewatch.event.link.down.east.west"),
    ("one way", "gatewatch.event.link.down.east.west"),
    ("one server", "gatewatch.event.link.degraded.east.west"),
    ("kill server", "gatewatch.event.server.lost.west.west-2"),
    ("kill cluster", "gatewatch.event.cluster.offline.west._"),
];
const WITHIN: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` hands `--bench` over.
    let trials = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(30);
    let mut stage =
        Stage::set_with(Supercluster::builder().grid(3, 3), &[("detect.clear_after", "1s")]).await;
    let servers_notice = servers_notice(&mut stage).await;
    println!("{:<13} {:>6} {:>24} {:>24}", "", "trials", "event: p50 / p99 / max", "alert: p50 / p99 / max");
    for (fault, subject) in FAULTS {
        let (mut events, mut alerts) = (Vec::new(), Vec::new());
        for trial in 0..trials {
            let (event, alert) = trial_of(&mut stage, fault, subject, trial).await;
            events.push(event);
            alerts.push(alert);
        }
        println!("{fault:<13} {trials:>6} {:>24} {:>24}", percentiles(&mut events), percentiles(&mut alerts));
    }
    println!(
        "\nblackhole, as the servers see it: the link was listed in their STATSZ for {:.1} s",
        servers_notice.as_secs_f64()
    );
}

/// One trial: break, hear the event and the alert, heal, and wait until everything is whole again.
async fn trial_of(stage: &mut Stage, fault: &str, subject: &str, trial: u32) -> (Duration, Duration) {
    // Spread over the beat's period, whatever rhythm the trials have.
    tokio::time::sleep(Duration::from_millis(u64::from(trial * 37 % 250))).await;
    stage.rest(Duration::from_millis(100)).await;
    let broke = stage.clock.mono();
    inject(&stage.lab, fault).await;
    let injected = stage.clock.mono();
    let heard = stage.until(WITHIN, Message::is_alert).await;
    heal(&stage.lab, fault).await;
    stage.whole().await;
    // Killing takes its own time; a break that is felt before the call returns counts from its beginning.
    let start = if fault.starts_with("kill") { broke } else { injected };
    let event = heard.iter().find(|message| message.subject == subject);
    let event = event.unwrap_or_else(|| panic!("{subject} not among\n{}", stage::listing(&heard)));
    (event.at.since(start), heard.last().unwrap().at.since(start))
}

async fn inject(lab: &Supercluster, fault: &str) {
    let faults = lab.faults();
    match fault {
        "blackhole" => faults.cut_pair("east", "west", Fault::Blackhole).unwrap(),
        "reset" => faults.cut_pair("east", "west", Fault::Reset).unwrap(),
        "one way" => faults.cut_direction("east", "west", Fault::Blackhole).unwrap(),
        "one server" => {
            let own = Path { from: Side::server("east", "east-2"), to: Side::cluster("west") };
            faults.set(own, Fault::Reset).unwrap();
        }
        "kill server" => lab.server("west-2").unwrap().kill().await.unwrap(),
        "kill cluster" => lab.cluster("west").unwrap().kill().await.unwrap(),
        other => panic!("no such fault: {other}"),
    }
}

async fn heal(lab: &Supercluster, fault: &str) {
    match fault {
        "kill server" => lab.server("west-2").unwrap().start().await.unwrap(),
        "kill cluster" => lab.cluster("west").unwrap().start().await.unwrap(),
        _ => lab.faults().clear_all(),
    }
}

/// Drops all packets between two clusters and measures how long an east server's STATSZ goes on listing west.
async fn servers_notice(stage: &mut Stage) -> Duration {
    let server = stage.lab.server("east-1").unwrap();
    let client = server.system_client().await.unwrap();
    let subject = format!("$SYS.REQ.SERVER.{}.STATSZ", server.id().unwrap());
    stage.lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    let broke = stage.clock.mono();
    let noticed = loop {
        let answer = client.request(subject.clone(), "".into()).await.unwrap();
        let body: Value = serde_json::from_slice(&answer.payload).unwrap();
        let mut listed = body["statsz"]["gateways"].as_array().into_iter().flatten();
        if !listed.any(|gateway| gateway["name"] == "west") {
            break stage.clock.mono().since(broke);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    stage.lab.faults().clear_all();
    stage.whole().await;
    noticed
}

fn percentiles(values: &mut [Duration]) -> String {
    values.sort();
    let at = |share: f64| values[((values.len() - 1) as f64 * share).ceil() as usize].as_secs_f64();
    format!("{:.2} / {:.2} / {:.2} s", at(0.5), at(0.99), at(1.0))
}
