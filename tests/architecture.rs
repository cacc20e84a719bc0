//! The shape of the source tree, enforced: ranks, file sizes, who may read clocks, where serde may live.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module imports only from modules of a lower rank and from itself.
const RANKS: &[(&str, u8)] = &[
    ("model", 0),
    ("wire", 1),
    ("engine", 1),
    ("clock", 1),
    ("config", 2),
    ("metrics", 2),
    ("outbox", 2),
    ("nats", 3),
    ("lab", 3),
    ("daemon", 4),
    ("cli", 5),
];

const MAX_LINES: usize = 500;

#[test]
fn imports_go_down_the_ranks() {
    let ranks: BTreeMap<&str, u8> = RANKS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(home) = source.module() else { continue };
        let rank =
            *ranks.get(home).unwrap_or_else(|| panic!("src/{home} has no rank: give it one in {}", file!()));
        for (at, line) in source.code() {
            for target in imported(line) {
                let allowed = target == home || ranks.get(target).is_some_and(|below| *below < rank);
                if !allowed {
                    wrong.push(format!("{}:{at}: {home} (rank {rank}) uses {target}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long_to_be_one_room() {
    let long = all_rust_files().into_iter().filter_map(|path| {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        (lines > MAX_LINES).then(|| format!("{}: {lines} lines", path.display()))
    });
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "files over {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn only_the_clock_reads_clocks() {
    let reads = ["Instant::now(", "Utc::now(", "SystemTime::now(", "Local::now("];
    let found = lines_with(|source| source.module() != Some("clock"), &reads);
    assert!(found.is_empty(), "clock reads outside src/clock.rs:\n{}", found.join("\n"));
}

#[test]
fn model_and_engine_are_pure() {
    let impure = [
        "serde",
        "schemars",
        "tokio",
        "async ",
        ".await",
        "std::fs",
        "std::net",
        "std::thread",
        "Mutex",
        "rand::",
    ];
    let found = lines_with(|source| matches!(source.module(), Some("model" | "engine")), &impure);
    assert!(found.is_empty(), "IO, concurrency or byte formats in model or engine:\n{}", found.join("\n"));
}

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The top-level module a file belongs to; `None` for the crate roots, which name every module.
    fn module(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src").ok()?;
        let first = inner.components().next()?.as_os_str().to_str()?;
        match first {
            "lib.rs" | "main.rs" => None,
            file => Some(file.strip_suffix(".rs").unwrap_or(file)),
        }
    }

    /// Numbered lines that are not comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let files = rust_files(Path::new("src"));
    assert!(files.len() > 20, "found only {} source files: run from the package root", files.len());
    files.into_iter().map(|path| Source { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

fn all_rust_files() -> Vec<PathBuf> {
    ["src", "tests", "examples"].into_iter().flat_map(|root| rust_files(Path::new(root))).collect()
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn lines_with(wanted: impl Fn(&Source) -> bool, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| wanted(source)) {
        for (at, line) in source.code() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{at}: {}", source.path.display(), line.trim()));
            }
        }
    }
    found
}

/// The top-level modules that a line reaches into through `crate::`.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(at, word)| {
        let rest = &line[at + word.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}
