//! Keeps a voice in every cluster but that of home, and has told again what somebody may have missed.

use super::voice::{Voice, attached};
use super::{Shared, Voices};
use crate::config::connection::ConnectionSettings;
use crate::config::settings::Settings;
use crate::model::ids::ClusterName;
use crate::nats::connect::Role;
use crate::nats::fleet::Places;
use async_nats::ServerAddr;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Time between two pings of a connection through which alerts are spoken: one that is silent for three of them is given up, so that
/// somebody else speaks.
pub const PING_EVERY: Duration = Duration::from_secs(2);
/// How often alerts of the last minute are looked through, while there are any.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Pause before home is asked again to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// The task that makes the connections.
#[derive(Debug)]
pub struct VoicesTask {
    shared: Arc<Shared>,
    connection: ConnectionSettings,
    instance: String,
    places: watch::Receiver<Places>,
    kept: BTreeMap<ClusterName, watch::Sender<Arc<[ServerAddr]>>>,
    tasks: JoinSet<()>,
}

impl VoicesTask {
    /// `places` is where clients connect in each cluster.
    #[must_use]
    pub fn new(voices: &Voices, settings: &Settings, places: watch::Receiver<Places>) -> Self {
        Self {
            shared: Arc::clone(&voices.shared),
            connection: settings.alerts.connection.clone(),
            instance: settings.instance.name.clone(),
            places,
            kept: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs until `shutdown`; with `alerts.everywhere` off, there is nothing to do.
    pub async fn run(mut self, shutdown: CancellationToken) {
        if !self.shared.everywhere {
            return;
        }
        self.tasks.spawn(listen_at_home(Arc::clone(&self.shared)));
        let mut snapshot = self.shared.snapshot.clone();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Ok(()) = self.places.changed() => self.keep(&shutdown),
                Ok(()) = snapshot.changed() => {
                    // Home may have moved.
                    self.keep(&shutdown);
                    self.shared.tell_missed(None).await;
                }
                _ = looks.tick() => self.shared.tell_missed(None).await,
            }
        }
    }

    /// Gives every cluster a voice, and every voice the present addresses. The cluster of home has one.
    fn keep(&mut self, shutdown: &CancellationToken) {
        let home = self.shared.home.try_server_info().map(|info| attached(&info, true).cluster);
        let places = self.places.borrow_and_update().clone();
        for (cluster, addresses) in places {
            match self.kept.get(&cluster) {
                Some(sender) => {
                    sender.send_if_modified(|known| {
                        let changed = *known != addresses;
                        *known = addresses;
                        changed
                    });
                }
                None if home.as_ref() == Some(&cluster) || addresses.is_empty() => {}
                None => self.add(cluster, addresses, shutdown),
            }
        }
    }

    fn add(&mut self, cluster: ClusterName, addresses: Arc<[ServerAddr]>, shutdown: &CancellationToken) {
        let (sender, addresses) = watch::channel(addresses);
        let role =
            Role { ping_interval: PING_EVERY, ..Role::pinned(&self.instance, &format!("alerts/{cluster}")) };
        let voice = Voice {
            cluster: cluster.clone(),
            settings: self.connection.clone(),
            role,
            addresses,
            shared: Arc::clone(&self.shared),
        };
        self.tasks.spawn(voice.run(shutdown.child_token()));
        self.kept.insert(cluster, sender);
    }
}

/// Lets home hear the answers to what others publish. The subscription outlives a connection.
async fn listen_at_home(shared: Arc<Shared>) {
    loop {
        if let Ok(mut answers) = shared.home.subscribe(shared.answers.filter()).await {
            shared.home_listens.store(true, Ordering::Release);
            while let Some(answer) = answers.next().await {
                shared.answers.take(answer);
            }
            shared.home_listens.store(false, Ordering::Release);
        }
        sleep(LISTEN_AGAIN).await;
    }
}
