//! Gateway certificates that end soon, or have ended.

use super::{Look, Verdict};
use crate::engine::world::{ClusterIx, Server};
use crate::model::evidence::{ProbeWord, Says};
use crate::model::incident::{IncidentKind, Severity};
use crate::model::probe::{ProbeFound, ProbeReport};
use chrono::{DateTime, TimeDelta, Utc};

/// Judges the certificates of a cluster's gateways: by what its servers say, and where none of them says anything (servers before
/// 2.14 do not) by what our own host saw at their addresses.
pub(super) fn of(look: &Look<'_>, cluster: ClusterIx) -> Verdict {
    let present = look.present(cluster);
    let mut told: Vec<(DateTime<Utc>, &Server)> = present
        .iter()
        .filter_map(|server| Some((server.config.as_ref()?.certificate_ends?, *server)))
        .collect();
    told.sort_by_key(|(at, server)| (*at, &server.key));
    if told.is_empty() {
        return seen(look, cluster);
    }
    let notice = until(look, look.checks.certificate_notice);
    let ending: Vec<_> = told.into_iter().filter(|(at, _)| *at <= notice).collect();
    let Some((first, _)) = ending.first() else {
        return Verdict::good_if(
            look.complete(cluster) && present.iter().all(|server| server.config.is_some()),
        );
    };
    let says =
        ending.iter().map(|(at, server)| Says::CertificateEnds { server: server.key.clone(), at: *at });
    let mut finding = look.bad(
        IncidentKind::CertificateExpiring,
        severity(look, *first),
        look.cluster_subject(cluster),
        says.collect(),
    );
    finding.scope.servers = ending.iter().map(|(_, server)| server.key.clone()).collect();
    finding.scope.servers.sort();
    Verdict::Bad(Box::new(finding))
}

fn seen(look: &Look<'_>, cluster: ClusterIx) -> Verdict {
    let notice = until(look, look.checks.certificate_notice);
    let probes = look.world.clusters[cluster].probes.all().map(|finding| &finding.report);
    let mut seen: Vec<_> = probes.filter_map(|report| Some((certificate_end(report)?, report))).collect();
    seen.sort_by_key(|(at, report)| (*at, &report.address));
    let known = !seen.is_empty() || look.present(cluster).iter().all(|server| !tls(server));
    seen.retain(|(at, _)| *at <= notice);
    let Some((first, _)) = seen.first() else {
        return Verdict::good_if(known && look.complete(cluster));
    };
    let says = seen.iter().map(|(at, report)| Says::Probed {
        target: report.target.clone(),
        address: report.address.to_string(),
        found: if *at <= look.now.wall { ProbeWord::Expired } else { ProbeWord::Sound },
        detail: format!("its certificate ends at {}", at.format("%Y-%m-%d %H:%M:%S UTC")),
    });
    let subject = look.cluster_subject(cluster);
    let finding =
        look.bad(IncidentKind::CertificateExpiring, severity(look, *first), subject, says.collect());
    Verdict::Bad(Box::new(finding))
}

fn tls(server: &Server) -> bool {
    server.config.as_ref().is_none_or(|config| config.gateway_tls)
}

fn certificate_end(report: &ProbeReport) -> Option<DateTime<Utc>> {
    match &report.found {
        ProbeFound::Greeted { tls } => tls.as_ref().map(|certificate| certificate.not_after),
        ProbeFound::Unresolved
        | ProbeFound::ResolveFailed
        | ProbeFound::Unreachable
        | ProbeFound::Refused
        | ProbeFound::Silent
        | ProbeFound::OtherGateway { .. }
        | ProbeFound::Foreign
        | ProbeFound::TlsFailed => None,
    }
}

/// A certificate that has ended is a warning too: links that are up live on, and one that breaks is an incident of its own.
fn severity(look: &Look<'_>, end: DateTime<Utc>) -> Severity {
    if end <= until(look, look.checks.certificate_warn) { Severity::Warning } else { Severity::Info }
}

fn until(look: &Look<'_>, span: std::time::Duration) -> DateTime<Utc> {
    look.now.wall + TimeDelta::from_std(span).unwrap_or_default()
}
