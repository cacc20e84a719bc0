//! gatewatch watches the gateways of a NATS supercluster.

pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod lab;
pub mod metrics;
pub mod model;
pub mod nats;
pub mod wire;
