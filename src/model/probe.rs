//! A look of our own at a gateway address: what is asked for, and what was found.
//!
//! A probe says what *this host* sees of an address. Between the servers another firewall, resolver or certificate store may
//! answer differently, so a finding supports a cause but never replaces what the servers report.

use super::ids::ClusterName;
use super::time::Mono;
use chrono::{DateTime, Utc};
use std::fmt;

/// Gateway addresses to look at, because something is suspected or a look is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The cluster whose gateways should listen there.
    pub target: ClusterName,
    /// Where.
    pub addresses: Vec<GatewayAddress>,
}

/// Where a gateway listens, as servers spell it in their URLs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayAddress {
    /// A name or an IP address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the cluster's servers say that their gateway listeners want TLS. Such a listener says nothing before the
    /// handshake, so this must be known beforehand.
    pub tls: bool,
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What one look at one address found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// The cluster whose gateways should listen there.
    pub target: ClusterName,
    /// The address that was looked at.
    pub address: GatewayAddress,
    /// When the look ended.
    pub at: Mono,
    /// What was found.
    pub found: ProbeFound,
}

/// How far a look came, and what it saw there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeFound {
    /// The name does not resolve: the resolver answered that there is no address for it.
    Unresolved,
    /// The resolver failed or did not answer in time; says nothing about the name.
    ResolveFailed,
    /// The connect was not answered in time, or there is no route.
    Unreachable,
    /// The connect was refused: the host answers, nothing listens on the port.
    Refused,
    /// Connected, but nothing was said in time, or not the whole greeting, or the peer closed before it. A gateway that wants TLS
    /// looks so when it is taken for one that does not.
    Silent,
    /// A gateway of another cluster than expected listens there.
    OtherGateway {
        /// The cluster it belongs to.
        name: ClusterName,
    },
    /// What listens there is no NATS gateway.
    Foreign,
    /// The TLS handshake failed before the peer had shown a certificate and that it holds its key.
    TlsFailed,
    /// A gateway listens there: its INFO was read, or, when it wants TLS, its certificate was seen. A gateway that wants TLS says
    /// whose it is only to peers with a certificate, so with `tls` it may also be another cluster's.
    Greeted {
        /// The certificate; `None` when the listener does without TLS, whatever was said of it.
        tls: Option<CertificateSeen>,
    },
}

/// The certificate a gateway listener showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSeen {
    /// Valid from.
    pub not_before: DateTime<Utc>,
    /// Valid until.
    pub not_after: DateTime<Utc>,
    /// Who issued it.
    pub issuer: String,
    /// Whom it was issued to.
    pub subject: String,
    /// Whether one of its subject alternative names is the host that was dialled.
    pub names_host: bool,
    /// Whether its chain leads to the configured CA; its dates and names count for nothing here.
    pub trusted: Trust,
}

/// Whether a certificate's chain leads to the configured CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Not checked: no CA is configured for probes.
    Unchecked,
    /// It does.
    Trusted,
    /// It does not, or an authority in it is not valid any more.
    Untrusted,
}
