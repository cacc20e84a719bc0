//! Everything that talks to NATS.

pub mod connect;
