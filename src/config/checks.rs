//! `[checks]`: what is looked for though nothing broke.

use super::node::{Node, Value};
use super::parse::{self, duration, render};
use super::reader::Section;
use crate::engine::Checks;
use crate::model::incident::IncidentKind;
use std::collections::BTreeSet;
use std::time::Duration;

/// Kinds that can be switched off.
const KINDS: [IncidentKind; 9] = [
    IncidentKind::GatewayFlapping,
    IncidentKind::GatewayRemoved,
    IncidentKind::ConfigDrift,
    IncidentKind::CertificateExpiring,
    IncidentKind::SingleUrl,
    IncidentKind::ClockSkew,
    IncidentKind::MixedVersions,
    IncidentKind::RoutesIncomplete,
    IncidentKind::GatewatchImpaired,
];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(section: Section<'_>) -> Checks {
    let usual = Checks::default();
    let span = |name, default, from| section.or(name, default, duration(from..=7 * DAY));
    let second = Duration::from_secs(1);
    let certificate = |name, default| section.or(name, default, duration(second..=3650 * DAY));
    let checks = Checks {
        off: section.or("disabled", BTreeSet::new(), kinds),
        standing_after: span("standing_after", usual.standing_after, second),
        settled_after: span("settled_after", usual.settled_after, second),
        versions_after: span("versions_after", usual.versions_after, second),
        removed_notice: span("removed_notice", usual.removed_notice, second),
        certificate_notice: certificate("certificate_notice", usual.certificate_notice),
        certificate_warn: certificate("certificate_warn", usual.certificate_warn),
        clock_skew: span("clock_skew", usual.clock_skew, Duration::from_millis(500)),
        ..usual
    };
    let (warn, notice) = (checks.certificate_warn, checks.certificate_notice);
    section.check("certificate_warn", &["certificate_warn", "certificate_notice"], warn <= notice, || {
        format!("{} is above certificate_notice ({})", render(warn), render(notice))
    });
    section.finish();
    checks
}

/// One kind or a list of them; in environment and flags separated by commas.
fn kinds(node: &Node) -> Result<BTreeSet<IncidentKind>, String> {
    match &node.value {
        Value::List(items) => items.iter().map(kind).collect(),
        Value::Text(text) if text.contains(',') => text.split(',').map(|name| named(name.trim())).collect(),
        Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::Table(_) | Value::Other(_) => {
            kind(node).map(|kind| BTreeSet::from([kind]))
        }
    }
}

fn kind(node: &Node) -> Result<IncidentKind, String> {
    named(&parse::text(node)?)
}

fn named(name: &str) -> Result<IncidentKind, String> {
    KINDS.into_iter().find(|kind| kind.token() == name).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.token()).collect();
        format!("{name:?} is not the name of a check; there are {}", known.join(", "))
    })
}
