//! The engine judged from outside: stories with their expected logs, properties of any input, and truth in simulated superclusters.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it measured"
)]

mod invariants;
mod scenarios;
mod sim;
mod story;
mod truth;
