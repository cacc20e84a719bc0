use super::*;
use crate::cli::samples::{assert_golden, partition_story};
use crate::wire::body::IncidentBody;

fn flow(from: &str, to: &str, arrived: u64) -> Flow {
    Flow { from: from.to_owned(), to: to.to_owned(), sent: 75, arrived }
}

fn told(incident: &IncidentBody, stage: StageWord, after_ms: u64) -> Step {
    Step::Alert {
        after_ms: Some(after_ms),
        stage,
        severity: incident.severity,
        title: incident.title.clone(),
        summary: incident.summary.clone(),
        incident: incident.incident.clone(),
        revision: incident.revision,
    }
}

/// Every kind of step, in the order of a real tour.
fn steps() -> Vec<Step> {
    let story: Vec<IncidentBody> = partition_story().iter().map(|event| (&event.incident).into()).collect();
    let text = |text: &str| text.to_owned();
    vec![
        Step::Intro,
        Step::Ready { what: text("nats-server 2.15.1"), detail: text("/usr/bin/nats-server"), took_ms: 40 },
        Step::Waiting { what: text("the servers find each other") },
        Step::Ready {
            what: text("gateways connected"),
            detail: text("every cluster with every other"),
            took_ms: 5620,
        },
        Step::Act {
            number: 1,
            of: 3,
            title: text("A firewall drops every packet"),
            story: text("No connection is closed."),
        },
        Step::Broke { what: text("east <-> west: packets dropped") },
        Step::Event {
            after_ms: Some(430),
            word: EventWord::Lost,
            text: text("gateway east -> west is down (was up)"),
        },
        told(&story[0], StageWord::Opened, 3_430),
        Step::HeardIn { clusters: vec![text("central"), text("east"), text("west")] },
        Step::Claims { after_ms: 3_700, asked: 6, listing: 6, notice_in_ms: Some(41_300) },
        Step::Traffic {
            after_ms: 4_000,
            flows: vec![
                flow("east-1", "west", 0),
                flow("east-1", "central", 75),
                flow("east-2", "west", 12),
                flow("east-2", "central", 75),
            ],
        },
        Step::Claims { after_ms: 30_000, asked: 6, listing: 4, notice_in_ms: None },
        Step::Claims { after_ms: 41_800, asked: 6, listing: 0, notice_in_ms: None },
        told(&story[1], StageWord::Updated, 41_900),
        Step::Healed { what: text("packets pass again") },
        Step::Event {
            after_ms: Some(600),
            word: EventWord::Back,
            text: text("gateway east -> west is up (was down)"),
        },
        told(&story[2], StageWord::Resolved, 5_600),
        Step::Claims { after_ms: 3_900, asked: 1, listing: 1, notice_in_ms: Some(41_000) },
        Step::Kept { stream: text("GATEWATCH_ALERTS"), incidents: vec![story[2].clone()] },
        Step::Outcome {
            acts: vec![
                ActOutcome {
                    what: text("east <-> west: packets dropped"),
                    seen_ms: 430,
                    alert_ms: 3_430,
                    claims: Some((6, 6)),
                    noticed_ms: Some(41_800),
                    resolved_ms: 5_600,
                    kind: text("gateway_down"),
                },
                ActOutcome {
                    what: text("west: all servers killed"),
                    seen_ms: 600,
                    alert_ms: 2_900,
                    claims: None,
                    noticed_ms: None,
                    resolved_ms: 6_300,
                    kind: text("cluster_offline"),
                },
            ],
        },
        Step::Invitation {
            program: text("target/release/gatewatch"),
            config: "/tmp/gatewatch-lab-x/gatewatch.toml".into(),
            urls: vec![text("nats://127.0.0.1:17025")],
            login: Login { user: text("app"), password: text("b2d1f92be0acc69a5cb340e60dad548b") },
        },
        Step::Done { what: text("killed: west-1") },
        Step::End,
    ]
}

#[test]
fn the_tour_reads_well_and_fits_into_a_hundred_columns() {
    let text: String = steps().iter().map(|step| render(step, Style::PLAIN)).collect();
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert_golden("demo_tour", &text);
}

#[test]
fn as_json_each_step_is_one_object_with_its_name() {
    for step in steps() {
        let line = serde_json::to_string(&step).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(value["step"].is_string() && !line.contains('\n'), "{line}");
    }
}
