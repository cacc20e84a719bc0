//! Why there is no connection, in words that tell how to mend it.

use super::connect::CONNECT_TIMEOUT;
use super::credentials::CredentialsError;
use crate::config::connection::ConnectionSettings;
use async_nats::rustls;
use async_nats::{ConnectErrorKind, ServerAddr};
use std::error::Error;
use std::io;

/// Where and as whom a connection was tried; reads `gatewatch/system to nats://host:4222 with user "sys"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The connection's name.
    pub connection: String,
    /// The server.
    pub url: String,
    /// The kind of login, without secrets.
    pub login: String,
}

impl Attempt {
    pub(super) fn new(server: &ServerAddr, settings: &ConnectionSettings, connection: String) -> Self {
        let url = server.as_url_str().to_owned();
        Self { connection, url, login: settings.credentials.describe() }
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {} with {}", self.connection, self.url, self.login)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The settings name no server.
    #[error("{connection}: no server to connect to; give at least one URL")]
    NoServers {
        /// The connection's name.
        connection: String,
    },
    /// The server's name has no address.
    #[error(
        "cannot connect {attempt}: the host name has no address; check its spelling and the name service"
    )]
    Unresolved {
        /// Where and as whom.
        attempt: Attempt,
        /// What the client said.
        source: async_nats::ConnectError,
    },
    /// Nothing listens at that address.
    #[error(
        "cannot connect {attempt}: connection refused; is the server running, and is this its client port, not \
         that of its cluster, gateway or monitoring?"
    )]
    Refused {
        /// Where and as whom.
        attempt: Attempt,
        /// What the client said.
        source: async_nats::ConnectError,
    },
    /// No answer in time.
    #[error(
        "cannot connect {attempt}: no answer within {} s; check the address and firewalls, and set tls.first when \
         the server wants the TLS handshake first",
        CONNECT_TIMEOUT.as_secs()
    )]
    TimedOut {
        /// Where and as whom.
        attempt: Attempt,
        /// What the client said.
        source: async_nats::ConnectError,
    },
    /// The TLS handshake failed, or its files cannot be used.
    #[error("cannot connect {attempt}: TLS failed: {}; {}", cause(source), mend_tls(source))]
    Tls {
        /// Where and as whom.
        attempt: Attempt,
        /// What the client said.
        source: async_nats::ConnectError,
    },
    /// The credentials cannot be used at all.
    #[error("cannot connect {attempt}: {source}")]
    Credentials {
        /// Where and as whom.
        attempt: Attempt,
        /// What is wrong with them.
        source: CredentialsError,
    },
    /// The server does not take the login.
    #[error(
        "cannot connect {attempt}: the server rejected the login ({}); check that these credentials are valid, not \
         expired, and known to this server",
        cause(source)
    )]
    Rejected {
        /// Where and as whom.
        attempt: Attempt,
        /// What the client said.
        source: async_nats::ConnectError,
    },
    /// Anything else: the connection broke, or what answers there is no NATS server.
    #[error(
        "cannot connect {attempt}: {}; is this the client port of a NATS server? Set tls.first when it \
        wants the TLS handshake first",
        cause(source)
    )]
    Broken {
        /// Where and as whom.
        attempt: Attempt,
        /// What the client said.
        source: async_nats::ConnectError,
    },
}

impl ConnectError {
    /// How far the attempt came; of several, the one that came farthest says most.
    pub(super) const fn progress(&self) -> u8 {
        match self {
            Self::NoServers { .. } => 0,
            Self::Unresolved { .. } => 1,
            Self::Refused { .. } | Self::TimedOut { .. } => 2,
            Self::Broken { .. } => 3,
            Self::Tls { .. } => 4,
            Self::Credentials { .. } => 5,
            Self::Rejected { .. } => 6,
        }
    }
}

/// Says what a failed attempt means.
pub(super) fn explain(attempt: Attempt, source: async_nats::ConnectError) -> ConnectError {
    match source.kind() {
        ConnectErrorKind::Dns => ConnectError::Unresolved { attempt, source },
        ConnectErrorKind::TimedOut => ConnectError::TimedOut { attempt, source },
        ConnectErrorKind::Tls => ConnectError::Tls { attempt, source },
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            ConnectError::Rejected { attempt, source }
        }
        ConnectErrorKind::Io if is_late_login(&source) => ConnectError::TimedOut { attempt, source },
        ConnectErrorKind::Io if is_rejection(&source) => ConnectError::Rejected { attempt, source },
        ConnectErrorKind::Io if is_tls(&source) => ConnectError::Tls { attempt, source },
        ConnectErrorKind::Io if is_refused(&source) => ConnectError::Refused { attempt, source },
        ConnectErrorKind::Io | ConnectErrorKind::ServerParse | ConnectErrorKind::MaxReconnects => {
            ConnectError::Broken { attempt, source }
        }
    }
}

fn io_error(error: &async_nats::ConnectError) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

fn is_refused(error: &async_nats::ConnectError) -> bool {
    io_error(error).is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn is_tls(error: &async_nats::ConnectError) -> bool {
    tls_error(error).is_some()
}

fn tls_error(error: &async_nats::ConnectError) -> Option<&rustls::Error> {
    io_error(error)?.get_ref()?.downcast_ref()
}

/// What to do about a handshake that failed. Whose certificate is meant is not said by the library's own words.
fn mend_tls(error: &async_nats::ConnectError) -> &'static str {
    use rustls::CertificateError as Bad;
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature)) => {
            "the server's certificate is not signed by an authority trusted here; give the file of the one that signed \
             it in tls.ca"
        }
        Some(rustls::Error::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        )) => {
            "connect by a name that the server's certificate is for: give such URLs in `servers`, for a discovered \
             cluster in a [[vantage]] block; or have the address added to the certificate"
        }
        Some(rustls::Error::InvalidCertificate(
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
        )) => "have the server's certificate renewed, and check the clock of this host",
        Some(rustls::Error::AlertReceived(alert)) if is_about_our_certificate(*alert) => {
            "the server refuses our client certificate, or misses one; give one that its authority signed and that has \
             not expired in tls.cert and tls.key"
        }
        Some(_) | None => "check that the server offers TLS, and the files in tls.ca, tls.cert and tls.key",
    }
}

fn is_about_our_certificate(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    [
        Alert::AccessDenied,
        Alert::BadCertificate,
        Alert::CertificateExpired,
        Alert::CertificateRequired,
        Alert::CertificateRevoked,
        Alert::CertificateUnknown,
        Alert::NoCertificate,
        Alert::UnknownCA,
        Alert::UnsupportedCertificate,
    ]
    .contains(&alert)
}

/// The login came too late for the server, which says nothing about the login: this host or the network is slow.
fn is_late_login(error: &async_nats::ConnectError) -> bool {
    error.source().is_some_and(|source| source.to_string().eq_ignore_ascii_case("authentication timeout"))
}

/// Servers word an expired or revoked login as "User Authentication Expired" and the like.
fn is_rejection(error: &async_nats::ConnectError) -> bool {
    error.source().is_some_and(|source| source.to_string().to_ascii_lowercase().contains("authentication"))
}

/// The innermost words of an error.
fn cause(error: &async_nats::ConnectError) -> String {
    error.source().map_or_else(|| error.kind().to_string(), ToString::to_string)
}
