//! Publishing: heard at once, stored in order, whatever happens to JetStream and to the connection.

use crate::support::{Place, eventually, id, incident, resolved};
use gatewatch::lab::Supercluster;
use gatewatch::model::incident::Incident;
use gatewatch::nats::provision::{Provisioning, provision};
use gatewatch::nats::publish::Unflushed;
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// Revisions 1 to `last` of one incident, the last one resolved.
fn story(id: u32, last: u32) -> Vec<Incident> {
    let mut revisions: Vec<Incident> = (1..=last).map(|revision| incident(id, revision)).collect();
    let end = revisions.pop().map(resolved);
    revisions.extend(end);
    revisions
}

fn ids(incidents: &[Incident]) -> Vec<String> {
    incidents.iter().map(id).collect()
}

/// Those of one incident, in their order.
fn of(incident: &Incident, stored: &[String]) -> Vec<String> {
    stored.iter().filter(|id| id.starts_with(incident.id.as_str())).cloned().collect()
}

#[tokio::test]
async fn alerts_and_events_are_heard_and_stored_once_and_in_order() {
    let place = Place::at("east-1", "plainly").await;
    provision(&place.client, &place.settings).await.unwrap();
    let mut ear = place.ear().await;
    let publisher = place.publisher();
    let told: Vec<Incident> = (0..50).map(|number| incident(number, 1)).collect();
    for (seconds, incident) in (0..).zip(&told) {
        publisher.publish(place.alert(incident));
        publisher.publish(place.event(seconds));
    }
    publisher.flush(LIMIT).await.unwrap();
    assert_eq!(place.stored().await, ids(&told));
    assert_eq!(ear.hear(told.len()).await, ids(&told));
    assert_eq!(ear.rest(&place.client).await, Vec::<String>::new());
    let events = place.jetstream().get_stream("plainly_EVENTS").await.unwrap();
    assert_eq!(events.cached_info().state.messages, 50);
    assert_eq!((place.metrics.published.get(), place.metrics.stored.get()), (100, 100));
    assert_eq!((place.metrics.republished.get(), place.metrics.store_failures.get()), (0, 0));
}

#[tokio::test]
async fn the_same_revision_published_again_is_stored_once() {
    let place = Place::at("east-1", "twice").await;
    provision(&place.client, &place.settings).await.unwrap();
    let opened = incident(1, 1);
    for _ in 0..3 {
        // As after a restart that did not know whether it had published.
        let publisher = place.publisher();
        publisher.publish(place.alert(&opened));
        publisher.flush(LIMIT).await.unwrap();
    }
    assert_eq!(place.stored().await, [id(&opened)]);
}

#[tokio::test]
async fn without_a_stream_alerts_are_heard_at_once_and_stored_in_order_once_there_is_one() {
    let place = Place::at("east-2", "later").await;
    let mut ear = place.ear().await;
    let publisher = place.publisher();
    let (first, second) = (story(1, 8), story(2, 8));
    for (one, other) in first.iter().zip(&second) {
        publisher.publish(place.alert(one));
        publisher.publish(place.alert(other));
    }
    let mut heard = ear.hear(16).await;
    heard.sort();
    assert_eq!(heard, [ids(&first), ids(&second)].concat());
    assert!(matches!(
        publisher.flush(Duration::from_millis(50)).await,
        Err(Unflushed::Waiting { alerts: 16, events: 0, unheard: 0 })
    ));

    provision(&place.client, &place.settings).await.unwrap();
    publisher.flush(LIMIT).await.unwrap();
    let stored = place.stored().await;
    assert_eq!(stored.len(), 16);
    assert_eq!(of(&first[0], &stored), ids(&first));
    assert_eq!(of(&second[0], &stored), ids(&second));
    heard.extend(ear.rest(&place.client).await);
    let mut times = BTreeMap::new();
    heard.iter().for_each(|id| *times.entry(id).or_insert(0) += 1);
    assert!(times.values().all(|times| *times <= 2), "{times:?}");
}

#[tokio::test]
async fn a_deleted_stream_is_made_anew_and_gets_everything_published_meanwhile() {
    let place = Place::at("east-3", "deleted").await;
    let (mut watched, _running) = place.keeper();
    watched.wait_for(|state| matches!(state, Provisioning::Ready(_))).await.unwrap();
    let publisher = place.publisher();
    publisher.publish(place.alert(&incident(1, 1)));
    publisher.flush(LIMIT).await.unwrap();

    place.jetstream().delete_stream("deleted_ALERTS").await.unwrap();
    let told = story(2, 20);
    told.iter().for_each(|incident| publisher.publish(place.alert(incident)));
    publisher.flush(LIMIT).await.unwrap();
    assert_eq!(place.stored().await, ids(&told));
}

#[tokio::test]
async fn with_jetstream_out_of_service_alerts_are_heard_at_once_and_stored_when_it_is_back() {
    let lab = Supercluster::builder().cluster("east", 3).start().await.unwrap();
    lab.ready(Duration::from_secs(60)).await.unwrap();
    let home = lab.server("east-1").unwrap();
    let place = Place::with(&lab, home, "quorum").await;
    let made = provision(&place.client, &place.settings).await.unwrap();
    assert_eq!(made.alerts.replicas, 3);
    let mut ear = place.ear().await;
    let publisher = place.publisher();
    publisher.publish(place.alert(&incident(1, 1)));
    publisher.flush(LIMIT).await.unwrap();
    ear.hear(1).await;

    // One of three is left: no quorum, so nothing can be stored.
    lab.server("east-2").unwrap().kill().await.unwrap();
    lab.server("east-3").unwrap().kill().await.unwrap();
    let told = story(2, 6);
    told.iter().for_each(|incident| publisher.publish(place.alert(incident)));
    let heard = tokio::time::timeout(Duration::from_secs(3), ear.hear(told.len())).await;
    assert_eq!(heard.expect("heard at once, without JetStream"), ids(&told));
    assert!(publisher.flush(Duration::from_millis(100)).await.is_err());

    lab.server("east-2").unwrap().start().await.unwrap();
    lab.server("east-3").unwrap().start().await.unwrap();
    publisher.flush(Duration::from_secs(60)).await.unwrap();
    assert_eq!(place.stored().await, [vec![id(&incident(1, 1))], ids(&told)].concat());
}

#[tokio::test]
async fn what_is_published_while_the_connection_is_away_is_stored_in_order_when_it_is_back() {
    let lab = Supercluster::builder().grid(2, 1).start().await.unwrap();
    lab.ready(Duration::from_secs(60)).await.unwrap();
    let server = lab.server("east-1").unwrap();
    let place = Place::with(&lab, server, "away").await;
    provision(&place.client, &place.settings).await.unwrap();
    let publisher = place.publisher();
    let told = story(1, 30);
    told[..10].iter().for_each(|incident| publisher.publish(place.alert(incident)));
    publisher.flush(LIMIT).await.unwrap();

    server.kill().await.unwrap();
    let gone =
        async || (place.client.connection_state() != async_nats::connection::State::Connected).then_some(());
    eventually("the client notices", gone).await;
    told[10..20].iter().for_each(|incident| publisher.publish(place.alert(incident)));
    assert_eq!(
        publisher.flush(Duration::from_millis(100)).await,
        Err(Unflushed::Waiting { alerts: 10, events: 0, unheard: 10 })
    );
    server.start().await.unwrap();
    told[20..].iter().for_each(|incident| publisher.publish(place.alert(incident)));
    publisher.flush(Duration::from_secs(60)).await.unwrap();
    assert_eq!(place.stored().await, ids(&told));
}

#[tokio::test]
async fn a_message_too_large_for_the_server_is_given_up_and_holds_up_nothing() {
    let place = Place::at("east-1", "large").await;
    provision(&place.client, &place.settings).await.unwrap();
    let publisher = place.publisher();
    let mut huge = incident(1, 1);
    huge.subject = gatewatch::model::incident::Subject::Cluster("east".into());
    huge.scope.clusters = vec!["x".repeat(1024 * 1024 + 1).as_str().into()];
    publisher.publish(place.alert(&huge));
    publisher.publish(place.alert(&incident(2, 1)));
    publisher.flush(LIMIT).await.unwrap();
    assert_eq!(place.stored().await, [id(&incident(2, 1))]);
    assert_eq!(place.metrics.alerts_dropped.get(), 1);
}
