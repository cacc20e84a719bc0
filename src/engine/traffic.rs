//! Messages and bytes over each server link in the last minute, from the counters of successive STATSZ.
//!
//! What gatewatch itself makes servers send is left out, as far as it was heard: its vantage in the receiving cluster hears every answer
//! to a beat that crossed. Of other answers of the servers to it only the number is known, and their bytes stay in; so does what
//! servers tell each other in the system account (measured: about two messages and half a kilobyte a second over an idle link with JetStream).

use super::world::Server;
use crate::model::observation::OutboundStats;
use crate::model::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// The span that a rate is taken over. Servers report every 10 s, so it is made of about six reports.
const WINDOW: Duration = Duration::from_secs(60);
/// Reports that are kept at most; they may come oftener while something is looked into.
const MAX_REPORTS: usize = 32;
/// The least time between two reports that are kept.
const APART: Duration = Duration::from_secs(1);
/// What stands in an answer to a beat besides the server's name and id, in bytes.
const BEAT_FRAME: u64 = 40;

/// Traffic over one server link.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    reports: VecDeque<Counters>,
    connection: u64,
    /// Messages and bytes per second.
    pub(super) rate: Option<(f64, f64)>,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy)]
struct Counters {
    at: Mono,
    messages: u64,
    bytes: u64,
    /// What gatewatch made it send.
    ours: Ours,
}

/// Messages over a server link that gatewatch asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ours {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Ours {
    /// Notes an answer to a beat.
    pub(super) fn beat(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }

    /// Notes another answer, of unknown size.
    pub(super) fn answer(&mut self) {
        self.messages += 1;
    }
}

/// How large an answer of this server to a beat is, nearly.
pub(super) fn beat_bytes(server: &Server) -> u64 {
    (server.key.name.as_str().len() + server.id.as_str().len()) as u64 + BEAT_FRAME
}

impl Traffic {
    /// Takes the counters of a report in; `up` says whether the link carried everything.
    pub(super) fn report(&mut self, at: Mono, entry: &OutboundStats, ours: Ours, up: bool) {
        let now = Counters { at, messages: entry.sent_messages, bytes: entry.sent_bytes, ours };
        let newest = self.reports.back();
        let anew = entry.connection != self.connection
            || newest.is_some_and(|newest| newest.messages > now.messages || newest.bytes > now.bytes);
        if anew {
            self.reports.clear();
            self.connection = entry.connection;
        } else if newest.is_some_and(|newest| at.since(newest.at) < APART) {
            return;
        }
        if !up {
            // What a cut link swallows did not cross; the rate stays what it was before.
            self.reports.clear();
            return;
        }
        self.reports.push_back(now);
        while self.reports.len() > MAX_REPORTS
            || (self.reports.len() > 2 && at.since(self.reports[1].at) >= WINDOW)
        {
            self.reports.pop_front();
        }
        let first = self.reports[0];
        if at > first.at {
            self.rate = Some(rate(&first, &now));
        }
    }
}

fn rate(first: &Counters, last: &Counters) -> (f64, f64) {
    let seconds = last.at.since(first.at).as_secs_f64();
    let grown = |after: u64, before: u64, ours: u64| {
        after.saturating_sub(before).saturating_sub(ours) as f64 / seconds
    };
    let ours = |pick: fn(&Ours) -> u64| pick(&last.ours).saturating_sub(pick(&first.ours));
    (
        grown(last.messages, first.messages, ours(|ours| ours.messages)),
        grown(last.bytes, first.bytes, ours(|ours| ours.bytes)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(connection: u64, messages: u64) -> OutboundStats {
        OutboundStats {
            to: "west".into(),
            connection,
            sent_messages: messages,
            sent_bytes: messages * 100,
            inbound: 1,
        }
    }

    fn told(traffic: &mut Traffic, second: u64, entry: &OutboundStats, ours: Ours) -> Option<f64> {
        traffic.report(Mono::from_millis(second * 1_000), entry, ours, true);
        traffic.rate.map(|(messages, _)| messages)
    }

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let mut traffic = Traffic::default();
        let none = Ours::default();
        assert_eq!(told(&mut traffic, 0, &sent(1, 0), none), None);
        // Ten minutes of silence, then a minute of 50 messages a second.
        for ten in 1..=60 {
            assert_eq!(told(&mut traffic, ten * 10, &sent(1, 0), none), Some(0.0));
        }
        for ten in 1..=6 {
            told(&mut traffic, 600 + ten * 10, &sent(1, ten * 500), none);
        }
        assert_eq!(traffic.rate, Some((50.0, 5_000.0)));
    }

    #[test]
    fn what_gatewatch_asked_for_is_left_out() {
        let mut traffic = Traffic::default();
        told(&mut traffic, 0, &sent(1, 0), Ours::default());
        let ours = Ours { messages: 40, bytes: 4_000 };
        assert_eq!(told(&mut traffic, 10, &sent(1, 140), ours), Some(10.0));
        assert_eq!(traffic.rate.unwrap().1, 1_000.0);
        let more = Ours { messages: 1_000, bytes: 0 };
        assert_eq!(told(&mut traffic, 20, &sent(1, 141), more), Some(0.0), "never below nothing");
    }

    #[test]
    fn a_link_made_anew_keeps_its_rate_until_two_reports_tell_another() {
        let mut traffic = Traffic::default();
        told(&mut traffic, 0, &sent(1, 0), Ours::default());
        assert_eq!(told(&mut traffic, 10, &sent(1, 100), Ours::default()), Some(10.0));
        assert_eq!(told(&mut traffic, 20, &sent(2, 5), Ours::default()), Some(10.0));
        assert_eq!(told(&mut traffic, 30, &sent(2, 25), Ours::default()), Some(2.0));
    }

    #[test]
    fn what_is_sent_into_a_cut_link_does_not_count() {
        let mut traffic = Traffic::default();
        told(&mut traffic, 0, &sent(1, 0), Ours::default());
        told(&mut traffic, 10, &sent(1, 100), Ours::default());
        traffic.report(Mono::from_millis(20_000), &sent(1, 9_000), Ours::default(), false);
        assert_eq!(traffic.rate.unwrap().0, 10.0);
        assert_eq!(told(&mut traffic, 30, &sent(1, 9_100), Ours::default()), Some(10.0));
        assert_eq!(told(&mut traffic, 40, &sent(1, 9_150), Ours::default()), Some(5.0));
    }
}
