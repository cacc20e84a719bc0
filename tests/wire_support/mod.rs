//! Incidents, transitions and snapshots to write.

use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::model::cause::{Cause, CauseKind, Confidence};
use gatewatch::model::evidence::{Evidence, Says};
use gatewatch::model::health::{Ailment, AilmentStatus, Lack, OutboxHealth, OwnStatus, PublishingHealth};
use gatewatch::model::ids::{ClusterName, InstanceName, Link, ServerId, ServerKey, ServerLink};
use gatewatch::model::impact::Impact;
use gatewatch::model::incident::{
    Incident, IncidentEvent, IncidentId, IncidentKind, Scope, ServerView, Severity, Stage, Subject,
};
use gatewatch::model::intent::{Forget, ForgetOutcome, Matcher, Silence};
use gatewatch::model::observation::{Disconnect, ServerVersion};
use gatewatch::model::snapshot::{
    ClusterStatus, LinkStatus, ServerLinkStatus, ServerStatus, Snapshot, VantageStatus,
};
use gatewatch::model::states::{
    Basis, ClusterState, Departure, LinkState, ServerLinkState, ServerState, VantageState,
};
use gatewatch::model::time::{Mono, Now};
use gatewatch::model::transition::{Change, Transition};
use gatewatch::wire::wish::ForgetRequest;
use std::time::Duration;

/// The moment at which everything begins, with a fraction that must survive.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    let begin: DateTime<Utc> = "2026-11-22T15:53:38.801605Z".parse().unwrap();
    begin + TimeDelta::seconds(seconds)
}

pub(crate) fn cluster(name: &str) -> ClusterName {
    ClusterName::from(name)
}

pub(crate) fn server(cluster: &str, name: &str) -> ServerKey {
    ServerKey { cluster: cluster.into(), name: name.into() }
}

pub(crate) fn link(from: &str, to: &str) -> Link {
    Link { from: from.into(), to: to.into() }
}

pub(crate) fn part(from: &str, name: &str, to: &str) -> ServerLink {
    ServerLink { server: server(from, name), to: to.into() }
}

fn noted(seconds: i64, says: Says) -> Evidence {
    Evidence { at: at(seconds), says }
}

/// One piece of evidence of every kind.
pub(crate) fn every_evidence() -> Vec<Evidence> {
    let s = || server("east", "east-1");
    let says = vec![
        Says::BeatsMissed {
            server: s(),
            vantage: cluster("west"),
            missed: 3,
            heard_by: vec![cluster("central"), cluster("east")],
        },
        Says::BeatHeard { server: s(), vantage: cluster("west"), latency: Duration::from_micros(3_250) },
        Says::Silent { server: s(), missed: 4 },
        Says::NoReports { server: s(), silent_for: Duration::from_millis(25_500) },
        Says::Listed { server: s(), remote: cluster("west") },
        Says::NotListed { server: s(), remote: cluster("west") },
        Says::NotConfigured { server: s(), remote: cluster("west") },
        Says::PeerGone { server: s(), peer: server("west", "west-0") },
        Says::LameDuck { server: s() },
        Says::Shutdown { server: s() },
        Says::Restarted { server: s(), id: ServerId::from("NNEW") },
        Says::Heard { server: s(), vantage: cluster("east") },
        Says::ClusterSilent {
            cluster: cluster("west"),
            unheard_by: vec![cluster("central"), cluster("east")],
        },
        Says::ClusterHeard { cluster: cluster("west"), heard_by: vec![cluster("central")] },
        Says::VantageDisconnected { cluster: cluster("west"), why: Disconnect::TimedOut },
        Says::VantageDeaf { cluster: cluster("west") },
        Says::GatewayRefused { server: s(), peer: Some("NPEER".to_owned()) },
        Says::GatewayRefused { server: s(), peer: None },
        Says::Required { link: link("east", "west") },
        Says::Forbidden { link: link("east", "west") },
        Says::DidNotRun { span: Duration::from_secs(60) },
        Says::FactsDropped { count: 12_000 },
        Says::Outbox { health: OutboxHealth::Growing { waiting: 900 } },
        Says::Outbox { health: OutboxHealth::Unavailable { why: "no space left on device".to_owned() } },
        Says::Publishing { health: PublishingHealth::Away },
        Says::Publishing { health: PublishingHealth::Refused { why: "permissions violation".to_owned() } },
        Says::ClockJumped { by: TimeDelta::hours(-1) },
        Says::Forgotten { what: Forget::Cluster(cluster("west")) },
        Says::Forgotten { what: Forget::Server(s()) },
    ];
    (0..).zip(says).map(|(n, says)| noted(n, says)).collect()
}

/// An open incident that fits nothing in particular; the cases below change what matters.
pub(crate) fn incident(kind: IncidentKind, severity: Severity, subject: Subject) -> Incident {
    let id = IncidentId::from("01KAP2D7Z0000000000000EAST");
    Incident { revision: 1, ..Incident::new(id, (kind, severity), subject, (at(0), at(3))) }
}

fn pair() -> Subject {
    Subject::Pair(cluster("east"), cluster("west"))
}

fn parts(from: &str, to: &str) -> Vec<ServerLink> {
    (0..3).map(|n| part(from, &format!("{from}-{n}"), to)).collect()
}

/// Packets dropped both ways: the servers do not know yet.
pub(crate) fn down_both() -> Incident {
    let all: Vec<_> = [parts("east", "west"), parts("west", "east")].concat();
    let missed = |from: &str, to: &str| Says::BeatsMissed {
        server: server(from, &format!("{from}-0")),
        vantage: cluster(to),
        missed: 3,
        heard_by: vec![cluster("central"), cluster(from)],
    };
    Incident {
        scope: Scope {
            clusters: vec![cluster("east"), cluster("west")],
            links: vec![link("east", "west"), link("west", "east")],
            server_links: all.clone(),
            servers: Vec::new(),
        },
        cause: Cause { kind: CauseKind::PacketsLost, confidence: Confidence::Likely },
        evidence: vec![
            noted(0, missed("east", "west")),
            noted(0, missed("west", "east")),
            noted(1, Says::Listed { server: server("east", "east-0"), remote: cluster("west") }),
        ],
        server_view: ServerView { still_listed: all, known_gone: Vec::new(), notice_by: Some(at(45)) },
        impact: Impact {
            messages_per_second: Some(1_204.5),
            bytes_per_second: Some(2_400_000.0),
            ..Impact::default()
        },
        ..incident(IncidentKind::GatewayDown, Severity::Critical, pair())
    }
}

fn down_one_way() -> Incident {
    let mut incident = down_both();
    incident.scope.links.truncate(1);
    incident.scope.server_links.truncate(3);
    incident.evidence.truncate(1);
    incident.cause = Cause { kind: CauseKind::ConnectionsClosed, confidence: Confidence::Proven };
    incident.server_view = ServerView {
        still_listed: Vec::new(),
        known_gone: incident.scope.server_links.clone(),
        notice_by: None,
    };
    incident
}

fn degraded() -> Incident {
    let cut = vec![part("east", "east-1", "west")];
    Incident {
        scope: Scope {
            clusters: vec![cluster("east"), cluster("west")],
            server_links: cut.clone(),
            ..Scope::default()
        },
        cause: Cause { kind: CauseKind::ConnectionsClosed, confidence: Confidence::Likely },
        evidence: vec![noted(
            0,
            Says::GatewayRefused { server: server("west", "west-0"), peer: Some("NEAST1".to_owned()) },
        )],
        server_view: ServerView { still_listed: Vec::new(), known_gone: cut, notice_by: None },
        ..incident(IncidentKind::GatewayDegraded, Severity::Warning, pair())
    }
}

fn degraded_both_ways() -> Incident {
    let cut: Vec<_> = [parts("east", "west"), vec![part("west", "west-0", "east")]].concat();
    let mut incident = degraded();
    incident.scope.server_links.clone_from(&cut);
    incident.server_view =
        ServerView { still_listed: cut[..2].to_vec(), known_gone: cut[2..].to_vec(), notice_by: None };
    incident
}

fn offline(departure: Departure, cause: CauseKind) -> Incident {
    Incident {
        departure: Some(departure),
        scope: Scope {
            clusters: vec![cluster("west")],
            servers: (0..3).map(|n| server("west", &format!("west-{n}"))).collect(),
            ..Scope::default()
        },
        cause: Cause { kind: cause, confidence: Confidence::Proven },
        evidence: vec![noted(
            0,
            Says::ClusterSilent {
                cluster: cluster("west"),
                unheard_by: vec![cluster("central"), cluster("east")],
            },
        )],
        impact: Impact { clients_disconnected: 17, ..Impact::default() },
        ..incident(IncidentKind::ClusterOffline, Severity::Critical, Subject::Cluster(cluster("west")))
    }
}

fn isolated() -> Incident {
    Incident {
        scope: Scope {
            clusters: vec![cluster("west")],
            links: vec![
                link("central", "west"),
                link("east", "west"),
                link("west", "central"),
                link("west", "east"),
            ],
            ..Scope::default()
        },
        cause: Cause { kind: CauseKind::PacketsLost, confidence: Confidence::Likely },
        evidence: vec![noted(0, Says::Heard { server: server("west", "west-0"), vantage: cluster("west") })],
        ..incident(IncidentKind::ClusterIsolated, Severity::Critical, Subject::Cluster(cluster("west")))
    }
}

fn vantage_lost() -> Incident {
    Incident {
        scope: Scope { clusters: vec![cluster("west")], ..Scope::default() },
        cause: Cause { kind: CauseKind::OwnView, confidence: Confidence::Proven },
        evidence: vec![
            noted(0, Says::ClusterHeard { cluster: cluster("west"), heard_by: vec![cluster("east")] }),
            noted(0, Says::VantageDisconnected { cluster: cluster("west"), why: Disconnect::Unauthorized }),
        ],
        ..incident(IncidentKind::VantageLost, Severity::Warning, Subject::Cluster(cluster("west")))
    }
}

fn server_lost() -> Incident {
    let lost = server("east", "east.1 *");
    Incident {
        scope: Scope { clusters: vec![cluster("east")], servers: vec![lost.clone()], ..Scope::default() },
        cause: Cause { kind: CauseKind::Silent, confidence: Confidence::Likely },
        evidence: vec![noted(0, Says::Silent { server: lost.clone(), missed: 4 })],
        ..incident(IncidentKind::ServerLost, Severity::Warning, Subject::Server(lost))
    }
}

/// What ails a gatewatch that happens to be called like a cluster.
fn impaired() -> Incident {
    Incident {
        cause: Cause { kind: CauseKind::Stalled, confidence: Confidence::Proven },
        evidence: vec![noted(0, Says::DidNotRun { span: Duration::from_secs(60) })],
        ..incident(IncidentKind::GatewatchImpaired, Severity::Info, Subject::Instance("east".into()))
    }
}

/// The incident as it ends: revision 3, after a minute.
pub(crate) fn resolved(incident: Incident) -> Incident {
    Incident { revision: 3, updated: at(65), healed: Some(at(60)), resolved: Some(at(65)), ..incident }
}

/// Every kind of incident at every stage, by the name of its file.
pub(crate) fn alerts() -> Vec<(String, IncidentEvent)> {
    let kinds = vec![
        ("gateway_down_both", down_both()),
        ("gateway_down_one_way", down_one_way()),
        ("gateway_degraded", degraded()),
        ("gateway_degraded_both_ways", degraded_both_ways()),
        ("cluster_offline_planned", offline(Departure::Planned, CauseKind::PlannedStop)),
        ("cluster_offline_crash", offline(Departure::Crash, CauseKind::Silent)),
        ("cluster_isolated", isolated()),
        ("vantage_lost", vantage_lost()),
        ("server_lost", server_lost()),
        ("gatewatch_impaired", impaired()),
    ];
    let mut alerts = Vec::new();
    let mut add = |name: String, stage, incident| alerts.push((name, IncidentEvent { stage, incident }));
    for (name, incident) in kinds {
        add(format!("{name}.opened"), Stage::Opened, incident.clone());
        add(format!("{name}.resolved"), Stage::Resolved, resolved(incident));
    }
    let updated = Incident { revision: 2, updated: at(10), evidence: every_evidence(), ..down_both() };
    add("gateway_down_both.updated".to_owned(), Stage::Updated, updated);
    let merged = Some(IncidentId::from("01KAP2D7Z0000000000000WEST"));
    let merged = Incident { merged_into: merged, ..resolved(degraded()) };
    add("gateway_degraded.merged".to_owned(), Stage::Resolved, merged);
    let silenced = Incident { silenced: Some("01KAPQ6T7M9Y6Z4V1S5R3C8E2N".into()), ..down_both() };
    add("gateway_down_both.silenced".to_owned(), Stage::Opened, silenced);
    alerts
}

/// Silences, by the names of their files.
pub(crate) fn silences() -> Vec<(&'static str, Silence)> {
    let silence = |matcher| Silence {
        id: "01KAPQ6T7M9Y6Z4V1S5R3C8E2N".into(),
        matcher,
        from: at(0),
        until: at(7200),
        comment: "new \"firewall\"".to_owned(),
        author: "ann".to_owned(),
    };
    let pair = Matcher {
        kind: Some(IncidentKind::GatewayDown),
        severity: Some(Severity::Critical),
        cluster: Some(cluster("east")),
        remote: Some(cluster("west")),
        server: None,
    };
    let one = Matcher { server: Some(server("east", "east-1")), ..Matcher::default() };
    vec![
        ("silence_pair", silence(pair)),
        ("silence_server", silence(one)),
        ("silence_everything", silence(Matcher::default())),
    ]
}

/// Requests to forget something, by the names of their files.
pub(crate) fn forgets() -> Vec<(&'static str, ForgetRequest)> {
    let asked = |what, outcome| ForgetRequest { what, at: at(0), author: "ann".to_owned(), outcome };
    let server = Forget::Server(server("west", "west-4"));
    vec![
        ("forget_cluster", asked(Forget::Cluster(cluster("west")), None)),
        ("forget_server_done", asked(server, Some(ForgetOutcome::Done))),
    ]
}

/// A change of everything that is watched, by the name of its file.
pub(crate) fn events() -> Vec<(&'static str, Transition)> {
    let changed = |change, basis, evidence| Transition {
        at: Now { mono: Mono::from_millis(1), wall: at(1) },
        change,
        basis,
        evidence,
    };
    let missed = every_evidence().into_iter().take(1).collect();
    vec![
        (
            "server_link_down",
            changed(
                Change::ServerLink {
                    link: part("east", "east-1", "west"),
                    from: ServerLinkState::Suspect,
                    to: ServerLinkState::Down,
                },
                Some(Basis::Beats),
                missed,
            ),
        ),
        (
            "link_degraded",
            changed(
                Change::Link {
                    link: link("east", "west"),
                    from: LinkState::Up,
                    to: LinkState::Degraded { cut: 1, of: 3 },
                },
                Some(Basis::Reports),
                Vec::new(),
            ),
        ),
        (
            "link_resynced",
            changed(
                Change::Resynced { link: link("east", "west"), after: Duration::from_millis(4_210) },
                None,
                Vec::new(),
            ),
        ),
        (
            "server_lost",
            changed(
                Change::Server {
                    server: server("eu.west", "a b"),
                    id: ServerId::from("NOLD"),
                    from: ServerState::Live,
                    to: ServerState::Lost,
                },
                None,
                Vec::new(),
            ),
        ),
        (
            "cluster_offline",
            changed(
                Change::Cluster {
                    cluster: cluster("west"),
                    from: ClusterState::Draining,
                    to: ClusterState::Offline(Departure::Planned),
                },
                None,
                Vec::new(),
            ),
        ),
        (
            "vantage_gone",
            changed(
                Change::Vantage {
                    cluster: cluster("west"),
                    from: VantageState::Sound,
                    to: VantageState::Gone,
                },
                None,
                Vec::new(),
            ),
        ),
    ]
}

/// A small supercluster in trouble.
pub(crate) fn snapshot() -> Snapshot {
    let status = |name: &str, state, version| ServerStatus {
        key: server("east", name),
        id: ServerId::from("NEAST"),
        version,
        state,
        since: at(0),
        connections: version.map(|_| 12),
    };
    let version = Some(ServerVersion { major: 2, minor: 15, patch: 1 });
    let east_1 = ServerLinkStatus {
        server: server("east", "east-1"),
        state: ServerLinkState::Down,
        since: at(1),
        latency: Some(Duration::from_micros(3_250)),
        listed: Some(true),
    };
    let east_2 = ServerLinkStatus {
        server: server("east", "east-2"),
        state: ServerLinkState::Unknown,
        latency: None,
        listed: None,
        ..east_1.clone()
    };
    Snapshot {
        at: at(5),
        own: Some(OwnStatus {
            instance: InstanceName::from("gatewatch"),
            lacks: vec![Lack::Mute],
            ailments: vec![AilmentStatus { ailment: Ailment::Publishing, since: at(-30) }],
        }),
        vantages: vec![VantageStatus {
            cluster: cluster("east"),
            state: VantageState::Sound,
            since: at(-60),
        }],
        clusters: vec![
            ClusterStatus {
                name: cluster("east"),
                state: ClusterState::Degraded,
                since: at(0),
                servers: vec![
                    status("east-1", ServerState::Live, version),
                    status("east-2", ServerState::Unknown, None),
                ],
            },
            ClusterStatus {
                name: cluster("west"),
                state: ClusterState::Offline(Departure::Crash),
                since: at(0),
                servers: Vec::new(),
            },
        ],
        links: vec![LinkStatus {
            link: link("east", "west"),
            state: LinkState::Degraded { cut: 1, of: 2 },
            since: at(1),
            basis: Some(Basis::Beats),
            servers: vec![east_1, east_2],
        }],
        incidents: vec![degraded()],
    }
}
