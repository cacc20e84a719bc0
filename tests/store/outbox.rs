//! Publishing across the lives of a process: what one leaves on disk, the next one stores, once and in order.

use crate::support::{Place, id, incident, resolved};
use gatewatch::clock::Clock;
use gatewatch::model::incident::{Incident, IncidentEvent, Stage};
use gatewatch::nats::provision::provision;
use gatewatch::nats::publish::{Publisher, PublisherParts, publisher};
use gatewatch::outbox::{Left, Outbox, OutboxStatus};
use gatewatch::wire::queued::Queued;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(30);

/// One life of a publisher with an outbox.
struct Life {
    publisher: Publisher,
    task: JoinHandle<()>,
    left: Left,
}

impl Life {
    async fn begin(place: &Place, directory: &Path, max_bytes: usize) -> Self {
        let clock = Clock::start();
        let (outbox, left) = Outbox::open(directory, clock).await;
        let mut status = outbox.status();
        let works = status.wait_for(|status| *status == OutboxStatus::Working);
        tokio::time::timeout(LIMIT, works).await.unwrap().unwrap();
        let parts = PublisherParts {
            voices: place.voices(),
            missing: Arc::clone(&place.missing),
            metrics: Arc::clone(&place.metrics),
            clock,
            outbox: Some(outbox),
            left: left.messages.clone(),
            max_bytes,
        };
        let (publisher, task) = publisher(parts, &place.settings);
        Self { publisher, task: tokio::spawn(task.run()), left }
    }

    fn tell(&self, place: &Place, incidents: &[Incident]) {
        for incident in incidents {
            self.publisher.publish(place.alert(incident).remembering(incident));
        }
    }

    /// Ends it in order; what is not stored stays on disk.
    async fn end(self) {
        drop(self.publisher);
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap();
    }
}

fn ids(incidents: &[Incident]) -> Vec<String> {
    incidents.iter().map(id).collect()
}

#[tokio::test]
async fn what_one_life_could_not_store_the_next_one_stores_once_and_in_order() {
    let (place, dir) = (Place::at("east-1", "lives").await, tempfile::tempdir().unwrap());
    let told: Vec<Incident> = (1..=4).map(|revision| incident(1, revision)).collect();
    let mut ear = place.ear().await;
    // There is no stream yet.
    let first = Life::begin(&place, dir.path(), 1 << 26).await;
    first.tell(&place, &told);
    assert_eq!(ear.hear(4).await, ids(&told));
    first.end().await;

    let second = Life::begin(&place, dir.path(), 1 << 26).await;
    assert_eq!(second.left.messages.len(), 4);
    assert_eq!(second.left.memory.incidents, [incident(1, 4)]);
    let end = resolved(incident(1, 5));
    second.tell(&place, std::slice::from_ref(&end));
    provision(&place.client, &place.settings).await.unwrap();
    second.publisher.flush(LIMIT).await.unwrap();
    assert_eq!(place.stored().await, [ids(&told), vec![id(&end)]].concat());
    second.end().await;

    let third = Life::begin(&place, dir.path(), 1 << 26).await;
    assert_eq!(third.left.messages, []);
    assert_eq!((&third.left.memory.incidents, &third.left.memory.over), (&Vec::new(), &vec![end.id.clone()]));
    third.end().await;
}

#[tokio::test]
async fn what_is_stored_though_a_former_life_did_not_learn_of_it_is_neither_stored_nor_heard_again() {
    let (mut place, dir) = (Place::at("east-2", "unlearnt").await, tempfile::tempdir().unwrap());
    place.settings.duplicate_window = Duration::from_secs(1);
    provision(&place.client, &place.settings).await.unwrap();
    let told = [incident(1, 1), incident(2, 1)];
    let publisher = place.publisher();
    publisher.publish(place.alert(&told[0]));
    publisher.flush(LIMIT).await.unwrap();
    let (mut outbox, _) = Outbox::open(dir.path(), Clock::start()).await;
    for incident in &told {
        let event = IncidentEvent { stage: Stage::Opened, incident: incident.clone() };
        let advisory = place.advisories().alert(&event);
        let headers = advisory.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        outbox.append(&Queued {
            incident: Some(incident.id.clone()),
            subject: advisory.subject.clone(),
            id: advisory.id.clone(),
            headers: headers.collect(),
            at: incident.updated,
            may_be_left_out: false,
            body: advisory.body,
        });
    }
    outbox.hand_over();
    outbox.close().await;
    // The stream does not remember the id any more.
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    let mut ear = place.ear().await;
    let life = Life::begin(&place, dir.path(), 1 << 26).await;
    life.publisher.flush(LIMIT).await.unwrap();
    assert_eq!(place.stored().await, ids(&told));
    assert_eq!(ear.hear(1).await, [id(&told[1])]);
    assert!(ear.rest(&place.client).await.is_empty());
    assert_eq!((place.metrics.already_stored.get(), place.metrics.outbox_left.get()), (1, 2));
    life.end().await;
}

#[tokio::test]
async fn when_full_events_make_room_before_alerts_and_all_is_counted() {
    let (place, dir) = (Place::at("east-3", "crowded").await, tempfile::tempdir().unwrap());
    let life = Life::begin(&place, dir.path(), 40_000).await;
    (0..20).for_each(|second| life.publisher.publish(place.event(second)));
    let told: Vec<Incident> = (1..=200).map(|revision| incident(1, revision)).collect();
    life.tell(&place, &told);
    // There is no stream, so nothing leaves.
    assert!(life.publisher.flush(Duration::from_millis(500)).await.is_err());
    let (alerts, events) = (place.metrics.alerts_dropped.get(), place.metrics.events_dropped.get());
    // One may fit beside the alerts.
    assert!(events >= 19, "{events}");
    assert!(alerts > 0 && alerts < 200, "{alerts}");
    life.end().await;
    let life = Life::begin(&place, dir.path(), 40_000).await;
    let alerts_left = life.left.messages.iter().filter(|left| left.message.incident.is_some());
    let left: Vec<&str> = alerts_left.map(|left| left.message.id.as_str()).collect();
    assert_eq!(left, ids(&told[usize::try_from(alerts).unwrap()..]), "what made room is not on disk either");
    life.end().await;
}
