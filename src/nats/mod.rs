//! Everything that talks to NATS.
//!
//! [`fleet`] keeps one vantage (a checked system-account connection) in every cluster, asks servers for beats and surveys through them,
//! and hands what is heard to the driver ([`heard`]). It decodes through `wire`, judges nothing, and never lets a slow or dead
//! connection hold up another. [`connect`] makes single connections from the settings. [`probe`] looks at gateway addresses from outside.
//! [`publish`] has alerts stored, through the connections that [`voices`] keeps so that every cluster hears them.
//!
//! ```text
//! fleet --- lane ---> vantage --- dial, one_life ---> server
//!   ^                    |
//!   +----- notice ----- reader ---> driver, capture
//! ```

mod attempts;
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
pub mod history;
mod inbox;
mod jetstream;
mod lane;
pub mod lease;
mod notice;
mod one_life;
pub mod probe;
pub mod provision;
pub mod publish;
mod reader;
pub mod rights;
mod scan;
pub mod state;
mod survey;
mod vantage;
pub mod voices;

pub use dial::DialError;
pub use first::StartError;
pub use jetstream::JetStreamError;
