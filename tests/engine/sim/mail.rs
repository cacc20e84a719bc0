//! Messages on their way: questions to servers, facts to our connections.

use super::servers::Health;
use super::{Event, Rng, Sim};
use gatewatch::model::ask::Survey;
use gatewatch::model::observation::Fact;

/// What a server is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question {
    Beat(u64),
    Report(Survey),
}

/// One message under way.
#[derive(Debug, Clone)]
pub(super) enum Parcel {
    /// To our connection into a cluster, as long as that connection lasts.
    Fact { to: usize, epoch: u32, from: usize, fact: Box<Fact> },
    /// To one life of a server.
    Question { to: usize, life: u32, question: Question },
}

impl Sim {
    /// Sends a fact of `server` to every connection of ours.
    pub(super) fn broadcast(&mut self, server: usize, fact: &Fact) {
        for to in 0..self.ears.len() {
            if self.ears[to].server.is_some() {
                let parcel = Parcel::Fact {
                    to,
                    epoch: self.ears[to].epoch,
                    from: server,
                    fact: Box::new(fact.clone()),
                };
                self.forward(parcel, server, 0);
            }
        }
    }

    /// A server answers a question that reached it.
    pub(super) fn asked(&mut self, server: usize, life: u32, question: Question) {
        match self.servers[server].health {
            Health::Dead => {}
            Health::Frozen => self.servers[server].held.push(Parcel::Question { to: server, life, question }),
            Health::Running if self.servers[server].life != life => {}
            Health::Running => {
                let fact = match question {
                    Question::Beat(number) => Fact::Beat { server: self.servers[server].id.clone(), number },
                    Question::Report(what) => self.report(server, what, true),
                };
                self.answer(server, &fact);
            }
        }
    }

    /// Answers of old servers do not cross gateways.
    fn answer(&mut self, server: usize, fact: &Fact) {
        if self.servers[server].version.answers_beats() {
            return self.broadcast(server, fact);
        }
        let home = self.servers[server].cluster;
        if self.ears[home].server.is_some() {
            let parcel = Parcel::Fact {
                to: home,
                epoch: self.ears[home].epoch,
                from: server,
                fact: Box::new(fact.clone()),
            };
            self.forward(parcel, server, 0);
        }
    }

    /// Moves a message on from a server that it has reached.
    pub(super) fn forward(&mut self, parcel: Parcel, at: usize, delay: u64) {
        match self.servers[at].health {
            Health::Dead => return,
            Health::Frozen => return self.servers[at].held.push(parcel),
            Health::Running => {}
        }
        let here = self.servers[at].cluster;
        let there = match &parcel {
            Parcel::Fact { to, .. } => *to,
            Parcel::Question { to, .. } => self.servers[*to].cluster,
        };
        if here == there {
            return self.deliver(parcel, (at, there), delay);
        }
        let (latency, jitter) = self.clusters[here].wan[there];
        let delay = delay + latency + self.jitter(at, there, jitter) + self.hindrance(at, there);
        match &mut self.servers[at].out[there] {
            None => {}
            Some(gateway) if gateway.stuck => gateway.held.push(parcel),
            Some(gateway) => {
                gateway.arrived = self.now;
                let peer = gateway.peer;
                self.forward(parcel, peer, delay);
            }
        }
    }

    /// What a slow or lossy way adds: a lost packet is sent again after a while, and all that is behind it waits.
    fn hindrance(&mut self, at: usize, there: usize) -> u64 {
        let Some(peer) = self.servers[at].out[there].as_ref().map(|gateway| gateway.peer) else { return 0 };
        if self.slow.is_empty() && self.lossy.is_empty() {
            return 0;
        }
        let slow = self.slow.iter().filter(|(between, _)| self.concerns(between, at, peer));
        let slow: u64 = slow.map(|(_, (ms, jitter))| ms + self.jitter(at, there, *jitter)).sum();
        let lossy = self.lossy.iter().filter(|(between, _)| self.concerns(between, at, peer));
        let share: u64 = lossy.map(|(_, share)| *share).sum();
        let (lost, span) = (self.jitter(at, there, 99) < share, 200 + self.jitter(at, there, 250));
        let now = self.now;
        let Some(gateway) = self.servers[at].out[there].as_mut() else { return slow };
        if lost {
            gateway.clear_at = gateway.clear_at.max(now) + span;
        }
        slow + gateway.clear_at.saturating_sub(now)
    }

    /// Chance that depends on nothing but the moment and the way: what is asked more or less often changes nothing else.
    fn jitter(&self, at: usize, there: usize, most: u64) -> u64 {
        let way = (at as u64) << 40 | (there as u64) << 32 | self.now;
        Rng::new(self.story.seed.rotate_left(17) ^ way).within(0, most)
    }

    /// The message is in the right cluster.
    fn deliver(&mut self, parcel: Parcel, (at, there): (usize, usize), delay: u64) {
        let delay = delay + 1 + self.jitter(at, there, 1);
        match parcel {
            Parcel::Question { to, life, question } => {
                self.at(self.now + delay, Event::Asked { server: to, life, question });
            }
            Parcel::Fact { to, epoch, from, fact } => {
                let Some(door) = self.ears[to].server.filter(|_| self.ears[to].epoch == epoch) else {
                    return;
                };
                if door != at && self.servers[door].health == Health::Frozen {
                    return self.servers[door].held.push(Parcel::Fact { to, epoch, from, fact });
                }
                let fate = self.fate(from, to, &fact);
                if fate.lost {
                    return;
                }
                // What one server sends to one place stays in order, but for chaos.
                let due = self.ears[to].in_order(from, self.now + delay + fate.late) + fate.overtaken;
                if let Some(later) = fate.again {
                    self.at(due + later, Event::Heard { at: to, epoch, fact: fact.clone() });
                }
                self.at(due, Event::Heard { at: to, epoch, fact });
            }
        }
    }

    /// Asks through our connection into a cluster.
    pub(super) fn ask_through(&mut self, ears: usize, server: usize, life: u32, question: Question) {
        let Some(door) = self.ears[ears].server else { return };
        if !self.may_ask || self.ears[ears].is_cut() || self.question_lost(ears, server) {
            return;
        }
        self.forward(Parcel::Question { to: server, life, question }, door, 0);
    }
}
