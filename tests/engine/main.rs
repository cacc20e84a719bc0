//! The engine judged from outside: stories with their expected logs, properties of any input, and truth in simulated superclusters.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it measured"
)]

mod catalogue;
mod intent;
mod invariants;
mod properties;
mod replicas;
mod scenarios;
mod sim;
mod standing;
#[path = "../story/mod.rs"]
mod story;
#[path = "../story/judge_tests.rs"]
mod story_judge_tests;
#[path = "../story/tests.rs"]
mod story_tests;
mod truth;
