//! Whether this process itself is well. One incident, about this instance and no cluster, whatever ails it.

use super::{Look, Verdict};
use crate::engine::own::Course;
use crate::model::cause::{Cause, CauseKind};
use crate::model::health::Ailment;
use crate::model::incident::{IncidentKind, Severity, Subject};

pub(super) fn of(look: &Look<'_>) -> Verdict {
    let own = &look.world.own;
    let Some((worst, _)) = own.told().next() else { return Verdict::Good };
    let lasting = own.told().any(|(_, course)| course.is_lasting());
    let severity = if lasting { Severity::Warning } else { Severity::Info };
    let subject = Subject::Instance(look.instance.clone());
    let mut finding = look.bad(IncidentKind::GatewatchImpaired, severity, subject, Vec::new());
    finding.cause = Cause::proven(cause(worst));
    let courses = || own.told().map(|(_, course): (_, &Course)| course);
    finding.evidence = courses().map(|course| course.evidence.clone()).collect();
    let since = courses().map(|course| course.since).min_by_key(|since| since.mono);
    finding.since = since.unwrap_or(look.now);
    Verdict::Bad(Box::new(finding))
}

const fn cause(ailment: Ailment) -> CauseKind {
    match ailment {
        Ailment::Stalled => CauseKind::Stalled,
        Ailment::Behind => CauseKind::Behind,
        Ailment::Publishing => CauseKind::Publishing,
        Ailment::Outbox => CauseKind::Outbox,
        Ailment::ClockJumped => CauseKind::ClockJumped,
    }
}
