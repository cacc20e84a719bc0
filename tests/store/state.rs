//! The state in the bucket: read back after a restart, followed while running, and never at the cost of what others keep there.

use crate::support::{Place, SOON, at, eventually, incident, link};
use gatewatch::clock::Clock;
use gatewatch::model::ids::Link;
use gatewatch::model::incident::{Incident, Memory};
use gatewatch::model::snapshot::{LinkStatus, Snapshot};
use gatewatch::model::states::{Basis, LinkState};
use gatewatch::nats::lease::Duty;
use gatewatch::nats::provision::provision;
use gatewatch::nats::state::{StateError, StateKeeper, read_memory, read_snapshot};
use gatewatch::wire::record;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running keeper, with the ends that its daemon holds.
struct Running {
    memory: mpsc::Receiver<Memory>,
    truth: watch::Sender<Option<Snapshot>>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(place: &Place) -> Self {
        let (memory, memory_end) = mpsc::channel(1);
        let (truth, snapshots) = watch::channel(None);
        let shutdown = CancellationToken::new();
        let keeper = StateKeeper {
            client: place.client.clone(),
            bucket: place.settings.bucket.clone(),
            memory,
            links: watch::Sender::new(Vec::new()),
            snapshots,
            duty: watch::channel(Duty::Speaker).1,
            missing: Arc::clone(&place.missing),
            metrics: Arc::clone(&place.metrics),
            clock: Clock::start(),
        };
        let task = tokio::spawn(keeper.run(shutdown.clone()));
        Self { memory: memory_end, truth, shutdown, task }
    }

    /// What was read back; the sender is gone after it.
    async fn restored(&mut self) -> Memory {
        let memory = tokio::time::timeout(SOON, self.memory.recv()).await.unwrap().unwrap();
        assert!(tokio::time::timeout(SOON, self.memory.recv()).await.unwrap().is_none());
        memory
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.task).await.unwrap().unwrap();
    }
}

/// What is true; taken in the future, so that it is newer than any restart.
fn truth(seconds: i64, links: &[Link], incidents: Vec<Incident>) -> Snapshot {
    let status = |link: &Link| LinkStatus {
        link: link.clone(),
        state: LinkState::Up,
        since: at(0),
        basis: Some(Basis::Beats),
        servers: Vec::new(),
    };
    Snapshot {
        at: at(3600 + seconds),
        own: None,
        vantages: Vec::new(),
        clusters: Vec::new(),
        links: links.iter().map(status).collect(),
        incidents,
    }
}

#[tokio::test]
async fn a_restart_reads_back_links_and_open_incidents() {
    let place = Place::at("east-1", "restart").await;
    provision(&place.client, &place.settings).await.unwrap();
    let links = [link("east", "west"), link("west", "east")];
    let mut first = Running::start(&place);
    assert_eq!(first.restored().await, Memory::default());
    let open = vec![incident(1, 3), incident(2, 1)];
    first.truth.send_replace(Some(truth(1, &links, open.clone())));
    // Stopping writes what is not written yet.
    first.stop().await;

    let mut second = Running::start(&place);
    assert_eq!(
        second.restored().await,
        Memory { links: links.to_vec(), incidents: open.clone(), ..Memory::default() }
    );
    assert_eq!(read_snapshot(&place.client, "restart").await.unwrap(), truth(1, &links, open.clone()));
    second.truth.send_replace(Some(truth(2, &links, open.clone())));
    let resolved = truth(3, &links, vec![incident(2, 2)]);
    eventually("the first incident is still there", async || {
        let stored = read_snapshot(&place.client, "restart").await.unwrap();
        (stored == truth(2, &links, open.clone())).then_some(())
    })
    .await;
    second.truth.send_replace(Some(resolved));
    second.stop().await;
    let memory = read_memory(&place.client, "restart").await.unwrap();
    assert_eq!(
        memory,
        Memory { links: links.to_vec(), incidents: vec![incident(2, 2)], ..Memory::default() }
    );
}

#[tokio::test]
async fn news_is_written_without_being_asked() {
    let place = Place::at("east-2", "news").await;
    provision(&place.client, &place.settings).await.unwrap();
    let mut running = Running::start(&place);
    running.restored().await;
    for revision in 1..=3 {
        let now = truth(i64::from(revision), &[], vec![incident(1, revision)]);
        running.truth.send_replace(Some(now.clone()));
        eventually("the snapshot is stored", async || {
            let stored = read_snapshot(&place.client, "news").await.ok()?;
            (stored == now).then_some(())
        })
        .await;
        let memory = read_memory(&place.client, "news").await.unwrap();
        assert_eq!(memory.incidents, [incident(1, revision)]);
    }
    running.stop().await;
}

#[tokio::test]
async fn damaged_newer_and_foreign_records_are_skipped_and_left_alone() {
    let place = Place::at("east-1", "foreign").await;
    provision(&place.client, &place.settings).await.unwrap();
    let bucket = place.bucket().await;
    let good = incident(1, 1);
    let misplaced = record::write_incident(&incident(2, 1));
    bucket.put(record::incident_key(&good.id), record::write_incident(&good).into()).await.unwrap();
    let others: [(&str, &[u8]); 5] = [
        ("incident.DAMAGED", b"{\"version\":1,"),
        ("incident.NEWER", b"{\"version\":2,\"what\":\"ever\"}"),
        ("incident.MISPLACED", &misplaced),
        ("links", b"not even JSON"),
        ("lease", b"somebody else's"),
    ];
    for (key, value) in others {
        bucket.put(key, value.to_vec().into()).await.unwrap();
    }
    let mut running = Running::start(&place);
    assert_eq!(
        running.restored().await,
        Memory { links: Vec::new(), incidents: vec![good.clone()], ..Memory::default() }
    );
    running.truth.send_replace(Some(truth(1, &[], vec![good])));
    running.stop().await;
    for (key, value) in others {
        assert_eq!(bucket.get(key).await.unwrap().unwrap(), value, "{key}");
    }
}

#[tokio::test]
async fn what_a_newer_gatewatch_keeps_under_the_same_keys_is_not_written_over_until_it_is_deleted() {
    let place = Place::at("east-2", "newer").await;
    provision(&place.client, &place.settings).await.unwrap();
    let bucket = place.bucket().await;
    let newer = b"{\"version\":2,\"what\":\"ever\"}";
    for key in [record::SNAPSHOT_KEY, record::LINKS_KEY] {
        bucket.put(key, newer.to_vec().into()).await.unwrap();
    }
    let mut running = Running::start(&place);
    running.restored().await;
    let now = truth(1, &[link("east", "west")], vec![incident(1, 1)]);
    running.truth.send_replace(Some(now.clone()));
    eventually("the incident is stored", async || {
        let memory = read_memory(&place.client, "newer").await.ok()?;
        (memory.incidents == [incident(1, 1)]).then_some(())
    })
    .await;
    running.stop().await;
    for key in [record::SNAPSHOT_KEY, record::LINKS_KEY] {
        assert_eq!(bucket.get(key).await.unwrap().unwrap(), newer[..], "{key}");
    }
    assert_eq!(place.metrics.newer_records.get(), 2);
    let refused = read_snapshot(&place.client, "newer").await.unwrap_err();
    assert!(
        std::error::Error::source(&refused).unwrap().to_string().contains("newer version (2)"),
        "{refused:?}"
    );

    bucket.delete(record::SNAPSHOT_KEY).await.unwrap();
    let mut again = Running::start(&place);
    again.restored().await;
    again.truth.send_replace(Some(now.clone()));
    again.stop().await;
    assert_eq!(read_snapshot(&place.client, "newer").await.unwrap(), now);
}

#[tokio::test]
async fn the_keeper_waits_for_its_bucket_and_goes_on_when_that_is_made_anew() {
    let place = Place::at("east-3", "patient").await;
    let mut running = Running::start(&place);
    let (_watched, _keeper) = place.keeper();
    running.restored().await;
    let stored = async |expected: &Snapshot| {
        eventually("the snapshot is stored", async || {
            let stored = read_snapshot(&place.client, "patient").await.ok()?;
            (stored == *expected).then_some(())
        })
        .await;
    };
    let one = truth(1, &[link("east", "west")], vec![incident(1, 1)]);
    running.truth.send_replace(Some(one.clone()));
    stored(&one).await;

    place.jetstream().delete_stream("KV_patient").await.unwrap();
    let two = truth(2, &[link("east", "west")], vec![incident(1, 2)]);
    running.truth.send_replace(Some(two.clone()));
    eventually("the failure is counted", async || {
        (place.metrics.state_write_failures.get() > 0).then_some(())
    })
    .await;
    provision(&place.client, &place.settings).await.unwrap();
    stored(&two).await;
    running.stop().await;
    let memory = read_memory(&place.client, "patient").await.unwrap();
    assert_eq!(memory.incidents, [incident(1, 2)]);
    assert_eq!(memory.links, [link("east", "west")], "also what did not change is in the new bucket");
}

#[tokio::test]
async fn what_is_missing_is_said_with_a_way_to_mend_it() {
    let place = Place::at("east-1", "nobucket").await;
    let error = read_snapshot(&place.client, "nobucket").await.unwrap_err();
    assert!(matches!(error, StateError::NoBucket { .. }), "{error:?}");
    let error = read_memory(&place.client, "nobucket").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no key-value bucket nobucket in this account; has `gatewatch run` been started with the same [alerts] settings \
         (account, bucket)?"
    );
    provision(&place.client, &place.settings).await.unwrap();
    let error = read_snapshot(&place.client, "nobucket").await.unwrap_err();
    assert!(matches!(error, StateError::Empty { .. }), "{error:?}");
    assert_eq!(read_memory(&place.client, "nobucket").await.unwrap(), Memory::default());
}
