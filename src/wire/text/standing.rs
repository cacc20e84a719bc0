//! Texts of standing conditions: nothing broke just now, but something is not as it should be.

use super::title::about;
use super::{list, own};
use crate::model::ids::ServerKey;
use crate::model::incident::{Incident, IncidentKind};

/// What a kind is called in a title: `the trouble`, and `what was` once it is over.
pub(super) struct Words {
    pub(super) trouble: &'static str,
    pub(super) over: &'static str,
}

/// The words of a kind.
pub(super) const fn words(kind: IncidentKind) -> Words {
    let (trouble, over) = match kind {
        IncidentKind::GatewayNeverUp => ("has never been up", "not up"),
        IncidentKind::GatewayUnwanted => ("exists though it must not", "there though it must not be"),
        IncidentKind::GatewayRemoved => ("is no longer configured by anybody", "removed"),
        IncidentKind::ConfigDrift => {
            ("has gateway configurations that contradict each other", "configured in contradiction")
        }
        IncidentKind::CertificateExpiring => {
            ("has a gateway certificate that ends soon", "about to lose its certificate")
        }
        IncidentKind::SingleUrl => {
            ("knows a remote by a single address", "without a second address for a remote")
        }
        IncidentKind::ClockSkew => ("has a clock that is wrong", "on the wrong time"),
        IncidentKind::MixedVersions => ("runs servers of different versions", "on different versions"),
        IncidentKind::RoutesIncomplete => {
            ("has servers that are not connected with each other", "without all of its routes")
        }
        IncidentKind::GatewatchImpaired => ("is impaired; the clusters may be fine", "impaired"),
        IncidentKind::VantageLost
        | IncidentKind::ClusterOffline
        | IncidentKind::ClusterIsolated
        | IncidentKind::GatewayDown
        | IncidentKind::GatewayDegraded
        | IncidentKind::GatewayFlapping
        | IncidentKind::ServerLost => ("is in trouble", "in trouble"),
    };
    Words { trouble, over }
}

/// What it means, since when: one or two sentences.
pub(super) fn meaning(incident: &Incident, since: &str) -> String {
    let about = about(incident);
    match incident.kind {
        IncidentKind::GatewayNeverUp => format!(
            "The {about} is wanted and has not been up for as long as gatewatch knows the servers (since {since}). Nothing \
             crosses it."
        ),
        IncidentKind::GatewayUnwanted => format!(
            "Since {since} the {about} is up, and gatewatch was told that it must not exist. Messages may cross where none should."
        ),
        IncidentKind::GatewayRemoved => format!(
            "Since {since} no server names the {about} in its configuration any more, and it is gone. If that was meant, nothing is \
             to be done."
        ),
        IncidentKind::ConfigDrift => format!(
            "Since {since} the gateway settings around {about} contradict each other. Links may be up all the same, by gossip, and \
             fail to come back after the next restart."
        ),
        IncidentKind::CertificateExpiring => format!(
            "A gateway certificate of {about} ends soon or has ended. Links that are up live on; from its end on no broken link can \
             be made again."
        ),
        IncidentKind::SingleUrl => format!(
            "Servers of {about} know a remote cluster by a single address. When that host is gone at a moment at which the link must be \
             made anew, the remote cannot be found."
        ),
        IncidentKind::ClockSkew => format!(
            "The clock of {about} is wrong since {since}. Certificates, credentials with a time limit and message time stamps are \
             judged by it."
        ),
        IncidentKind::MixedVersions => format!(
            "Servers of {about} have run different versions for long. During an upgrade that is normal; as a lasting state it is not \
             what the servers are tested for."
        ),
        IncidentKind::RoutesIncomplete => format!(
            "Since {since} servers of {about} are not all connected with each other. A message that arrives over a gateway at one of \
             them may miss subscribers at another."
        ),
        IncidentKind::GatewatchImpaired => own::meaning(incident, since),
        IncidentKind::VantageLost
        | IncidentKind::ClusterOffline
        | IncidentKind::ClusterIsolated
        | IncidentKind::GatewayDown
        | IncidentKind::GatewayDegraded
        | IncidentKind::GatewayFlapping
        | IncidentKind::ServerLost => String::new(),
    }
}

/// What to do about it.
pub(super) fn remedy(incident: &Incident) -> Vec<String> {
    let about = about(incident);
    let step = match incident.kind {
        IncidentKind::GatewayUnwanted => format!(
            "Remove the remote from the gateway{{}} blocks of both sides of the {about} and set reject_unknown_cluster, or take it out \
             of [expect] forbidden."
        ),
        IncidentKind::GatewayRemoved => format!(
            "If the {about} was removed on purpose: nothing, or `gatewatch forget` for a cluster that is gone for good. If not, put it \
             back into the gateway{{}} blocks and restart the servers one by one."
        ),
        IncidentKind::ConfigDrift => "Make the gateway{} blocks of all servers of a cluster the same, name each remote on both sides, and \
             restart the servers one by one; the evidence names the differences."
            .to_owned(),
        IncidentKind::CertificateExpiring => format!(
            "Renew the gateway certificate of {about} and reload its servers (`nats-server --signal reload`); no restart is needed."
        ),
        IncidentKind::SingleUrl => {
            "List several gateway addresses of each remote, or a host name with several addresses.".to_owned()
        }
        IncidentKind::ClockSkew => format!("Check time synchronisation (NTP, chrony) on the host of {about}."),
        IncidentKind::MixedVersions => {
            format!("Finish the upgrade of {about}: {}.", list::<ServerKey>(&incident.scope.servers))
        }
        IncidentKind::RoutesIncomplete => format!(
            "Compare the routes in the cluster{{}} blocks of {about} and check the network between its servers: {}.",
            list::<ServerKey>(&incident.scope.servers)
        ),
        IncidentKind::VantageLost
        | IncidentKind::ClusterOffline
        | IncidentKind::ClusterIsolated
        | IncidentKind::GatewayDown
        | IncidentKind::GatewayDegraded
        | IncidentKind::GatewayFlapping
        | IncidentKind::ServerLost
        | IncidentKind::GatewayNeverUp
        | IncidentKind::GatewatchImpaired => return Vec::new(),
    };
    vec![step]
}
