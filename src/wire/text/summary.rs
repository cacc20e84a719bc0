//! A few sentences: what is cut and since when, who loses what, what the servers claim, and why.

use super::title::{about, cut_servers, one_way};
use super::{counted, list, moment, span, standing};
use crate::model::cause::{Cause, CauseKind, Confidence};
use crate::model::evidence::{Evidence, Says};
use crate::model::incident::{Direction, Incident, IncidentKind, ServerView, Subject};
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
    let gone = |one: &Evidence| matches!(one.says, Says::Forgotten { .. });
    if incident.healed.is_none() && incident.evidence.iter().any(gone) {
        return format!(
            "It began at {began} and was closed at {resolved}: gatewatch was told that what it is about is gone for good, and no \
             longer watches it."
        );
    }
    let healed = match incident.kind {
        IncidentKind::VantageLost => {
            "gatewatch sees the cluster again; what happened there meanwhile it cannot know."
        }
        IncidentKind::ClusterOffline => "Servers of the cluster are heard again, or are no longer expected.",
        IncidentKind::ClusterIsolated | IncidentKind::GatewayDown | IncidentKind::GatewayDegraded => {
            "Messages cross again, or the links are no longer expected. Core messages of that time are lost, except that after a short cut some arrive late; \
             JetStream mirrors and sources catch up by themselves."
        }
        IncidentKind::GatewayFlapping => "The links have held since.",
        IncidentKind::ServerLost => "The server is heard again, or is no longer expected.",
        IncidentKind::GatewayNeverUp => "The link is up, or is no longer wanted.",
        IncidentKind::GatewayUnwanted
        | IncidentKind::GatewayRemoved
        | IncidentKind::ConfigDrift
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions
        | IncidentKind::RoutesIncomplete => "The check no longer finds it.",
        IncidentKind::GatewatchImpaired => "gatewatch has been well for a while.",
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
        IncidentKind::GatewayFlapping => format!(
            "Since {since} links of {} break and come back again and again. Each break loses the messages that were under way; \
             clients and JetStream see it as short gaps.",
            about(incident)
        ),
        IncidentKind::GatewayNeverUp
        | IncidentKind::GatewayUnwanted
        | IncidentKind::GatewayRemoved
        | IncidentKind::ConfigDrift
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions
        | IncidentKind::RoutesIncomplete
        | IncidentKind::GatewatchImpaired => standing::meaning(incident, &since),
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
        (Some(Direction::Both) | None, Subject::Cluster(_) | Subject::Server(_) | Subject::Instance(_)) => {
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
        CauseKind::Crashed => "the processes ended without a word: their hosts refuse connections",
        CauseKind::Frozen => "the processes stand still: their connections are open, nothing answers",
        CauseKind::PacketsLost => "packets are dropped on the way (firewall, VPN, WAN) without a reset",
        CauseKind::ConnectionsClosed => "the gateway connections were closed, refused or cannot be made",
        CauseKind::PortRefused => {
            "nothing listens at the gateway address, or a firewall rejects connections to it"
        }
        CauseKind::TlsExpired => "a gateway certificate has ended",
        CauseKind::TlsUntrusted => {
            "a gateway certificate is signed by an authority that the other side does not trust"
        }
        CauseKind::TlsName => "a gateway certificate does not name the host that is dialled",
        CauseKind::Dns => "the host name of the gateways does not resolve",
        CauseKind::Authentication => "a server refuses the gateway's credentials",
        CauseKind::ConfigRemoved => "the remote was taken out of the configuration",
        CauseKind::ConfigRejected => "the remote rejects clusters that its configuration does not name",
        CauseKind::ConfigMisnamed => "the configuration names the remote by a name that no cluster has",
        CauseKind::NeverConnected => "the link was never made, and nothing tells why",
        CauseKind::LocalToServer => "something of this one server only: its host, network or configuration",
        CauseKind::OwnView => "the connection of gatewatch itself broke, not the supercluster",
        CauseKind::Configuration => "the configuration of the servers",
        CauseKind::Clock => "the clock of the host",
        CauseKind::Stalled => "the process of gatewatch got no time to run",
        CauseKind::Behind => "gatewatch does not keep up with what it hears",
        CauseKind::Publishing => {
            "the servers of the alert account do not take what gatewatch publishes, or are not reached"
        }
        CauseKind::Outbox => "what gatewatch has to store finds no room on its disk or no way into JetStream",
        CauseKind::ClockJumped => "the clock of the host of gatewatch was set",
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
