//! Servers of one cluster that run different versions. While an upgrade goes on that is normal.

use super::{Look, Verdict};
use crate::engine::world::ClusterIx;
use crate::model::evidence::Says;
use crate::model::incident::{IncidentKind, Severity};
use std::collections::BTreeSet;

/// Judges the versions of a cluster's servers. Any restart begins the time anew that an upgrade may take.
pub(super) fn of(look: &Look<'_>, cluster: ClusterIx) -> Verdict {
    let present = look.present(cluster);
    let versions: BTreeSet<_> = present.iter().filter_map(|server| server.version).collect();
    let Some(newest) = versions.last().copied().filter(|_| versions.len() > 1) else {
        return Verdict::good_if(
            look.complete(cluster) && present.iter().all(|server| server.version.is_some()),
        );
    };
    let settled = present.iter().map(|server| server.joined).max().unwrap_or_default();
    if look.now.mono.since(settled) < look.checks.versions_after {
        return Verdict::Unknown;
    }
    let behind = || present.iter().filter(|server| server.version < Some(newest));
    let newer = present.iter().find(|server| server.version == Some(newest));
    let runs = behind().chain(newer).filter_map(|server| {
        server.version.map(|version| Says::Runs { server: server.key.clone(), version })
    });
    let subject = look.cluster_subject(cluster);
    let mut finding = look.bad(IncidentKind::MixedVersions, Severity::Info, subject, runs.collect());
    finding.since = look.then(settled);
    finding.scope.servers = behind().map(|server| server.key.clone()).collect();
    Verdict::Bad(Box::new(finding))
}
