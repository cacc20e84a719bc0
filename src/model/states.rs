//! The states of what is watched. Diagrams live on the types; the rules that move them live in `engine`.

use std::fmt;

/// State of one server's own outbound link to a remote cluster.
///
/// ```text
/// Unknown -> Up <-> Suspect -> Down        Down -> Up when proven
///    |                           ^         any  -> Retired
///    +------> Suspect -----------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerLinkState {
    /// Nothing is known yet.
    Unknown,
    /// Messages of this server reach the remote cluster, or (basis `reports`) the server lists the link.
    Up,
    /// A beat is overdue or a report does not list the link: being looked into.
    Suspect,
    /// Messages of this server do not reach the remote cluster.
    Down,
    /// No longer expected: the server left, or its configuration no longer names the remote.
    Retired,
}

/// State of a directed link between two clusters, made of the server links of the live servers of `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkState {
    /// No server link of it is known.
    Unknown,
    /// Every live server of `from` reaches `to`.
    Up,
    /// Some live servers of `from` are cut off from `to`; their clients' messages are lost.
    Degraded {
        /// Servers that are cut.
        cut: u32,
        /// Live servers of `from` whose link is known.
        of: u32,
    },
    /// Every live server of `from` is cut off from `to`.
    Down,
    /// No longer expected.
    Retired,
}

/// State of one server.
///
/// ```text
/// Unknown -> Live -> Leaving -> Stopped -> Live (new id)
///             |                    ^
///             +-> Lost -> Live     +-- Live (SHUTDOWN without lame duck)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerState {
    /// Named by others or by configuration, not heard yet.
    Unknown,
    /// Heard.
    Live,
    /// In lame duck mode: leaves by plan.
    Leaving,
    /// Said that it shut down.
    Stopped,
    /// Silent although its cluster is heard: crashed or frozen.
    Lost,
}

/// How a cluster went offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Departure {
    /// Every server said that it shut down.
    Planned,
    /// The servers fell silent without a word.
    Crash,
}

/// State of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterState {
    /// Nothing is known yet.
    Unknown,
    /// Servers live, links up.
    Healthy,
    /// A server of it is lost, or a link from or to it is cut in part or in whole.
    Degraded,
    /// Alive, but every link from and to every other cluster is cut.
    Isolated,
    /// Every live server of it is in lame duck mode.
    Draining,
    /// No server of it is left, as seen from others.
    Offline(Departure),
    /// We hear nothing of it and cannot tell whether it or our view is broken.
    Unreachable,
}

/// State of one of our own connections into a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VantageState {
    /// Not connected yet.
    Connecting,
    /// Connected and hearing its own cluster; only now do missed beats mean anything.
    Sound,
    /// Connected, but it hears nothing or lost messages: what it misses proves nothing.
    Impaired,
    /// The connection is lost.
    Gone,
}

/// What a verdict about a link rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// Answers of the servers heard, or missed, at our own vantages: exact, within a second.
    Beats,
    /// What the servers say of themselves: up to 42 s late when packets are lost silently.
    Reports,
}

macro_rules! tokens {
    ($type:ty { $($pattern:pat => $token:literal),+ $(,)? }) => {
        impl $type {
            /// The lower-case word for this value in subjects, JSON and tables.
            #[must_use]
            pub const fn token(self) -> &'static str {
                match self { $($pattern => $token),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.token())
            }
        }
    };
}
pub(super) use tokens;

tokens!(ServerLinkState {
    Self::Unknown => "unknown", Self::Up => "up", Self::Suspect => "suspect", Self::Down => "down", Self::Retired => "retired",
});
tokens!(LinkState {
    Self::Unknown => "unknown", Self::Up => "up", Self::Degraded { .. } => "degraded", Self::Down => "down",
    Self::Retired => "retired",
});
tokens!(ServerState {
    Self::Unknown => "unknown", Self::Live => "live", Self::Leaving => "leaving", Self::Stopped => "stopped",
    Self::Lost => "lost",
});
tokens!(Departure { Self::Planned => "planned", Self::Crash => "crash" });
tokens!(ClusterState {
    Self::Unknown => "unknown", Self::Healthy => "healthy", Self::Degraded => "degraded", Self::Isolated => "isolated",
    Self::Draining => "draining", Self::Offline(_) => "offline", Self::Unreachable => "unreachable",
});
tokens!(VantageState {
    Self::Connecting => "connecting", Self::Sound => "sound", Self::Impaired => "impaired", Self::Gone => "gone",
});
tokens!(Basis { Self::Beats => "beats", Self::Reports => "reports" });
