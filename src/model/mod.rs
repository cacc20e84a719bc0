//! Plain values every other module speaks in: names, time, observations, probes, states, transitions, incidents, snapshots.
//!
//! Owns no behaviour beyond construction and naming; does no IO, reads no clock and knows no byte format.

pub mod ask;
pub mod cause;
pub mod evidence;
pub mod health;
pub mod ids;
pub mod impact;
pub mod incident;
pub mod intent;
pub mod jetstream;
pub mod observation;
pub mod probe;
pub mod snapshot;
pub mod states;
pub mod time;
pub mod transition;
