//! What was told and what is being told, for people: incidents of the past, the present state, and alerts as they come.
//!
//! Reads only. Every request is answered or fails within seconds, with words that say how to mend it.

mod filter;
mod follow;

pub use filter::{IncidentFilter, NewsFilter};
pub use follow::{Following, Heard, News};

use super::jetstream::{self, JetStreamError, chain};
use super::lease::{lease_bucket, read_speaker};
use super::scan::{Scan, ScanError, scan};
use super::state::{StateError, read_snapshot};
use crate::config::settings::AlertsSettings;
use crate::model::incident::{Incident, IncidentEvent, IncidentId, Stage};
use crate::model::snapshot::Snapshot;
use crate::wire::advisory::Alert;
use crate::wire::record::Lease;
use async_nats::Client;
use async_nats::jetstream::consumer::DeliverPolicy;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use ulid::Ulid;

/// How far the server's clock, which streams go by, may be behind ours.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no such stream in this account.
    #[error(
        "there is no stream {stream} in this account; has `gatewatch run` been started with the same [alerts] settings (account, \
         alerts_stream)?"
    )]
    NoStream {
        /// The stream.
        stream: String,
    },
    /// No such incident is remembered.
    #[error(
        "stream {stream} holds no incident {id}; list them with `gatewatch incidents list` (older ones have expired)"
    )]
    NoIncident {
        /// The stream.
        stream: String,
        /// The incident that was asked for.
        id: IncidentId,
    },
    /// JetStream did not do as it was asked.
    #[error("cannot read stream {stream}")]
    JetStream {
        /// The stream.
        stream: String,
        /// Why.
        source: JetStreamError,
    },
    /// The subscription could not be made.
    #[error("cannot subscribe to {subject}")]
    Subscribe {
        /// The subject.
        subject: String,
        /// Why.
        source: JetStreamError,
    },
}

/// Reads what gatewatch told, through a connection to the alert account.
#[derive(Debug, Clone)]
pub struct History {
    client: Client,
    prefix: String,
    stream: String,
    bucket: String,
}

impl History {
    /// A reader of what a gatewatch with these settings keeps.
    #[must_use]
    pub fn new(client: Client, settings: &AlertsSettings) -> Self {
        Self {
            client,
            prefix: settings.subject_prefix.clone(),
            stream: settings.alerts_stream.clone(),
            bucket: settings.bucket.clone(),
        }
    }

    /// Incidents in their latest revision, the latest opened first.
    ///
    /// # Errors
    /// [`HistoryError`], but for [`HistoryError::NoIncident`].
    pub async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, HistoryError> {
        let mut latest: BTreeMap<IncidentId, Incident> = BTreeMap::new();
        self.each_alert(filter.since, |event| {
            let incident = event.incident;
            let known = latest.get(&incident.id).map_or(0, |known| known.revision);
            if incident.revision > known {
                latest.insert(incident.id.clone(), incident);
            }
        })
        .await?;
        let mut found: Vec<Incident> =
            latest.into_values().filter(|incident| filter.takes(incident)).collect();
        found.sort_by(|a, b| b.opened.cmp(&a.opened).then_with(|| b.id.cmp(&a.id)));
        found.truncate(filter.limit.map_or(usize::MAX, std::num::NonZeroUsize::get));
        Ok(found)
    }

    /// Every revision of one incident, each once, in their order.
    ///
    /// # Errors
    /// [`HistoryError::NoIncident`] when none is remembered, or why the stream cannot be read.
    pub async fn revisions(&self, id: &IncidentId) -> Result<Vec<IncidentEvent>, HistoryError> {
        let mut revisions: BTreeMap<u32, IncidentEvent> = BTreeMap::new();
        self.each_alert(opened_after(id), |event| {
            if event.incident.id == *id {
                revisions.entry(event.incident.revision).or_insert(event);
            }
        })
        .await?;
        if revisions.is_empty() {
            return Err(HistoryError::NoIncident { stream: self.stream.clone(), id: id.clone() });
        }
        Ok(revisions.into_values().collect())
    }

    /// The present state, as gatewatch stored it last; [`Snapshot::at`] tells how old it is.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn status(&self) -> Result<Snapshot, StateError> {
        read_snapshot(&self.client, &self.bucket).await
    }

    /// Which gatewatch speaks, by the lease; `None` when none does.
    ///
    /// # Errors
    /// When the lease cannot be read, or none was ever held.
    pub async fn speaker(&self) -> Result<Option<Lease>, StateError> {
        let bucket = lease_bucket(&self.bucket);
        read_speaker(&self.client, &self.bucket).await.map_err(|error| StateError::new(&bucket, error))
    }

    /// Alerts and events as they are published from now on.
    ///
    /// # Errors
    /// [`HistoryError::Subscribe`]. A server that does not permit the subscription says so on the connection only.
    pub async fn follow(&self, filter: NewsFilter) -> Result<Following, HistoryError> {
        Following::subscribe(&self.client, &self.prefix, filter).await
    }

    /// Hands every alert stored since then to `each`, silenced ones after the others. What is no alert is skipped with a warning.
    async fn each_alert(
        &self,
        since: Option<DateTime<Utc>>,
        mut each: impl FnMut(IncidentEvent),
    ) -> Result<(), HistoryError> {
        let context = jetstream::context(&self.client, 1);
        let mut skipped: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for lane in ["alert", "silenced"] {
            let subject = format!("{}.{lane}.>", self.prefix);
            let from =
                since.map_or(DeliverPolicy::All, |start_time| DeliverPolicy::ByStartTime { start_time });
            let what = Scan { stream: &self.stream, subject, from, headers_only: false };
            let read = scan(&context, what, |message| match Alert::read(&message.payload) {
                Ok(alert) => each(alert.to_model()),
                Err(error) => {
                    let (count, first) = skipped.entry(chain(&error)).or_default();
                    *count += 1;
                    if first.is_empty() {
                        *first = message.subject.to_string();
                    }
                }
            });
            read.await.map_err(|error| match error {
                ScanError::NoStream => HistoryError::NoStream { stream: self.stream.clone() },
                ScanError::JetStream(source) => {
                    HistoryError::JetStream { stream: self.stream.clone(), source }
                }
            })?;
        }
        for (error, (count, first)) in skipped {
            tracing::warn!(count, first, error, "stored messages are skipped");
        }
        Ok(())
    }
}

/// Ids of incidents that something was stored of since then: all, and those that were resolved.
pub(super) async fn recent_incidents(
    client: &Client,
    settings: &AlertsSettings,
    since: DateTime<Utc>,
) -> Result<(Vec<IncidentId>, Vec<IncidentId>), HistoryError> {
    let history = History::new(client.clone(), settings);
    let (mut given, mut over) = (BTreeSet::new(), BTreeSet::new());
    let read = history.each_alert(Some(since), |event| {
        if event.stage == Stage::Resolved {
            over.insert(event.incident.id.clone());
        }
        given.insert(event.incident.id);
    });
    match read.await {
        Ok(()) | Err(HistoryError::NoStream { .. }) => {
            Ok((given.into_iter().collect(), over.into_iter().collect()))
        }
        Err(error) => Err(error),
    }
}

/// A moment before the incident was opened: its id tells the time. `None` for an id of another form.
fn opened_after(id: &IncidentId) -> Option<DateTime<Utc>> {
    let opened = Ulid::from_string(id.as_str()).ok()?.timestamp_ms();
    let opened = DateTime::from_timestamp_millis(i64::try_from(opened).ok()?)?;
    opened.checked_sub_signed(CLOCKS_DIFFER)
}
