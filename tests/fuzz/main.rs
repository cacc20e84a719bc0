//! Hostile bytes for every decoder and for the engine: the kept corpus, real messages and documents, and what mutation makes of them.
//!
//! A finding of `cargo bench --bench fuzz` first becomes a file under `corpus/<target>/`, with a name that says what it did.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the fuzz targets use a part of it")]
#[path = "../engine/invariants.rs"]
mod invariants;
mod mutate;
mod seeds;
mod targets;

use mutate::Mutator;
use targets::{TARGETS, Target};

/// How many inputs are made of the seeds of each target; fewer where one takes long.
fn mutations(target: &str) -> usize {
    match target {
        "replay" => 20,
        "engine" | "system" => 150,
        "capture" | "config" => 300,
        _ => 1_500,
    }
}

#[test]
fn every_kept_input_and_every_real_one_leaves_every_rule_intact() {
    for target in TARGETS {
        let seeds = seeds::of(target.name);
        assert!(!seeds.is_empty(), "{} has nothing to begin with", target.name);
        for (name, seed) in &seeds {
            run(target, seed, name);
        }
    }
}

#[test]
fn what_mutation_makes_of_them_leaves_every_rule_intact() {
    for target in TARGETS {
        let seeds: Vec<Vec<u8>> = seeds::of(target.name).into_iter().map(|(_, seed)| seed).collect();
        let mut mutator = Mutator::new(0x6a09_e667_f3bc_c908 ^ target.name.len() as u64);
        for number in 0..mutations(target.name) {
            let input = mutator.mutate(&seeds);
            run(target, &input, &format!("mutation {number}"));
        }
    }
}

/// Runs a target; names the input when it panics, and keeps it.
fn run(target: &Target, input: &[u8], name: &str) {
    let caught = std::panic::catch_unwind(|| (target.run)(input));
    if caught.is_err() {
        let kept = std::env::temp_dir().join(format!("gatewatch-fuzz-{}", target.name));
        std::fs::write(&kept, input).unwrap();
        panic!("{}: {name} breaks a rule; kept as {}", target.name, kept.display());
    }
}
