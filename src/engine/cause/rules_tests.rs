use super::*;
use crate::model::cause::CauseKind as Kind;
use crate::model::cause::Confidence::{Likely, Possible, Proven};
use std::collections::BTreeSet;

/// Three servers of three cut, all of them knowing it, by beats, the target alive, nothing else known.
fn closed() -> Facts {
    Facts { cuts: 3, known_gone: 3, by_beats: true, target_lives: true, ..Facts::default() }
}

fn found(word: ProbeWord) -> Facts {
    found_all(&[word])
}

fn found_all(words: &[ProbeWord]) -> Facts {
    Facts { found: BTreeSet::from_iter(words.iter().copied()), ..closed() }
}

fn one_of_three() -> Facts {
    Facts { cuts: 1, known_gone: 1, alone: true, neighbours_up: true, ..closed() }
}

#[test]
fn evidence_leads_to_its_cause_and_to_no_more() {
    use ProbeWord::{
        Expired, OtherGateway, Refused, Silent, Sound, Unreachable, Unresolved, Untrusted, WrongName,
    };
    let lost = Facts { still_listed: 3, known_gone: 0, ..closed() };
    let named = Facts { refusal: Refusal::Named, ..closed() };
    let table = [
        ("nothing reported", Facts { known_gone: 0, ..closed() }, Kind::Unknown, Possible),
        ("still listed while beats are missing", lost.clone(), Kind::PacketsLost, Likely),
        ("and idle at the other end", Facts { half_open: true, ..lost.clone() }, Kind::PacketsLost, Proven),
        (
            "idle at the other end, without beats",
            Facts { half_open: true, by_beats: false, ..lost.clone() },
            Kind::PacketsLost,
            Likely,
        ),
        ("one still listed, others gone", Facts { still_listed: 1, ..closed() }, Kind::PacketsLost, Likely),
        (
            "still listed, refused port elsewhere",
            Facts { still_listed: 3, ..found(Refused) },
            Kind::PacketsLost,
            Likely,
        ),
        ("known gone at once", closed(), Kind::ConnectionsClosed, Likely),
        (
            "known gone by reports alone",
            Facts { by_beats: false, ..closed() },
            Kind::ConnectionsClosed,
            Possible,
        ),
        ("some have not reported", Facts { known_gone: 2, ..closed() }, Kind::ConnectionsClosed, Possible),
        ("refused credentials of a server of it", named.clone(), Kind::Authentication, Proven),
        ("of somebody", Facts { refusal: Refusal::Unnamed, ..closed() }, Kind::Authentication, Possible),
        (
            "refused, though a port is refused too",
            Facts { refusal: Refusal::Named, ..found(Refused) },
            Kind::Authentication,
            Proven,
        ),
        ("rejected", Facts { rejected: true, ..closed() }, Kind::ConfigRejected, Proven),
        ("expired by report", Facts { expired: true, ..closed() }, Kind::TlsExpired, Proven),
        ("expired by probe", found(Expired), Kind::TlsExpired, Likely),
        (
            "own certificate expired by probe",
            Facts { own_expired: true, ..closed() },
            Kind::TlsExpired,
            Likely,
        ),
        ("wrong name everywhere", found(WrongName), Kind::TlsName, Likely),
        ("wrong name at one of two", found_all(&[WrongName, Sound]), Kind::ConnectionsClosed, Likely),
        (
            "wrong name, yet others are connected",
            Facts { others_up: true, ..found(WrongName) },
            Kind::ConnectionsClosed,
            Likely,
        ),
        ("untrusted", found(Untrusted), Kind::TlsUntrusted, Likely),
        (
            "own certificate untrusted",
            Facts { own_untrusted: true, ..found(Sound) },
            Kind::TlsUntrusted,
            Likely,
        ),
        ("does not resolve", found(Unresolved), Kind::Dns, Likely),
        ("one of two resolves", found_all(&[Unresolved, Sound]), Kind::ConnectionsClosed, Likely),
        (
            "does not resolve here, neighbours are up",
            Facts { found: BTreeSet::from([Unresolved]), ..one_of_three() },
            Kind::LocalToServer,
            Likely,
        ),
        ("port refused", found(Refused), Kind::PortRefused, Likely),
        (
            "port refused, nobody heard there",
            Facts { target_lives: false, ..found(Refused) },
            Kind::ConnectionsClosed,
            Likely,
        ),
        ("unreachable from here too", found(Unreachable), Kind::PacketsLost, Likely),
        ("sound from here", found(Sound), Kind::ConnectionsClosed, Likely),
        ("silent from here", found(Silent), Kind::ConnectionsClosed, Likely),
        ("another gateway", found(OtherGateway), Kind::ConnectionsClosed, Likely),
        ("one server of several", one_of_three(), Kind::LocalToServer, Likely),
        (
            "one, dialling a target that ails",
            Facts { ailing: true, ..one_of_three() },
            Kind::ConnectionsClosed,
            Likely,
        ),
        (
            "one here, others elsewhere",
            Facts { alone: false, ..one_of_three() },
            Kind::ConnectionsClosed,
            Likely,
        ),
        (
            "one server of several still listing",
            Facts { still_listed: 1, known_gone: 0, ..one_of_three() },
            Kind::PacketsLost,
            Likely,
        ),
        (
            "one server of several refused",
            Facts { refusal: Refusal::Named, ..one_of_three() },
            Kind::Authentication,
            Proven,
        ),
    ];
    for (what, facts, kind, confidence) in table {
        assert_eq!(judge(&facts), Cause { kind, confidence }, "{what}");
    }
}

#[test]
fn a_link_that_never_was_has_the_causes_that_keep_it_from_coming_up() {
    let misnamed = |certain| Facts { misnamed: Some(certain), ..closed() };
    let table = [
        ("nothing tells", closed(), Kind::NeverConnected, Possible),
        ("sound from here", found(ProbeWord::Sound), Kind::NeverConnected, Possible),
        ("does not resolve", found(ProbeWord::Unresolved), Kind::Dns, Likely),
        ("port refused", found(ProbeWord::Refused), Kind::PortRefused, Likely),
        ("refused credentials", Facts { refusal: Refusal::Named, ..closed() }, Kind::Authentication, Proven),
        ("rejected", Facts { rejected: true, ..closed() }, Kind::ConfigRejected, Proven),
        ("spelled like one that is connected", misnamed(true), Kind::ConfigMisnamed, Likely),
        ("spelled like another", misnamed(false), Kind::ConfigMisnamed, Possible),
        ("another gateway answers there", found(ProbeWord::OtherGateway), Kind::ConfigMisnamed, Likely),
    ];
    for (what, facts, kind, confidence) in table {
        assert_eq!(judge_never_up(&facts), Cause { kind, confidence }, "{what}");
    }
}
