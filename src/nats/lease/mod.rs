//! Several gatewatch watch the same supercluster, and one of them speaks: the lease that decides which.
//!
//! Each sees everything for itself. The one that holds the lease publishes; the others are warm, say nothing and write nothing, and hear
//! what it says ([`Hearing`]), so that they can go on with its incidents under their ids. The lease lives in a bucket of its own,
//! `<alerts.bucket>_LEASE`, which drops what is not renewed within `lease.ttl`; it is only ever written by compare-and-set (`machine`).
//!
//! When the holder dies or is cut off, another speaks after `lease.ttl` and one look at the most. When nobody can reach the lease, each
//! speaks (fail open): a lone gatewatch without JetStream does too. Ids of incidents are made of what they are about and the minute in
//! which it began, so that several who speak give the same; the history keeps each revision once.
//!
//! A holder that did not run for a while knows by its own clock that its time is up, before it says anything more ([`Floor::lasts`]).
//! What was on its way out when it stopped may still be heard. A clock that stops along with the machine (a suspended host, a paused
//! guest) cannot tell: then it speaks until its next renewal fails, within a third of the time to live.

mod floor;
mod hearing;
mod machine;
mod store;
mod task;

pub use floor::{Call, Floor, Usher, floor};
pub use hearing::Hearing;
pub use machine::{Duty, Timing};
pub use store::lease_bucket;
pub(in crate::nats) use store::read_speaker;
pub use task::LeaseKeeper;
