//! A supercluster on loopback: real `nats-server` processes, with a fault proxy in front of every gateway port, and of
//! every client port on request.
//!
//! This is what the `demo` verb, the tests and the benchmarks run on. The module owns finding (or installing) the
//! server program, starting and stopping servers, breaking the gateway connections between them in named ways, and
//! cleaning up: whatever ends this process, no server and no directory outlives it.
//!
//! It refuses to touch servers it did not start, and anything that is not loopback.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gatewatch::lab::{Fault, Supercluster};
//! use std::time::Duration;
//!
//! let lab = Supercluster::builder().cluster("east", 2).cluster("west", 2).start().await?;
//! lab.ready(Duration::from_secs(20)).await?;
//! lab.faults().cut_direction("east", "west", Fault::Blackhole)?;
//! # Ok(())
//! # }
//! ```
//!
//! How it hangs together: a server's gateway `advertise`s its `proxy`'s address, and every other cluster's servers
//! list only such addresses, so all bytes between clusters pass through a proxy. The proxy finds out who dials
//! (`dialler`) and asks the table of `faults` what to do with that connection; a `pump` carries it out. Servers
//! (`seat`, `server`, `process`) are registered with a `guard` process that kills them when this process is gone.

mod binary;
mod builder;
mod config;
mod control;
mod dialler;
mod faults;
mod guard;
mod ports;
mod process;
mod proxy;
mod pump;
mod ready;
mod seat;
mod server;
mod supercluster;

pub use binary::{
    FindServerError, Finder, MINIMUM_VERSION, OLDER_VERSIONS, PINNED_VERSION, ServerBinary, ServerVersion,
};
pub use builder::{Builder, StartError};
pub use config::{Credentials, GatewayTls, ServerOptions};
pub use control::ControlError;
pub use faults::{Fault, Faults, Path, Side, UnknownName};
pub use ready::ReadyError;
pub use server::LabServer;
pub use supercluster::{ConnectError, LabCluster, RollError, Supercluster};
