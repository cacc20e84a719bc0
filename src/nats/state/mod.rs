//! Current truth, kept in the key-value bucket: read back at start, written while running, shown by `status`.
//!
//! Keys are those of [`crate::wire::record`]. Keys of others in the bucket are never touched.

mod bucket;
mod keep;
mod plan;
mod read;

pub use keep::StateKeeper;
pub use read::{StateError, read_memory, read_snapshot};
