//! Why it probably happened: from evidence to a cause and how sure it is. Not knowing is a good answer.

use super::correlate::Cut;
use super::world::World;
use crate::model::cause::{Cause, CauseKind, Confidence};
use crate::model::states::Basis;

/// The cause of cut server links.
///
/// Packets dropped on the way show in that the servers go on listing links that beats show cut; a closed or refused connection
/// shows in that they knew at once. Without beats both look alike, since the servers drop a silent link in the end too.
pub(super) fn of_cuts(world: &World, cuts: &[Cut]) -> Cause {
    let links = || cuts.iter().map(|&(server, to)| &world.servers[server].links[&to]);
    let denied = links().any(|link| link.denied);
    let known_gone = links().filter(|link| link.listed.is_some_and(|listed| !listed.up)).count();
    let by_beats = links().all(|link| link.basis == Basis::Beats);
    let (kind, confidence) = match (denied, known_gone) {
        (true, _) => (CauseKind::PacketsLost, Confidence::Likely),
        (false, 0) => (CauseKind::Unknown, Confidence::Possible),
        (false, some) if some == cuts.len() && by_beats => (CauseKind::ConnectionsClosed, Confidence::Likely),
        (false, _) => (CauseKind::ConnectionsClosed, Confidence::Possible),
    };
    Cause { kind, confidence }
}
