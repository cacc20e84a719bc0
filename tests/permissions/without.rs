//! Each single permission taken away: it is named, and the rest works.

use crate::ground::{SOON, Users, all, eventually, pair, said, settings, start, until, until_lacking};
use futures::StreamExt;
use gatewatch::daemon::{Daemon, RunError};
use gatewatch::lab::{Fault, Supercluster};
use gatewatch::model::incident::{Incident, IncidentKind};
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::{Basis, LinkState};
use gatewatch::wire::permission::{Act, Capability, Permission, User};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Longer than an incident takes to open.
const QUIET: Duration = Duration::from_secs(6);

/// One permission that is missing, of one of the users.
struct Case {
    name: String,
    user: User,
    missing: Permission,
}

impl Case {
    fn every() -> Vec<Self> {
        let of = |user: User| {
            all(user).into_iter().enumerate().map(move |(index, missing)| {
                let word = if user == User::System { "system" } else { "alerts" };
                Self { name: format!("{word}-{index}"), user, missing }
            })
        };
        of(User::System).chain(of(User::Alerts)).collect()
    }

    fn granted(&self) -> Vec<Permission> {
        all(self.user).into_iter().filter(|permission| *permission != self.missing).collect()
    }

    fn logins(&self) -> [&str; 2] {
        match self.user {
            User::System => [&self.name, "all-alerts"],
            User::Alerts => ["all-system", &self.name],
        }
    }

    /// Without hearing answers a system user can do nothing.
    fn cannot_start(&self) -> bool {
        self.user == User::System && self.missing.capability == Capability::Answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_single_permission_that_is_missing_is_named_and_the_rest_works() {
    let cases = Case::every();
    let mut users = Users::default();
    users.add(User::System, "all-system", &all(User::System));
    users.add(User::Alerts, "all-alerts", &all(User::Alerts));
    for case in &cases {
        users.add(case.user, &case.name, &case.granted());
    }
    let lab = pair().config(&users.config()).start().await.unwrap();
    lab.ready(SOON).await.unwrap();
    let whole = start(settings(&lab, "whole", ["all-system", "all-alerts"], &[])).await.unwrap();
    until(&whole, "the daemon that may do all sees all", |snapshot| links_up(snapshot, Basis::Beats)).await;
    assert_eq!(said(&whole.lacks().borrow()), Vec::<String>::new());
    // Also once it has read back what a former life left, which is the last thing a start does.
    let kept = || whole.metrics().state_writes.get() > 0;
    eventually("the state is read back and kept", async || kept()).await;

    // Some at a time: a busy machine must still log in within the two seconds that servers allow.
    let mut starts = futures::stream::iter(&cases)
        .map(async |case| (case, start(settings(&lab, &case.name, case.logins(), &[])).await))
        .buffered(4);
    let mut running: Vec<(&Case, Daemon)> = Vec::new();
    while let Some((case, started)) = starts.next().await {
        match started {
            Ok(daemon) => running.push((case, daemon)),
            Err(error) => refused(case, &error),
        }
    }
    assert_eq!(running.len(), cases.len() - cases.iter().filter(|case| case.cannot_start()).count());
    for (case, daemon) in &running {
        is_named(case, daemon).await;
        let basis = if case.missing.capability == Capability::Beats { Basis::Reports } else { Basis::Beats };
        until(daemon, &format!("{}: both links are up", case.name), |snapshot| links_up(snapshot, basis))
            .await;
    }
    sleep(QUIET).await;
    for (case, daemon) in &running {
        let what = format!("{}: {:?}", case.name, case.missing);
        let snapshot = daemon.snapshot().borrow().clone().unwrap();
        // So many daemons on a busy machine may be blind for a moment, and one that may not publish is impaired: neither says
        // anything about any cluster.
        let impaired = |incident: &Incident| incident.kind == IncidentKind::GatewatchImpaired;
        let ours = |incident: &Incident| impaired(incident) || incident.kind == IncidentKind::VantageLost;
        assert!(snapshot.incidents.iter().all(ours), "{what}: {:#?}", snapshot.incidents);
        until(daemon, &format!("{what}: all is well"), |snapshot| snapshot.incidents.iter().all(impaired))
            .await;
    }

    let told = everybody_tells(&lab, &running).await;
    // Nothing was refused that is on no list, and to the one that may do all nothing at all.
    for (what, daemon) in
        running.iter().map(|(case, daemon)| (&*case.name, daemon)).chain([("whole", &whole)])
    {
        assert_eq!(refusals(daemon, "unlisted"), 0, "{what}");
    }
    assert_eq!(whole.metrics().refusals.total(), 0);
    for (case, _) in &running {
        let silent = case.user == User::Alerts && case.missing.capability == Capability::PublishAlerts;
        assert_eq!(told.contains(&case.name), !silent, "{}: {:?}", case.name, case.missing);
    }
}

fn refusals(daemon: &Daemon, kind: &str) -> u64 {
    let all = daemon.metrics().all();
    let refusals = all.iter().find(|metric| metric.name == "gatewatch_permission_refusals_total").unwrap();
    let sample = refusals.samples.iter().find(|sample| sample.label == Some(("capability", kind)));
    sample.unwrap().value
}

/// The error of a start that is hopeless says what is missing.
fn refused(case: &Case, error: &RunError) {
    assert!(case.cannot_start(), "{}: {:?}: {error:?}", case.name, case.missing);
    let RunError::System(error) = error else { panic!("{error:?}") };
    let error = error.to_string();
    assert!(error.contains("may not subscribe to `_INBOX.>`"), "{error}");
    assert!(error.contains("gatewatch permissions --system"), "{error}");
}

/// What is missing is named, for every connection of that user, and nothing else is.
async fn is_named(case: &Case, daemon: &Daemon) {
    let Permission { act, subject, capability } = &case.missing;
    let connections: &[&str] = match case.user {
        User::System => &["vantage/east", "vantage/west"],
        User::Alerts => &["alerts"],
    };
    let names: BTreeSet<String> =
        connections.iter().map(|connection| format!("{}/{connection}", case.name)).collect();
    // What can be done without by design is missed only by who wants it.
    let named = capability.is_needed_to_run();
    until_lacking(daemon, &format!("{}: {:?} is named", case.name, case.missing), |lacks| {
        let found: BTreeSet<String> = lacks.iter().map(|lack| lack.connection.clone()).collect();
        if named { found == names } else { found.is_empty() }
    })
    .await;
    let act = match act {
        Act::Publish => "publish",
        Act::Subscribe => "subscribe to",
    };
    let text = format!("may not {act} `{subject}`: {}", capability.without());
    for lack in &*daemon.lacks().borrow() {
        assert_eq!((lack.user, lack.missing.to_string()), (case.user, text.clone()));
    }
}

fn links_up(snapshot: &Snapshot, basis: Basis) -> bool {
    let up = |from: &str| {
        snapshot.links.iter().any(|link| {
            link.link.from.as_str() == from && link.state == LinkState::Up && link.basis == Some(basis)
        })
    };
    up("east") && up("west")
}

/// Cuts the pair, waits until every daemon has found it, and returns whose alerts a subscriber heard.
async fn everybody_tells(lab: &Supercluster, running: &[(&Case, Daemon)]) -> BTreeSet<String> {
    let client = lab.server("east-1").unwrap().app_client().await.unwrap();
    let mut alerts = client.subscribe("gatewatch.alert.>").await.unwrap();
    client.flush().await.unwrap();
    lab.faults().cut_pair("east", "west", Fault::Reset).unwrap();
    for (case, daemon) in running {
        let what = format!("{}: {:?}: the cut is found", case.name, case.missing);
        until(daemon, &what, |snapshot| {
            snapshot.incidents.iter().any(|incident| incident.kind == IncidentKind::GatewayDown)
        })
        .await;
    }
    let mut told = BTreeSet::new();
    while let Ok(Some(message)) = timeout(Duration::from_secs(3), alerts.next()).await {
        let body: Value = serde_json::from_slice(&message.payload).unwrap();
        let source = body["source"].as_str().unwrap().to_owned();
        told.insert(source.trim_start_matches("gatewatch/").to_owned());
    }
    told
}
