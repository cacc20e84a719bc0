//! What a story does to the supercluster.

use super::{Event, Sim, Told};
use crate::story::{Moment, Permissions, Sel, Step};

impl Sim {
    /// A part of a step is due, unless one before it takes so long that it must wait.
    pub(super) fn step(&mut self, part: usize) {
        let (at, of, step) = self.parts[part].clone();
        if self.operator.holds() {
            return self.operator.wait(part);
        }
        let due = self.start + at + self.operator.late();
        if self.now < due {
            return self.at(due, Event::Step(part));
        }
        self.tell(Told::Step(step.to_string()));
        let now = self.now - self.start;
        if self.moments[of] == Moment::default() {
            self.moments[of] = Moment { began: now, done: now };
        }
        self.play(&step);
        self.begin_work(of, &step);
    }

    /// What is in force before anything starts.
    pub(super) fn given(&mut self, step: &Step) {
        let Step::Config(who, change) = step else { return self.play(step) };
        self.reconfigure(who, change);
        for ix in self.selected(who) {
            self.servers[ix].config = self.servers[ix].next.clone();
        }
    }

    fn play(&mut self, step: &Step) {
        match step.clone() {
            Step::Cut(cut, between) => self.cut(cut, between),
            Step::CutDials(cut, between) => self.dial_cuts.push((cut, between)),
            Step::Slow(between, ms, jitter) => self.slow.push((between, (ms, jitter))),
            Step::Lossy(between, share) => self.lossy.push((between, u64::from(share))),
            Step::Heal(between) => self.heal(between.as_ref()),
            Step::Reset(between) => self.reset(&between),
            Step::Kill(_)
            | Step::Stop(_)
            | Step::Freeze(_)
            | Step::Thaw(_)
            | Step::Start(_)
            | Step::LameDuck(_)
            | Step::ScaleUp(_)
            | Step::Join(_) => self.play_servers(step),
            Step::VantageCut(..) | Step::VantageBack(_) | Step::VantageReset(_) | Step::Overrun(..) => {
                self.play_ears(step);
            }
            Step::Stall(span) => self.stall(span),
            Step::Wan(wan) => {
                let (a, b) = (self.place(&wan.ends.0), self.place(&wan.ends.1));
                self.set_wan(a, b, (wan.ms, wan.jitter));
            }
            Step::GatewatchStop => self.stop_gatewatch(),
            Step::GatewatchStart => self.restart_gatewatch(),
            Step::GatewatchStartAfresh => self.start_gatewatch(None),
            Step::Permissions(permissions) => {
                self.stop_gatewatch();
                self.may_ask = permissions == Permissions::Whole;
                self.restart_gatewatch();
            }
            // Made of cuts and heals when the story was unfolded, or done server by server by the operator.
            Step::Flap(_)
            | Step::RollingRestart(_)
            | Step::Upgrade(..)
            | Step::Retire(_)
            | Step::Config(..) => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what else there is was sorted out before")]
    fn play_servers(&mut self, step: &Step) {
        match step {
            Step::Kill(who) => self.each(who, |server, life| (0, 5, Event::Kill { server, life })),
            Step::Stop(who) => self.each(who, |server, life| (0, 100, Event::Shutdown { server, life })),
            Step::Freeze(who) => self.selected(who).into_iter().for_each(|ix| self.freeze(ix)),
            Step::Thaw(who) => self.selected(who).into_iter().for_each(|ix| self.thaw(ix)),
            Step::Start(who) => self.start_servers(who),
            Step::LameDuck(who) => self.selected(who).into_iter().for_each(|ix| self.lame_duck(ix)),
            Step::ScaleUp(cluster) => {
                let cluster = self.place(cluster);
                let ix = self.add_server(cluster);
                self.start_server(ix);
            }
            Step::Join(cluster) => self.join(self.place(cluster)),
            other => panic!("{other} does nothing to servers"),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what else there is was sorted out before")]
    fn play_ears(&mut self, step: &Step) {
        match step {
            Step::VantageCut(at, cut) => {
                self.places(at).into_iter().for_each(|place| self.cut_ears(place, Some(*cut)));
            }
            Step::VantageBack(at) => {
                self.places(at).into_iter().for_each(|place| self.cut_ears(place, None));
            }
            Step::VantageReset(at) => self.places(at).into_iter().for_each(|place| self.ears_lost(place)),
            Step::Overrun(at, span) => self.overrun(self.place(at), *span),
            other => panic!("{other} does nothing to connections of ours"),
        }
    }

    /// A cluster that was absent starts, configured with all that are there. We find it by what its servers report.
    fn join(&mut self, cluster: usize) {
        let there = |&other: &usize| other != cluster && !self.clusters[other].servers.is_empty();
        self.clusters[cluster].remotes = (0..self.clusters.len()).filter(there).collect();
        for _ in 0..self.story.clusters[cluster].servers {
            let ix = self.add_server(cluster);
            self.start_server(ix);
        }
        self.after(1_500, 3_000, Event::EarsWanted { at: cluster });
    }

    /// The cluster of this name; `*` is all of them.
    fn places(&self, name: &str) -> Vec<usize> {
        if name == "*" { (0..self.clusters.len()).collect() } else { vec![self.place(name)] }
    }

    /// Does the same to each server that is meant, within so many milliseconds.
    fn each(&mut self, who: &Sel, event: impl Fn(usize, u32) -> (u64, u64, Event)) {
        for ix in self.selected(who) {
            let (from, to, event) = event(ix, self.servers[ix].life);
            self.after(from, to, event);
        }
    }

    fn start_servers(&mut self, who: &Sel) {
        if let Sel::Server(cluster, number) = who {
            let cluster = self.place(cluster);
            while self.clusters[cluster].servers.len() < *number {
                self.add_server(cluster);
            }
        }
        self.selected(who).into_iter().for_each(|ix| self.start_server(ix));
    }
}
