//! Our own connections: one into each cluster that has a vantage, made again and again.
//!
//! Ends at once when its server closes it, and after 1.5 s when its server no longer echoes. Each reason why it cannot be made anew is
//! told once, as the real one does.

use super::servers::Health;
use super::{Event, Sim};
use crate::story::Cut;
use gatewatch::engine::Input;
use gatewatch::model::ask::Survey;
use gatewatch::model::observation::{Disconnect, Fact, Observation, VantageChange, VantageEvent};

/// One of our own connections.
#[derive(Debug)]
pub(super) struct Ears {
    wanted: bool,
    /// The server it leads to, while connected.
    pub(super) server: Option<usize>,
    /// Counts connections: what was sent to an earlier one is lost.
    pub(super) epoch: u32,
    cut: Option<Cut>,
    failures: u32,
    told: Option<Disconnect>,
    /// Messages are dropped until then.
    overrun: Option<u64>,
    noticed: u64,
    /// When the last message of each server arrives.
    latest: Vec<u64>,
}

impl Ears {
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            server: None,
            epoch: 0,
            cut: None,
            failures: 0,
            told: None,
            overrun: None,
            noticed: 0,
            latest: Vec::new(),
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// When a message of a server arrives that would at `due`, were it not behind others.
    pub(super) fn in_order(&mut self, from: usize, due: u64) -> u64 {
        if self.latest.len() <= from {
            self.latest.resize(from + 1, 0);
        }
        self.latest[from] = self.latest[from].max(due);
        self.latest[from]
    }
}

impl Sim {
    /// All connections are wanted and being made.
    pub(super) fn start_ears(&mut self) {
        for at in 0..self.ears.len() {
            self.ears[at].epoch += 1;
            self.ears[at].server = None;
            self.ears[at].told = None;
            if self.ears[at].wanted {
                self.change(at, VantageEvent::Dialling);
                let epoch = self.ears[at].epoch;
                self.after(1, 50, Event::EarsDial { at, epoch });
            }
        }
    }

    /// A cluster was found that a connection is wanted into.
    pub(super) fn ears_wanted(&mut self, at: usize) {
        if self.ears[at].wanted || !self.story.clusters[at].vantage {
            return;
        }
        self.ears[at].wanted = true;
        self.change(at, VantageEvent::Dialling);
        let epoch = self.ears[at].epoch;
        self.after(1, 50, Event::EarsDial { at, epoch });
    }

    pub(super) fn stop_ears(&mut self) {
        for ears in &mut self.ears {
            ears.epoch += 1;
            ears.server = None;
        }
    }

    fn change(&mut self, at: usize, what: VantageEvent) {
        let cluster = self.clusters[at].name.clone();
        self.feed(Input::Vantage(VantageChange { cluster, at: self.mono(), what }));
    }

    pub(super) fn ears_dial(&mut self, at: usize, epoch: u32) {
        let ears = &self.ears[at];
        if ears.epoch != epoch || ears.server.is_some() {
            return;
        }
        match ears.cut {
            Some(Cut::Refuse) => {
                return self.after(1, 2, Event::EarsFail { at, epoch, why: Disconnect::Refused });
            }
            Some(Cut::Drop) => {
                return self.after(3_000, 3_000, Event::EarsFail { at, epoch, why: Disconnect::TimedOut });
            }
            None => {}
        }
        let mut doors = self.clusters[at].servers.clone();
        let shift = self.rng.within(0, doors.len().max(1) as u64 - 1);
        doors.rotate_left(usize::try_from(shift).unwrap());
        let frozen = doors.iter().filter(|&&door| self.servers[door].health == Health::Frozen).count() as u64;
        let open =
            |&&door: &&usize| self.servers[door].health == Health::Running && !self.servers[door].leaving;
        match doors.iter().find(open).copied() {
            Some(server) => self.after(3, 8 + 200 * frozen, Event::EarsUp { at, epoch, server }),
            None if frozen > 0 => {
                self.after(3_000, 3_000, Event::EarsFail { at, epoch, why: Disconnect::TimedOut });
            }
            None => self.after(1, 2, Event::EarsFail { at, epoch, why: Disconnect::Refused }),
        }
    }

    pub(super) fn ears_up(&mut self, at: usize, epoch: u32, server: usize) {
        if self.ears[at].epoch != epoch || self.ears[at].server.is_some() {
            return;
        }
        if self.servers[server].health != Health::Running || self.ears[at].is_cut() {
            return self.ears_dial(at, epoch);
        }
        let ears = &mut self.ears[at];
        (ears.server, ears.failures, ears.told) = (Some(server), 0, None);
        let id = self.servers[server].id.clone();
        self.change(at, VantageEvent::Connected { server: Some(id) });
        for what in [Survey::Stats, Survey::Gateways, Survey::Config] {
            self.at(self.now + 1, Event::Ask { cluster: at, servers: Vec::new(), what, everywhere: false });
        }
        // Clusters without an address are searched for through whoever is connected.
        let what = Survey::Config;
        for cluster in 0..self.ears.len() {
            if self.ears[cluster].wanted {
                continue;
            }
            self.at(self.now + 1, Event::Ask { cluster, servers: Vec::new(), what, everywhere: true });
        }
    }

    pub(super) fn ears_fail(&mut self, at: usize, epoch: u32, why: Disconnect) {
        let ears = &mut self.ears[at];
        if ears.epoch != epoch || ears.server.is_some() {
            return;
        }
        ears.failures += 1;
        let pause = (100_u64 << ears.failures.min(5)).min(2_000);
        if ears.told.replace(why) != Some(why) {
            self.change(at, VantageEvent::Disconnected(why));
        }
        self.after(pause / 2, pause, Event::EarsDial { at, epoch });
    }

    pub(super) fn ears_lost(&mut self, at: usize) {
        let ears = &mut self.ears[at];
        if ears.server.take().is_none() {
            return;
        }
        ears.epoch += 1;
        ears.told = Some(Disconnect::Lost);
        let epoch = ears.epoch;
        self.change(at, VantageEvent::Disconnected(Disconnect::Lost));
        self.after(1, 2, Event::EarsDial { at, epoch });
    }

    pub(super) fn ears_server_died(&mut self, server: usize) {
        for at in 0..self.ears.len() {
            if self.ears[at].server == Some(server) {
                self.ears_lost(at);
            }
        }
    }

    pub(super) fn ears_server_silent(&mut self, server: usize) {
        for at in 0..self.ears.len() {
            if self.ears[at].server == Some(server) {
                let epoch = self.ears[at].epoch;
                self.after(1_500, 1_750, Event::EarsSilent { at, epoch });
            }
        }
    }

    pub(super) fn ears_silent(&mut self, at: usize, epoch: u32) {
        let ears = &self.ears[at];
        let Some(server) = ears.server.filter(|_| ears.epoch == epoch) else { return };
        if self.is_stalled() {
            self.after(1_500, 1_750, Event::EarsSilent { at, epoch });
        } else if ears.is_cut() || self.servers[server].health == Health::Frozen {
            self.ears_lost(at);
        }
    }

    pub(super) fn cut_ears(&mut self, at: usize, cut: Option<Cut>) {
        self.ears[at].cut = cut;
        let epoch = self.ears[at].epoch;
        match cut {
            Some(Cut::Refuse) => self.ears_lost(at),
            Some(Cut::Drop) => self.after(1_500, 1_750, Event::EarsSilent { at, epoch }),
            None => {}
        }
    }

    pub(super) fn overrun(&mut self, at: usize, span: u64) {
        self.ears[at].overrun = Some(self.now + span);
    }

    /// A message has come off the connection.
    pub(super) fn heard(&mut self, at: usize, epoch: u32, fact: Fact) {
        let now = self.now;
        let ears = &mut self.ears[at];
        if ears.epoch != epoch || ears.server.is_none() || ears.is_cut() {
            return;
        }
        if let Some(until) = ears.overrun {
            let notice = now >= until || now >= ears.noticed + 100;
            if notice {
                ears.noticed = now;
                ears.overrun = ears.overrun.filter(|_| now < until);
                self.change(at, VantageEvent::Dropped);
            }
            if now < until {
                return;
            }
        }
        let vantage = self.clusters[at].name.clone();
        self.feed(Input::Observed(Observation { vantage, at: self.mono(), fact }));
    }
}
