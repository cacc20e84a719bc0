//! What the engine asks of the connections: the only way back.

use super::ids::{ClusterName, ServerId};

/// Through which vantages servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Through {
    /// Through the vantage in the servers' own cluster: the rule.
    Home,
    /// Through every vantage: when home is lost, silent or missing. The question then crosses gateways too, so silence says less.
    All,
}

/// Which servers of a cluster are asked for beats from now on, and through which vantages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatPlan {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its servers that can answer, by the id of their present life.
    pub servers: Vec<ServerId>,
    /// Who asks.
    pub through: Through,
}

/// A look at servers at once, because something is suspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyRequest {
    /// The cluster of the servers.
    pub cluster: ClusterName,
    /// The servers in question; empty means every server of the cluster.
    pub servers: Vec<ServerId>,
    /// What is asked.
    pub what: Survey,
    /// Who asks.
    pub through: Through,
}

/// What a survey asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survey {
    /// STATSZ: links listed as up, and their traffic.
    Stats,
    /// GATEWAYZ: the gateway connections with their peers.
    Gateways,
    /// VARZ: the configuration.
    Config,
    /// GATEWAYZ with accounts: who has interest across each gateway connection. Larger; asked seldom.
    Interest,
    /// JSZ: streams, mirrors and sources. Larger; asked seldom.
    JetStream,
}
