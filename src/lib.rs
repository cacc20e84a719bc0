//! gatewatch watches the gateways of a NATS supercluster.

pub mod clock;
pub mod lab;
pub mod model;
