//! Free loopback ports and random secrets.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;

/// Below the range from which systems take the local port of an outgoing connection, so that the port of a stopped
/// server is not taken by some unrelated connection before the server is started again.
const RANGE: Range<u16> = 10_000..30_000;

/// How many random ports are tried before giving up.
const TRIES: usize = 1_000;

/// Picks ports that are free now, and keeps other labs on this machine from picking them as long as it lives.
///
/// Without that a server could be taken for up when its client port answers, and the answer be another lab's.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// A UDP socket of the same number stands for each picked TCP port: nobody else binds these, the system takes
    /// them back when the process ends, and nothing is left on disk.
    kept: Vec<UdpSocket>,
}

impl Ports {
    /// A port on which nothing listens at the moment, and which no lab has. Another program may still take it first:
    /// whoever binds it must be ready to pick again.
    pub(super) fn pick(&mut self) -> io::Result<u16> {
        let span = u64::from(RANGE.end - RANGE.start);
        for _ in 0..TRIES {
            let offset = u16::try_from(random() % span).unwrap_or_default();
            let port = RANGE.start + offset;
            let Ok(kept) = UdpSocket::bind(loopback(port)) else { continue };
            if TcpListener::bind(loopback(port)).is_ok() {
                self.kept.push(kept);
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
    use std::collections::BTreeSet;

    #[test]
    fn picks_distinct_ports_outside_the_ephemeral_range() {
        let mut ports = Ports::default();
        let picked: BTreeSet<u16> = (0..50).map(|_| ports.pick().unwrap()).collect();
        assert_eq!(picked.len(), 50);
        assert!(picked.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn no_other_lab_gets_a_port_before_the_lab_that_has_it_ends() {
        let mut ports = Ports::default();
        let port = ports.pick().unwrap();
        assert!(TcpListener::bind(loopback(port)).is_ok(), "its server can listen there");
        assert!(UdpSocket::bind(loopback(port)).is_err(), "another lab sees that it is taken");
        drop(ports);
        assert!(UdpSocket::bind(loopback(port)).is_ok());
    }

    #[test]
    fn passwords_differ() {
        assert_ne!(password(), password());
    }
}
