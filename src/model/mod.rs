//! Plain values every other module speaks in: names, time, observations, states, transitions, incidents, snapshots.
//!
//! Owns no behaviour beyond construction and naming; does no IO, reads no clock and knows no byte format.

pub mod ids;
pub mod time;
