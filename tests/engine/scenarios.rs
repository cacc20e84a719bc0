//! Stories and what the engine makes of them: each file under `tests/scenarios` is a story followed by the log that is expected.
//!
//! After a change that is meant: `UPDATE_SCENARIOS=1 cargo test --test engine scenarios`, then read every line of the difference.

mod log;

use crate::sim::Sim;
use crate::story::Story;
use std::fs;
use std::path::PathBuf;

/// Between the story and its log.
const RULE: &str = "\n----\n";

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    files.sort();
    files
}

fn told(story: &str) -> String {
    let story = Story::parse(story).unwrap_or_else(|error| panic!("{error}"));
    let mut sim = Sim::new(&story);
    sim.run();
    log::of(&story, &sim)
}

#[test]
fn every_story_is_told_as_expected() {
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut wrong = Vec::new();
    for path in files().into_iter().filter(|path| path.to_string_lossy().contains(&only)) {
        let text = fs::read_to_string(&path).unwrap();
        let (story, expected) = text.split_once(RULE).unwrap_or((text.trim_end(), ""));
        let got = told(story);
        if got == expected {
            continue;
        }
        if update {
            fs::write(&path, format!("{story}{RULE}{got}")).unwrap();
        } else {
            wrong.push(format!("{}:\n{}", path.display(), difference(expected, &got)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} stories are told otherwise than expected. If that is meant, run this test with UPDATE_SCENARIOS=1 and read every line of \
         the difference.\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_story_reads_back_as_it_was_written() {
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let story = Story::parse(text.split_once(RULE).map_or(text.as_str(), |(story, _)| story)).unwrap();
        let again = Story::parse(&Story { in_detail: false, ..story.clone() }.to_string()).unwrap();
        assert_eq!(again, Story { in_detail: false, ..story }, "{}", path.display());
    }
}

fn difference(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<_>, Vec<_>) = (expected.lines().collect(), got.lines().collect());
    let missing = expected.iter().filter(|line| !got.contains(line)).map(|line| format!("- {line}\n"));
    let added = got.iter().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}\n"));
    missing.chain(added).collect()
}
