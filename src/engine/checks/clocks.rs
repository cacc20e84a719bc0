//! Servers whose clock is wrong, compared with ours: by the times in answers that we asked for.

use super::told::SAMPLES;
use super::{Look, Verdict};
use crate::engine::world::{Server, ServerIx, World};
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::Says;
use crate::model::incident::{IncidentKind, Severity, Subject};
use crate::model::states::ServerState;
use crate::model::time::Now;
use chrono::TimeDelta;
use std::time::Duration;

/// Measurements older than this say nothing of now.
const FRESH: Duration = Duration::from_secs(3 * 60);

/// How far the clocks of most servers are ahead of ours, when that is further than a clock may be off: then ours is the one that is
/// wrong, and servers are compared with each other.
pub(super) fn reference(world: &World, limit: Duration, now: Now) -> TimeDelta {
    let servers = world.servers_by_key().map(|ix| &world.servers[ix]);
    let present = servers.filter(|server| server.present());
    let newest = present.filter_map(|server| server.told.clock.back());
    let fresh = newest.filter(|(at, _)| now.mono.since(*at) < FRESH);
    let mut ahead: Vec<TimeDelta> = fresh.map(|(_, ahead)| *ahead).collect();
    ahead.sort_unstable();
    let Some(last) = ahead.len().checked_sub(1) else { return TimeDelta::zero() };
    // Of two in the middle the one that speaks for us.
    let (low, high) = (ahead[last / 2], ahead[last.div_ceil(2)]);
    let middle = if low.abs() <= high.abs() { low } else { high };
    if off(middle, limit) { middle } else { TimeDelta::zero() }
}

/// Judges the clock of one server. It takes several measurements that all agree.
pub(super) fn of(look: &Look<'_>, ix: ServerIx) -> Verdict {
    let server = &look.world.servers[ix];
    if server.held.state == ServerState::Stopped {
        return Verdict::Good;
    }
    let fresh = server.told.clock.back().is_some_and(|(at, _)| look.now.mono.since(*at) < FRESH);
    if !server.present() || !fresh || server.told.clock.len() < SAMPLES {
        return Verdict::Unknown;
    }
    let ahead = || server.told.clock.iter().map(|(_, ahead)| *ahead - look.ours());
    let limit = look.checks.clock_skew;
    let (wrong, late) =
        (ahead().filter(|by| off(*by, limit)).count(), ahead().filter(|by| *by < TimeDelta::zero()));
    match (wrong, late.count()) {
        (0, _) => Verdict::Good,
        (SAMPLES, 0 | SAMPLES) => bad(look, server, ahead().last().unwrap_or_default()),
        (_, _) => Verdict::Unknown,
    }
}

fn bad(look: &Look<'_>, server: &Server, by: TimeDelta) -> Verdict {
    let says = vec![Says::ClockOff { server: server.key.clone(), by }];
    let subject = Subject::Server(server.key.clone());
    let mut finding = look.bad(IncidentKind::ClockSkew, Severity::Warning, subject, says);
    finding.cause = Cause::likely(CauseKind::Clock);
    finding.scope.servers = vec![server.key.clone()];
    finding.since = server.told.clock.front().map_or(look.now, |(at, _)| look.then(*at));
    Verdict::Bad(Box::new(finding))
}

fn off(by: TimeDelta, limit: Duration) -> bool {
    by.abs().to_std().is_ok_and(|by| by > limit)
}
