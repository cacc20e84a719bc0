//! What is kept in the alert account, on one real supercluster: streams and bucket, alerts and events, state, history.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod history;
mod outbox;
mod provision;
mod publish;
mod state;
mod support;
mod wishes;
