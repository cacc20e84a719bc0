//! What people want, in the bucket; and what becomes of silenced incidents in the stream of alerts.

use crate::support::{Place, SOON, at, eventually, id, incident};
use async_nats::jetstream::stream::Config;
use chrono::TimeDelta;
use gatewatch::clock::Clock;
use gatewatch::model::incident::{Incident, IncidentEvent, Stage};
use gatewatch::model::intent::{Matcher, Silence, Wish};
use gatewatch::nats::history::{History, IncidentFilter};
use gatewatch::nats::lease::Duty;
use gatewatch::nats::provision::provision;
use gatewatch::nats::publish::Message;
use gatewatch::nats::state::{Listener, Wishes};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

fn silence(id: &str, until: TimeDelta) -> Silence {
    let now = at(0);
    let matcher = Matcher { cluster: Some("east".into()), ..Matcher::default() };
    let (comment, author) = ("why".to_owned(), "ann".to_owned());
    Silence { id: id.into(), matcher, from: now - TimeDelta::days(9), until: now + until, comment, author }
}

fn listen(place: &Place) -> (mpsc::Receiver<Wish>, DropGuard) {
    let (wishes, wished) = mpsc::channel(16);
    let (_, outcomes) = mpsc::channel(16);
    let (client, bucket) = (place.client.clone(), place.settings.bucket.clone());
    let listener = Listener {
        client,
        bucket,
        wishes,
        outcomes,
        duty: watch::channel(Duty::Speaker).1,
        clock: Clock::start(),
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(listener.run(shutdown.clone()));
    (wished, shutdown.drop_guard())
}

async fn next(wished: &mut mpsc::Receiver<Wish>) -> Wish {
    tokio::time::timeout(SOON, wished.recv()).await.expect("a wish in time").unwrap()
}

fn silenced(place: &Place, incident: &Incident) -> Message {
    let incident = Incident { silenced: Some("S".into()), ..incident.clone() };
    let event = IncidentEvent { stage: Stage::Opened, incident };
    Message::silenced(&event.incident.id, place.advisories().alert(&event))
}

#[tokio::test]
async fn without_a_bucket_there_are_no_silences_and_those_stored_later_are_heard_of() {
    let place = Place::at("east-1", "wished").await;
    let (mut wished, _running) = listen(&place);
    assert_eq!(next(&mut wished).await, Wish::Silences(Vec::new()));
    provision(&place.client, &place.settings).await.unwrap();
    place.bucket().await;
    let wishes = Wishes::new(&place.client, &place.settings.bucket);
    let (one, two) = (silence("1", TimeDelta::hours(1)), silence("2", TimeDelta::hours(2)));
    wishes.add_silence(&one).await.unwrap();
    assert_eq!(next(&mut wished).await, Wish::Silences(vec![one.clone()]));
    wishes.add_silence(&two).await.unwrap();
    assert_eq!(next(&mut wished).await, Wish::Silences(vec![one.clone(), two.clone()]));
    wishes.remove_silence(&one.id).await.unwrap();
    assert_eq!(next(&mut wished).await, Wish::Silences(vec![two.clone()]));
    assert_eq!(wishes.silences().await.unwrap(), std::slice::from_ref(&two));
    // Whoever starts later finds the same, and not what was removed.
    let (mut later, _running) = listen(&place);
    assert_eq!(next(&mut later).await, Wish::Silences(vec![two]));
}

#[tokio::test]
async fn a_silence_is_deleted_a_day_after_its_end_and_what_cannot_be_read_is_left_alone() {
    let place = Place::at("east-2", "over").await;
    provision(&place.client, &place.settings).await.unwrap();
    let bucket = place.bucket().await;
    let wishes = Wishes::new(&place.client, &place.settings.bucket);
    let (old, recent) = (silence("old", TimeDelta::hours(-25)), silence("recent", TimeDelta::hours(-23)));
    wishes.add_silence(&old).await.unwrap();
    wishes.add_silence(&recent).await.unwrap();
    bucket.put("silence.newer", r#"{"version":99}"#.into()).await.unwrap();
    let (mut wished, _running) = listen(&place);
    assert_eq!(next(&mut wished).await, Wish::Silences(vec![old, recent.clone()]));
    assert_eq!(next(&mut wished).await, Wish::Silences(vec![recent.clone()]));
    assert_eq!(wishes.silences().await.unwrap(), [recent]);
    assert!(bucket.get("silence.newer").await.unwrap().is_some());
}

#[tokio::test]
async fn listening_leaves_no_consumer_on_the_server() {
    let place = Place::at("east-3", "quiet").await;
    provision(&place.client, &place.settings).await.unwrap();
    place.bucket().await;
    let wishes = Wishes::new(&place.client, &place.settings.bucket);
    let (mut wished, _running) = listen(&place);
    next(&mut wished).await;
    wishes.add_silence(&silence("1", TimeDelta::hours(1))).await.unwrap();
    next(&mut wished).await;
    let stream = place.jetstream().get_stream("KV_quiet").await.unwrap();
    assert_eq!(stream.cached_info().state.consumer_count, 0);
}

#[tokio::test]
async fn silenced_incidents_are_kept_beside_the_alerts_and_not_heard_as_such() {
    let place = Place::at("east-1", "hushed").await;
    provision(&place.client, &place.settings).await.unwrap();
    let mut ear = place.ear().await;
    let publisher = place.publisher();
    publisher.publish(silenced(&place, &incident(1, 1)));
    publisher.publish(place.alert(&incident(2, 1)));
    publisher.flush(SOON).await.unwrap();
    assert_eq!(place.stored().await, [id(&incident(1, 1)), id(&incident(2, 1))]);
    assert_eq!(ear.hear(1).await, [id(&incident(2, 1))]);
    assert_eq!(ear.rest(&place.client).await, Vec::<String>::new());
    let history = History::new(place.client.clone(), &place.settings);
    let told = history.incidents(&IncidentFilter::default()).await.unwrap();
    let marks: Vec<_> = told.iter().map(|incident| incident.silenced.is_some()).collect();
    assert_eq!(marks, [false, true]);
}

#[tokio::test]
async fn a_stream_that_takes_no_silenced_incidents_still_keeps_every_alert() {
    let place = Place::at("east-2", "former").await;
    let theirs = Config {
        name: "former_ALERTS".to_owned(),
        subjects: vec!["former.alert.>".to_owned()],
        ..Config::default()
    };
    place.jetstream().create_stream(theirs).await.unwrap();
    let found = provision(&place.client, &place.settings).await.unwrap();
    let texts: Vec<_> = found.alerts.differences.iter().map(ToString::to_string).collect();
    let subjects = "subjects is former.alert.> instead of former.alert.>,former.silenced.>";
    assert!(texts.iter().any(|text| text == subjects), "{texts:?}");
    let publisher = place.publisher();
    publisher.publish(silenced(&place, &incident(1, 1)));
    publisher.publish(place.alert(&incident(1, 2)));
    publisher.publish(place.alert(&incident(2, 1)));
    publisher.flush(Duration::from_secs(30)).await.unwrap();
    let mut stored = place.stored().await;
    stored.sort();
    assert_eq!(stored, [id(&incident(1, 2)), id(&incident(2, 1))]);
    eventually("the silenced one is counted as lost", async || {
        (place.metrics.alerts_dropped.get() == 1).then_some(())
    })
    .await;
    let history = History::new(place.client.clone(), &place.settings);
    assert_eq!(history.incidents(&IncidentFilter::default()).await.unwrap().len(), 2);
}
