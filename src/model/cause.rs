//! Why something probably happened, and how sure that is.

use super::states::tokens;
use std::fmt;

/// Why it probably happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The cause.
    pub kind: CauseKind,
    /// How sure that is.
    pub confidence: Confidence,
}

/// Causes that evidence can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// The servers said that they shut down.
    PlannedStop,
    /// The servers fell silent without a word: crashed, killed or frozen, which of them cannot be told.
    Silent,
    /// The servers fell silent and their hosts refuse connections: the processes are gone.
    Crashed,
    /// The servers fell silent, yet connections to them stay open or are still accepted: the processes stand still.
    Frozen,
    /// The servers still list the link while nothing crosses it: packets are dropped on the way, the network is partitioned.
    PacketsLost,
    /// The servers know that the link is gone: its connections were closed or refused, by whom cannot be told.
    ConnectionsClosed,
    /// The gateway's address refuses connections although servers of that cluster live: wrong port, or a firewall that rejects.
    PortRefused,
    /// A gateway certificate is past its end.
    TlsExpired,
    /// A gateway certificate is not signed by an authority that the other side trusts.
    TlsUntrusted,
    /// A gateway certificate does not name the host that is dialled.
    TlsName,
    /// The host name of the remote's gateways does not resolve.
    Dns,
    /// A server refused the gateway's credentials.
    Authentication,
    /// The configuration no longer names the remote.
    ConfigRemoved,
    /// The remote does not know the cluster and is configured to reject unknown ones.
    ConfigRejected,
    /// The configuration names a remote that does not exist, by what looks like a misspelling.
    ConfigMisnamed,
    /// Configured, but never up since the servers were started, and nothing tells why.
    NeverConnected,
    /// Only one server has the trouble, its neighbours do not: its host, its network, its own configuration.
    LocalToServer,
    /// Our own connection broke, not theirs.
    OwnView,
    /// The configuration itself is what the incident is about.
    Configuration,
    /// The clock of a host is wrong.
    Clock,
    /// gatewatch itself did not run.
    Stalled,
    /// gatewatch does not keep up with what it hears.
    Behind,
    /// Alerts of gatewatch are refused, or its connection for them is not there.
    Publishing,
    /// What gatewatch has to store cannot be kept on its disk, or waits for long.
    Outbox,
    /// The clock of the host of gatewatch was set.
    ClockJumped,
    /// The evidence does not tell.
    Unknown,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// The evidence admits nothing else.
    Proven,
    /// Nothing else fits as well.
    Likely,
    /// It fits, as others would.
    Possible,
}

tokens!(Confidence { Self::Proven => "proven", Self::Likely => "likely", Self::Possible => "possible" });
tokens!(CauseKind {
    Self::PlannedStop => "planned_stop", Self::Silent => "silent", Self::Crashed => "crashed", Self::Frozen => "frozen",
    Self::PacketsLost => "packets_lost", Self::ConnectionsClosed => "connections_closed", Self::PortRefused => "port_refused",
    Self::TlsExpired => "tls_expired", Self::TlsUntrusted => "tls_untrusted", Self::TlsName => "tls_name", Self::Dns => "dns",
    Self::Authentication => "authentication", Self::ConfigRemoved => "config_removed",
    Self::ConfigRejected => "config_rejected", Self::ConfigMisnamed => "config_misnamed",
    Self::NeverConnected => "never_connected", Self::LocalToServer => "local_to_server", Self::OwnView => "own_view",
    Self::Configuration => "configuration", Self::Clock => "clock", Self::Stalled => "stalled",
    Self::Behind => "behind", Self::Publishing => "publishing", Self::Outbox => "outbox", Self::ClockJumped => "clock_jumped",
    Self::Unknown => "unknown",
});

impl Cause {
    /// A cause that is certain.
    #[must_use]
    pub const fn proven(kind: CauseKind) -> Self {
        Self { kind, confidence: Confidence::Proven }
    }

    /// A cause that nothing else fits as well.
    #[must_use]
    pub const fn likely(kind: CauseKind) -> Self {
        Self { kind, confidence: Confidence::Likely }
    }

    /// A cause that fits, as others would.
    #[must_use]
    pub const fn possible(kind: CauseKind) -> Self {
        Self { kind, confidence: Confidence::Possible }
    }

    /// Nothing is known: a good answer where the evidence does not tell.
    pub const UNKNOWN: Self = Self::possible(CauseKind::Unknown);
}
