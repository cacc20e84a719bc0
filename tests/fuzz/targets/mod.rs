//! What is fed with hostile bytes, and what must hold of it. A target is a plain function: it panics when something does not hold.
//!
//! Three things drive them: `cargo test --test fuzz` (the kept corpus, real messages, and what a seeded mutation makes of them),
//! `cargo bench --bench fuzz` (guided by coverage, for minutes), and whoever hands them bytes of a finding.

mod bodies;
mod engine;
mod operator;
mod outputs;
mod recording;
mod system;

/// One target.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&[u8]),
}

/// Every target, by name.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "advisory", run: bodies::advisory },
    Target { name: "capture", run: recording::capture },
    Target { name: "config", run: operator::config },
    Target { name: "engine", run: engine::operations },
    Target { name: "greeting", run: operator::greeting },
    Target { name: "jetstream", run: operator::jetstream },
    Target { name: "record", run: bodies::record },
    Target { name: "replay", run: recording::replayed },
    Target { name: "rights", run: operator::rights },
    Target { name: "system", run: system::messages },
    Target { name: "token", run: operator::token },
];
