//! What to check and what heals it, by kind and cause.

use super::list;
use super::title::{about, cut_servers};
use crate::model::evidence::Says;
use crate::model::incident::{CauseKind, Incident, IncidentId, IncidentKind, Subject};
use crate::model::observation::Disconnect;

/// Steps, the most promising first; empty once the incident is resolved.
#[must_use]
pub fn remedy(incident: &Incident) -> Vec<String> {
    if incident.resolved.is_some() {
        return incident.merged_into.as_ref().map(follow).into_iter().collect();
    }
    match incident.kind {
        IncidentKind::VantageLost => vantage_lost(incident),
        IncidentKind::ClusterOffline => cluster_offline(incident),
        IncidentKind::ClusterIsolated => isolated(incident),
        IncidentKind::GatewayDown => gateway(incident, &ends(incident)),
        IncidentKind::GatewayDegraded => {
            gateway(incident, &format!("{} and the remote cluster", list(&cut_servers(incident))))
        }
        IncidentKind::ServerLost => server_lost(incident),
    }
}

fn follow(other: &IncidentId) -> String {
    format!("Follow incident {other}.")
}

/// The two sides between which something is wrong.
fn ends(incident: &Incident) -> String {
    match &incident.subject {
        Subject::Pair(a, b) => format!("clusters {a} and {b}"),
        Subject::Cluster(cluster) => format!("cluster {cluster} and the others"),
        Subject::Server(server) => format!("server {server} and the remote cluster"),
    }
}

fn gateway(incident: &Incident, between: &str) -> Vec<String> {
    let redial = "Nothing needs a restart: the servers redial every second (slower with connect_backoff) and the links are \
                  back within seconds of the repair.";
    let mut steps = match incident.cause.kind {
        CauseKind::PacketsLost => vec![
            format!(
                "Check what lies between {between}: firewalls, security groups, VPN tunnels, WAN lines and their MTU. \
                 Something drops packets without a reset."
            ),
            "From a host of one side, open a TCP connection to a gateway port (7222 unless configured otherwise) of the \
             other; do it in both directions."
                .to_owned(),
        ],
        CauseKind::ConnectionsClosed => vec![
            format!(
                "Read the server logs of {between} for lines about gateways: refused or reset connections, \
                 'Authorization Violation', TLS handshake errors, rejected cluster names."
            ),
            "Compare the gateway{} blocks of both sides: name, urls, advertise, authorization, TLS certificates, \
             reject_unknown_cluster. Gateway settings other than TLS need a server restart."
                .to_owned(),
        ],
        CauseKind::PlannedStop => {
            vec!["Servers announced their shutdown: start them again, or remove them from the configuration.".to_owned()]
        }
        CauseKind::Silent => vec![format!(
            "Check the server processes and hosts of {between}: a server that crashed or froze takes the links with it that \
             ended there."
        )],
        CauseKind::OwnView => vec![
            "Check the connections of gatewatch itself before the gateways: the supercluster may be healthy.".to_owned(),
        ],
        CauseKind::Unknown => vec![format!(
            "Check the network between {between}, then the server logs of both sides for lines about gateways."
        )],
    };
    if let Some(step) = refused(incident) {
        steps.insert(0, step);
    }
    steps.push(redial.to_owned());
    steps
}

/// The first step when a server said that it refused a gateway.
fn refused(incident: &Incident) -> Option<String> {
    incident.evidence.iter().find_map(|evidence| match &evidence.says {
        Says::GatewayRefused { server, .. } => Some(format!(
            "Compare the gateway credentials (authorization in the gateway{{}} block) of {server} with those in the remote's \
             urls: it refuses the connection."
        )),
        Says::BeatsMissed { .. }
        | Says::BeatHeard { .. }
        | Says::Silent { .. }
        | Says::NoReports { .. }
        | Says::Listed { .. }
        | Says::NotListed { .. }
        | Says::NotConfigured { .. }
        | Says::PeerGone { .. }
        | Says::LameDuck { .. }
        | Says::Shutdown { .. }
        | Says::Restarted { .. }
        | Says::Heard { .. }
        | Says::ClusterSilent { .. }
        | Says::ClusterHeard { .. }
        | Says::VantageDisconnected { .. }
        | Says::VantageDeaf { .. } => None,
    })
}

fn isolated(incident: &Incident) -> Vec<String> {
    let shared = format!(
        "Look for what all links of {} share: its uplink, firewall, VPN gateway, DNS name or certificate.",
        about(incident)
    );
    let mut steps = vec![shared];
    steps.extend(gateway(incident, &ends(incident)));
    steps
}

fn cluster_offline(incident: &Incident) -> Vec<String> {
    let about = about(incident);
    let check = match incident.cause.kind {
        CauseKind::PlannedStop => format!(
            "The servers of {about} announced their shutdown: if that is maintenance, nothing is to be done; if not, find \
             out who stopped them and start them again."
        ),
        CauseKind::PacketsLost | CauseKind::ConnectionsClosed => format!(
            "Check whether the hosts of {about} can be reached at all: its site may be cut off as a whole rather than down."
        ),
        CauseKind::Silent | CauseKind::OwnView | CauseKind::Unknown => format!(
            "Check what the servers of {about} share: power, hosts, network, orchestrator, a faulty roll-out. All of them \
             fell silent."
        ),
    };
    vec![
        check,
        "It is resolved by itself once servers of the cluster are heard again, also under new ids."
            .to_owned(),
    ]
}

fn server_lost(incident: &Incident) -> Vec<String> {
    let about = about(incident);
    let check = match incident.cause.kind {
        CauseKind::PlannedStop => {
            format!("{about} announced its shutdown: start it again if it is still needed.")
        }
        CauseKind::PacketsLost | CauseKind::ConnectionsClosed => {
            format!("Check the network of {about}: its cluster does not hear it, though its process may run.")
        }
        CauseKind::Silent | CauseKind::OwnView | CauseKind::Unknown => format!(
            "Check process and host of {about}: is it running, out of memory, frozen (disk, paused virtual machine), \
             restarting in a loop?"
        ),
    };
    vec![
        check,
        "Clients reconnect to other servers of the cluster by themselves; check that those can bear the load.".to_owned(),
    ]
}

fn vantage_lost(incident: &Incident) -> Vec<String> {
    let why = incident.evidence.iter().rev().find_map(|evidence| match &evidence.says {
        Says::VantageDisconnected { why, .. } => Some(*why),
        Says::BeatsMissed { .. }
        | Says::BeatHeard { .. }
        | Says::Silent { .. }
        | Says::NoReports { .. }
        | Says::Listed { .. }
        | Says::NotListed { .. }
        | Says::NotConfigured { .. }
        | Says::PeerGone { .. }
        | Says::LameDuck { .. }
        | Says::Shutdown { .. }
        | Says::Restarted { .. }
        | Says::Heard { .. }
        | Says::ClusterSilent { .. }
        | Says::ClusterHeard { .. }
        | Says::VantageDeaf { .. }
        | Says::GatewayRefused { .. } => None,
    });
    let about = about(incident);
    let check = match why {
        Some(Disconnect::Unauthorized) => format!(
            "Check the system account credentials that gatewatch uses for {about}: the servers do not accept them."
        ),
        Some(Disconnect::WrongCluster) => format!(
            "Check the address configured for {about}: it leads into another cluster (load balancer, DNS)."
        ),
        Some(Disconnect::Refused) => format!(
            "Check the client port of {about}: hosts answer but nothing listens; are the servers down or the port wrong?"
        ),
        Some(Disconnect::Lost | Disconnect::TimedOut | Disconnect::Other) | None => format!(
            "Check the network from the host of gatewatch to the client ports of {about}: route, firewall, DNS, TLS."
        ),
    };
    vec![check, "Gateways between other clusters are still watched; these alerts come as usual.".to_owned()]
}
