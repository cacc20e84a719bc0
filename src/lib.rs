//! gatewatch watches the gateways of a NATS supercluster.

pub mod clock;
pub mod model;
