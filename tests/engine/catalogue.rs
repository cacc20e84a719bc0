//! The catalogue of faults, played in the simulation: each entry with many seeds, half of them with chaos, judged by what the entry
//! expects.
//!
//! `GATEWATCH_CATALOGUE_SEEDS` sets how many seeds each entry is played with, `GATEWATCH_CATALOGUE_ENTRY` which entries, by a part of
//! their name.

use crate::sim::{Sim, Told};
use crate::story::{About, Chaos, Players, Said, Story, Verdict, Way, judge};
use gatewatch::model::incident::{Direction, IncidentEvent, Subject};
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds per entry, unless the environment says otherwise.
const SEEDS: u64 = 4;

#[test]
fn every_fault_of_the_catalogue_is_told_as_what_it_is() {
    let seeds = std::env::var("GATEWATCH_CATALOGUE_SEEDS").ok().and_then(|value| value.parse().ok());
    let entries = entries();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((name, story)) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let complaints = play_often(name, story, seeds.unwrap_or(SEEDS));
                    wrong.lock().unwrap().extend(complaints);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(
        wrong.is_empty(),
        "{} entries are told otherwise than expected:\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// All entries that the simulation can play, by name.
fn entries() -> Vec<(String, Story)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue");
    let only = std::env::var("GATEWATCH_CATALOGUE_ENTRY").unwrap_or_default();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|end| end == "txt"));
    let named = texts.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let story = Story::parse(&fs::read_to_string(&path).unwrap());
        (name.clone(), story.unwrap_or_else(|error| panic!("{name}: {error}")))
    });
    let plays = |(name, story): &(String, Story)| story.players != Players::RealOnly && name.contains(&only);
    let mut entries: Vec<_> = named.filter(plays).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

/// What is wrong with an entry, with the first seed that shows it.
fn play_often(name: &str, story: &Story, seeds: u64) -> Option<String> {
    let (mut untrue, mut wrong_cause, mut first) = (0, 0, None);
    for seed in 1..=seeds {
        let story = with_seed(story, seed);
        let (verdict, said) = play(&story);
        let causes: Vec<String> =
            verdict.outcomes.iter().filter(|one| one.right && !one.cause_right).map(cause).collect();
        untrue += u64::from(!verdict.is_true());
        wrong_cause += u64::from(!causes.is_empty());
        if first.is_none() && (!verdict.is_true() || !causes.is_empty()) {
            let complaints: Vec<String> = verdict.complaints().into_iter().chain(causes).collect();
            let told: Vec<String> = said.iter().map(ToString::to_string).collect();
            first = Some(format!(
                "seed {seed}:\n  {}\n  told:\n    {}\n",
                complaints.join("\n  "),
                told.join("\n    ")
            ));
        }
    }
    first.map(|first| {
        format!("{name}: {untrue} of {seeds} untrue, {wrong_cause} with a wrong cause; first with {first}")
    })
}

fn cause(outcome: &crate::story::Outcome) -> String {
    format!("cause {} of {}", outcome.cause.as_deref().unwrap_or("none"), outcome.must)
}

fn with_seed(story: &Story, seed: u64) -> Story {
    let chaos = if seed.is_multiple_of(2) {
        Chaos { lost: 2, late: 2, twice: 5, overtaken: 5, bursts: 2 }
    } else {
        Chaos::default()
    };
    Story { seed, chaos, ..story.clone() }
}

fn play(story: &Story) -> (Verdict, Vec<Said>) {
    let mut sim = Sim::new(story);
    sim.run_patiently();
    let said: Vec<Said> = sim.told.iter().filter_map(said).collect();
    (judge(story, &sim.moments, &said), said)
}

fn said((at, told): &(i64, Told)) -> Option<Said> {
    match told {
        Told::Incident(event) => said_of(u64::try_from(*at).unwrap_or(0), event),
        Told::Step(_) | Told::Transition(_) => None,
    }
}

/// `None` for what ails gatewatch itself: no story is about that.
fn said_of(at: u64, event: &IncidentEvent) -> Option<Said> {
    let incident = &event.incident;
    let arrow = |link: String| link.replace(" -> ", ">");
    Some(Said {
        at,
        incident: incident.id.as_str().to_owned(),
        revision: u64::from(incident.revision),
        listed: incident.server_view.still_listed.len(),
        stage: event.stage.token().to_owned(),
        kind: incident.kind.to_string(),
        severity: incident.severity.to_string(),
        about: match &incident.subject {
            Subject::Cluster(name) => About::Cluster(name.to_string()),
            Subject::Pair(a, b) => About::pair(a.as_str(), b.as_str()),
            Subject::Instance(_) => return None,
            Subject::Server(key) => {
                About::Server(key.cluster.to_string(), key.name.as_str().parse().unwrap_or(0))
            }
        },
        way: incident.direction().map(|direction| match direction {
            Direction::Both => Way::Both,
            Direction::OneWay(link) => Way::One(arrow(link.to_string())),
        }),
        links: incident.scope.links.iter().map(|link| arrow(link.to_string())).collect(),
        servers: incident.scope.servers.iter().map(ToString::to_string).collect(),
        cut: incident.scope.server_links.iter().map(|link| arrow(link.to_string())).collect(),
        departure: incident.departure.map(|departure| departure.to_string()),
        cause: incident.cause.kind.to_string(),
    })
}
