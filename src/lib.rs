//! gatewatch watches the gateways of a NATS supercluster.

pub mod clock;
pub mod engine;
pub mod model;
pub mod wire;
