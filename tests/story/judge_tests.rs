//! Verdicts: what is right, late, told wrongly, told without cause, told twice or never resolved.

use crate::story::*;

fn judged(lines: &str, moments: &[u64], said: &[Said]) -> Verdict {
    let story = Story::parse(&format!("cluster east 3\ncluster west 3\n{lines}\n60s end")).unwrap();
    let moments: Vec<Moment> = moments.iter().map(|&at| Moment { began: at, done: at }).collect();
    judge(&story, &moments, said)
}

const CUT: &str =
    "0s blackhole east west\nmust gateway_down critical pair east west both cause packets_lost within 6s";

fn told(incident: &str, revision: u64, at: u64, stage: &str) -> Said {
    Said {
        at,
        incident: incident.to_owned(),
        revision,
        stage: stage.to_owned(),
        kind: "gateway_down".to_owned(),
        severity: "critical".to_owned(),
        about: About::pair("east", "west"),
        way: Some(Way::Both),
        links: Vec::new(),
        servers: Vec::new(),
        cut: Vec::new(),
        departure: None,
        listed: 0,
        cause: "packets_lost".to_owned(),
    }
}

fn opened() -> Said {
    told("1", 1, 4_000, "opened")
}

fn resolved(revision: u64) -> Said {
    told("1", revision, 20_000, "resolved")
}

fn degraded(said: Said) -> Said {
    Said { kind: "gateway_degraded".to_owned(), severity: "warning".to_owned(), way: None, ..said }
}

#[test]
fn told_in_time_and_resolved_is_true() {
    let verdict = judged(CUT, &[100], &[opened(), resolved(2)]);
    assert!(verdict.is_true(), "{:?}", verdict.complaints());
    assert_eq!((verdict.outcomes[0].delay, verdict.outcomes[0].cause_right), (Some(3_900), true));
}

#[test]
fn silence_lateness_and_another_direction_are_wrong() {
    let one_way = Said { way: Some(Way::One("east>west".to_owned())), ..opened() };
    for said in [vec![], vec![told("1", 1, 7_000, "opened"), resolved(2)], vec![one_way.clone(), resolved(2)]]
    {
        let verdict = judged(CUT, &[0], &said);
        assert!(!verdict.outcomes[0].right, "{said:?}");
        assert_eq!(verdict.stray, [], "{said:?}");
    }
    let corrected = [one_way, told("1", 2, 4_500, "updated"), resolved(3)];
    assert!(!judged(CUT, &[0], &corrected).outcomes[0].right, "the first page was wrong");
}

#[test]
fn the_cause_that_was_told_last_counts() {
    let first = Said { cause: "unknown".to_owned(), ..opened() };
    let verdict = judged(CUT, &[0], &[first.clone(), told("1", 2, 5_000, "updated"), resolved(3)]);
    assert!(verdict.outcomes[0].cause_right);
    let worse = Said { cause: "dns".to_owned(), ..resolved(2) };
    let verdict = judged(CUT, &[0], &[opened(), worse]);
    assert!(verdict.is_true() && !verdict.outcomes[0].cause_right);
    assert_eq!(verdict.outcomes[0].cause.as_deref(), Some("dns"));
}

#[test]
fn what_nothing_covers_is_told_without_cause() {
    let other = degraded(Said { about: About::pair("east", "north"), ..told("2", 1, 5_000, "opened") });
    let closed = Said { stage: "resolved".to_owned(), revision: 2, at: 9_000, ..other.clone() };
    let said = [opened(), other, closed, resolved(2)];
    assert_eq!(judged(CUT, &[0], &said).stray.len(), 1);
    assert_eq!(judged(&format!("{CUT}\nmay gateway_degraded pair east north"), &[0], &said).stray, []);
    let forbidden = format!("{CUT}\nmay *\nnever * pair east north");
    assert_eq!(judged(&forbidden, &[0], &said).stray.len(), 1);
}

#[test]
fn what_is_told_before_it_happens_or_twice_is_told_without_cause() {
    assert_eq!(judged(CUT, &[4_500], &[opened(), resolved(2)]).stray.len(), 1);
    let again = [opened(), resolved(2), told("2", 1, 21_000, "opened"), told("2", 2, 30_000, "resolved")];
    let verdict = judged(CUT, &[0], &again);
    assert_eq!(verdict.stray.iter().map(|said| said.incident.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn quiet_allows_what_is_of_severity_info_and_nothing_else() {
    let info = Said { severity: "info".to_owned(), ..opened() };
    assert!(judged("quiet", &[], std::slice::from_ref(&info)).is_true(), "it may also stay");
    assert!(!judged("quiet", &[], &[opened(), resolved(2)]).is_true());
    assert!(!judged("", &[], &[info]).is_true());
}

#[test]
fn what_stays_open_or_misses_a_revision_is_wrong() {
    let verdict = judged(CUT, &[0], &[opened()]);
    assert_eq!((verdict.open.len(), verdict.is_true()), (1, false));
    assert!(judged(&format!("{CUT} stays"), &[0], &[opened()]).is_true());
    let verdict = judged(CUT, &[0], &[opened(), resolved(3)]);
    assert_eq!((verdict.torn.len(), verdict.is_true()), (1, false));
}

#[test]
fn growth_is_told_under_the_same_id() {
    let lines = "0s blackhole east/1 -> west\nmust gateway_degraded warning pair east west\n\
                 7s blackhole east west\nmust gateway_down critical pair east west both same";
    let grown = [degraded(opened()), told("1", 2, 10_000, "updated"), resolved(3)];
    assert!(judged(lines, &[0, 7_000], &grown).is_true());
    let other =
        [degraded(opened()), told("2", 1, 10_000, "opened"), told("2", 2, 20_000, "resolved"), resolved(2)];
    assert!(!judged(lines, &[0, 7_000], &other).outcomes[1].right);
}
