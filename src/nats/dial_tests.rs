use super::{DialError, check_cluster, reason, shown};
use crate::config::connection::{ConnectionSettings, Credentials, TlsSettings};
use crate::model::ids::ClusterName;
use crate::model::observation::Disconnect;
use crate::nats::connect_error::{Attempt, explain};
use async_nats::{ConnectErrorKind, ServerAddr};
use std::io;
use std::time::Duration;

fn address() -> ServerAddr {
    "nats://a:1".parse().unwrap()
}

fn failed(kind: io::ErrorKind) -> DialError {
    let settings = ConnectionSettings {
        servers: Vec::new(),
        credentials: Credentials::None,
        tls: TlsSettings::default(),
        inbox_prefix: "_INBOX".to_owned(),
    };
    let attempt = Attempt::new(&address(), &settings, "test".to_owned());
    let error = async_nats::ConnectError::with_source(ConnectErrorKind::Io, io::Error::from(kind));
    DialError::from(explain(attempt, error))
}

fn refused() -> DialError {
    failed(io::ErrorKind::ConnectionRefused)
}

fn silent() -> DialError {
    DialError::Silent { address: "a:1".to_owned(), limit: Duration::from_secs(1) }
}

fn foreign() -> DialError {
    check_cluster(Some("west"), &address(), Some(&ClusterName::from("east"))).unwrap_err()
}

#[test]
fn only_refusal_by_every_address_is_a_refusal() {
    assert_eq!(reason(&[refused(), refused()]), Disconnect::Refused);
    assert_eq!(reason(&[refused(), silent()]), Disconnect::TimedOut);
    assert_eq!(reason(&[refused(), failed(io::ErrorKind::HostUnreachable)]), Disconnect::Other);
    assert_eq!(reason(&[]), Disconnect::Other);
}

#[test]
fn an_address_to_which_this_host_has_no_way_says_nothing() {
    let no_way = || failed(io::ErrorKind::NetworkUnreachable);
    assert_eq!(reason(&[refused(), no_way()]), Disconnect::Refused);
    assert_eq!(reason(&[no_way(), no_way()]), Disconnect::Other);
}

#[test]
fn what_a_person_can_mend_is_told_before_silence() {
    assert_eq!(reason(&[silent(), foreign()]), Disconnect::WrongCluster);
    assert_eq!(reason(&[silent()]), Disconnect::TimedOut);
}

#[test]
fn time_heals_silence_and_refusal_and_nothing_that_is_set_wrong() {
    assert!(!refused().needs_a_person() && !silent().needs_a_person());
    assert!(foreign().needs_a_person());
}

#[test]
fn a_server_without_a_cluster_has_nothing_to_watch() {
    assert!(matches!(check_cluster(None, &address(), None), Err(DialError::NoCluster { .. })));
    assert!(matches!(check_cluster(Some(""), &address(), None), Err(DialError::NoCluster { .. })));
    assert_eq!(check_cluster(Some("east"), &address(), None).unwrap(), ClusterName::from("east"));
}

#[test]
fn addresses_are_shown_without_a_login() {
    assert_eq!(shown(&"nats://u:p@host:4222".parse().unwrap()), "host:4222");
    assert_eq!(shown(&"nats://[::1]:4222".parse().unwrap()), "[::1]:4222");
}
