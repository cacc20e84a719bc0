//! What can go wrong when a server is started, stopped or signalled.

use crate::model::ids::ServerKey;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a server could not be steered.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It does not run, so there is nothing to send a signal to. Start it first.
    #[error("server {server} does not run")]
    NotRunning {
        /// Which server.
        server: ServerKey,
    },
    /// It runs already. Stop it first.
    #[error("server {server} runs already")]
    AlreadyRunning {
        /// Which server.
        server: ServerKey,
    },
    /// The system refused a signal or could not tell the state of the process.
    #[error("cannot signal server {server}")]
    Signal {
        /// Which server.
        server: ServerKey,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It did not end in the time given.
    #[error("server {server} still runs after {waited:?}")]
    StillRunning {
        /// Which server.
        server: ServerKey,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Its files could not be written or its program not be started.
    #[error("cannot start server {server} with {}", program.display())]
    Spawn {
        /// Which server.
        server: ServerKey,
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It ended right after its start; its log says why.
    #[error("server {server} ended at its start ({status}); its log ends with:\n{log}")]
    Died {
        /// Which server.
        server: ServerKey,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// It runs and does not greet clients.
    #[error("server {server} greets no client after {waited:?}; its log ends with:\n{log}")]
    Silent {
        /// Which server.
        server: ServerKey,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// The fault proxy cannot listen on its address.
    #[error("cannot listen on {address} in front of server {server}")]
    Proxy {
        /// Which server.
        server: ServerKey,
        /// The proxy's address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl ControlError {
    /// Whether somebody else took a port between its choice and its use: choosing again helps.
    pub(super) fn is_port_taken(&self) -> bool {
        match self {
            Self::Died { log, .. } => log.contains("address already in use"),
            Self::Proxy { source, .. } => source.kind() == io::ErrorKind::AddrInUse,
            Self::NotRunning { .. }
            | Self::AlreadyRunning { .. }
            | Self::Signal { .. }
            | Self::StillRunning { .. }
            | Self::Spawn { .. }
            | Self::Silent { .. } => false,
        }
    }
}
