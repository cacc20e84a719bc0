//! Who dials a gateway port.
//!
//! Two ways. Where the system tells which process owns a socket (Linux), the dialler is known before it has said
//! anything, so that a connection into a blackhole stays silent from the first byte. Elsewhere, and as a second
//! chance, it is read from what gateways say first: the dialled side sends INFO, the dialler answers with a CONNECT
//! that carries `gateway` (its cluster) and an INFO that carries `server_name`.

use crate::model::ids::ServerKey;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// More than any first two lines of a gateway; a dialler that exceeds it is not a gateway.
pub(super) const HANDSHAKE_LIMIT: usize = 64 * 1024;

/// The running servers of a lab, by process id.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster(Arc<Mutex<BTreeMap<u32, ServerKey>>>);

impl Roster {
    /// Enters a server process, until the entry is dropped.
    pub(super) fn enter(&self, pid: u32, key: &ServerKey) -> RosterEntry {
        self.locked(|roster| roster.insert(pid, key.clone()));
        RosterEntry { roster: self.clone(), pid }
    }

    /// The server that holds the other end of a connection from `peer` to `local`, if the system tells.
    pub(super) async fn owner(&self, peer: SocketAddr, local: SocketAddr) -> Option<ServerKey> {
        let roster = self.locked(|roster| roster.clone());
        // Reads files of /proc: quick, but not for the threads that move bytes.
        tokio::task::spawn_blocking(move || {
            let socket = format!("socket:[{}]", socket_inode(peer, local)?);
            roster.into_iter().find(|(pid, _)| holds(*pid, &socket)).map(|(_, key)| key)
        })
        .await
        .ok()
        .flatten()
    }

    fn locked<T>(&self, with: impl FnOnce(&mut BTreeMap<u32, ServerKey>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps a server process on the [`Roster`].
#[derive(Debug)]
pub(super) struct RosterEntry {
    roster: Roster,
    pid: u32,
}

impl Drop for RosterEntry {
    fn drop(&mut self) {
        self.roster.locked(|roster| roster.remove(&self.pid));
    }
}

fn socket_inode(peer: SocketAddr, local: SocketAddr) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    find_inode(&table, &proc_address(peer)?, &proc_address(local)?)
}

/// Columns of `/proc/net/tcp`: number, local, remote, state, queues, timer, retransmits, uid, timeout, inode.
fn find_inode(table: &str, local: &str, remote: &str) -> Option<u64> {
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace();
        let found = columns.nth(1)? == local && columns.next()? == remote;
        if found { columns.nth(6)?.parse().ok() } else { None }
    })
}

/// An IPv4 address as that file spells it: the address in the machine's byte order, both parts in hex.
fn proc_address(address: SocketAddr) -> Option<String> {
    match address {
        SocketAddr::V4(v4) => {
            Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(Ipv4Addr::octets(v4.ip())), v4.port()))
        }
        SocketAddr::V6(_) => None,
    }
}

fn holds(pid: u32, socket: &str) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files
        .flatten()
        .any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == socket))
}

/// What the first bytes of a dialler say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// Not enough yet.
    Incomplete,
    /// A gateway of this server.
    Gateway(ServerKey),
    /// Something that does not speak the plain gateway protocol.
    Foreign,
}

#[derive(Deserialize)]
struct Connect {
    gateway: String,
}

#[derive(Deserialize)]
struct Info {
    server_name: String,
}

/// Reads CONNECT and INFO from what the dialler has sent so far.
pub(super) fn read_handshake(sent: &[u8]) -> Handshake {
    let mut lines = sent.split_inclusive(|byte| *byte == b'\n');
    let connect: Connect = match verb(lines.next().unwrap_or_default(), b"CONNECT ") {
        Verb::Body(connect) => connect,
        Verb::Incomplete => return Handshake::Incomplete,
        Verb::Other => return Handshake::Foreign,
    };
    match verb::<Info>(lines.next().unwrap_or_default(), b"INFO ") {
        Verb::Body(info) => Handshake::Gateway(ServerKey {
            cluster: connect.gateway.as_str().into(),
            name: info.server_name.as_str().into(),
        }),
        Verb::Incomplete => Handshake::Incomplete,
        Verb::Other => Handshake::Foreign,
    }
}

enum Verb<T> {
    Body(T),
    Incomplete,
    Other,
}

fn verb<T: for<'a> Deserialize<'a>>(line: &[u8], word: &[u8]) -> Verb<T> {
    let common = line.len().min(word.len());
    if line[..common] != word[..common] {
        return Verb::Other;
    }
    if !line.ends_with(b"\n") {
        return Verb::Incomplete;
    }
    serde_json::from_slice(&line[common..]).map_or(Verb::Other, Verb::Body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::ports::loopback;

    const HELLO: &[u8] = b"CONNECT {\"verbose\":false,\"name\":\"NAB\",\"gateway\":\"east\"}\r\n\
        INFO {\"server_id\":\"NAB\",\"server_name\":\"east-1\",\"gateway\":\"east\"}\r\nPING\r\n";

    #[test]
    fn a_gateway_is_known_once_both_lines_are_complete_and_not_before() {
        let complete = HELLO.len() - b"PING\r\n".len();
        for len in 0..complete {
            assert_eq!(read_handshake(&HELLO[..len]), Handshake::Incomplete, "after {len} bytes");
        }
        let key = ServerKey { cluster: "east".into(), name: "east-1".into() };
        assert_eq!(read_handshake(&HELLO[..complete]), Handshake::Gateway(key.clone()));
        assert_eq!(read_handshake(HELLO), Handshake::Gateway(key));
    }

    #[test]
    fn clients_tls_and_noise_are_foreign() {
        for sent in [
            b"CONNECT {\"name\":\"a client\"}\r\n".as_slice(),
            b"\x16\x03\x01",
            b"GET / HTTP/1.1\r\n",
            b"CONNECT nonsense\r\n",
            b"CONNECT {\"gateway\":\"east\"}\r\nPING\r\n",
        ] {
            assert_eq!(read_handshake(sent), Handshake::Foreign, "{sent:?}");
        }
    }

    #[test]
    fn a_socket_is_found_by_both_ends() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 0100007F:2328 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n";
        assert_eq!(find_inode(table, "0100007F:1F90", "0100007F:2328"), Some(4711));
        assert_eq!(find_inode(table, "0100007F:2328", "0100007F:1F90"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_spelt_as_the_system_does() {
        assert_eq!(proc_address(loopback(8080)).as_deref(), Some("0100007F:1F90"));
    }
}
