//! Whether anybody can see now what a finding says: a state that nobody could see was not seen to last.

use crate::engine::correlate::Finding;
use crate::engine::policy::Policy;
use crate::engine::world::{Outbound, Vantage, World};
use crate::model::ids::ServerLink;
use crate::model::incident::Family;
use crate::model::states::{Basis, ServerLinkState};
use crate::model::time::Mono;

/// Whether some part of what is found is seen now. A link found cut by beats stays cut while no vantage listens at its far end, but
/// that says nothing of how long it really is.
pub(super) fn in_sight(world: &World, policy: &Policy, finding: &Finding) -> bool {
    match finding.kind.family() {
        Family::Cut => finding.scope.server_links.iter().any(|link| is_seen(world, policy, link)),
        Family::View
        | Family::Cluster
        | Family::Flapping
        | Family::Server
        | Family::Presence
        | Family::Standing => true,
    }
}

/// Since when the link that is cut for longest has been cut; `None` when it is not about cut links.
///
/// Links of one pair that are cut in turn, each for a moment, are not one loss that lasts.
pub(super) fn oldest_cut(world: &World, finding: &Finding) -> Option<Mono> {
    let cut = |link: &ServerLink| {
        let (server, to) = world.server(&link.server).zip(world.cluster(&link.to))?;
        let held = &world.servers[server].links.get(&to)?.held;
        (held.state == ServerLinkState::Down).then_some(held.since.mono)
    };
    match finding.kind.family() {
        Family::Cut => finding.scope.server_links.iter().filter_map(cut).min(),
        Family::View
        | Family::Cluster
        | Family::Flapping
        | Family::Server
        | Family::Presence
        | Family::Standing => None,
    }
}

/// Its far end is listened at by somebody who misses nothing while its server is heard elsewhere, or that server says
/// that it is gone, or its far end that nothing arrives.
fn is_seen(world: &World, policy: &Policy, link: &ServerLink) -> bool {
    let Some((server, to)) = world.server(&link.server).zip(world.cluster(&link.to)) else { return false };
    let ears = world.clusters[to].vantage.as_ref().filter(|_| world.sound(to));
    let speaks =
        world.servers[server].heard_at.map(|at| at + policy.beat_period * (policy.confirm_beats + 1));
    let hears = |ears: &Vantage| ears.alive_through > Some(ears.void_before) && speaks >= ears.alive_through;
    let quiet = |link: &Outbound| link.basis == Basis::Reports && link.half_open.is_some();
    let says = |link: &Outbound| quiet(link) || link.listed.is_some_and(|listed| !listed.up);
    ears.is_some_and(hears) || world.servers[server].links.get(&to).is_some_and(says)
}
