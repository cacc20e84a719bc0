//! The lease on real servers: one of several holds it, and passes it on.

use crate::support::{Place, SOON, incident};
use async_nats::jetstream::stream::Config;
use gatewatch::clock::Clock;
use gatewatch::config::settings::LeaseSettings;
use gatewatch::model::incident::{IncidentEvent, Stage};
use gatewatch::nats::history::History;
use gatewatch::nats::lease::{Call, Duty, Floor, Hearing, LeaseKeeper, floor, lease_bucket};
use gatewatch::nats::provision::provision;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One of several.
struct Contender {
    duty: watch::Receiver<Duty>,
    floor: Floor,
    clock: Clock,
    leave: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Contender {
    fn start(place: &Place, instance: &str) -> Self {
        let (usher, floor) = floor();
        let (changes, duty) = watch::channel(Duty::Standby);
        let (clock, leave) = (Clock::start(), CancellationToken::new());
        let client = place.client.clone();
        let hearing =
            Hearing { client: client.clone(), advisories: place.advisories(), usher: usher.clone() };
        tokio::spawn(hearing.run(leave.clone()));
        let keeper = LeaseKeeper {
            client,
            alerts: place.settings.clone(),
            lease: LeaseSettings { enabled: true, ttl: Duration::from_secs(2) },
            instance: instance.to_owned(),
            usher,
            duty: changes,
            metrics: Arc::clone(&place.metrics),
            clock,
        };
        let task = tokio::spawn(keeper.run(leave.clone()));
        Self { duty, floor, clock, leave, task }
    }

    async fn becomes(&mut self, duty: Duty) {
        let became = self.duty.wait_for(|is| *is == duty);
        tokio::time::timeout(SOON, became).await.unwrap_or_else(|_| panic!("never {duty:?}")).unwrap();
    }

    async fn is_called(&mut self, wanted: impl Fn(&Call) -> bool) -> Call {
        let found = async {
            loop {
                let call = self.floor.next().await;
                if wanted(&call) {
                    return call;
                }
            }
        };
        tokio::time::timeout(SOON, found).await.unwrap()
    }
}

#[tokio::test]
async fn one_speaks_and_hands_over_what_is_open_when_it_leaves() {
    let place = Place::at("east-1", "lease").await;
    provision(&place.client, &place.settings).await.unwrap();
    let mut first = Contender::start(&place, "first");
    first.becomes(Duty::Speaker).await;
    assert!(first.floor.lasts(first.clock.mono()));
    let mut second = Contender::start(&place, "second");
    let history = History::new(place.client.clone(), &place.settings);
    assert_eq!(history.speaker().await.unwrap().unwrap().instance, "first");

    // What one tells, all hear.
    let event = IncidentEvent { stage: Stage::Opened, incident: incident(1, 1) };
    let advisory = place.advisories().alert(&event);
    place.client.publish(advisory.subject, advisory.body.into()).await.unwrap();
    let heard = second.is_called(|call| matches!(call, Call::Heard(_))).await;
    assert_eq!(heard, Call::Heard(Box::new(event.clone())));
    let key = gatewatch::wire::record::incident_key(&event.incident.id);
    let record = gatewatch::wire::record::write_incident(&event.incident);
    place.bucket().await.put(key, record.into()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((*first.duty.borrow(), *second.duty.borrow()), (Duty::Speaker, Duty::Standby));
    assert!(!second.floor.lasts(second.clock.mono()));

    first.leave.cancel();
    first.task.await.unwrap();
    let left = second.clock.mono();
    let speak = second.is_called(|call| matches!(call, Call::Speak { .. })).await;
    let took = second.clock.mono().since(left);
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    let Call::Speak { stored, .. } = speak else { panic!("{speak:?}") };
    assert_eq!(stored, Some(vec![event.incident]));
    second.becomes(Duty::Speaker).await;
    second.leave.cancel();
    second.task.await.unwrap();
    assert_eq!(history.speaker().await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_that_drops_the_lease_too_soon_is_not_used_and_each_speaks() {
    let place = Place::at("east-2", "hasty").await;
    let name = lease_bucket(&place.settings.bucket);
    let config = Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_age: Duration::from_secs(1),
        duplicate_window: Duration::from_secs(1),
        max_messages_per_subject: 1,
        ..Config::default()
    };
    place.jetstream().create_stream(config).await.unwrap();
    let (mut one, mut other) = (Contender::start(&place, "one"), Contender::start(&place, "other"));
    one.becomes(Duty::Open).await;
    other.becomes(Duty::Open).await;
    assert!(place.metrics.lease_failures.get() > 0);
}

#[tokio::test]
async fn a_bucket_that_keeps_the_lease_for_ever_passes_it_on_as_well() {
    let place = Place::at("east-3", "lasting").await;
    let name = lease_bucket(&place.settings.bucket);
    let config = Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        ..Config::default()
    };
    place.jetstream().create_stream(config).await.unwrap();
    let mut one = Contender::start(&place, "one");
    one.becomes(Duty::Speaker).await;
    let mut other = Contender::start(&place, "other");
    tokio::time::sleep(Duration::from_secs(1)).await;
    one.task.abort();
    other.becomes(Duty::Speaker).await;
}
