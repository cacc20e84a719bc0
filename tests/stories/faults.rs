//! Faults on real servers: the part of the catalogue that is played with every change. Each is told as its entry in
//! `tests/catalogue` says, resolved after the heal, and nothing else is told.
//!
//! The whole catalogue: `cargo bench --bench catalogue`.

use crate::catalogue_support::entries;
use crate::catalogue_support::ground::Ground;
use crate::catalogue_support::trial::Lane;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
/// Where entries are played: each in a place that is free, or a new one; what one leaves must be whole again for the next.
static LANES: Mutex<Vec<Lane>> = Mutex::const_new(Vec::new());

macro_rules! played {
    ($($entry:ident)*) => {
        $(
            #[test]
            fn $entry() {
                is_true(stringify!($entry));
            }
        )*

        #[test]
        fn every_entry_that_is_tagged_for_it_is_played_here() {
            let played: BTreeSet<String> = [$(stringify!($entry)),*].map(str::to_owned).into();
            let tagged = entries::all().into_iter().filter(|entry| entry.story.is_tagged("ci"));
            assert_eq!(played, tagged.map(|entry| entry.name).collect::<BTreeSet<_>>());
        }
    };
}

played! {
    cluster_frozen
    cluster_isolated
    cluster_killed
    cluster_stopped
    one_direction_blackholed
    one_server_of_three_cut
    one_server_of_three_refused
    pair_blackholed
    pair_reset
    restarted_in_an_outage
    rolling_restart_of_all
    server_killed
}

/// Plays an entry and fails when anything is told otherwise than it says.
fn is_true(name: &str) {
    let entry = entries::named(name);
    RUNTIME.block_on(async {
        let free = LANES.lock().await.pop();
        let mut lane = free.unwrap_or_default();
        let trial = lane.play(&entry, None).await.unwrap_or_else(|trouble| panic!("{name}: {trouble}"));
        let delays: Vec<_> = trial.verdict.outcomes.iter().map(|outcome| outcome.delay).collect();
        println!("{name}: {:.0} s, told after {delays:?} ms", trial.took.as_secs_f64());
        let said: Vec<String> = trial.said.iter().map(ToString::to_string).collect();
        let causes = trial.verdict.outcomes.iter().all(|outcome| outcome.cause_right);
        assert!(
            trial.verdict.is_true() && causes,
            "{name}\n{}\nwhat was told:\n{}",
            trial.verdict.complaints().join("\n"),
            said.join("\n")
        );
        if name == "rolling_restart_of_all" {
            events_tell_the_restarts(lane.ground().unwrap()).await;
        }
        LANES.lock().await.push(lane);
    });
}

/// Nobody is paged for a restart, but its events tell the story of each server.
async fn events_tell_the_restarts(ground: &Ground) {
    let events = ground.stored("GATEWATCH_EVENTS").await.unwrap();
    for server in ground.lab.servers() {
        let name = server.key().name.as_str();
        let own = events.iter().filter(|event| event["server"] == name && event["entity"] == "server");
        let states: Vec<_> = own.filter_map(|event| event["to"]["state"].as_str()).collect();
        // On a busy machine a server may be unheard for a moment besides.
        let told = states.windows(3).any(|three| three == ["leaving", "stopped", "live"]);
        assert!(told, "the story of {name}: {states:?}");
    }
}
