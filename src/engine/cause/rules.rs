//! From facts to a cause. The order matters: what servers report, then what our own host sees, then what only fits.

use super::facts::{Facts, Refusal};
use crate::model::cause::{Cause, CauseKind};
use crate::model::evidence::ProbeWord;

/// The cause of links from one cluster to another that are cut.
pub(super) fn judge(facts: &Facts) -> Cause {
    if facts.still_listed > 0 {
        // Sent, listed as up, and nothing arrives at the other end: three independent views of the same loss.
        return if facts.half_open && facts.by_beats {
            Cause::proven(CauseKind::PacketsLost)
        } else {
            Cause::likely(CauseKind::PacketsLost)
        };
    }
    if facts.known_gone == 0 {
        return Cause::UNKNOWN;
    }
    by_reports(facts).or_else(|| by_probes(facts)).unwrap_or_else(|| by_what_fits(facts))
}

/// The cause of links that are configured and were never up.
pub(super) fn judge_never_up(facts: &Facts) -> Cause {
    if facts.found_only(ProbeWord::OtherGateway) {
        return Cause::likely(CauseKind::ConfigMisnamed);
    }
    if let Some(cause) = by_reports(facts).or_else(|| by_probes(facts)) {
        return cause;
    }
    match facts.misnamed {
        // The cluster with the right name is connected to the one that names the wrong one.
        Some(true) => Cause::likely(CauseKind::ConfigMisnamed),
        Some(false) => Cause::possible(CauseKind::ConfigMisnamed),
        None => Cause::possible(CauseKind::NeverConnected),
    }
}

/// What the servers themselves say that keeps the link from coming up.
fn by_reports(facts: &Facts) -> Option<Cause> {
    if facts.refusal == Refusal::Named {
        return Some(Cause::proven(CauseKind::Authentication));
    }
    if facts.rejected {
        return Some(Cause::proven(CauseKind::ConfigRejected));
    }
    if facts.expired {
        return Some(Cause::proven(CauseKind::TlsExpired));
    }
    None
}

/// What our own host finds at every address that the dialling servers know.
fn by_probes(facts: &Facts) -> Option<Cause> {
    let kind = if facts.found_only(ProbeWord::Expired) || facts.own_expired {
        CauseKind::TlsExpired
    } else if facts.found_only(ProbeWord::WrongName) && !facts.others_up {
        CauseKind::TlsName
    } else if (facts.found_only(ProbeWord::Untrusted) || facts.own_untrusted) && !facts.others_up {
        CauseKind::TlsUntrusted
    } else if facts.found_only(ProbeWord::Unresolved) && !facts.neighbours_up {
        CauseKind::Dns
    } else if facts.found_only(ProbeWord::Refused) && facts.target_lives && !facts.neighbours_up {
        CauseKind::PortRefused
    } else if facts.found_only(ProbeWord::Unreachable) && facts.target_lives && !facts.neighbours_up {
        CauseKind::PacketsLost
    } else {
        return None;
    };
    Some(Cause::likely(kind))
}

/// What is left: the servers say that the link is gone and nothing tells why.
fn by_what_fits(facts: &Facts) -> Cause {
    if facts.refusal == Refusal::Unnamed {
        return Cause::possible(CauseKind::Authentication);
    }
    if facts.alone && facts.neighbours_up && !facts.ailing {
        return Cause::likely(CauseKind::LocalToServer);
    }
    if facts.known_gone == facts.cuts && facts.by_beats {
        Cause::likely(CauseKind::ConnectionsClosed)
    } else {
        Cause::possible(CauseKind::ConnectionsClosed)
    }
}

/// How much a cause tells: nothing, what is seen, what can be mended.
pub(in crate::engine) const fn tells(kind: CauseKind) -> u8 {
    match kind {
        CauseKind::Unknown => 0,
        CauseKind::ConnectionsClosed
        | CauseKind::LocalToServer
        | CauseKind::NeverConnected
        | CauseKind::Silent => 1,
        CauseKind::PlannedStop
        | CauseKind::Crashed
        | CauseKind::Frozen
        | CauseKind::PacketsLost
        | CauseKind::PortRefused
        | CauseKind::TlsExpired
        | CauseKind::TlsUntrusted
        | CauseKind::TlsName
        | CauseKind::Dns
        | CauseKind::Authentication
        | CauseKind::ConfigRemoved
        | CauseKind::ConfigRejected
        | CauseKind::ConfigMisnamed
        | CauseKind::OwnView
        | CauseKind::Configuration
        | CauseKind::Clock
        | CauseKind::Stalled
        | CauseKind::Behind
        | CauseKind::Publishing
        | CauseKind::Outbox
        | CauseKind::ClockJumped => 2,
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
