//! What to check first, by cause, when something between two sides is cut.

use super::list;
use crate::model::cause::CauseKind;
use crate::model::evidence::Says;
use crate::model::incident::Incident;
use std::collections::BTreeSet;

/// Steps that follow from the cause, the most promising first.
pub(super) fn cause_steps(incident: &Incident, between: &str) -> Vec<String> {
    match incident.cause.kind {
        CauseKind::PacketsLost => packets_lost(between),
        CauseKind::ConnectionsClosed => closed(between),
        CauseKind::PortRefused => vec![format!(
            "Check that the gateways of {between} listen where the others dial: port, listen address, advertise, and firewalls \
             that reject.{}",
            seen_at(incident)
        )],
        CauseKind::TlsExpired => vec![format!(
            "Renew the gateway certificate{} and reload the servers (`nats-server --signal reload`): certificates are the one \
             part of the gateway settings that needs no restart.",
            holders(incident)
        )],
        CauseKind::TlsUntrusted => vec![format!(
            "Compare ca_file and the certificates in the gateway{{}} tls blocks of {between}: each side must trust the authority \
             that signed the other's, as server and as client.{}",
            seen_at(incident)
        )],
        CauseKind::TlsName => vec![format!(
            "Compare the host names in the gateway urls with the subject alternative names of the certificates of {between}.{}",
            seen_at(incident)
        )],
        CauseKind::Dns => vec![format!(
            "Look the gateway host names up on the hosts of the dialling servers: the name service does not know them.{}",
            seen_at(incident)
        )],
        CauseKind::Authentication => vec![format!(
            "Compare the authorization in the gateway{{}} blocks of {between} with the user and password in the urls of the other \
             side: a server refuses them. Gateway settings other than TLS need a server restart."
        )],
        CauseKind::ConfigRemoved | CauseKind::ConfigRejected | CauseKind::ConfigMisnamed => vec![format!(
            "Compare the gateway{{}} blocks of {between}: names of the remotes (spelled as the remote's own cluster name) and \
             reject_unknown_cluster. They need a server restart to take effect."
        )],
        CauseKind::NeverConnected => closed(between),
        CauseKind::LocalToServer => vec![format!(
            "Look at what this one server does not share with its neighbours: its host, its network and firewall rules, its own \
             configuration. Its log names the gateway errors; {between} are otherwise connected."
        )],
        CauseKind::PlannedStop => {
            vec![
                "Servers announced their shutdown: start them again, or remove them from the configuration."
                    .to_owned(),
            ]
        }
        CauseKind::Silent | CauseKind::Crashed | CauseKind::Frozen => vec![format!(
            "Check the server processes and hosts of {between}: a server that crashed or froze takes the links with it that \
             ended there."
        )],
        CauseKind::OwnView => vec![
            "Check the connections of gatewatch itself before the gateways: the supercluster may be healthy."
                .to_owned(),
        ],
        CauseKind::Configuration
        | CauseKind::Clock
        | CauseKind::Stalled
        | CauseKind::Behind
        | CauseKind::Publishing
        | CauseKind::Outbox
        | CauseKind::ClockJumped
        | CauseKind::Unknown => vec![format!(
            "Check the network between {between}, then the server logs of both sides for lines about gateways."
        )],
    }
}

fn packets_lost(between: &str) -> Vec<String> {
    vec![
        format!(
            "Check what lies between {between}: firewalls, security groups, VPN tunnels, WAN lines and their MTU. \
             Something drops packets without a reset."
        ),
        "From a host of one side, open a TCP connection to a gateway port (7222 unless configured otherwise) of the \
         other; do it in both directions."
            .to_owned(),
    ]
}

fn closed(between: &str) -> Vec<String> {
    vec![
        format!(
            "Read the server logs of {between} for lines about gateways: refused or reset connections, \
             'Authorization Violation', TLS handshake errors, rejected cluster names."
        ),
        "Compare the gateway{} blocks of both sides: name, urls, advertise, authorization, TLS certificates, \
         reject_unknown_cluster. Gateway settings other than TLS need a server restart."
            .to_owned(),
    ]
}

/// The addresses that our own host looked at; empty when it did not.
fn seen_at(incident: &Incident) -> String {
    let addresses = incident.evidence.iter().filter_map(|evidence| {
        if let Says::Probed { address, .. } = &evidence.says { Some(address.as_str()) } else { None }
    });
    let addresses: Vec<&str> = addresses.collect::<BTreeSet<_>>().into_iter().collect();
    if addresses.is_empty() { String::new() } else { format!(" Looked at from here: {}.", list(&addresses)) }
}

/// Servers whose certificate was reported as ending.
fn holders(incident: &Incident) -> String {
    let servers = incident.evidence.iter().filter_map(|evidence| {
        if let Says::CertificateEnds { server, .. } = &evidence.says { Some(server) } else { None }
    });
    let servers: Vec<_> = servers.collect::<BTreeSet<_>>().into_iter().collect();
    if servers.is_empty() { String::new() } else { format!(" of {}", list(&servers)) }
}
