//! Remote clusters that servers know by a single address, though they have more servers than one.

use super::{Look, Verdict};
use crate::engine::world::{ClusterIx, Server};
use crate::model::evidence::Says;
use crate::model::incident::{IncidentKind, Severity};
use crate::model::observation::ConfiguredRemote;
use crate::model::states::ServerLinkState;

/// Judges what the servers of a cluster know of their remotes. Once connected they learn the addresses of all servers there by gossip,
/// so only what was told a while after the link came up counts.
pub(super) fn of(look: &Look<'_>, cluster: ClusterIx) -> Verdict {
    let present = look.present(cluster);
    let (mut known, mut says, mut servers) = (look.complete(cluster), Vec::new(), Vec::new());
    for server in present {
        known &= server.config.is_some();
        for remote in server.config.iter().flat_map(|config| &config.remotes) {
            let [url] = remote.urls.as_slice() else { continue };
            if !has_learned(look, server, remote) {
                known = false;
                continue;
            }
            let (server, remote) = (server.key.clone(), remote.cluster.clone());
            servers.push(server.clone());
            says.push(Says::SingleUrl { server, remote, url: url.clone() });
        }
    }
    if says.is_empty() {
        return Verdict::good_if(known);
    }
    servers.dedup();
    let mut finding = look.bad(IncidentKind::SingleUrl, Severity::Info, look.cluster_subject(cluster), says);
    finding.scope.servers = servers;
    Verdict::Bad(Box::new(finding))
}

/// Whether the server could have learned more addresses: its link is up, and was for a while before it told, as were at least two
/// servers at the other end.
fn has_learned(look: &Look<'_>, server: &Server, remote: &ConfiguredRemote) -> bool {
    let Some(told) = server.told.configured else { return false };
    let Some(remote) = look.world.cluster(&remote.cluster) else { return false };
    let up = server.links.get(&remote).is_some_and(|link| {
        link.held.state == ServerLinkState::Up && link.held.since.mono + look.grace <= told
    });
    let settled = look.present(remote).iter().filter(|peer| peer.joined + look.grace <= told).count();
    up && settled > 1
}
