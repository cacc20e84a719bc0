//! A few sentences: what is cut and since when, who loses what, what the servers claim, and why.

use super::title::{about, cut_servers, one_way};
use super::{counted, list, moment, span};
use crate::model::incident::{
    Cause, CauseKind, Confidence, Direction, Impact, Incident, IncidentKind, ServerView, Subject,
};
use crate::model::states::Departure;

/// What must be known to understand the loss, and is often believed otherwise.
const ONLY_OWN_LINK: &str = "A message crosses only through the gateway link of the very server on which it was published; \
                             no other server forwards it";

/// Two to four sentences for somebody who has nothing else to read.
#[must_use]
pub fn summary(incident: &Incident) -> String {
    if let Some(other) = &incident.merged_into {
        return format!(
            "What began with {} at {} turned out to be part of incident {other}. Follow that one; this one is closed.",
            about(incident),
            moment(incident.began)
        );
    }
    if let Some(resolved) = incident.resolved {
        return over(incident, &moment(resolved));
    }
    let parts = [loss(incident), server_view(&incident.server_view), cause(incident.cause)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn over(incident: &Incident, resolved: &str) -> String {
    let lasted = span(incident.lasted(incident.updated));
    let began = moment(incident.began);
    let healed = match incident.kind {
        IncidentKind::VantageLost => {
            "gatewatch sees the cluster again; what happened there meanwhile it cannot know."
        }
        IncidentKind::ClusterOffline => "Servers of the cluster are heard again, or are no longer expected.",
        IncidentKind::ClusterIsolated | IncidentKind::GatewayDown | IncidentKind::GatewayDegraded => {
            "Messages cross again, or the links are no longer expected. Core messages of that time are lost, except that after a short cut some arrive late; \
             JetStream mirrors and sources catch up by themselves."
        }
        IncidentKind::ServerLost => "The server is heard again, or is no longer expected.",
    };
    format!(
        "It began at {began}, lasted {lasted} and was resolved at {resolved}. {healed} {}",
        cause(incident.cause)
    )
}

/// What is cut, since when, and who loses what.
fn loss(incident: &Incident) -> String {
    let since = moment(incident.began);
    match incident.kind {
        IncidentKind::VantageLost => format!(
            "The connection of gatewatch into {} has not worked since {since}. Nothing is known about gateways that end \
             there, and other alerts about them are held back; the cluster itself may well be healthy.",
            about(incident)
        ),
        IncidentKind::ClusterOffline => offline(incident, &since),
        IncidentKind::ClusterIsolated => format!(
            "The servers of {} are alive, but since {since} nothing has crossed between it and any other cluster. \
             Messages published there stay there and messages for it do not arrive; JetStream assets whose quorum lies on \
             the other side cannot be written there.",
            about(incident)
        ),
        IncidentKind::GatewayDown => down(incident, &since),
        IncidentKind::GatewayDegraded => degraded(incident, &since),
        IncidentKind::ServerLost => format!(
            "{} has not answered since {since}, while other servers of its cluster do. Its clients are cut off until they \
             reconnect to another server; replicas of JetStream assets on it are missing.",
            capital(&about(incident))
        ),
    }
}

fn offline(incident: &Incident, since: &str) -> String {
    let how = match incident.departure {
        Some(Departure::Planned) => "announced its shutdown",
        Some(Departure::Crash) => "fell silent without announcing a shutdown",
        None => "is gone",
    };
    format!(
        "Every server of {} {how}; the last was gone at {since}, as seen from the other clusters. Its clients have no \
         server there, and nothing published elsewhere reaches it.",
        about(incident)
    )
}

fn down(incident: &Incident, since: &str) -> String {
    match (incident.direction(), &incident.subject) {
        (Some(Direction::OneWay(link)), _) => format!(
            "Since {since} nothing that is published in cluster {} reaches cluster {}; the other direction works, so \
             requests may arrive whose answers are lost. {ONLY_OWN_LINK}, so every client in {} is concerned.",
            link.from, link.to, link.from
        ),
        (Some(Direction::Both) | None, Subject::Pair(a, b)) => format!(
            "Since {since} nothing has crossed between clusters {a} and {b} in either direction. {ONLY_OWN_LINK} and no \
             third cluster does, so what is published in one for subscribers in the other is lost until the links are back; \
             JetStream mirrors and sources stand still and catch up then."
        ),
        (Some(Direction::Both) | None, Subject::Cluster(_) | Subject::Server(_)) => {
            format!("Since {since} {} is down. {ONLY_OWN_LINK}.", about(incident))
        }
    }
}

fn degraded(incident: &Incident, since: &str) -> String {
    let cut = cut_servers(incident);
    let servers = if cut.len() == 1 { "Server" } else { "Servers" };
    let remote = match one_way(incident) {
        Some((_, to)) => format!("cluster {to}"),
        None => "the other cluster".to_owned(),
    };
    format!(
        "{servers} {} cannot send to {remote} since {since}; the other servers can. {ONLY_OWN_LINK}, so clients connected \
         to the named {} lose every message for {remote}, while clients of its neighbours notice nothing.",
        list(&cut),
        if cut.len() == 1 { "server" } else { "servers" },
    )
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The probable cause, and how sure that is: one sentence.
#[must_use]
pub fn cause(cause: Cause) -> String {
    let what = match cause.kind {
        CauseKind::PlannedStop => "a shutdown by plan: it was announced",
        CauseKind::Silent => "a crash, a kill or a freeze: nothing announced a shutdown",
        CauseKind::PacketsLost => "packets are dropped on the way (firewall, VPN, WAN) without a reset",
        CauseKind::ConnectionsClosed => "the gateway connections were closed, refused or cannot be made",
        CauseKind::OwnView => "the connection of gatewatch itself broke, not the supercluster",
        CauseKind::Unknown => return "The cause cannot be told from the evidence.".to_owned(),
    };
    let sure = match cause.confidence {
        Confidence::Proven => "Cause (proven)",
        Confidence::Likely => "Probable cause",
        Confidence::Possible => "Possible cause",
    };
    format!("{sure}: {what}.")
}

/// What the servers themselves say of the cut links; empty when they say nothing.
#[must_use]
pub fn server_view(view: &ServerView) -> String {
    let (listed, gone) = (view.still_listed.len(), view.known_gone.len());
    let until = match view.notice_by {
        Some(at) => format!("they will notice by {} at the latest", moment(at)),
        None => "when they will notice is not known".to_owned(),
    };
    match (listed, gone) {
        (0, 0) => String::new(),
        (0, 1) => "The server knows that the link is gone and tries to make it again.".to_owned(),
        (0, _) => "The servers know that the links are gone and try to make them again.".to_owned(),
        (_, 0) => format!(
            "The servers themselves still list {} as up, so their own monitoring looks healthy; {until}.",
            if listed == 1 { "the link".to_owned() } else { format!("all {listed} cut links") }
        ),
        (_, _) => format!(
            "The servers still list {listed} of {} as up and know that the rest is gone; {until}.",
            counted(listed + gone, "cut link")
        ),
    }
}

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
    [traffic, closed].into_iter().flatten().collect::<Vec<_>>().join(" ")
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
