//! Whether anybody can see now what a finding says: a state that nobody could see was not seen to last.

use crate::engine::correlate::Finding;
use crate::engine::policy::Policy;
use crate::engine::world::{Outbound, Server, Vantage, World};
use crate::model::ids::ServerLink;
use crate::model::incident::{Family, Subject};
use crate::model::states::{Basis, ServerLinkState, ServerState};
use crate::model::time::Mono;
use std::time::Duration;

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

/// How long a server must at least be silent that was started anew and fell silent while it was still joining: it may be slow to
/// start, and is not missed for long.
pub(super) fn slow_start(world: &World, policy: &Policy, finding: &Finding) -> Duration {
    let Subject::Server(key) = &finding.subject else { return Duration::ZERO };
    let server = world.server(key).map(|ix| &world.servers[ix]);
    let joining = |server: &&Server| {
        server.held.state == ServerState::Lost
            && !server.former.is_empty()
            && server.held.since.mono < server.joined + policy.join_grace
    };
    if server.filter(joining).is_some() { policy.join_grace } else { Duration::ZERO }
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
