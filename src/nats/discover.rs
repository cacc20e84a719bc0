//! Where the clusters are: every client address known, by cluster.
//!
//! Owns merging what the configuration says with what servers tell of themselves. Addresses only ever come from a server's own word
//! about its own cluster, are checked for form, and are bounded in number. Does no IO.

use crate::model::ids::{ClusterName, ServerName};
use crate::model::observation::ConfigReport;
use async_nats::ServerAddr;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Clusters that are remembered; sightings beyond are left out.
const MAX_CLUSTERS: usize = 256;
/// Of these, clusters of which nothing but the name is known.
const MAX_NAMED: usize = MAX_CLUSTERS / 2;
/// Servers per cluster whose addresses are remembered; beyond, the addresses of those known serve.
const MAX_SERVERS: usize = 1024;
/// Addresses taken from one server.
const MAX_ADDRESSES: usize = 64;

/// All clusters met so far, with where their clients connect.
#[derive(Debug, Default)]
pub(super) struct Directory {
    places: BTreeMap<ClusterName, Place>,
}

#[derive(Debug, Default)]
struct Place {
    /// From the configuration: these and no others.
    fixed: bool,
    /// From the configuration; names rather than numbers, so they fit TLS certificates better.
    given: Vec<ServerAddr>,
    /// What each server told last. Servers that left stay: a name in vain costs a refused connection.
    told: BTreeMap<ServerName, Vec<ServerAddr>>,
}

impl Place {
    fn is_only_named(&self) -> bool {
        !self.fixed && self.given.is_empty() && self.told.is_empty()
    }
}

impl Directory {
    /// Takes the addresses of a cluster from the configuration; nothing that servers tell changes them.
    pub(super) fn fix(&mut self, cluster: &ClusterName, addresses: Vec<ServerAddr>) {
        self.places.insert(cluster.clone(), Place { fixed: true, given: addresses, told: BTreeMap::new() });
    }

    /// Notes that a configured address leads into this cluster.
    pub(super) fn found(&mut self, cluster: &ClusterName, address: ServerAddr) {
        let place = self.places.entry(cluster.clone()).or_default();
        if !place.fixed && !place.given.contains(&address) {
            place.given.push(address);
        }
    }

    /// Notes that a cluster exists. Returns whether that is new.
    pub(super) fn met(&mut self, cluster: &ClusterName) -> bool {
        if self.places.contains_key(cluster) || self.places.len() >= MAX_CLUSTERS {
            return false;
        }
        // Names that lead nowhere must not take the place of those that do.
        if self.places.values().filter(|place| place.is_only_named()).count() >= MAX_NAMED {
            return false;
        }
        self.places.insert(cluster.clone(), Place::default());
        true
    }

    /// Takes over what a server tells of its cluster.
    pub(super) fn learn(&mut self, report: &ConfigReport) {
        self.met(&report.server.cluster);
        for remote in &report.remotes {
            self.met(&remote.cluster);
        }
        let addresses: Vec<_> = report
            .connect_urls
            .iter()
            .take(MAX_ADDRESSES)
            .filter_map(|url| address(url, report.tls_required))
            .collect();
        if !addresses.is_empty() && self.places.len() < MAX_CLUSTERS {
            self.places.entry(report.server.cluster.clone()).or_default();
        }
        let Some(place) = self.places.get_mut(&report.server.cluster) else { return };
        let room = place.told.len() < MAX_SERVERS || place.told.contains_key(&report.server.name);
        if !place.fixed && room && !addresses.is_empty() {
            place.told.insert(report.server.name.clone(), addresses);
        }
    }

    /// Every address of a cluster, each once, those of the configuration first.
    pub(super) fn addresses(&self, cluster: &ClusterName) -> Vec<ServerAddr> {
        let Some(place) = self.places.get(cluster) else { return Vec::new() };
        let mut all: Vec<ServerAddr> = Vec::new();
        for address in place.given.iter().chain(place.told.values().flatten()) {
            // The same listener may be known with and without TLS in its scheme.
            let same = |known: &ServerAddr| known.host() == address.host() && known.port() == address.port();
            if !all.iter().any(same) {
                all.push(address.clone());
            }
        }
        all
    }

    /// All clusters met, in order of their names.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &ClusterName> {
        self.places.keys()
    }
}

/// The address in a server's `host:port`, unless nobody can connect to it.
fn address(url: &str, tls: bool) -> Option<ServerAddr> {
    let scheme = if tls { "tls" } else { "nats" };
    let address: ServerAddr = format!("{scheme}://{url}").parse().ok()?;
    let unspecified = address.host().parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let usable =
        !address.host().is_empty() && !unspecified && !address.has_user_pass() && address.port() != 0;
    usable.then_some(address)
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
