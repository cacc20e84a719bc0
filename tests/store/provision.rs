//! Provisioning on a real supercluster: what is made, what is respected, what is refused and in which words.

use crate::support::{Place, SOON, shared};
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use gatewatch::config::settings::Replicas;
use gatewatch::nats::provision::{ProvisionError, Provisioning, provision};
use std::num::NonZeroU8;
use std::time::Duration;

async fn config(place: &Place, stream: &str) -> Config {
    place.jetstream().get_stream(stream).await.unwrap().cached_info().config.clone()
}

#[tokio::test]
async fn everything_is_made_with_three_replicas_in_the_home_cluster() {
    let place = Place::at("east-2", "fresh").await;
    let made = provision(&place.client, &place.settings).await.unwrap();
    for one in [&made.alerts, &made.events, &made.bucket] {
        assert!(one.created && one.replicas == 3, "{one:?}");
        assert_eq!(config(&place, &one.stream).await.placement.unwrap().cluster.as_deref(), Some("east"));
    }
    let alerts = config(&place, "fresh_ALERTS").await;
    assert_eq!((alerts.max_age.as_secs(), alerts.duplicate_window.as_secs()), (3600, 600));
    let subjects = ["fresh.alert.>", "fresh.silenced.>"].map(str::to_owned);
    assert_eq!((alerts.subjects, alerts.max_bytes), (subjects.to_vec(), 1024 * 1024));
    // The window must not be longer than the messages live.
    assert_eq!(config(&place, "fresh_EVENTS").await.duplicate_window.as_secs(), 60);
    let bucket = place.bucket().await;
    bucket.put("a", "b".into()).await.unwrap();

    let found = provision(&place.client, &place.settings).await.unwrap();
    for one in [&found.alerts, &found.events, &found.bucket] {
        assert!(!one.created && one.differences.is_empty(), "{one:?}");
    }
}

#[tokio::test]
async fn a_cluster_of_one_server_gets_one_replica() {
    let place = Place::at("west-1", "small").await;
    let made = provision(&place.client, &place.settings).await.unwrap();
    assert!(made.alerts.created && made.alerts.replicas == 1, "{made:?}");
    let placement = config(&place, "small_ALERTS").await.placement.unwrap();
    assert_eq!(placement.cluster.as_deref(), Some("west"));
}

#[tokio::test]
async fn more_replicas_than_servers_are_refused_by_name() {
    let mut place = Place::at("west-1", "greedy").await;
    place.settings.replicas = Replicas::Fixed(NonZeroU8::new(2).unwrap());
    let error = provision(&place.client, &place.settings).await.unwrap_err();
    assert!(matches!(error, ProvisionError::NoRoom { .. }), "{error:?}");
    let text = error.chain();
    assert!(text.contains("stream greedy_ALERTS with 2 replica(s) in cluster west"), "{text}");
    assert!(text.contains("set alerts.replicas"), "{text}");
}

#[tokio::test]
async fn an_existing_stream_with_other_limits_is_used_as_it_is() {
    let place = Place::at("east-1", "own").await;
    let theirs = Config {
        name: "own_ALERTS".to_owned(),
        subjects: vec!["own.>".to_owned()],
        max_age: Duration::from_secs(7200),
        ..Config::default()
    };
    // It takes the events too, so they go to it.
    let mut settings = place.settings.clone();
    settings.events_stream = "own_ALERTS".to_owned();
    place.jetstream().create_stream(theirs).await.unwrap();
    let before = config(&place, "own_ALERTS").await;

    let found = provision(&place.client, &settings).await.unwrap();
    assert!(!found.alerts.created && !found.events.created && found.bucket.created);
    let named: Vec<&str> = found.alerts.differences.iter().map(|difference| difference.setting).collect();
    assert_eq!(named, ["max_age", "max_bytes", "duplicate_window"]);
    assert_eq!(config(&place, "own_ALERTS").await, before);
}

#[tokio::test]
async fn a_stream_that_cannot_serve_is_refused_with_every_reason() {
    let place = Place::at("east-1", "wrong").await;
    let theirs = Config {
        name: "wrong_ALERTS".to_owned(),
        subjects: vec!["wrong.other".to_owned()],
        retention: RetentionPolicy::WorkQueue,
        no_ack: true,
        ..Config::default()
    };
    place.jetstream().create_stream(theirs).await.unwrap();
    let error = provision(&place.client, &place.settings).await.unwrap_err();
    assert!(!error.is_transient());
    assert_eq!(
        error.to_string(),
        "stream wrong_ALERTS cannot be used: its subjects (wrong.other) do not cover wrong.alert.>; its retention is workqueue, which \
         deletes messages once consumers have read them; it has no_ack set, so nobody would ever know what is stored; change it with \
         `nats stream edit wrong_ALERTS`, remove it, or name another one in alerts.alerts_stream"
    );
}

#[tokio::test]
async fn a_stream_that_holds_our_subjects_is_named() {
    let place = Place::at("east-1", "taken").await;
    let theirs = Config {
        name: "EVERYTHING_TAKEN".to_owned(),
        subjects: vec!["taken.alert.critical.>".to_owned()],
        ..Config::default()
    };
    place.jetstream().create_stream(theirs).await.unwrap();
    let error = provision(&place.client, &place.settings).await.unwrap_err();
    assert!(matches!(error, ProvisionError::SubjectTaken { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "cannot create stream taken_ALERTS: stream EVERYTHING_TAKEN already takes messages on taken.alert.>, taken.silenced.>; name that one in \
         alerts.alerts_stream, take the subject off it, or choose another alerts.subject_prefix"
    );
}

#[tokio::test]
async fn a_plain_stream_in_place_of_the_bucket_is_refused() {
    let place = Place::at("east-1", "plain").await;
    let theirs =
        Config { name: "KV_plain".to_owned(), subjects: vec!["$KV.plain.>".to_owned()], ..Config::default() };
    place.jetstream().create_stream(theirs).await.unwrap();
    let error = provision(&place.client, &place.settings).await.unwrap_err();
    assert!(error.to_string().contains("no key-value bucket"), "{error}");
    assert!(error.to_string().contains("alerts.bucket"), "{error}");
}

#[tokio::test]
async fn the_system_account_is_told_to_be_no_place_for_streams() {
    let place = Place::at("east-1", "system").await;
    let system = shared().await.server("east-1").unwrap().system_client().await.unwrap();
    let error = provision(&system, &place.settings).await.unwrap_err();
    let text = error.chain();
    // Servers before 2.10 say nothing at all.
    let refused = "JetStream is not enabled for the alert account";
    assert!(text.contains(refused) || text.contains("JetStream did not answer"), "{text}");
    assert!(text.contains("system account"), "{text}");
}

#[tokio::test]
async fn the_keeper_tries_until_the_way_is_free_and_again_when_something_is_gone() {
    let place = Place::at("east-3", "kept").await;
    let theirs = Config {
        name: "IN_THE_WAY".to_owned(),
        subjects: vec!["kept.alert.>".to_owned()],
        ..Config::default()
    };
    place.jetstream().create_stream(theirs).await.unwrap();
    let (mut watched, _running) = place.keeper();
    let failing = |state: &Provisioning| matches!(state, Provisioning::Failing(_));
    tokio::time::timeout(SOON, watched.wait_for(failing)).await.unwrap().unwrap();
    place.jetstream().delete_stream("IN_THE_WAY").await.unwrap();
    let ready = |state: &Provisioning| matches!(state, Provisioning::Ready(made) if made.alerts.created);
    tokio::time::timeout(SOON, watched.wait_for(ready)).await.unwrap().unwrap();
    assert!(place.metrics.provision_failures.get() > 0);

    place.jetstream().delete_stream("kept_ALERTS").await.unwrap();
    place.missing.notify_one();
    tokio::time::timeout(SOON, watched.changed()).await.unwrap().unwrap();
    assert!(ready(&watched.borrow()));
}
