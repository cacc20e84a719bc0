//! Links that were there and are no longer configured by anybody: worth knowing for a while, in case nobody meant it.

use super::{Look, Verdict};
use crate::engine::intent::Wanted;
use crate::engine::world::{ClusterIx, ClusterLink};
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::Says;
use crate::model::incident::{IncidentKind, Severity};
use crate::model::states::LinkState;

/// What has become of one direction.
#[derive(PartialEq, Eq)]
enum Direction {
    /// Up, never known, or its removal was told for long enough.
    Settled,
    /// Cut, or it cannot be told.
    Open,
    Removed,
}

/// Judges both directions between two clusters. One that is cut while the other was removed is an outage, which tells why by itself.
pub(super) fn of(look: &Look<'_>, a: ClusterIx, b: ClusterIx) -> Verdict {
    let ways = [(a, b), (b, a)].map(|way| (way, direction(look, way.0, way.1)));
    if ways.iter().any(|(_, found)| *found == Direction::Open) {
        return Verdict::Unknown;
    }
    let removed: Vec<_> =
        ways.iter().filter(|(_, found)| *found == Direction::Removed).map(|(way, _)| *way).collect();
    if removed.is_empty() {
        return Verdict::Good;
    }
    let says = removed.iter().flat_map(|&(from, to)| {
        let remote = look.world.clusters[to].name.clone();
        let servers = look.present(from).into_iter();
        servers.map(move |server| Says::NotConfigured { server: server.key.clone(), remote: remote.clone() })
    });
    let mut finding =
        look.bad(IncidentKind::GatewayRemoved, Severity::Info, look.pair_subject(a, b), says.collect());
    finding.cause = Cause::proven(CauseKind::ConfigRemoved);
    finding.scope.links = removed.iter().map(|&(from, to)| look.world.link_name(from, to)).collect();
    finding.scope.links.sort();
    let since = removed.iter().map(|&(from, to)| look.world.clusters[from].links[&to].held.since);
    finding.since = since.min_by_key(|since| since.mono).unwrap_or(look.now);
    Verdict::Bad(Box::new(finding))
}

fn direction(look: &Look<'_>, from: ClusterIx, to: ClusterIx) -> Direction {
    let Some(link) = look.world.clusters[from].links.get(&to) else { return Direction::Settled };
    if link.wanted == Wanted::Forbidden {
        return Direction::Settled;
    }
    match link.held.state {
        LinkState::Up => Direction::Settled,
        LinkState::Degraded { .. } | LinkState::Down => Direction::Open,
        LinkState::Unknown | LinkState::Retired if is_gone(look, from, to, link) => {
            let long = look.now.mono.since(link.held.since.mono) >= look.checks.removed_notice;
            if long { Direction::Settled } else { Direction::Removed }
        }
        LinkState::Retired => Direction::Open,
        LinkState::Unknown => {
            if link.was_up {
                Direction::Open
            } else {
                Direction::Settled
            }
        }
    }
}

/// Whether it was there once, and every server of `from` has told a configuration without it.
fn is_gone(look: &Look<'_>, from: ClusterIx, to: ClusterIx, link: &ClusterLink) -> bool {
    let present = look.present(from);
    let told =
        present.iter().all(|server| server.reports.configured && server.joined + look.grace <= look.now.mono);
    link.was_up && !present.is_empty() && told && !look.world.expected(from, to)
}
