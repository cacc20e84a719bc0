//! Current truth, kept in the key-value bucket: read back at start, written while running, shown by `status`.
//!
//! Keys are those of [`crate::wire::record`]. Keys of others in the bucket are never touched.

mod bucket;
mod keep;
mod listen;
mod plan;
mod read;
mod reading;
mod wishes;

pub(in crate::nats) use bucket::Bucket;
pub use keep::StateKeeper;
pub use listen::Listener;
pub use read::{StateError, read_memory, read_snapshot};
pub(in crate::nats) use reading::Reading;
pub use wishes::Wishes;
