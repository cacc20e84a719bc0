//! Least privilege: what the README lists is what the program needs, and whatever is missing of it is named while the rest works.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod ground;
mod listed;
mod runtime;
mod without;
