//! Permissions that change while the daemon runs, and users that may next to nothing.

use crate::ground::{SOON, Users, all, pair, said, settings, start, until, until_lacking};
use gatewatch::daemon::RunError;
use gatewatch::lab::{Fault, ServerOptions, Supercluster};
use gatewatch::model::incident::IncidentKind;
use gatewatch::model::snapshot::Snapshot;
use gatewatch::model::states::{Basis, LinkState};
use gatewatch::nats::provision::Provisioning;
use gatewatch::wire::permission::{Capability, Names, Tier, User};
use std::time::Duration;
use tokio::time::{sleep, timeout};

fn accounts(system: &[Capability]) -> String {
    let mut users = Users::default();
    let may: Vec<_> = all(User::System).into_iter().filter(|may| !system.contains(&may.capability)).collect();
    users.add(User::System, "system", &may);
    users.add(User::Alerts, "alerts", &all(User::Alerts));
    users.config()
}

fn reload(lab: &Supercluster, accounts: &str) {
    for server in lab.servers() {
        server.change_options(|options| options.config = accounts.to_owned());
        server.reload().unwrap();
    }
}

fn by(basis: Basis) -> impl Fn(&Snapshot) -> bool {
    move |snapshot| {
        snapshot.links.len() == 2
            && snapshot.links.iter().all(|link| link.state == LinkState::Up && link.basis == Some(basis))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_that_are_forbidden_later_leave_the_reports_and_come_back_when_permitted() {
    let options = || ServerOptions { config: accounts(&[]), ..ServerOptions::default() };
    let lab = pair().server("east-1", options()).server("west-1", options()).start().await.unwrap();
    lab.ready(SOON).await.unwrap();
    let daemon = start(settings(&lab, "gatewatch", ["system", "alerts"], &[])).await.unwrap();
    until(&daemon, "beats prove both links", by(Basis::Beats)).await;

    reload(&lab, &accounts(&[Capability::Beats]));
    until_lacking(&daemon, "beats are named for both vantages", |lacks| {
        lacks.len() == 2 && lacks.iter().all(|lack| lack.missing.capability == Capability::Beats)
    })
    .await;
    sleep(Duration::from_secs(6)).await;
    let snapshot = daemon.snapshot().borrow().clone().unwrap();
    assert!(snapshot.incidents.is_empty(), "{:#?}", snapshot.incidents);
    lab.faults().cut_pair("east", "west", Fault::Reset).unwrap();
    until(&daemon, "the servers report the cut", |snapshot| {
        let down = |kind| kind == IncidentKind::GatewayDown;
        let found = snapshot.incidents.iter().find(|incident| down(incident.kind));
        found.is_some_and(|incident| incident.basis == Some(Basis::Reports))
    })
    .await;
    lab.faults().clear_all();
    until(&daemon, "the servers report the heal", |snapshot| snapshot.incidents.is_empty()).await;

    reload(&lab, &accounts(&[]));
    until_lacking(&daemon, "nothing is missing any more", <[_]>::is_empty).await;
    lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    until(&daemon, "beats find what servers do not know", |snapshot| {
        snapshot.links.iter().all(|link| link.state == LinkState::Down && link.basis == Some(Basis::Beats))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_user_that_may_ask_nothing_is_told_so_at_once() {
    let questions = [
        Capability::Beats,
        Capability::AskStats,
        Capability::AskGateways,
        Capability::AskConfig,
        Capability::AskJetStream,
    ];
    let lab = pair().without_jetstream().config(&accounts(&questions)).start().await.unwrap();
    let began = gatewatch::clock::Clock::start();
    let error = match start(settings(&lab, "gatewatch", ["system", "alerts"], &[])).await {
        Err(RunError::System(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(began.mono().0 < Duration::from_secs(20), "{:?}", began.mono());
    for needed in
        ["user \"system\"", "is accepted, but may not publish `$SYS.REQ.SERVER.", "at least one question"]
    {
        assert!(error.contains(needed), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_exist_are_used_and_missing_ones_are_named_when_they_may_not_be_created() {
    let mut users = Users::default();
    users.add(User::System, "system", &all(User::System));
    users.add(User::Alerts, "alerts", &all(User::Alerts));
    users.add(User::Alerts, "existing", &Names::default().permissions(User::Alerts, Tier::Existing));
    let lab = pair().config(&users.config()).start().await.unwrap();
    lab.ready(SOON).await.unwrap();

    let daemon = start(settings(&lab, "gatewatch", ["system", "existing"], &[])).await.unwrap();
    until_lacking(&daemon, "creating streams is named", |lacks| {
        lacks.iter().map(|lack| lack.missing.capability).eq([Capability::CreateStreams])
    })
    .await;
    let text = said(&daemon.lacks().borrow())[0].clone();
    let expected =
        "gatewatch/alerts: the alert user may not publish `$JS.API.STREAM.CREATE.GATEWATCH_ALERTS`: ";
    assert!(text.starts_with(expected), "{text}");
    drop(daemon);

    for user in ["alerts", "existing"] {
        let daemon = start(settings(&lab, "gatewatch", ["system", user], &[])).await.unwrap();
        let mut provisioning = daemon.provisioning();
        let ready = provisioning.wait_for(|progress| matches!(progress, Provisioning::Ready(_)));
        timeout(SOON, ready).await.expect("streams in time").unwrap();
        assert_eq!(said(&daemon.lacks().borrow()), Vec::<String>::new(), "{user}");
    }
}
