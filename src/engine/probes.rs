//! Looks at gateway addresses from our own host: what was found is kept, what is worth a look is asked for.

use super::Output;
use super::turn::Turn;
use super::world::ClusterIx;
use crate::model::probe::{GatewayAddress, ProbeReport, ProbeRequest};
use crate::model::time::Mono;
use std::collections::BTreeMap;

/// The most addresses of one cluster whose findings are kept.
const MAX_ADDRESSES: usize = 64;

/// What was found lately at the gateway addresses of one cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Probes {
    found: BTreeMap<(String, u16), ProbeReport>,
    /// When a look was last asked for.
    pub(super) asked: Option<Mono>,
}

impl Probes {
    /// The newest finding at each address, in the order of the addresses.
    pub(super) fn all(&self) -> impl Iterator<Item = &ProbeReport> {
        self.found.values()
    }

    /// The newest finding at one address.
    pub(super) fn at(&self, host: &str, port: u16) -> Option<&ProbeReport> {
        self.found.get(&(host.to_owned(), port))
    }

    /// Keeps a finding, unless a newer one is there. When there are too many, the oldest goes. Returns whether it was kept.
    fn keep(&mut self, report: ProbeReport) -> bool {
        let key = (report.address.host.clone(), report.address.port);
        if self.found.get(&key).is_some_and(|newer| newer.at > report.at) {
            return false;
        }
        self.found.insert(key, report);
        if self.found.len() > MAX_ADDRESSES {
            let oldest = self.found.iter().min_by_key(|(_, report)| report.at).map(|(key, _)| key.clone());
            oldest.map(|key| self.found.remove(&key));
        }
        true
    }
}

impl Turn<'_> {
    /// Takes in what was found at an address. Clusters that nobody told of are none.
    pub(super) fn probed(&mut self, report: ProbeReport) -> bool {
        let Some(target) = self.world.cluster(&report.target) else { return false };
        self.world.clusters[target].probes.keep(report)
    }

    /// Asks for a look at these addresses, when probes are allowed.
    pub(super) fn probe(&mut self, target: ClusterIx, addresses: Vec<GatewayAddress>) {
        if !self.policy.probe || addresses.is_empty() {
            return;
        }
        let cluster = &mut self.world.clusters[target];
        cluster.probes.asked = Some(self.now.mono);
        let target = cluster.name.clone();
        self.out.push(Output::Probe(ProbeRequest { target, addresses }));
    }
}
