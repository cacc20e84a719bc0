//! Hostile bytes for minutes, guided by coverage (libFuzzer): decoders, config, recordings, engine operations.
//!
//! ```text
//! cargo bench --bench fuzz                     1 minute for each target
//! cargo bench --bench fuzz -- engine 10        10 minutes for one target
//! cargo bench --bench fuzz -- all 10 --keep    afterwards what was found is merged into tests/fuzz/corpus: some small inputs
//! ```
//!
//! Builds `tests/fuzz/guided` with the compiler's coverage counters, which stable compilers have too; needs a C++ compiler. Ends with exit
//! code 1 on a finding and says where the input is: give it a name, put it under `tests/fuzz/corpus/<target>/`, and `cargo test` fails too.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const TARGETS: [&str; 11] = [
    "advisory",
    "capture",
    "config",
    "engine",
    "greeting",
    "jetstream",
    "record",
    "replay",
    "rights",
    "system",
    "token",
];
/// What makes the compiler count which edges were taken and tell what was compared with what.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// Largest input that is made, and the largest that is kept in the repository.
const MAX_INPUT: u32 = 16_384;
const MAX_KEPT: u64 = 2_048;
/// How many inputs of each target are kept, besides findings.
const MOST_KEPT: usize = 48;
/// Most memory that one run may take, in MiB, and most time for one input, in seconds.
const MEMORY: u32 = 1_024;
const TIME: u32 = 10;

fn main() -> ExitCode {
    // `cargo bench` hands `--bench` over.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let minutes: f64 = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1.0);
    let keep = arguments.iter().any(|argument| argument == "--keep");
    let wanted: Vec<&str> =
        TARGETS.into_iter().filter(|target| arguments.iter().any(|a| a == target)).collect();
    let wanted = if wanted.is_empty() { TARGETS.to_vec() } else { wanted };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = build(root);
    let mut findings = 0;
    for target in wanted {
        let found = run(root, &program, target, minutes);
        findings += u32::from(found);
        if keep && !found {
            merge(root, &program, target);
        }
    }
    println!("{findings} targets with a finding");
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn build(root: &Path) -> PathBuf {
    let built = root.join("target/fuzz");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--target", "x86_64-unknown-linux-gnu", "--manifest-path"])
        .arg(root.join("tests/fuzz/guided/Cargo.toml"))
        .arg("--target-dir")
        .arg(&built)
        .env("RUSTFLAGS", COVERAGE)
        .status()
        .unwrap();
    assert!(status.success(), "the guided targets cannot be built; is there a C++ compiler?");
    built.join("x86_64-unknown-linux-gnu/release/guided")
}

/// Runs one target; says whether there is a finding.
fn run(root: &Path, program: &Path, target: &str, minutes: f64) -> bool {
    let work = root.join("target/fuzz/corpus").join(target);
    fs::create_dir_all(&work).unwrap();
    let findings = root.join("target/fuzz/findings/");
    fs::create_dir_all(&findings).unwrap();
    let log = root.join(format!("target/fuzz/{target}.log"));
    let status = Command::new(program)
        .arg(&work)
        .args([format!("-max_total_time={}", (minutes * 60.0).round()), format!("-max_len={MAX_INPUT}")])
        .args([
            format!("-rss_limit_mb={MEMORY}"),
            format!("-timeout={TIME}"),
            "-print_final_stats=1".to_owned(),
        ])
        .arg(format!("-artifact_prefix={}/{target}-", findings.display()))
        .arg(format!("-dict={}", root.join("tests/fuzz/words.dict").display()))
        .env("GATEWATCH_FUZZ_TARGET", target)
        .env("GATEWATCH_FUZZ_SEEDS", &work)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .status()
        .unwrap();
    let said = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    let last =
        |word: &str| said.lines().rev().find(|line| line.contains(word)).unwrap_or("-").trim().to_owned();
    println!("{target:<9} {} | {} | {}", last("cov:"), last("number_of_executed_units"), last("peak_rss_mb"));
    if !status.success() {
        println!("{target}: A FINDING: {} (see {})", last("Test unit written to"), log.display());
    }
    !status.success()
}

/// Merges what reaches something new into the kept corpus, as far as it is small.
fn merge(root: &Path, program: &Path, target: &str) {
    let kept = root.join("tests/fuzz/corpus").join(target);
    fs::create_dir_all(&kept).unwrap();
    let small = root.join("target/fuzz/small").join(target);
    fs::create_dir_all(&small).unwrap();
    for entry in fs::read_dir(root.join("target/fuzz/corpus").join(target)).unwrap().map(Result::unwrap) {
        if entry.metadata().unwrap().len() <= MAX_KEPT {
            fs::copy(entry.path(), small.join(entry.file_name())).unwrap();
        }
    }
    Command::new(program)
        .arg("-merge=1")
        .args([&kept, &small])
        .env("GATEWATCH_FUZZ_TARGET", target)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    thin_out(&kept);
}

/// Leaves a sample of what was found by chance, the same each time: its names are hashes. What has a name of its own stays.
fn thin_out(kept: &Path) {
    let files = fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path());
    let is_hash = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut found: Vec<PathBuf> = files.filter(is_hash).collect();
    found.sort();
    found.iter().skip(MOST_KEPT).for_each(|path| fs::remove_file(path).unwrap());
}
