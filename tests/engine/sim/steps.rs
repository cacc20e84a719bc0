//! What a story does to the supercluster.

use super::{Event, Sim, Told};
use crate::story::{Sel, Step};

impl Sim {
    pub(super) fn step(&mut self, at: usize) {
        let step = self.story.steps[at].1.clone();
        self.tell(Told::Step(step.to_string()));
        match step {
            Step::Cut(cut, between) => self.cut(cut, between),
            Step::Heal(between) => self.heal(between.as_ref()),
            Step::Reset(between) => self.reset(&between),
            Step::Kill(who) => self.each(&who, |server, life| (0, 5, Event::Kill { server, life })),
            Step::Stop(who) => self.each(&who, |server, life| (0, 100, Event::Shutdown { server, life })),
            Step::Freeze(who) => self.selected(&who).into_iter().for_each(|ix| self.freeze(ix)),
            Step::Thaw(who) => self.selected(&who).into_iter().for_each(|ix| self.thaw(ix)),
            Step::Start(who) => self.start_servers(&who),
            Step::LameDuck(who) => self.selected(&who).into_iter().for_each(|ix| self.lame_duck(ix)),
            Step::VantageCut(cluster, cut) => self.cut_ears(self.place(&cluster), Some(cut)),
            Step::VantageBack(cluster) => self.cut_ears(self.place(&cluster), None),
            Step::VantageReset(cluster) => self.ears_lost(self.place(&cluster)),
            Step::Overrun(cluster, span) => self.overrun(self.place(&cluster), span),
            Step::Stall(span) => self.stall(span),
            Step::Wan(wan) => {
                let (a, b) = (self.place(&wan.ends.0), self.place(&wan.ends.1));
                self.set_wan(a, b, (wan.ms, wan.jitter));
            }
            Step::GatewatchStop => self.stop_gatewatch(),
            Step::GatewatchStart => self.restart_gatewatch(),
        }
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
