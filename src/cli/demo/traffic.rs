//! An application like any other: publishers on every server of one cluster, subscribers in the others, counted.

use super::step::Flow;
use crate::lab::{ConnectError, Supercluster};
use async_nats::{Client, Subscriber};
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Where messages are published.
const SOURCE: &str = "east";
/// Time between two messages of one publisher.
const PERIOD: Duration = Duration::from_millis(50);
/// What is in flight on loopback arrives within this.
const IN_FLIGHT: Duration = Duration::from_millis(250);

/// Publishers and subscribers; they end with it.
pub(super) struct Traffic {
    flows: Vec<Arc<Counted>>,
    paused: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

/// Messages from one server to one cluster. Numbers up to the mark are old and not counted.
struct Counted {
    server: String,
    to: String,
    sent: AtomicU64,
    mark: AtomicU64,
    arrived: AtomicU64,
}

impl Traffic {
    /// Starts publishing and counting.
    pub(super) async fn start(lab: &Supercluster) -> Result<Self, ConnectError> {
        let (paused, mut tasks, mut flows) = (Arc::new(AtomicBool::new(false)), JoinSet::new(), Vec::new());
        let sources = lab.servers().iter().filter(|server| server.key().cluster.as_str() == SOURCE);
        for source in sources {
            let name = source.key().name.to_string();
            let mut own = Vec::new();
            for cluster in lab.clusters().iter().filter(|cluster| cluster.as_str() != SOURCE) {
                let Some(target) = lab.servers().iter().find(|server| server.key().cluster == *cluster)
                else {
                    continue;
                };
                let counted = Arc::new(Counted {
                    server: name.clone(),
                    to: cluster.to_string(),
                    sent: AtomicU64::new(0),
                    mark: AtomicU64::new(0),
                    arrived: AtomicU64::new(0),
                });
                let client = target.app_client().await?;
                if let Ok(subscriber) = client.subscribe(subject(&name)).await {
                    let _ = client.flush().await;
                    tasks.spawn(count(client, subscriber, Arc::clone(&counted)));
                }
                own.push(Arc::clone(&counted));
                flows.push(counted);
            }
            tasks.spawn(publish(source.app_client().await?, subject(&name), own, Arc::clone(&paused)));
        }
        Ok(Self { flows, paused, _tasks: tasks })
    }

    /// Counts from now on.
    pub(super) fn mark(&self) {
        for flow in &self.flows {
            flow.mark.store(flow.sent.load(Ordering::Relaxed), Ordering::Relaxed);
            flow.arrived.store(0, Ordering::Relaxed);
        }
    }

    /// What was sent since the mark and what of it arrived. Publishing rests for a moment, so that nothing is in flight.
    pub(super) async fn since_mark(&self) -> Vec<Flow> {
        self.paused.store(true, Ordering::Relaxed);
        tokio::time::sleep(IN_FLIGHT).await;
        let flows = self.flows.iter().map(|flow| Flow {
            from: flow.server.clone(),
            to: flow.to.clone(),
            sent: flow.sent.load(Ordering::Relaxed) - flow.mark.load(Ordering::Relaxed),
            arrived: flow.arrived.load(Ordering::Relaxed),
        });
        let flows = flows.collect();
        self.paused.store(false, Ordering::Relaxed);
        flows
    }
}

fn subject(server: &str) -> String {
    format!("demo.orders.{server}")
}

async fn publish(client: Client, subject: String, flows: Vec<Arc<Counted>>, paused: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(PERIOD);
    for number in 1_u64.. {
        ticks.tick().await;
        while paused.load(Ordering::Relaxed) {
            ticks.tick().await;
        }
        if client.publish(subject.clone(), number.to_string().into()).await.is_err() {
            return;
        }
        flows.iter().for_each(|flow| flow.sent.store(number, Ordering::Relaxed));
    }
}

/// Counts what is newer than the mark. Holds the client, which ends with the task.
async fn count(_client: Client, mut subscriber: Subscriber, flow: Arc<Counted>) {
    while let Some(message) = subscriber.next().await {
        let number = std::str::from_utf8(&message.payload).ok().and_then(|text| text.parse::<u64>().ok());
        if number.is_some_and(|number| number > flow.mark.load(Ordering::Relaxed)) {
            flow.arrived.fetch_add(1, Ordering::Relaxed);
        }
    }
}
