//! What an operator does: server by server, waiting for each, while the steps that come later wait too.

use super::servers::Health;
use super::{Event, Sim};
use crate::story::{Change, Moment, Sel, Step, Version};
use gatewatch::model::observation::ServerVersion;
use std::collections::VecDeque;

/// A step that takes no longer than so many milliseconds moves none of those after it.
const IN_TIME: u64 = 500;
/// How often the operator looks.
const LOOK_EVERY: u64 = 250;
/// Between two servers that are restarted with another configuration.
const BETWEEN_RESTARTS: u64 = 1_500;
/// The longest wait for a server to have its links again.
const PATIENCE: u64 = 15_000;

/// An operator at work.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// The step that is being done, and since when.
    step: Option<(usize, u64)>,
    jobs: VecDeque<Job>,
    /// What the first job has come to.
    at: Progress,
    /// By how much the steps that come later are moved.
    late: u64,
    waiting: Vec<usize>,
    /// A server that is drained or stopped is waited for until it has ended.
    pub(super) patient: bool,
}

#[derive(Debug)]
struct Job {
    server: usize,
    what: Task,
}

#[derive(Debug, Clone)]
enum Task {
    /// It ends by itself.
    Await,
    /// Drained, and started again: the same, another version, or with what is configured for its next start.
    Restart { to: Option<ServerVersion>, whole: bool },
    /// Taken out of a configuration, then restarted.
    Forget(usize),
}

#[derive(Debug, Clone, Copy, Default)]
enum Progress {
    #[default]
    Ahead,
    Leaving,
    Started(u64),
}

impl Operator {
    /// Whether a step must wait, and until when at least.
    pub(super) fn holds(&self) -> bool {
        self.step.is_some()
    }

    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// By how much the end of the story is moved, as far as known at this moment.
    pub(super) fn moves_end_by(&self, now: u64) -> u64 {
        self.late + self.step.map_or(0, |(_, began)| now - began)
    }

    pub(super) fn wait(&mut self, part: usize) {
        self.waiting.push(part);
    }
}

impl Sim {
    /// Starts on a step that takes long.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other step is done at once")]
    pub(super) fn begin_work(&mut self, of: usize, step: &Step) {
        let jobs: VecDeque<Job> = match step {
            Step::RollingRestart(who) => self.restarts(who, None, true),
            Step::Upgrade(who, to) => self.restarts(who, Some(*to), true),
            Step::Config(who, change) => {
                self.reconfigure(who, change);
                self.restarts(who, None, false)
            }
            Step::Retire(cluster) => self.retirement(cluster),
            Step::Stop(who) | Step::LameDuck(who) if self.operator.patient => {
                self.selected(who).into_iter().map(|server| Job { server, what: Task::Await }).collect()
            }
            _ => return,
        };
        self.operator.step = Some((of, self.now));
        self.operator.jobs = jobs;
        self.operator.at = Progress::Ahead;
        self.at(self.now + 1, Event::Operate);
    }

    fn restarts(&self, who: &Sel, to: Option<Version>, whole: bool) -> VecDeque<Job> {
        let to = to.map(|(major, minor, patch)| ServerVersion { major, minor, patch });
        let runs = |ix: &usize| self.servers[*ix].health != Health::Dead;
        let servers = self.selected(who).into_iter().filter(runs);
        servers.map(|server| Job { server, what: Task::Restart { to, whole } }).collect()
    }

    pub(super) fn reconfigure(&mut self, who: &Sel, change: &Change) {
        for ix in self.selected(who) {
            self.servers[ix].next = self.changed(ix, change);
        }
    }

    /// Its servers are drained; then everybody else is restarted without it.
    fn retirement(&mut self, cluster: &str) -> VecDeque<Job> {
        let place = self.place(cluster);
        self.clusters[place].servers.clone().into_iter().for_each(|ix| self.lame_duck(ix));
        let leaves = |ix: usize| self.servers[ix].cluster == place;
        let jobs = (0..self.servers.len()).map(|server| {
            let what = if leaves(server) { Task::Await } else { Task::Forget(place) };
            Job { server, what }
        });
        let (mut first, then): (VecDeque<Job>, VecDeque<Job>) =
            jobs.partition(|job| matches!(job.what, Task::Await));
        first.extend(then);
        first
    }

    /// Looks at how far the first job has come.
    pub(super) fn operate(&mut self) {
        let Some(job) = self.operator.jobs.front() else { return self.end_work() };
        let (server, what) = (job.server, job.what.clone());
        if self.is_done(server, &what) {
            self.operator.jobs.pop_front();
            self.operator.at = Progress::Ahead;
            return self.operate();
        }
        self.at(self.now + LOOK_EVERY, Event::Operate);
    }

    fn is_done(&mut self, server: usize, what: &Task) -> bool {
        let dead = self.servers[server].health == Health::Dead;
        let (to, whole) = match what {
            Task::Await => return dead,
            Task::Restart { to, whole } => (*to, *whole),
            Task::Forget(_) => (None, true),
        };
        match self.operator.at {
            Progress::Ahead => {
                if let Task::Forget(cluster) = what {
                    self.servers[server].next.remotes.retain(|remote| remote.leads_to != *cluster);
                }
                self.lame_duck(server);
                self.operator.at = Progress::Leaving;
                false
            }
            Progress::Leaving => {
                if dead {
                    self.servers[server].version = to.unwrap_or(self.servers[server].version);
                    self.start_server(server);
                    self.operator.at = Progress::Started(self.now);
                }
                false
            }
            Progress::Started(since) => {
                let span = self.now - since;
                span >= BETWEEN_RESTARTS && (!whole || span >= PATIENCE || self.is_whole(server))
            }
        }
    }

    /// Whether it has the links that it is configured with.
    fn is_whole(&self, server: usize) -> bool {
        let server = &self.servers[server];
        server.config.remotes.iter().all(|remote| server.out[remote.leads_to].is_some())
    }

    fn end_work(&mut self) {
        let Some((of, began)) = self.operator.step.take() else { return };
        self.operator.late += (self.now - began).saturating_sub(IN_TIME);
        self.moments[of] = Moment { began: began - self.start, done: self.now - self.start };
        for part in std::mem::take(&mut self.operator.waiting) {
            let due = self.start + self.parts[part].0 + self.operator.late;
            self.at(due.max(self.now), Event::Step(part));
        }
    }
}
