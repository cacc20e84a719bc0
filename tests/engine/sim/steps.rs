//! What a story does to the supercluster.

use super::{Event, Sim, Told};
use crate::story::{Sel, Step};

impl Sim {
    pub(super) fn step(&mut self, at: usize) {
        let step = self.story.steps[at].1.clone();
        self.tell(Told::Step(step.to_string()));
        match step.clone() {
            Step::Cut(cut, between) => self.cut(cut, between),
            Step::Heal(between) => self.heal(between.as_ref()),
            Step::Reset(between) => self.reset(&between),
            Step::Kill(who) => self.each(&who, |server, life| (0, 5, Event::Kill { server, life })),
            Step::Stop(who) => self.each(&who, |server, life| (0, 100, Event::Shutdown { server, life })),
            Step::Freeze(who) => self.selected(&who).into_iter().for_each(|ix| self.freeze(ix)),
            Step::Thaw(who) => self.selected(&who).into_iter().for_each(|ix| self.thaw(ix)),
            Step::Start(who) => self.start_servers(&who),
            Step::LameDuck(who) => self.selected(&who).into_iter().for_each(|ix| self.lame_duck(ix)),
            Step::VantageCut(at, cut) => {
                self.places(&at).into_iter().for_each(|place| self.cut_ears(place, Some(cut)));
            }
            Step::VantageBack(at) => {
                self.places(&at).into_iter().for_each(|place| self.cut_ears(place, None));
            }
            Step::VantageReset(at) => self.places(&at).into_iter().for_each(|place| self.ears_lost(place)),
            Step::Overrun(at, span) => self.overrun(self.place(&at), span),
            Step::Stall(span) => self.stall(span),
            Step::Wan(wan) => {
                let (a, b) = (self.place(&wan.ends.0), self.place(&wan.ends.1));
                self.set_wan(a, b, (wan.ms, wan.jitter));
            }
            Step::GatewatchStop => self.stop_gatewatch(),
            Step::GatewatchStart => self.restart_gatewatch(),
            Step::GatewatchStartAfresh => self.start_gatewatch(None),
            Step::CutDials(..)
            | Step::Slow(..)
            | Step::Lossy(..)
            | Step::Flap(_)
            | Step::RollingRestart(_)
            | Step::Upgrade(..)
            | Step::ScaleUp(_)
            | Step::Join(_)
            | Step::Retire(_)
            | Step::Config(..)
            | Step::Permissions(_) => panic!("the simulation cannot play: {step}"),
        }
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
