//! What to check and what heals it, by kind and cause.

use super::cause_steps::cause_steps;
use super::title::{about, cut_servers};
use super::{list, own, standing};
use crate::model::cause::CauseKind;
use crate::model::incident::{Incident, IncidentId, IncidentKind, Subject};
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
        IncidentKind::GatewayFlapping | IncidentKind::GatewayNeverUp => gateway(incident, &ends(incident)),
        IncidentKind::GatewayUnwanted
        | IncidentKind::GatewayRemoved
        | IncidentKind::ConfigDrift
        | IncidentKind::CertificateExpiring
        | IncidentKind::SingleUrl
        | IncidentKind::ClockSkew
        | IncidentKind::MixedVersions
        | IncidentKind::RoutesIncomplete => standing::remedy(incident),
        IncidentKind::GatewatchImpaired => own::remedy(incident),
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
        Subject::Instance(instance) => format!("gatewatch {instance} and the clusters"),
    }
}

fn gateway(incident: &Incident, between: &str) -> Vec<String> {
    let redial = "Nothing needs a restart: the servers redial every second (slower with connect_backoff) and the links are \
                  back within seconds of the repair.";
    let mut steps = cause_steps(incident, between);
    if incident.cause.kind != CauseKind::Authentication {
        steps.splice(0..0, refused(incident));
    }
    steps.push(redial.to_owned());
    steps
}

/// The first step when a server said that it refused a gateway.
fn refused(incident: &Incident) -> Option<String> {
    let server = incident.evidence.iter().find_map(|evidence| evidence.says.refusing_server())?;
    Some(format!(
        "Compare the gateway credentials (authorization in the gateway{{}} block) of {server} with those in the remote's \
         urls: it refuses the connection."
    ))
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
        CauseKind::Crashed => format!(
            "Look for why the server processes of {about} ended (out of memory, power, orchestrator, a faulty roll-out) and \
             start them again: their hosts answer, nothing listens any more."
        ),
        CauseKind::Frozen => format!(
            "Check what the hosts of {about} wait for (paused virtual machines, disk, memory): the processes stand still, \
             their connections are open."
        ),
        CauseKind::PacketsLost | CauseKind::ConnectionsClosed => format!(
            "Check whether the hosts of {about} can be reached at all: its site may be cut off as a whole rather than down."
        ),
        CauseKind::Silent
        | CauseKind::PortRefused
        | CauseKind::TlsExpired
        | CauseKind::TlsUntrusted
        | CauseKind::TlsName
        | CauseKind::Dns
        | CauseKind::Authentication
        | CauseKind::ConfigRemoved
        | CauseKind::ConfigRejected
        | CauseKind::ConfigMisnamed
        | CauseKind::NeverConnected
        | CauseKind::LocalToServer
        | CauseKind::OwnView
        | CauseKind::Configuration
        | CauseKind::Clock
        | CauseKind::Stalled
        | CauseKind::Behind
        | CauseKind::Publishing
        | CauseKind::Outbox
        | CauseKind::ClockJumped
        | CauseKind::Unknown => format!(
            "Check what the servers of {about} share: power, hosts, network, orchestrator, a faulty roll-out. All of them \
             fell silent."
        ),
    };
    vec![
        check,
        "It is resolved by itself once servers of the cluster are heard again, also under new ids. A cluster that is gone for \
         good is let go with `gatewatch forget`."
            .to_owned(),
    ]
}

fn server_lost(incident: &Incident) -> Vec<String> {
    let about = about(incident);
    let check = match incident.cause.kind {
        CauseKind::PlannedStop => {
            format!("{about} announced its shutdown: start it again if it is still needed.")
        }
        CauseKind::Crashed => {
            format!(
                "Look for why the process of {about} ended, and start it again: its host refuses connections."
            )
        }
        CauseKind::Frozen => format!(
            "Check what the host of {about} waits for (paused virtual machine, disk, memory): the process stands still, its \
             connections are open."
        ),
        CauseKind::PacketsLost | CauseKind::ConnectionsClosed => {
            format!("Check the network of {about}: its cluster does not hear it, though its process may run.")
        }
        CauseKind::Silent
        | CauseKind::PortRefused
        | CauseKind::TlsExpired
        | CauseKind::TlsUntrusted
        | CauseKind::TlsName
        | CauseKind::Dns
        | CauseKind::Authentication
        | CauseKind::ConfigRemoved
        | CauseKind::ConfigRejected
        | CauseKind::ConfigMisnamed
        | CauseKind::NeverConnected
        | CauseKind::LocalToServer
        | CauseKind::OwnView
        | CauseKind::Configuration
        | CauseKind::Clock
        | CauseKind::Stalled
        | CauseKind::Behind
        | CauseKind::Publishing
        | CauseKind::Outbox
        | CauseKind::ClockJumped
        | CauseKind::Unknown => format!(
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
    let why = incident.evidence.iter().rev().find_map(|evidence| evidence.says.disconnect());
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
        Some(Disconnect::Tls) => format!(
            "Check the TLS settings with which gatewatch connects to {about} (system.tls.ca) and the certificates of its \
             client ports: the handshake fails."
        ),
        Some(Disconnect::Lost | Disconnect::TimedOut | Disconnect::Other) | None => format!(
            "Check the network from the host of gatewatch to the client ports of {about}: route, firewall, DNS, TLS."
        ),
    };
    vec![check, "Gateways between other clusters are still watched; these alerts come as usual.".to_owned()]
}
