//! Pairs of clusters whose links flap.

use super::{Look, Verdict};
use crate::engine::world::ClusterIx;
use crate::model::cause::Cause;
use crate::model::incident::{IncidentKind, Severity};
use crate::model::states::LinkState;
use std::time::Duration;

/// A link counts as holding when it was listed within this time: servers report every 10 s.
const HEARD: Duration = Duration::from_secs(60);

/// Judges the links between two clusters. They hold when no flap weighs any more and they are known to be up.
pub(super) fn of(look: &Look<'_>, a: ClusterIx, b: ClusterIx) -> Verdict {
    let half_life = look.checks.flap_half_life;
    let pair = look.world.damping.of(a, b).filter(|pair| pair.is_flapping(look.now.mono, half_life));
    let Some(pair) = pair else { return Verdict::good_if(holds(look, a, b) && holds(look, b, a)) };
    let subject = look.pair_subject(a, b);
    let mut finding = look.bad(IncidentKind::GatewayFlapping, Severity::Warning, subject, Vec::new());
    finding.cause = Cause::UNKNOWN;
    finding.evidence = pair.evidence.iter().cloned().collect();
    finding.flaps = Some(pair.told());
    let links = pair
        .links
        .iter()
        .map(|&(server, to)| look.world.servers[server].server_link(&look.world.clusters[to].name));
    finding.scope.server_links = links.collect();
    finding.scope.server_links.sort();
    Verdict::Bad(Box::new(finding))
}

fn holds(look: &Look<'_>, from: ClusterIx, to: ClusterIx) -> bool {
    let Some(link) = look.world.clusters[from].links.get(&to) else { return true };
    match link.held.state {
        LinkState::Retired => true,
        LinkState::Unknown => !link.remembered,
        LinkState::Degraded { .. } | LinkState::Down => false,
        LinkState::Up => {
            let listed = look.present(from).into_iter().filter_map(|server| server.links.get(&to)?.listed);
            let mut up = listed.filter(|listed| listed.up);
            up.any(|listed| look.now.mono.since(listed.at) < HEARD)
        }
    }
}
