//! The catalogue of faults on real servers: each entry of `tests/catalogue` is a story, played on a supercluster of its own shape with
//! gatewatch beside it, heard by plain subscribers, and judged by its own expectations.
//!
//! What is here: reading the entries (`entries`), the supercluster of a story (`ground`) and what its servers are configured with
//! (`alter`, `pki`), gatewatch (`watcher`) and what it
//! keeps (`kept`), the subscribers (`ears`), playing steps (`play`), one playing from beginning to end
//! (`trial`), and the sums (`matrix`).

#![allow(dead_code, reason = "each user of the catalogue has its own part of it")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each group of steps is played in a place of its own; the rest is refused"
)]

pub(crate) mod alter;
pub(crate) mod ears;
pub(crate) mod entries;
pub(crate) mod ground;
pub(crate) mod kept;
pub(crate) mod matrix;
pub(crate) mod pki;
pub(crate) mod play;
pub(crate) mod trial;
pub(crate) mod watcher;

/// Anything that keeps a story from being played; it is no verdict.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;
