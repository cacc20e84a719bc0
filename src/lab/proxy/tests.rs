//! The proxy between a dialler and a target played by the test: no process owns the sockets on the roster, so the
//! dialler is known by what it says.

use super::*;
use crate::lab::faults::{Faults, Path, Side};
use crate::lab::ports::{Ports, loopback};
use tokio::time::timeout;

const GREETING: &[u8] = b"INFO {\"server_id\":\"NW\",\"gateway\":\"west\"}\r\n";
const HELLO: &[u8] = b"CONNECT {\"gateway\":\"east\"}\r\nINFO {\"server_name\":\"east-1\"}\r\n";
const SOON: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_millis(200);

struct Bench {
    faults: Faults,
    proxy: Proxy,
    target: TcpListener,
}

impl Bench {
    async fn new() -> Self {
        let key = |cluster: &str, name: &str| ServerKey { cluster: cluster.into(), name: name.into() };
        let faults = Faults::new(&[key("east", "east-1"), key("east", "east-2"), key("west", "west-1")]);
        let target = TcpListener::bind(loopback(0)).await.unwrap();
        let context = Context {
            target: key("west", "west-1"),
            address: target.local_addr().unwrap(),
            dialler: None,
            faults: faults.subscribe(),
            roster: Roster::default(),
            clock: Clock::start(),
        };
        let proxy = Proxy::new(loopback(Ports::default().pick().unwrap()), context);
        proxy.open().await.unwrap();
        Self { faults, proxy, target }
    }

    /// Dials, lets the target greet, and answers the greeting.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut dialler = TcpStream::connect(self.proxy.address()).await.unwrap();
        let (mut target, _) = self.target.accept().await.unwrap();
        target.write_all(GREETING).await.unwrap();
        assert_eq!(hear(&mut dialler, GREETING.len()).await.unwrap(), GREETING);
        dialler.write_all(HELLO).await.unwrap();
        (dialler, target)
    }

    fn only_east_1(&self, fault: Fault) {
        let path = Path { from: Side::server("east", "east-1"), to: Side::cluster("west") };
        self.faults.set(path, fault).unwrap();
    }
}

async fn hear(stream: &mut TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; count];
    timeout(SOON, stream.read_exact(&mut heard)).await.expect("heard in time")?;
    Ok(heard)
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn bytes_pass_both_ways() {
    let bench = Bench::new().await;
    let (mut dialler, mut target) = bench.connect().await;
    assert_eq!(hear(&mut target, HELLO.len()).await.unwrap(), HELLO);
    target.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(hear(&mut dialler, 6).await.unwrap(), b"PING\r\n");
}

#[tokio::test]
async fn what_one_side_sent_before_it_closed_still_arrives() {
    let bench = Bench::new().await;
    let (mut dialler, mut target) = bench.connect().await;
    hear(&mut target, HELLO.len()).await.unwrap();
    target.write_all(b"-ERR\r\n").await.unwrap();
    drop(target);
    assert_eq!(hear(&mut dialler, 6).await.unwrap(), b"-ERR\r\n");
    assert_eq!(timeout(SOON, dialler.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_blackhole_holds_a_new_dialler_from_its_first_line_and_the_heal_lets_it_flow() {
    let bench = Bench::new().await;
    bench.only_east_1(Fault::Blackhole);
    let (mut dialler, mut target) = bench.connect().await;
    assert!(is_silent(&mut target).await);
    target.write_all(b"PING\r\n").await.unwrap();
    assert!(is_silent(&mut dialler).await);

    bench.faults.clear_all();
    assert_eq!(hear(&mut target, HELLO.len()).await.unwrap(), HELLO);
    assert_eq!(hear(&mut dialler, 6).await.unwrap(), b"PING\r\n");
}

#[tokio::test]
async fn a_blackhole_on_a_live_connection_keeps_the_sockets_open_even_when_one_side_closes() {
    let bench = Bench::new().await;
    let (dialler, mut target) = bench.connect().await;
    hear(&mut target, HELLO.len()).await.unwrap();
    bench.only_east_1(Fault::Blackhole);
    tokio::time::sleep(SILENCE).await;
    drop(dialler);
    assert!(is_silent(&mut target).await, "the end does not cross either");
    bench.faults.clear_all();
    assert_eq!(timeout(SOON, target.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_fault_of_another_server_of_the_same_cluster_is_not_mine() {
    let bench = Bench::new().await;
    let path = Path { from: Side::server("east", "east-2"), to: Side::cluster("west") };
    bench.faults.set(path, Fault::Reset).unwrap();
    let (_dialler, mut target) = bench.connect().await;
    assert_eq!(hear(&mut target, HELLO.len()).await.unwrap(), HELLO);
}

#[tokio::test]
async fn a_reset_is_a_tcp_reset_for_both_sides_of_live_and_new_connections() {
    let bench = Bench::new().await;
    let (mut dialler, mut target) = bench.connect().await;
    hear(&mut target, HELLO.len()).await.unwrap();
    bench.only_east_1(Fault::Reset);
    for stream in [&mut dialler, &mut target] {
        assert_eq!(hear(stream, 1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    let (mut dialler, mut target) = bench.connect().await;
    for stream in [&mut dialler, &mut target] {
        assert_eq!(hear(stream, 1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn refusing_spares_the_live_connection() {
    let bench = Bench::new().await;
    let (mut live, mut target) = bench.connect().await;
    hear(&mut target, HELLO.len()).await.unwrap();
    bench.only_east_1(Fault::Refuse);
    let (mut new, _target) = bench.connect().await;
    assert_eq!(hear(&mut new, 1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    target.write_all(b"+").await.unwrap();
    assert_eq!(hear(&mut live, 1).await.unwrap(), b"+");
}

#[tokio::test]
async fn what_is_no_gateway_of_this_lab_passes_untouched() {
    let bench = Bench::new().await;
    bench.faults.cut_pair("east", "west", Fault::Blackhole).unwrap();
    let mut dialler = TcpStream::connect(bench.proxy.address()).await.unwrap();
    let (mut target, _) = bench.target.accept().await.unwrap();
    dialler.write_all(b"\x16\x03\x01 a TLS greeting").await.unwrap();
    assert_eq!(hear(&mut target, 3).await.unwrap(), b"\x16\x03\x01");
    target.write_all(b"\x16").await.unwrap();
    assert_eq!(hear(&mut dialler, 1).await.unwrap(), b"\x16");
}

#[tokio::test]
async fn a_closed_proxy_refuses_dials_and_opens_again_at_the_same_address() {
    let bench = Bench::new().await;
    let (_dialler, mut target) = bench.connect().await;
    bench.proxy.close();
    let refused = async {
        while TcpStream::connect(bench.proxy.address()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, refused).await.expect("dials are refused");
    assert_eq!(hear(&mut target, HELLO.len()).await.unwrap(), HELLO, "the live connection goes on");
    bench.proxy.open().await.unwrap();
    assert!(TcpStream::connect(bench.proxy.address()).await.is_ok());
}

/// The system knows who owns a socket: here the test's own process plays a server.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_owner_of_a_socket_is_known_before_it_speaks() {
    let listener = TcpListener::bind(loopback(0)).await.unwrap();
    let _dialler = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    let roster = Roster::default();
    let local = accepted.local_addr().unwrap();
    assert_eq!(roster.owner(peer, local).await, None);
    let key = ServerKey { cluster: "east".into(), name: "east-1".into() };
    let entry = roster.enter(std::process::id(), &key);
    assert_eq!(roster.owner(peer, local).await, Some(key));
    drop(entry);
    assert_eq!(roster.owner(peer, local).await, None);
}
