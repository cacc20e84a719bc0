//! libFuzzer's way in: `GATEWATCH_FUZZ_TARGET` names the target, `GATEWATCH_FUZZ_SEEDS` a folder to write its seeds to first.

#![no_main]

#[allow(dead_code)]
#[path = "../../../engine/invariants.rs"]
mod invariants;
#[path = "../../seeds.rs"]
mod seeds;
#[path = "../../targets/mod.rs"]
mod targets;

use std::sync::OnceLock;

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let name = std::env::var("GATEWATCH_FUZZ_TARGET").expect("GATEWATCH_FUZZ_TARGET names the target");
        let target = targets::TARGETS.iter().find(|target| target.name == name).expect("a known target");
        RUN.set(target.run).expect("set once");
        if let Ok(folder) = std::env::var("GATEWATCH_FUZZ_SEEDS") {
            for (at, (_, seed)) in seeds::of(&name).into_iter().enumerate() {
                std::fs::write(format!("{folder}/seed-{at}"), seed).expect("the folder can be written to");
            }
        }
    },
    |data: &[u8]| (RUN.get().expect("set before"))(data)
);
