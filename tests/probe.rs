//! Looks at gateway addresses: every kind of peer, friendly, strange and hostile, and a real gateway with TLS.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "probe/certificates.rs"]
mod certificates;
#[path = "probe/peers.rs"]
mod peers;

use certificates::Authority;
use chrono::{TimeZone, Utc};
use gatewatch::clock::Clock;
use gatewatch::config::settings::ProbeSettings;
use gatewatch::lab::{ServerOptions, Supercluster};
use gatewatch::metrics::Metrics;
use gatewatch::model::probe::{GatewayAddress, ProbeFound, Trust};
use gatewatch::nats::probe::{NotTaken, Prober};
use peers::{INFO, LOOK_WITHIN, Looking, asked, certificate, found, here, hold, peer};
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, mpsc, oneshot};
use tokio::time::timeout;

#[tokio::test]
async fn a_gateway_of_the_cluster_greets() {
    let port = peer(async |mut stream| {
        stream.write_all(INFO.as_bytes()).await.unwrap();
        hold(stream).await;
    })
    .await;
    let mut looking = Looking::start(None);
    assert_eq!(looking.look(here(port, false)).await, ProbeFound::Greeted { tls: None });
    assert_eq!(looking.counted("gatewatch_probes_total", Some("greeted")), 1);
}

#[tokio::test]
async fn a_greeting_in_pieces_is_a_greeting_and_nothing_is_answered() {
    let (answered, answer) = oneshot::channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in INFO.as_bytes().chunks(7) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        answered.send(said).unwrap();
    });
    assert_eq!(found(port, false).await, ProbeFound::Greeted { tls: None });
    assert_eq!(timeout(LOOK_WITHIN, answer).await.unwrap().unwrap(), Vec::<u8>::new());
}

#[tokio::test]
async fn a_gateway_of_another_cluster_is_named() {
    let port = peer(async |mut stream| {
        let info = INFO.replace("east", "we.st");
        stream.write_all(info.as_bytes()).await.unwrap();
        hold(stream).await;
    })
    .await;
    assert_eq!(found(port, false).await, ProbeFound::OtherGateway { name: "we.st".into() });
}

#[tokio::test]
async fn what_greets_otherwise_is_no_gateway() {
    let client_port = "INFO {\"server_id\":\"NA\",\"cluster\":\"east\"} \r\n";
    for said in [client_port, "SSH-2.0-server\r\n", "\r\n", "INFO {\r\n", "\u{0}\u{1}\u{2}"] {
        let port = peer(move |mut stream| async move {
            stream.write_all(said.as_bytes()).await.unwrap();
            hold(stream).await;
        })
        .await;
        assert_eq!(found(port, false).await, ProbeFound::Foreign, "{said:?}");
    }
}

#[tokio::test]
async fn a_port_on_which_nothing_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(found(port, false).await, ProbeFound::Refused);
}

#[tokio::test]
async fn a_peer_that_says_nothing_or_closes_is_silent() {
    let silent = peer(hold).await;
    let closing = peer(async |stream| drop(stream)).await;
    for (port, tls) in [(silent, false), (silent, true), (closing, false), (closing, true)] {
        assert_eq!(found(port, tls).await, ProbeFound::Silent, "tls: {tls}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unresolved() {
    let address = GatewayAddress { host: "no-such-host.invalid".to_owned(), port: 7222, tls: false };
    assert_eq!(Looking::start(None).look(address).await, ProbeFound::Unresolved);
}

#[tokio::test]
async fn a_name_is_resolved() {
    let port = peer(async |mut stream| {
        stream.write_all(INFO.as_bytes()).await.unwrap();
        hold(stream).await;
    })
    .await;
    let address = GatewayAddress { host: "localhost".to_owned(), port, tls: false };
    assert_eq!(Looking::start(None).look(address).await, ProbeFound::Greeted { tls: None });
}

#[tokio::test]
async fn a_good_certificate_is_seen_without_logging_in() {
    let authority = Authority::new();
    for version in [&TLS12, &TLS13] {
        let (port, outcomes) = authority.listen(authority.sign("127.0.0.1", 2200), version);
        let seen = certificate(Looking::start(Some(authority.ca())).look(here(port, true)).await);
        assert_eq!(seen.not_before, Utc.with_ymd_and_hms(2020, 1, 1, 0, 0, 0).unwrap());
        assert_eq!(seen.not_after, Utc.with_ymd_and_hms(2200, 1, 1, 0, 0, 0).unwrap());
        assert_eq!((seen.names_host, seen.trusted), (true, Trust::Trusted), "{version:?}");
        assert!(seen.issuer.contains("the authority") && seen.subject.contains("a gateway"), "{seen:?}");
        let outcome = outcomes.recv_timeout(LOOK_WITHIN).unwrap();
        assert!(outcome.contains("no certificates"), "{outcome}");
    }
}

#[tokio::test]
async fn dates_names_and_trust_are_judged_apart() {
    let (authority, other) = (Authority::new(), Authority::new());
    let cases = [
        ("expired", authority.sign("127.0.0.1", 2021), 2021, true, Trust::Trusted),
        ("wrong name", authority.sign("gateway.example", 2200), 2200, false, Trust::Trusted),
        ("untrusted", other.sign("127.0.0.1", 2200), 2200, true, Trust::Untrusted),
        ("all of it", other.sign("127.0.0.2", 2021), 2021, false, Trust::Untrusted),
    ];
    for (case, shown, until, names_host, trusted) in cases {
        let (port, _outcomes) = authority.listen(shown, &TLS13);
        let seen = certificate(Looking::start(Some(authority.ca())).look(here(port, true)).await);
        assert_eq!(seen.not_after, Utc.with_ymd_and_hms(until, 1, 1, 0, 0, 0).unwrap(), "{case}");
        assert_eq!((seen.names_host, seen.trusted), (names_host, trusted), "{case}");
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_proves_nothing() {
    let authority = Authority::new();
    for version in [&TLS12, &TLS13] {
        let (port, _outcomes) = authority.listen(authority.sign("127.0.0.1", 2200).stolen(), version);
        assert_eq!(found(port, true).await, ProbeFound::TlsFailed, "{version:?}");
    }
}

#[tokio::test]
async fn a_host_name_is_compared_with_the_names_in_the_certificate() {
    let authority = Authority::new();
    for (named, expected) in [("localhost", true), ("127.0.0.1", false)] {
        let (port, _outcomes) = authority.listen(authority.sign(named, 2200), &TLS13);
        let address = GatewayAddress { host: "localhost".to_owned(), port, tls: true };
        assert_eq!(certificate(Looking::start(None).look(address).await).names_host, expected, "{named}");
    }
}

#[tokio::test]
async fn trust_is_judged_only_by_authorities_that_can_be_read() {
    let authority = Authority::new();
    let empty = authority.ca().with_file_name("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for ca in [None, Some(empty), Some(authority.ca().with_file_name("gone.pem"))] {
        let (port, _outcomes) = authority.listen(authority.sign("127.0.0.1", 2200), &TLS13);
        let seen = certificate(Looking::start(ca.clone()).look(here(port, true)).await);
        assert_eq!(seen.trusted, Trust::Unchecked, "{ca:?}");
    }
}

#[tokio::test]
async fn a_gateway_of_which_tls_was_wrongly_said_is_seen_as_it_is() {
    let plain = peer(async |mut stream| {
        stream.write_all(INFO.as_bytes()).await.unwrap();
        hold(stream).await;
    })
    .await;
    assert_eq!(found(plain, true).await, ProbeFound::Greeted { tls: None });
    let authority = Authority::new();
    let (port, _outcomes) = authority.listen(authority.sign("127.0.0.1", 2200), &TLS13);
    assert_eq!(found(port, false).await, ProbeFound::Silent);
}

#[tokio::test]
async fn a_handshake_that_goes_wrong_before_the_certificate_has_failed() {
    let alert: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
    let garbage: &[u8] = &[22, 3, 3, 0, 4, 2, 0, 0, 0];
    let nonsense: &[u8] = &[22, 255, 255, 255, 255, 1, 1, 1];
    for said in [alert, garbage, nonsense] {
        let port = peer(move |mut stream| async move {
            stream.write_all(said).await.unwrap();
            hold(stream).await;
        })
        .await;
        assert_eq!(found(port, true).await, ProbeFound::TlsFailed, "{said:?}");
    }
}

/// What a peer that never ends may send before it is hung up on: the limit of a look, and what the buffers of two sockets hold.
const SENT_AT_MOST: usize = 16 << 20;

#[tokio::test]
async fn a_peer_that_never_ends_is_hung_up_on() {
    let line = (b"INFO ".as_slice(), [b'x'; 4096].as_slice(), false, ProbeFound::Foreign);
    let alerts = [21, 3, 3, 0, 2, 1, 90].repeat(500);
    let record = (b"".as_slice(), alerts.as_slice(), true, ProbeFound::TlsFailed);
    for (first, then, tls, expected) in [line, record] {
        let (first, then) = (first.to_vec(), then.to_vec());
        let (sent, sending) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, callers) = (Arc::clone(&sent), Arc::clone(&sending));
        let port = peer(move |mut stream| {
            let (first, then) = (first.clone(), then.clone());
            let (count, callers) = (Arc::clone(&count), Arc::clone(&callers));
            async move {
                callers.fetch_add(1, Ordering::Relaxed);
                stream.write_all(&first).await.unwrap();
                while stream.write_all(&then).await.is_ok() {
                    count.fetch_add(then.len(), Ordering::Relaxed);
                }
                callers.fetch_sub(1, Ordering::Relaxed);
            }
        })
        .await;
        assert_eq!(found(port, tls).await, expected);
        let hung_up = async {
            while sending.load(Ordering::Relaxed) > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(LOOK_WITHIN, hung_up).await.expect("the peer is hung up on");
        assert!(sent.load(Ordering::Relaxed) < SENT_AT_MOST, "{sent:?} bytes were taken");
    }
}

#[tokio::test]
async fn a_peer_that_drips_does_not_hold_up_a_look() {
    for (drop, tls, expected) in [(b' ', false, ProbeFound::Silent), (3, true, ProbeFound::TlsFailed)] {
        let first: &[u8] = if tls { &[22, 3, 3, 64, 0] } else { b"INFO {" };
        let port = peer(move |mut stream| async move {
            stream.write_all(first).await.unwrap();
            while stream.write_all(&[drop]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        // The prober keeps to its own limit, which is below that of `found`.
        let looked = timeout(Duration::from_secs(5), found(port, tls)).await;
        assert_eq!(looked, Ok(expected), "tls: {tls}");
    }
}

#[tokio::test]
async fn an_address_is_not_looked_at_again_at_once() {
    let port = peer(async |stream| drop(stream)).await;
    let mut looking = Looking::start(None);
    looking.look(here(port, false)).await;
    let other = peer(async |stream| drop(stream)).await;
    looking.prober.try_send(asked(vec![here(port, false), here(other, false), here(other, true)])).unwrap();
    assert_eq!(looking.next().await.address, here(other, false));
    assert_eq!(looking.counted("gatewatch_probes_limited_total", None), 2);
    assert_eq!(looking.counted("gatewatch_probes_total", Some("silent")), 2);
}

#[tokio::test]
async fn at_most_four_addresses_are_looked_at_at_once_and_32_per_request() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let four = Arc::new(Barrier::new(4));
    let mut addresses = Vec::new();
    for _ in 0..40 {
        let (now, most, four) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&four));
        let port = peer(move |mut stream| {
            let (now, most, four) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&four));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                four.wait().await;
                // Time for a fifth to come.
                tokio::time::sleep(Duration::from_millis(50)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(INFO.as_bytes()).await.unwrap();
            }
        })
        .await;
        addresses.push(here(port, false));
    }
    let mut looking = Looking::start(None);
    looking.prober.try_send(asked(addresses.clone())).unwrap();
    let mut seen = Vec::new();
    for _ in 0..32 {
        seen.push(looking.next().await.address);
    }
    seen.sort();
    addresses.truncate(32);
    addresses.sort();
    assert_eq!(seen, addresses);
    assert_eq!(most.load(Ordering::SeqCst), 4);
    assert_eq!(looking.counted("gatewatch_probes_limited_total", None), 8);
}

#[tokio::test]
async fn requests_that_find_no_room_are_refused_and_counted() {
    let looking = Looking::start(None);
    // Without giving the prober a turn.
    let refused =
        (0..40).filter(|_| looking.prober.try_send(asked(Vec::new())) == Err(NotTaken::Full)).count();
    assert_eq!(refused, 8);
    assert_eq!(looking.counted("gatewatch_probe_requests_dropped_total", None), 8);
}

#[tokio::test]
async fn stopping_hangs_up_at_once() {
    let (called, call) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        called.send(()).unwrap();
        hold(stream).await;
        ended.send(()).unwrap();
    });
    let looking = Looking::start(None);
    looking.prober.try_send(asked(vec![here(port, false)])).unwrap();
    timeout(LOOK_WITHIN, call).await.unwrap().unwrap();
    // Well below the two seconds for which a look waits for a greeting.
    timeout(Duration::from_secs(1), looking.prober.stop()).await.unwrap();
    timeout(Duration::from_secs(1), end).await.unwrap().unwrap();
    assert_eq!(looking.metrics.probes.total(), 0);
}

#[tokio::test]
async fn switched_off_nothing_is_looked_at() {
    let settings = ProbeSettings { enabled: false, ca: None, every: Duration::from_secs(3600) };
    let (reports, mut reported) = mpsc::channel(1);
    let prober = Prober::start(&settings, Clock::start(), &Arc::<Metrics>::default(), reports);
    assert_eq!(prober.try_send(asked(vec![here(1, false)])), Err(NotTaken::Off));
    assert_eq!(reported.recv().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_gateways_are_seen_with_and_without_tls() {
    let authority = Authority::new();
    let block = authority.block(&authority.sign("127.0.0.1", 2200));
    let with_tls = ServerOptions { gateway_config: block, ..ServerOptions::default() };
    let lab = Supercluster::builder()
        .without_jetstream()
        .cluster("east", 1)
        .cluster("west", 1)
        .server("east-1", with_tls)
        .start()
        .await
        .unwrap();
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    let (east_port, west_port) = (east.gateway_address().port(), west.gateway_address().port());

    let mut looking = Looking::start(Some(authority.ca()));
    let seen = certificate(looking.look(here(east_port, true)).await);
    assert_eq!((seen.names_host, seen.trusted), (true, Trust::Trusted));
    assert_eq!(looking.look(here(west_port, true)).await, ProbeFound::OtherGateway { name: "west".into() });
    // What the documentation of the setting promises of the servers' logs.
    let logged = async {
        let expected = "TLS gateway handshake error: tls: client didn't provide a certificate";
        while !std::fs::read_to_string(east.log_path()).unwrap().contains(expected) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let logged = timeout(LOOK_WITHIN, logged).await;
    assert!(logged.is_ok(), "{}", std::fs::read_to_string(east.log_path()).unwrap());
    assert_eq!(Looking::start(None).look(here(east_port, false)).await, ProbeFound::Silent);
}
