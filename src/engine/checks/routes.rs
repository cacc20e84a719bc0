//! Servers of one cluster that have no route to each other.

use super::{Look, Verdict};
use crate::engine::world::{ClusterIx, Server};
use crate::model::evidence::Says;
use crate::model::incident::{IncidentKind, Severity};
use std::collections::BTreeSet;

/// Judges whether the live servers of a cluster are all connected with each other. A route is missing when both of its ends miss it.
pub(super) fn of(look: &Look<'_>, cluster: ClusterIx) -> Verdict {
    let present = look.present(cluster);
    let (mut known, mut says, mut servers) = (look.complete(cluster), Vec::new(), BTreeSet::new());
    for (at, one) in present.iter().enumerate() {
        for other in &present[at + 1..] {
            match (has_route(look, one, other), has_route(look, other, one)) {
                (Some(false), Some(false)) => {
                    says.push(Says::RouteMissing { server: one.key.clone(), peer: other.key.clone() });
                    servers.extend([one.key.clone(), other.key.clone()]);
                }
                (None, _) | (_, None) => known = false,
                (Some(_), Some(_)) => {}
            }
        }
    }
    if says.is_empty() {
        return Verdict::good_if(known);
    }
    let subject = look.cluster_subject(cluster);
    let mut finding = look.bad(IncidentKind::RoutesIncomplete, Severity::Warning, subject, says);
    finding.scope.servers = servers.into_iter().collect();
    Verdict::Bad(Box::new(finding))
}

/// Whether a server tells of a route to another; `None` when it does not say, or said so before both had been there for a while.
fn has_route(look: &Look<'_>, server: &Server, peer: &Server) -> Option<bool> {
    let (told, routes) = server.told.routes.as_ref()?;
    let settled = server.joined.max(peer.joined) + look.grace;
    (*told >= settled).then(|| routes.binary_search(&peer.key.name).is_ok())
}
