//! The engine judged from outside: stories with their expected logs, properties of any input, and truth in simulated superclusters.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it measured"
)]

mod catalogue;
mod invariants;
mod properties;
mod scenarios;
mod sim;
#[path = "../story/mod.rs"]
mod story;
mod truth;
