//! Names of servers and links.

use crate::model::ids::{ClusterName, Link, ServerKey, ServerLink};
use crate::model::intent::Forget;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A server, across its restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerBody {
    /// The cluster the server belongs to.
    pub cluster: String,
    /// Its configured name.
    pub name: String,
}

/// A directed link: what servers of `from` send to cluster `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkBody {
    /// The sending cluster.
    pub from: String,
    /// The receiving cluster.
    pub to: String,
}

/// One server's own outbound connection to a remote cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerLinkBody {
    /// The sending server.
    pub server: ServerBody,
    /// The receiving cluster.
    pub to: String,
}

impl From<&ServerKey> for ServerBody {
    fn from(key: &ServerKey) -> Self {
        Self { cluster: key.cluster.to_string(), name: key.name.to_string() }
    }
}

impl From<&ServerBody> for ServerKey {
    fn from(body: &ServerBody) -> Self {
        Self { cluster: body.cluster.as_str().into(), name: body.name.as_str().into() }
    }
}

impl From<&Link> for LinkBody {
    fn from(link: &Link) -> Self {
        Self { from: link.from.to_string(), to: link.to.to_string() }
    }
}

impl From<&LinkBody> for Link {
    fn from(body: &LinkBody) -> Self {
        Self { from: body.from.as_str().into(), to: body.to.as_str().into() }
    }
}

impl From<&ServerLink> for ServerLinkBody {
    fn from(link: &ServerLink) -> Self {
        Self { server: (&link.server).into(), to: link.to.to_string() }
    }
}

impl From<&ServerLinkBody> for ServerLink {
    fn from(body: &ServerLinkBody) -> Self {
        Self { server: (&body.server).into(), to: body.to.as_str().into() }
    }
}

/// Clusters by name.
pub(super) fn texts(clusters: &[ClusterName]) -> Vec<String> {
    clusters.iter().map(ToString::to_string).collect()
}

/// Clusters from their names.
pub(super) fn clusters(texts: &[String]) -> Vec<ClusterName> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

/// Every value of a list in its other form.
pub(super) fn each<'a, A, B: From<&'a A>>(list: &'a [A]) -> Vec<B> {
    list.iter().map(B::from).collect()
}

/// What is to be forgotten, as the name of a cluster and, when it is a server, the server's own.
pub(in crate::wire) fn forget_names(what: &Forget) -> (String, Option<String>) {
    match what {
        Forget::Cluster(cluster) => (cluster.to_string(), None),
        Forget::Server(key) => (key.cluster.to_string(), Some(key.name.to_string())),
    }
}

/// What is to be forgotten, from its names.
pub(in crate::wire) fn forget(cluster: &str, server: Option<&str>) -> Forget {
    match server {
        None => Forget::Cluster(cluster.into()),
        Some(name) => Forget::Server(ServerKey { cluster: cluster.into(), name: name.into() }),
    }
}
