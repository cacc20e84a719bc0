//! What systemd, or whoever set `$NOTIFY_SOCKET`, is told: ready, one line of status, alive, stopping. Without it nothing is done.
//!
//! `WATCHDOG=1` follows the turns of the daemon's one loop: when that stands still, nothing is sent, and the service manager starts
//! the process anew.

use crate::daemon::Daemon;
use crate::daemon::health::{Pulse, Readiness};
use crate::model::snapshot::Snapshot;
use crate::wire::text;
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often there may be something to tell; oftener when the watchdog is more impatient.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Tells one thing, now.
pub(super) async fn tell(status: &'static str, stopping: bool) {
    let stopping = stopping.then_some("STOPPING=1").into_iter();
    send(stopping.map(str::to_owned).chain([format!("STATUS={status}")]).collect()).await;
}

/// Tells how the daemon is doing, until aborted; `None` when nobody wants to know.
pub(super) fn follow(daemon: &Daemon) -> Option<JoinHandle<()>> {
    std::env::var_os("NOTIFY_SOCKET")?;
    let watchdog = sd_notify::watchdog_enabled();
    let teller = Teller {
        readiness: daemon.readiness(),
        snapshots: daemon.snapshot(),
        pulse: daemon.pulse(),
        watched: watchdog.is_some(),
        ready: false,
        status: String::new(),
        beaten: 0,
    };
    let period = watchdog.map_or(TELL_EVERY, |within| (within / 3).min(TELL_EVERY));
    Some(tokio::spawn(teller.run(period.max(Duration::from_millis(50)))))
}

struct Teller {
    readiness: watch::Receiver<Readiness>,
    snapshots: watch::Receiver<Option<Snapshot>>,
    pulse: Pulse,
    watched: bool,
    /// What was told last.
    ready: bool,
    status: String,
    beaten: u64,
}

impl Teller {
    async fn run(mut self, period: Duration) {
        let mut turns = interval(period);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let news = self.news();
            if !news.is_empty() {
                send(news).await;
            }
        }
    }

    fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        let readiness = self.readiness.borrow().clone();
        if readiness.is_ready() && !std::mem::replace(&mut self.ready, true) {
            news.push("READY=1".to_owned());
        }
        let status = status(&readiness, self.snapshots.borrow().as_ref());
        if status != self.status {
            news.push(format!("STATUS={status}"));
            self.status = status;
        }
        let beaten = self.pulse.count();
        if self.watched && std::mem::replace(&mut self.beaten, beaten) != beaten {
            news.push("WATCHDOG=1".to_owned());
        }
        news
    }
}

/// One line: what it sees, and what it lacks.
fn status(readiness: &Readiness, snapshot: Option<&Snapshot>) -> String {
    let lacks: Vec<&str> = readiness.lacks.iter().map(|lack| text::lack(*lack)).collect();
    let lacks = if lacks.is_empty() { String::new() } else { format!("not ready ({}); ", lacks.join(", ")) };
    let Some(snapshot) = snapshot else { return format!("{lacks}no view yet") };
    let servers: usize = snapshot.clusters.iter().map(|cluster| cluster.servers.len()).sum();
    format!(
        "{lacks}watching {} clusters, {servers} servers, {} links; {} incidents open",
        snapshot.clusters.len(),
        snapshot.links.len(),
        snapshot.incidents.len()
    )
}

/// A service manager that takes nothing must not hold us up, nor end us.
async fn send(lines: Vec<String>) {
    let sent = tokio::task::spawn_blocking(move || {
        let states: Vec<NotifyState<'_>> = lines.iter().map(|line| NotifyState::Custom(line)).collect();
        sd_notify::notify(&states)
    });
    if let Ok(Err(error)) = sent.await {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
