//! How long nobody speaks when the gatewatch that speaks is killed: from SIGKILL until a plain subscriber hears the next one.
//!
//! ```text
//! cargo bench --bench replicas              30 trials, about 8 minutes
//! cargo bench --bench replicas -- 5         5 trials
//! ```
//!
//! Two gatewatch beside two real servers, default lease (3 s). A link is cut so that there is something to tell by the time the other
//! one takes over; the one that speaks is killed at the same moment. `alert_after` is 1 s, so most of the gap is the lease's.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

#[path = "../kept/mod.rs"]
mod kept;
#[path = "../stage/mod.rs"]
mod stage;
#[path = "../troupe/mod.rs"]
mod troupe;

use gatewatch::lab::{Fault, Supercluster};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::time::Duration;
use troupe::{Audience, Player};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` hands `--bench` over.
    let trials = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(30);
    let lab = Supercluster::builder().grid(2, 1).start().await.unwrap();
    lab.ready(Duration::from_secs(40)).await.unwrap();
    let mut audience = Audience::of(&lab).await;
    let url = lab.servers()[0].client_url();
    let mut players: Vec<Player> = ["a", "b"].map(|name| Player::start(&lab, name, &url)).into();
    let mut gaps = Vec::new();
    for trial in 0..trials {
        let leader = audience.until_speaker(|_| true).await;
        audience.until_whole(2).await;
        // Until the other is warm, and then anywhere between two renewals.
        tokio::time::sleep(Duration::from_millis(5_000 + trial * 137 % 1_000)).await;
        audience.mid_minute().await;
        audience.rest(Duration::from_millis(50)).await;
        lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
        let player = players.iter().find(|player| player.name == leader).unwrap();
        player.signal(Signal::KILL);
        let killed = audience.clock.mono();
        let opened = audience.hears("opened").await;
        assert_ne!(opened.text("source"), format!("gatewatch/{leader}"));
        gaps.push(opened.at.since(killed));
        lab.faults().clear_all();
        audience.hears("resolved").await;
        let name = player.name;
        players.retain(|player| player.name != name);
        players.push(Player::start(&lab, name, &url));
    }
    let stored = audience.stored().await;
    let once: BTreeSet<_> = stored.iter().map(|(_, id)| id).collect();
    let opened = stored.iter().filter(|(stage, _)| stage == "opened").count();
    gaps.sort();
    let at = |share: f64| gaps[((gaps.len() - 1) as f64 * share).ceil() as usize].as_secs_f64();
    println!(
        "{trials} leaders killed; gap p50 / p99 / max: {:.2} / {:.2} / {:.2} s",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!("{} revisions stored, {} different; {opened} incidents opened", stored.len(), once.len());
    assert_eq!((stored.len(), opened), (once.len(), gaps.len()));
}
