//! Everything that talks to NATS.

pub mod connect;
pub mod connect_error;
pub mod credentials;
