use super::{Lanes, MAX_REMEMBERED, SPARE, Surveyor, Whom};
use crate::clock::Clock;
use crate::model::ask::{Survey, SurveyRequest, Through};
use crate::model::ids::ServerId;
use crate::model::time::Mono;
use crate::nats::heard::Outlet;
use crate::nats::lane::{Job, LaneEnd, lane};
use std::sync::Arc;
use tokio::sync::mpsc;

fn outlet() -> Outlet {
    Outlet::new(mpsc::channel(1).0, None, Clock::start(), Arc::default())
}

fn lanes(names: &[&str]) -> (Lanes, Vec<LaneEnd>) {
    let (mut lanes, mut ends) = (Lanes::new(), Vec::new());
    for &name in names {
        let (way, end) = lane();
        lanes.insert(name.into(), way);
        ends.push(end);
    }
    (lanes, ends)
}

fn asked(end: &mut LaneEnd) -> Option<(String, String)> {
    match end.next()? {
        Job::Survey { subject, body, .. } => {
            Some((subject.to_string(), String::from_utf8(body.to_vec()).unwrap()))
        }
        Job::Beats { .. } => panic!("not a survey"),
    }
}

#[test]
fn a_cluster_is_asked_through_its_own_vantage_with_a_filter() {
    let (lanes, mut ends) = lanes(&["east", "west"]);
    ends.iter().for_each(LaneEnd::open);
    Surveyor::new("_INBOX.x".into()).sweep(&"east".into(), Survey::Config, &lanes, &outlet());
    let (subject, body) = asked(&mut ends[0]).unwrap();
    assert_eq!(subject, "$SYS.REQ.SERVER.PING.VARZ");
    assert!(body.contains(r#""cluster":"east""#));
    assert!(asked(&mut ends[1]).is_none());
}

#[test]
fn a_cluster_whose_vantage_is_lost_is_asked_through_all_others() {
    let (lanes, mut ends) = lanes(&["central", "east", "west"]);
    ends[0].open();
    ends[2].open();
    Surveyor::new("_INBOX.x".into()).sweep(&"east".into(), Survey::Gateways, &lanes, &outlet());
    assert!(asked(&mut ends[0]).is_some());
    assert!(asked(&mut ends[1]).is_none());
    assert!(asked(&mut ends[2]).is_some());
}

#[test]
fn the_engine_asks_single_servers_and_not_more_often_than_they_are_to_be_spared() {
    let (lanes, mut ends) = lanes(&["east"]);
    ends[0].open();
    let mut surveyor = Surveyor::new("_INBOX.x".into());
    let outlet = outlet();
    let request = SurveyRequest {
        cluster: "east".into(),
        servers: vec!["E1".into(), "E2".into()],
        what: Survey::Gateways,
        through: Through::All,
    };
    surveyor.ask(&request, &lanes, &outlet);
    surveyor.ask(&request, &lanes, &outlet);
    assert_eq!(asked(&mut ends[0]).unwrap().0, "$SYS.REQ.SERVER.E1.GATEWAYZ");
    assert_eq!(asked(&mut ends[0]).unwrap().0, "$SYS.REQ.SERVER.E2.GATEWAYZ");
    assert!(asked(&mut ends[0]).is_none());
    assert_eq!(outlet.metrics.surveys_limited.get(), 2);
    surveyor.ask(&SurveyRequest { what: Survey::Config, ..request }, &lanes, &outlet);
    assert_eq!(asked(&mut ends[0]).unwrap().0, "$SYS.REQ.SERVER.E1.VARZ");
}

#[test]
fn a_question_says_what_the_answer_is_to_hold_whoever_is_asked() {
    let (lanes, mut ends) = lanes(&["east"]);
    ends[0].open();
    let mut surveyor = Surveyor::new("_INBOX.x".into());
    surveyor.sweep(&"east".into(), Survey::Interest, &lanes, &outlet());
    let (subject, body) = asked(&mut ends[0]).unwrap();
    assert_eq!(subject, "$SYS.REQ.SERVER.PING.GATEWAYZ");
    assert!(body.contains(r#""cluster":"east""#) && body.contains(r#""accounts":true"#), "{body}");
    let request = SurveyRequest {
        cluster: "east".into(),
        servers: vec!["E1".into()],
        what: Survey::JetStream,
        through: Through::Home,
    };
    surveyor.ask(&request, &lanes, &outlet());
    let (subject, body) = asked(&mut ends[0]).unwrap();
    assert_eq!(subject, "$SYS.REQ.SERVER.E1.JSZ");
    assert!(body.contains(r#""stream_leader_only":true"#), "{body}");
}

#[test]
fn what_could_not_be_sent_does_not_count_as_asked() {
    let (lanes, mut ends) = lanes(&["east"]);
    let mut surveyor = Surveyor::new("_INBOX.x".into());
    surveyor.sweep(&"east".into(), Survey::Config, &lanes, &outlet());
    ends[0].open();
    surveyor.sweep(&"east".into(), Survey::Config, &lanes, &outlet());
    assert!(asked(&mut ends[0]).is_some());
}

#[test]
fn the_memory_of_questions_is_bounded() {
    let mut surveyor = Surveyor::new("_INBOX.x".into());
    let server = |n: usize| Whom::Server(ServerId::from(n.to_string().as_str()));
    for n in 0..MAX_REMEMBERED + 1 {
        assert!(surveyor.spare(&server(n), Survey::Stats, Mono::default()));
    }
    assert!(surveyor.asked.len() <= MAX_REMEMBERED);
    assert!(surveyor.spare(&server(MAX_REMEMBERED), Survey::Stats, Mono::default() + SPARE));
}
