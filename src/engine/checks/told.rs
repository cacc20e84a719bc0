//! What servers tell that only checks ask for, kept as it arrives.

use crate::engine::turn::Turn;
use crate::engine::world::{ClusterIx, ServerIx};
use crate::model::ids::ServerName;
use crate::model::observation::ConfigReport;
use crate::model::time::Mono;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::VecDeque;
use std::time::Duration;

/// How many measurements of a clock must agree.
pub(super) const SAMPLES: usize = 3;
/// Of measurements within this time one counts.
const SAMPLES_APART: Duration = Duration::from_secs(10);
/// Our wall clock was set when it moves this far against our monotonic one: what was measured by it before counts no more.
const CLOCK_SET: TimeDelta = TimeDelta::milliseconds(500);

/// What one life of a server has told.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Told {
    /// When its configuration was heard last.
    pub(super) configured: Option<Mono>,
    /// Since when its configuration is what it is now.
    pub(super) same_since: Mono,
    /// Servers of its cluster that it had a route to, sorted, and when.
    pub(in crate::engine) routes: Option<(Mono, Vec<ServerName>)>,
    /// How far its clock was ahead of ours, newest last.
    pub(super) clock: VecDeque<(Mono, TimeDelta)>,
}

impl Told {
    /// Takes a configuration in. Addresses do not count as a change: they grow while servers find each other.
    pub(in crate::engine) fn configuration(
        &mut self,
        before: Option<&ConfigReport>,
        report: &ConfigReport,
        at: Mono,
    ) {
        self.configured = Some(at);
        let names = |report: &ConfigReport| {
            report.remotes.iter().map(|remote| remote.cluster.clone()).collect::<Vec<_>>()
        };
        let same = before.is_some_and(|before| {
            before.rejects_unknown == report.rejects_unknown && names(before) == names(report)
        });
        if !same {
            self.same_since = at;
        }
    }

    /// Takes the routes of a report in; some servers do not tell them.
    pub(in crate::engine) fn routes(&mut self, routes: Option<&[ServerName]>, at: Mono) {
        if let Some(routes) = routes {
            self.routes = Some((at, routes.to_vec()));
        }
    }

    /// A message that is held up on its way makes a clock look behind, never ahead: of several the largest is nearest to the truth.
    fn clock(&mut self, at: Mono, ahead: TimeDelta) {
        if let Some((last, known)) = self.clock.back_mut().filter(|(last, _)| at < *last + SAMPLES_APART) {
            (*last, *known) = (*last, (*known).max(ahead));
            return;
        }
        if self.clock.len() == SAMPLES {
            self.clock.pop_front();
        }
        self.clock.push_back((at, ahead));
    }
}

impl Turn<'_> {
    /// Measures the clock of a server by an answer that we asked for in its own cluster. What waited for us while this process did
    /// not run measures nothing.
    pub(in crate::engine) fn told_time(
        &mut self,
        ix: ServerIx,
        vantage: ClusterIx,
        at: Mono,
        made: Option<DateTime<Utc>>,
    ) {
        let server = &self.world.servers[ix];
        let void = self.world.clusters[vantage].vantage.as_ref().map_or(at, |ears| ears.void_before);
        let Some(made) = made.filter(|_| vantage == server.cluster && at > void) else { return };
        self.own_clock();
        let server = &self.world.servers[ix];
        let one_way = server.paths[vantage].latency.smoothed().unwrap_or_default() / 2;
        let ago = self.now.mono.since(at) + one_way;
        let ours = self.now.wall - TimeDelta::from_std(ago).unwrap_or_default();
        self.world.servers[ix].told.clock(at, made - ours);
    }

    fn own_clock(&mut self) {
        let began = self.now.wall - TimeDelta::from_std(self.now.mono.0).unwrap_or_default();
        let before = self.world.clock_began.replace(began);
        if before.is_some_and(|before| (began - before).abs() > CLOCK_SET) {
            self.world.servers.iter_mut().for_each(|server| server.told.clock.clear());
        }
    }
}
