//! History: incidents by their latest revision, filters, revisions, and news as they are published.

use crate::support::{Place, at, eventually, id, incident, resolved, round_trip};
use async_nats::jetstream::stream::Config;
use gatewatch::model::incident::{Incident, IncidentKind, Severity, Subject};
use gatewatch::nats::history::{Following, History, HistoryError, IncidentFilter, News, NewsFilter};
use gatewatch::nats::provision::provision;
use std::num::NonZeroUsize;
use std::time::Duration;

fn offline(id: u32, cluster: &str) -> Incident {
    let mut incident = incident(id, 1);
    incident.kind = IncidentKind::ClusterOffline;
    incident.severity = Severity::Warning;
    incident.subject = Subject::Cluster(cluster.into());
    incident.scope.clusters = vec![cluster.into()];
    incident
}

/// One resolved, one grown, one of another cluster.
fn past() -> Vec<Incident> {
    vec![
        incident(1, 1),
        incident(1, 2),
        incident(2, 1),
        resolved(incident(1, 3)),
        Incident { kind: IncidentKind::ClusterIsolated, ..incident(2, 2) },
        offline(3, "central"),
    ]
}

/// A history with everything of [`past`] in it, stored in that order.
async fn told(name: &str) -> (Place, History) {
    let place = Place::at("east-1", name).await;
    provision(&place.client, &place.settings).await.unwrap();
    let publisher = place.publisher();
    for incident in past() {
        publisher.publish(place.alert(&incident));
        publisher.flush(Duration::from_secs(20)).await.unwrap();
    }
    let history = History::new(place.client.clone(), &place.settings);
    (place, history)
}

async fn list(history: &History, filter: IncidentFilter) -> Vec<String> {
    history.incidents(&filter).await.unwrap().iter().map(id).collect()
}

fn names(incidents: &[(u32, u32)]) -> Vec<String> {
    incidents.iter().map(|(number, revision)| id(&incident(*number, *revision))).collect()
}

#[tokio::test]
async fn incidents_are_listed_in_their_latest_revision_the_latest_first() {
    let (place, history) = told("listed").await;
    assert_eq!(list(&history, IncidentFilter::default()).await, names(&[(3, 1), (2, 2), (1, 3)]));
    assert_eq!(history.incidents(&IncidentFilter::default()).await.unwrap()[2], resolved(incident(1, 3)));
    let left_behind = eventually("no consumer is left behind", async || {
        let stream = place.jetstream().get_stream("listed_ALERTS").await.ok()?;
        (stream.cached_info().state.consumer_count == 0).then_some(())
    });
    // Sooner than the server would do it by itself.
    tokio::time::timeout(Duration::from_secs(5), left_behind).await.unwrap();
}

#[tokio::test]
async fn filters_pick_kind_cluster_open_and_number() {
    let (_place, history) = told("filtered").await;
    let all = IncidentFilter::default;
    let limit = NonZeroUsize::new(2);
    assert_eq!(list(&history, IncidentFilter { limit, ..all() }).await, names(&[(3, 1), (2, 2)]));
    assert_eq!(list(&history, IncidentFilter { open_only: true, ..all() }).await, names(&[(3, 1), (2, 2)]));
    let kinds = vec![IncidentKind::GatewayDown, IncidentKind::ClusterIsolated];
    assert_eq!(list(&history, IncidentFilter { kinds, ..all() }).await, names(&[(2, 2), (1, 3)]));
    let kinds = vec![IncidentKind::GatewayDown];
    let open_only = true;
    assert!(
        list(&history, IncidentFilter { kinds, open_only, ..all() }).await.is_empty(),
        "it is another kind by now"
    );
    let clusters = vec!["central".into(), "nowhere".into()];
    assert_eq!(list(&history, IncidentFilter { clusters, ..all() }).await, names(&[(3, 1)]));
    let clusters = vec!["west".into()];
    assert_eq!(list(&history, IncidentFilter { clusters, ..all() }).await, names(&[(2, 2), (1, 3)]));
}

#[tokio::test]
async fn since_lists_what_there_was_news_of() {
    let (place, history) = told("since").await;
    let stream = place.jetstream().get_stream("since_ALERTS").await.unwrap();
    // The revisions after the third message: incident 1 is resolved, 2 has grown, 3 is opened.
    let after = stream.get_raw_message(4).await.unwrap().time;
    let since = Some(after);
    assert_eq!(
        list(&history, IncidentFilter { since, ..Default::default() }).await,
        names(&[(3, 1), (2, 2), (1, 3)])
    );
    let since = Some(stream.get_raw_message(6).await.unwrap().time);
    assert_eq!(list(&history, IncidentFilter { since, ..Default::default() }).await, names(&[(3, 1)]));
    let since = Some(at(3600));
    assert!(list(&history, IncidentFilter { since, ..Default::default() }).await.is_empty());
}

#[tokio::test]
async fn an_incident_is_told_revision_by_revision() {
    let (_place, history) = told("revised").await;
    let revisions = history.revisions(&incident(1, 1).id).await.unwrap();
    let told: Vec<(&str, String)> =
        revisions.iter().map(|event| (event.stage.token(), id(&event.incident))).collect();
    let [one, two, three] = [1, 2, 3].map(|revision| id(&incident(1, revision)));
    assert_eq!(told, [("opened", one), ("updated", two), ("resolved", three)]);
    let error = history.revisions(&"01NOSUCH".into()).await.unwrap_err();
    assert!(matches!(error, HistoryError::NoIncident { .. }), "{error:?}");
    assert!(error.to_string().contains("holds no incident 01NOSUCH"), "{error}");
}

#[tokio::test]
async fn many_messages_are_read_to_their_end_and_foreign_ones_skipped() {
    let place = Place::at("east-2", "many").await;
    provision(&place.client, &place.settings).await.unwrap();
    let publisher = place.publisher();
    for number in 0..1200 {
        publisher.publish(place.alert(&incident(number, 1)));
    }
    publisher.flush(Duration::from_secs(20)).await.unwrap();
    place.until_stored("many.alert.by.hand").await;
    let history = History::new(place.client.clone(), &place.settings);
    let stream = place.jetstream().get_stream("many_ALERTS").await.unwrap();
    // Its size limit may have removed the oldest alerts; the foreign message is the last one.
    let kept = usize::try_from(stream.cached_info().state.messages).unwrap();
    let listed = history.incidents(&IncidentFilter::default()).await.unwrap();
    assert_eq!(listed.len(), kept - 1);
    assert!(listed.len() > 500, "more than one batch: {}", listed.len());
}

#[tokio::test]
async fn without_a_stream_it_is_said_how_to_mend_it() {
    let place = Place::at("east-1", "nostream").await;
    let history = History::new(place.client.clone(), &place.settings);
    let error = history.incidents(&IncidentFilter::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no stream nostream_ALERTS in this account; has `gatewatch run` been started with the same [alerts] settings \
         (account, alerts_stream)?"
    );
}

async fn next(following: &mut Following) -> String {
    let heard =
        tokio::time::timeout(crate::support::SOON, following.next()).await.expect("news in time").unwrap();
    match heard.news {
        News::Alert(alert) => alert.id,
        News::Event(event) => event.id,
    }
}

#[tokio::test]
async fn news_is_followed_as_it_is_published_each_once() {
    let place = Place::at("east-3", "followed").await;
    let history = History::new(place.client.clone(), &place.settings);
    let mut all = history.follow(NewsFilter::default()).await.unwrap();
    let severe =
        NewsFilter { severity: Some(Severity::Critical), alerts_only: true, ..NewsFilter::default() };
    let mut severe = history.follow(severe).await.unwrap();
    let central = NewsFilter { clusters: vec!["central".into()], ..NewsFilter::default() };
    let mut central = history.follow(central).await.unwrap();
    let isolated =
        NewsFilter { kinds: vec![IncidentKind::ClusterIsolated], alerts_only: true, ..NewsFilter::default() };
    let mut isolated = history.follow(isolated).await.unwrap();
    round_trip(&place.client).await;

    // Without a stream first, so that everything is sent a second time.
    let publisher = place.publisher();
    publisher.publish(place.event(1));
    past().iter().for_each(|incident| publisher.publish(place.alert(incident)));
    eventually("everything is sent", async || (place.metrics.published.get() == 7).then_some(())).await;
    provision(&place.client, &place.settings).await.unwrap();
    publisher.flush(Duration::from_secs(20)).await.unwrap();
    publisher.publish(place.alert(&offline(9, "central")));
    publisher.flush(Duration::from_secs(20)).await.unwrap();
    assert!(place.metrics.republished.get() > 0);

    let mut heard = Vec::new();
    while heard.len() < 8 {
        heard.push(next(&mut all).await);
    }
    assert_eq!(heard.pop(), Some(id(&offline(9, "central"))));
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), 7);
    assert_eq!(next(&mut central).await, id(&offline(3, "central")));
    assert_eq!(next(&mut central).await, id(&offline(9, "central")));
    assert_eq!(next(&mut isolated).await, id(&incident(2, 2)));
    let mut critical = Vec::new();
    for _ in 0..5 {
        critical.push(next(&mut severe).await);
    }
    critical.sort();
    assert_eq!(critical, names(&[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]));
}

#[tokio::test]
async fn a_user_whose_stream_also_holds_other_subjects_sees_only_incidents() {
    let place = Place::at("east-1", "shared").await;
    let theirs = Config {
        name: "shared_ALERTS".to_owned(),
        subjects: vec!["shared.>".to_owned()],
        ..Config::default()
    };
    place.jetstream().create_stream(theirs).await.unwrap();
    place.until_stored("shared.orders").await;
    let publisher = place.publisher();
    publisher.publish(place.alert(&incident(1, 1)));
    publisher.flush(Duration::from_secs(20)).await.unwrap();
    let history = History::new(place.client.clone(), &place.settings);
    assert_eq!(list(&history, IncidentFilter::default()).await, names(&[(1, 1)]));
}
