//! gatewatch killed at random moments: a small part of `cargo bench --bench crash`.

#[path = "crash_support/mod.rs"]
mod crash_support;
mod kept;

use crash_support::{Dice, Rig};
use std::time::Duration;

const KILLS: u32 = 6;
const AWAY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_with_jetstream_up_and_down_its_history_is_whole() {
    let mut rig = Rig::start().await;
    let mut dice = Dice::new(1);
    rig.torment(KILLS / 2, &mut dice).await;
    rig.without_jetstream(AWAY, &mut dice).await;
    rig.torment(KILLS / 2, &mut dice).await;
    let outcome = rig.finish().await;
    assert!(outcome.complaints.is_empty(), "{outcome:#?}");
    assert!(outcome.incidents > 0, "nothing happened: {outcome:#?}");
}
