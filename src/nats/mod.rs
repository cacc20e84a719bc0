//! Everything that talks to NATS.

mod backoff;
mod beat;
pub mod connect;
pub mod connect_error;
pub mod credentials;
mod dial;
mod discover;
mod first;
pub mod fleet;
pub mod heard;
mod inbox;
mod jetstream;
mod lane;
mod notice;
mod one_life;
pub mod provision;
pub mod publish;
mod reader;
mod survey;
mod vantage;

pub use dial::DialError;
pub use first::StartError;
pub use jetstream::JetStreamError;
