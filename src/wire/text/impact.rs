//! What a loss costs, in words.

use super::{counted, list};
use crate::model::impact::{Impact, Replication};

/// What the loss costs; empty when nothing is known.
#[must_use]
pub fn impact(impact: &Impact) -> String {
    let rate = match (impact.messages_per_second, impact.bytes_per_second) {
        (None, None) => None,
        (Some(messages), None) => Some(format!("{} messages/s", figure(messages))),
        (None, Some(bytes)) => Some(format!("{}/s", size(bytes))),
        (Some(messages), Some(bytes)) => Some(format!("{} messages/s ({}/s)", figure(messages), size(bytes))),
    };
    let traffic = rate.map(|rate| format!("Before the loss about {rate} crossed the cut links."));
    let clients = usize::try_from(impact.clients_disconnected).unwrap_or(usize::MAX);
    let closed = (clients > 0).then(|| {
        let verb = if clients == 1 { "was" } else { "were" };
        format!("{} of the servers concerned {verb} closed.", counted(clients, "client connection"))
    });
    let parts = [traffic, accounts(impact), replication(impact), closed, resynced(impact)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn accounts(impact: &Impact) -> Option<String> {
    let total = usize::try_from(impact.accounts_total).unwrap_or(usize::MAX);
    let verb = if total == 1 { "has" } else { "have" };
    (total > 0).then(|| {
        let named = list(&impact.accounts);
        format!("{} {verb} interest across them: {named}.", counted(total, "account"))
    })
}

/// Copies that stand still or lag, worst first.
fn replication(impact: &Impact) -> Option<String> {
    let mut copies: Vec<&Replication> = impact.replication.iter().collect();
    copies.sort_by_key(|copy| std::cmp::Reverse(copy.lag));
    let named: Vec<String> = copies.iter().map(|copy| one_copy(copy)).collect();
    (!named.is_empty()).then(|| format!("JetStream copies fed across them: {}.", list(&named)))
}

fn one_copy(copy: &Replication) -> String {
    let lag = match copy.lag {
        Some(lag) => format!("{lag} behind"),
        None => "lag not known".to_owned(),
    };
    format!("{} {} of {} in {} ({lag})", copy.role, copy.stream, copy.origin, copy.copy())
}

fn resynced(impact: &Impact) -> Option<String> {
    let seconds = impact.resynced_after?.as_secs_f64();
    Some(format!("Interest and copies had caught up {seconds:.1} s after the heal."))
}

fn figure(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn size(bytes: f64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let unit = units.into_iter().find(|(_, scale)| bytes >= *scale);
    unit.map_or_else(|| format!("{bytes:.0} B"), |(name, scale)| format!("{} {name}", figure(bytes / scale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impact_says_only_what_is_known() {
        let told = |messages, bytes, clients| {
            impact(&Impact {
                messages_per_second: messages,
                bytes_per_second: bytes,
                clients_disconnected: clients,
                ..Impact::default()
            })
        };
        assert_eq!(told(None, None, 0), "");
        assert_eq!(told(Some(2.34), None, 0), "Before the loss about 2.3 messages/s crossed the cut links.");
        assert_eq!(
            told(Some(1200.4), Some(2_500_000.0), 1),
            "Before the loss about 1200 messages/s (2.5 MB/s) crossed the cut links. 1 client connection of the servers \
             concerned was closed."
        );
        assert_eq!(told(None, None, 12), "12 client connections of the servers concerned were closed.");
    }
}
