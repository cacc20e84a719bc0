//! Free loopback ports and random secrets.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

/// Below the range from which systems take the local port of an outgoing connection, so that the port of a stopped
/// server is not taken by some unrelated connection before the server is started again.
const RANGE: Range<u16> = 10_000..30_000;

/// How many random ports are tried before giving up.
const TRIES: usize = 1_000;

/// Picks ports that are free now and different from each other.
#[derive(Default)]
pub(super) struct Ports {
    picked: BTreeSet<u16>,
}

impl Ports {
    /// A port on which nothing listens at the moment. Another process may still take it first: whoever binds it
    /// must be ready to pick again.
    pub(super) fn pick(&mut self) -> io::Result<u16> {
        let span = u64::from(RANGE.end - RANGE.start);
        for _ in 0..TRIES {
            let offset = u16::try_from(random() % span).unwrap_or_default();
            let port = RANGE.start + offset;
            if !self.picked.contains(&port) && TcpListener::bind(loopback(port)).is_ok() {
                self.picked.insert(port);
                return Ok(port);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port on 127.0.0.1 between 10000 and 30000"))
    }
}

/// `127.0.0.1:port`.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A random number, good enough for ports and jitter: the hasher's keys come from the system's random source.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A password for accounts that live only on loopback and only as long as the lab.
pub(super) fn password() -> String {
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_distinct_ports_outside_the_ephemeral_range() {
        let mut ports = Ports::default();
        let picked: BTreeSet<u16> = (0..50).map(|_| ports.pick().unwrap()).collect();
        assert_eq!(picked.len(), 50);
        assert!(picked.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn passwords_differ() {
        assert_ne!(password(), password());
    }
}
