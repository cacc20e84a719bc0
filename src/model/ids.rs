//! Names of the things that are watched.
//!
//! All are cheap to clone (one shared allocation) and ordered, so that outputs can be sorted by name.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as the servers spell it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// Name of a cluster, which is also its gateway name: a server refuses to start when the two differ.
    ClusterName
}

name! {
    /// Name of one gatewatch among several.
    InstanceName
}

name! {
    /// Id of one life of a server (an nkey of type server). A restart brings a new one.
    ServerId
}

name! {
    /// Configured name of a server; stays the same across restarts.
    ServerName
}

/// A server across its restarts: its cluster and its configured name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey {
    /// The cluster the server belongs to.
    pub cluster: ClusterName,
    /// Its configured name.
    pub name: ServerName,
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

/// A directed gateway link: what servers of `from` send to cluster `to`.
///
/// Messages cross only through the outbound connection of the server on which they were published; the
/// opposite direction is a link of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The sending cluster.
    pub from: ClusterName,
    /// The receiving cluster.
    pub to: ClusterName,
}

impl Link {
    /// The same pair of clusters in the other direction.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone() }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

/// The part of a [`Link`] that one server of the sending cluster carries: its own outbound connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerLink {
    /// The sending server.
    pub server: ServerKey,
    /// The receiving cluster.
    pub to: ClusterName,
}

impl ServerLink {
    /// The link between clusters that this server link is part of.
    #[must_use]
    pub fn link(&self) -> Link {
        Link { from: self.server.cluster.clone(), to: self.to.clone() }
    }
}

impl fmt::Display for ServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.server, self.to)
    }
}
