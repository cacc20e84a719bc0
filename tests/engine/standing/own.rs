//! What ails gatewatch itself: told when it lasts or comes back, about this instance, never about a cluster.

use super::rig::{HOUR, MINUTE, Rig};
use chrono::TimeDelta;
use gatewatch::engine::Input;
use gatewatch::model::cause::CauseKind;
use gatewatch::model::evidence::Says;
use gatewatch::model::health::{Ailment, Lack, OutboxHealth, OwnHealth, OwnNews, PublishingHealth};
use gatewatch::model::incident::{IncidentKind, Severity, Stage, Subject};
use gatewatch::model::observation::Stall;
use gatewatch::model::time::{Mono, Now};

impl Rig {
    /// Lets time pass while the process finds this out about itself every second.
    fn find(&mut self, health: &OwnHealth, seconds: u64) {
        for _ in 0..seconds {
            self.feed(Input::Own(OwnNews::Health(health.clone())));
            self.run(1);
        }
    }

    fn stall(&mut self, seconds: u64) {
        let from = Mono::from_millis(self.now * 1_000);
        self.now += seconds;
        self.feed(Input::Stalled(Stall { from, to: Mono::from_millis(self.now * 1_000) }));
        self.run(1);
    }

    fn set_clock(&mut self, by: TimeDelta) {
        self.our_skew += by.num_milliseconds();
        self.feed(Input::Own(OwnNews::ClockJumped { by }));
        self.run(1);
    }

    fn about_itself_only(&self) {
        for (at, event) in &self.told {
            let incident = &event.incident;
            assert_eq!(incident.kind, IncidentKind::GatewatchImpaired, "told at {at} s");
            assert_eq!(incident.subject, Subject::Instance("gatewatch".into()), "told at {at} s");
        }
    }
}

fn well() -> OwnHealth {
    OwnHealth::default()
}

fn behind() -> OwnHealth {
    OwnHealth { dropped: 40, ..well() }
}

#[test]
fn a_short_stall_is_not_told() {
    let mut rig = Rig::new();
    rig.run(2 * MINUTE);
    for _ in 0..10 {
        rig.stall(5);
        rig.find(&well(), 2 * MINUTE);
    }
    rig.nothing_told();
}

#[test]
fn a_long_stall_is_told_afterwards_as_worth_knowing_and_is_over_when_all_was_well_for_a_while() {
    let mut rig = Rig::new();
    rig.run(2 * MINUTE);
    rig.stall(60);
    rig.find(&well(), 5);
    let incident = rig.the_one();
    assert_eq!((incident.severity, incident.cause.kind), (Severity::Info, CauseKind::Stalled));
    assert!(matches!(incident.evidence[0].says, Says::DidNotRun { span } if span.as_secs() == 60));
    rig.find(&well(), 2 * MINUTE);
    assert_eq!(rig.open().len(), 1, "a moment without trouble is not yet good");
    rig.find(&well(), 2 * MINUTE);
    rig.all_resolved();
    assert_eq!(rig.told.len(), 2, "opened and resolved, nothing in between");
    rig.about_itself_only();
}

#[test]
fn stalls_that_come_back_again_and_again_are_a_warning() {
    let mut rig = Rig::new();
    rig.run(2 * MINUTE);
    for _ in 0..12 {
        rig.stall(3);
        rig.find(&well(), 10);
    }
    assert_eq!(rig.the_one().severity, Severity::Warning);
    rig.about_itself_only();
}

#[test]
fn what_lasts_is_told_with_its_cause_and_what_is_over_soon_is_not() {
    let outbox = OwnHealth { outbox: OutboxHealth::Unavailable { why: "read-only".to_owned() }, ..well() };
    let refused =
        OwnHealth { publishing: PublishingHealth::Refused { why: "permissions".to_owned() }, ..well() };
    let away = OwnHealth { publishing: PublishingHealth::Away, ..well() };
    for (health, cause) in [
        (behind(), CauseKind::Behind),
        (outbox, CauseKind::Outbox),
        (refused, CauseKind::Publishing),
        (away, CauseKind::Publishing),
    ] {
        let mut rig = Rig::new();
        rig.run(2 * MINUTE);
        rig.find(&health, 8);
        rig.find(&well(), 2 * MINUTE);
        rig.nothing_told();
        rig.find(&health, 14);
        let incident = rig.the_one();
        assert_eq!((incident.severity, incident.cause.kind), (Severity::Warning, cause));
        rig.find(&health, MINUTE);
        rig.find(&well(), 5 * MINUTE);
        rig.all_resolved();
        assert_eq!(rig.told.len(), 2, "{cause}");
        rig.about_itself_only();
    }
}

#[test]
fn several_ailments_are_one_incident_under_the_worst() {
    let mut rig = Rig::new();
    rig.run(2 * MINUTE);
    rig.find(&OwnHealth { publishing: PublishingHealth::Away, ..behind() }, 20);
    let incident = rig.the_one();
    assert_eq!((incident.cause.kind, incident.evidence.len()), (CauseKind::Behind, 2));
}

#[test]
fn a_clock_that_is_set_moves_no_deadline_and_is_said_once() {
    let told = |by: Option<TimeDelta>| {
        let mut rig = Rig::new();
        rig.run(2 * MINUTE);
        rig.each("west", |server| server.silent = true);
        rig.run(3);
        if let Some(by) = by {
            rig.set_clock(by);
        } else {
            rig.run(1);
        }
        rig.run(MINUTE);
        rig.each("west", |server| server.silent = false);
        rig.run(5 * MINUTE);
        rig
    };
    let steps = |rig: &Rig| -> Vec<_> {
        let clusters =
            rig.told.iter().filter(|(_, event)| !matches!(event.incident.subject, Subject::Instance(_)));
        clusters.map(|(at, event)| (*at, event.stage, event.incident.kind, event.incident.severity)).collect()
    };
    let plain = told(None);
    assert!(steps(&plain).iter().any(|(_, stage, ..)| *stage == Stage::Resolved), "{:?}", steps(&plain));
    for by in [TimeDelta::hours(1), TimeDelta::hours(-1), TimeDelta::days(-400)] {
        let set = told(Some(by));
        assert_eq!(steps(&set), steps(&plain), "{by}");
        let own: Vec<_> = set
            .told
            .iter()
            .filter(|(_, event)| event.incident.kind == IncidentKind::GatewatchImpaired)
            .collect();
        let [(_, opened), (_, resolved)] = own[..] else { panic!("{own:?}") };
        assert_eq!((opened.stage, resolved.stage), (Stage::Opened, Stage::Resolved));
        assert_eq!(
            (opened.incident.severity, opened.incident.cause.kind),
            (Severity::Info, CauseKind::ClockJumped)
        );
        for ((at, event), (_, before)) in set
            .told
            .iter()
            .filter(|(_, event)| event.incident.kind != IncidentKind::GatewatchImpaired)
            .zip(&plain.told)
        {
            if *at > 2 * MINUTE + 4 {
                assert_eq!(
                    event.incident.updated,
                    before.incident.updated + by,
                    "times are those of the clock as it is now"
                );
            }
        }
    }
}

#[test]
fn an_ailment_of_a_former_life_or_of_another_instance_is_over_when_this_one_is_well() {
    let mut rig = Rig::new();
    rig.run(2 * MINUTE);
    rig.find(&behind(), 20);
    let id = rig.the_one().id.clone();
    rig.policy.instance = "another".into();
    rig.restart_gatewatch();
    rig.find(&well(), 3 * MINUTE);
    rig.all_resolved();
    assert_eq!(rig.told.last().unwrap().1.incident.id, id);
}

#[test]
fn the_snapshot_tells_what_is_lacking_and_what_is_wrong() {
    let mut rig = Rig::new();
    rig.run(2 * MINUTE);
    rig.find(&OwnHealth { lacks: vec![Lack::Mute], ..behind() }, 2);
    let now = Now { mono: Mono::from_millis(rig.now * 1_000), wall: rig.wall() };
    let own = rig.engine.snapshot(now).own.unwrap();
    assert_eq!((own.instance.as_str(), own.lacks.as_slice()), ("gatewatch", [Lack::Mute].as_slice()));
    assert_eq!(own.ailments.iter().map(|one| one.ailment).collect::<Vec<_>>(), [Ailment::Behind]);
    rig.find(&well(), HOUR);
    let now = Now { mono: Mono::from_millis(rig.now * 1_000), wall: rig.wall() };
    let own = rig.engine.snapshot(now).own.unwrap();
    assert!(own.is_ready() && own.ailments.is_empty());
}

#[test]
fn it_can_be_switched_off() {
    let mut rig = Rig::new();
    rig.policy.checks.off.insert(IncidentKind::GatewatchImpaired);
    rig.restart_gatewatch();
    rig.find(&behind(), 5 * MINUTE);
    rig.nothing_told();
}
