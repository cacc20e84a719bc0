//! Why servers are gone: crashed, frozen, or silent when that cannot be told.

use super::Verdict;
use crate::engine::probes::{AROUND, Finding};
use crate::engine::world::{ClusterIx, ServerIx, World};
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::{Evidence, ProbeWord};
use crate::model::observation::Disconnect;
use crate::model::time::Now;

/// The cause of the silence of a single server.
///
/// When a process dies, its host closes its connections: its neighbours drop their routes to it within the same second. While it
/// stands still, or its host is gone, they keep them for minutes, which tells no more than the silence.
pub(in crate::engine) fn of_lost_server(world: &World, ix: ServerIx) -> Verdict {
    let server = &world.servers[ix];
    let neighbours = world.clusters[server.cluster].servers.iter().map(|&other| &world.servers[other]);
    let told = neighbours.filter(|other| other.present()).filter_map(|other| {
        let (at, routes) = other.told.routes.as_ref()?;
        (*at >= server.held.since.mono).then(|| routes.contains(&server.key.name))
    });
    let kept: Vec<bool> = told.collect();
    if !kept.is_empty() && kept.iter().all(|kept| !kept) {
        return Verdict::of(Cause::likely(CauseKind::Crashed));
    }
    Verdict::of(Cause::likely(CauseKind::Silent))
}

/// The cause of the silence of a whole cluster: do its hosts refuse connections, or accept them and say nothing?
pub(in crate::engine) fn of_lost_cluster(world: &World, now: Now, ix: ClusterIx) -> Verdict {
    let cluster = &world.clusters[ix];
    let since = cluster.held.since.mono;
    let fresh = |finding: &&Finding| finding.report.at + AROUND >= since;
    let found: Vec<&Finding> = cluster.probes.all().filter(fresh).collect();
    let only = |word: ProbeWord| {
        let mut words = found.iter().filter_map(|finding| finding.word(now.wall)).peekable();
        words.peek().is_some() && words.all(|found| found == word)
    };
    let refused = cluster.vantage.as_ref().and_then(|vantage| vantage.why) == Some(Disconnect::Refused);
    let cause = if refused || only(ProbeWord::Refused) {
        Cause::likely(CauseKind::Crashed)
    } else if only(ProbeWord::Silent) && still_listed(world, ix) {
        Cause::likely(CauseKind::Frozen)
    } else {
        Cause::likely(CauseKind::Silent)
    };
    let evidence: Vec<Evidence> = found.iter().filter_map(|finding| finding.evidence(now.wall)).collect();
    Verdict { cause, evidence }
}

/// Whether some server of another cluster went on listing its link there after the cluster had fallen silent.
fn still_listed(world: &World, ix: ClusterIx) -> bool {
    let since = world.clusters[ix].held.since.mono;
    let links =
        world.servers.iter().filter(|server| server.present()).filter_map(|server| server.links.get(&ix));
    links.filter_map(|link| link.listed).any(|listed| listed.up_until >= Some(since))
}
