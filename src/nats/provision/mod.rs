//! Makes the streams and the bucket in the alert account, where they are missing.
//!
//! Looks, compares, and creates only what is not there. Never updates or deletes what exists: limits that the user chose are
//! respected and named in the log; a stream that cannot serve is an error that says what to change.
//!
//! What the user of the alert account must be permitted for it stands in [`crate::wire::permission`].

mod compare;
mod error;
mod keep;
mod wanted;

pub use compare::Difference;
pub use error::ProvisionError;
pub use keep::{Keeper, Provisioning};
pub(super) use wanted::bucket_stream;

use super::jetstream::{self, JetStreamError};
use crate::config::settings::AlertsSettings;
use crate::model::ids::ClusterName;
use async_nats::Client;
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{Context, ErrorCode};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use wanted::Wanted;

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// The stream of alerts.
    pub alerts: Place,
    /// The stream of events.
    pub events: Place,
    /// The stream behind the key-value bucket.
    pub bucket: Place,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub stream: String,
    /// The cluster that holds it, where servers are clustered.
    pub cluster: Option<ClusterName>,
    /// Whether it was made just now.
    pub created: bool,
    /// How many replicas it has.
    pub replicas: usize,
    /// In what it differs from what we would have made.
    pub differences: Vec<Difference>,
}

/// Makes sure that both streams and the bucket exist. Takes seconds at most, also without a connection.
///
/// New streams are placed in the cluster that the client is connected to, so that they go on working when that cluster is
/// cut off from the others.
///
/// # Errors
/// What is missing, why it could not be made, and how to mend it. What was made before the error stays.
pub async fn provision(client: &Client, settings: &AlertsSettings) -> Result<Provisioned, ProvisionError> {
    let context = jetstream::context(client, 1);
    let home = client.try_server_info().and_then(|info| info.cluster);
    let home = home.as_deref().filter(|name| !name.is_empty());
    Ok(Provisioned {
        alerts: ensure(&context, &wanted::alerts(settings, home)).await?,
        events: ensure(&context, &wanted::events(settings, home)).await?,
        bucket: ensure(&context, &wanted::bucket(settings, home)).await?,
    })
}

/// Makes sure that the bucket of a lease with this time to live exists, and keeps records for long enough.
pub(super) async fn provision_lease(
    client: &Client,
    settings: &AlertsSettings,
    bucket: &str,
    ttl: Duration,
) -> Result<Place, ProvisionError> {
    let context = jetstream::context(client, 1);
    let home = client.try_server_info().and_then(|info| info.cluster);
    let home = home.as_deref().filter(|name| !name.is_empty());
    ensure(&context, &wanted::lease(settings, bucket, ttl, home)).await
}

async fn ensure(context: &Context, wanted: &Wanted) -> Result<Place, ProvisionError> {
    if let Some(found) = look_up(context, wanted).await? {
        return judge(wanted, &found);
    }
    match create(context, wanted).await {
        Ok(made) => {
            let config = &made.config;
            tracing::info!(stream = wanted.name(), replicas = config.num_replicas, "stream created");
            if wanted.replicas.len() > 1 && config.num_replicas == 1 && wanted.config.placement.is_some() {
                tracing::info!(
                    stream = wanted.name(),
                    "the cluster had no room for 3 replicas; once it has, `nats stream edit --replicas 3` adds them"
                );
            }
            Ok(place(&made, true, Vec::new()))
        }
        // Somebody else was faster.
        Err(ProvisionError::Create { source, .. }) if source.code() == Some(ErrorCode::STREAM_NAME_EXIST) => {
            match look_up(context, wanted).await? {
                Some(found) => judge(wanted, &found),
                None => Err(ProvisionError::Create { stream: wanted.name().to_owned(), source }),
            }
        }
        Err(error) => Err(error),
    }
}

async fn look_up(context: &Context, wanted: &Wanted) -> Result<Option<Info>, ProvisionError> {
    match jetstream::ask::<Info>(context, format!("STREAM.INFO.{}", wanted.name()), &()).await {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.code() == Some(ErrorCode::STREAM_NOT_FOUND) => Ok(None),
        Err(source) => Err(ProvisionError::Lookup { stream: wanted.name().to_owned(), source }),
    }
}

fn judge(wanted: &Wanted, found: &Info) -> Result<Place, ProvisionError> {
    let comparison = compare::compare(wanted, &found.config);
    if !comparison.conflicts.is_empty() {
        return Err(ProvisionError::Conflict {
            stream: wanted.name().to_owned(),
            conflicts: comparison.conflicts,
            named_by: wanted.named_by,
        });
    }
    for difference in &comparison.differences {
        if difference.loses_history {
            tracing::warn!(stream = wanted.name(), %difference, "the existing stream is used as it is and can lose history");
        } else {
            tracing::info!(stream = wanted.name(), %difference, "the existing stream is used as it is");
        }
    }
    Ok(place(found, false, comparison.differences))
}

fn place(info: &Info, created: bool, differences: Vec<Difference>) -> Place {
    let config = &info.config;
    let cluster = info.cluster.as_ref().and_then(|cluster| cluster.name.as_deref()).map(ClusterName::from);
    Place { stream: config.name.clone(), cluster, created, replicas: config.num_replicas, differences }
}

/// Creates it with as many replicas as there is room for.
async fn create(context: &Context, wanted: &Wanted) -> Result<Info, ProvisionError> {
    let mut refusal = None;
    for replicas in &wanted.replicas {
        let subject = format!("STREAM.CREATE.{}", wanted.name());
        match jetstream::ask::<Info>(context, subject, &wanted.with_replicas(*replicas)).await {
            Ok(info) => return Ok(info),
            Err(error) if error.code().is_some_and(is_about_room) => refusal = Some((*replicas, error)),
            Err(error) => return Err(explain(context, wanted, *replicas, error).await),
        }
    }
    match refusal {
        Some((replicas, error)) => Err(explain(context, wanted, replicas, error).await),
        None => {
            Err(ProvisionError::Create { stream: wanted.name().to_owned(), source: JetStreamError::Silent })
        }
    }
}

/// Whether fewer replicas could help.
fn is_about_room(code: ErrorCode) -> bool {
    is_no_room(code) || code == ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
}

fn is_no_room(code: ErrorCode) -> bool {
    [
        ErrorCode::CLUSTER_NO_PEERS,
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::MEMORY_RESOURCES_EXCEEDED,
    ]
    .contains(&code)
}

fn is_account_limit(code: ErrorCode) -> bool {
    [
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::STREAM_MAX_BYTES_REQUIRED,
        ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED,
        ErrorCode::NO_LIMITS,
        ErrorCode::MAXIMUM_STREAMS_LIMIT,
    ]
    .contains(&code)
}

async fn explain(
    context: &Context,
    wanted: &Wanted,
    replicas: usize,
    source: JetStreamError,
) -> ProvisionError {
    let stream = wanted.name().to_owned();
    match source.code() {
        Some(ErrorCode::STREAM_SUBJECT_OVERLAP) => {
            let subject = wanted.config.subjects.join(", ");
            let holder = holder(context, &subject).await.unwrap_or_else(|| "(unknown)".to_owned());
            ProvisionError::SubjectTaken { stream, subject, holder, named_by: wanted.named_by }
        }
        Some(code) if is_no_room(code) => {
            let placement = wanted.config.placement.as_ref().and_then(|placement| placement.cluster.clone());
            let cluster = placement.unwrap_or_else(|| "(none)".to_owned());
            ProvisionError::NoRoom { stream, replicas, cluster, source }
        }
        Some(code) if is_account_limit(code) => ProvisionError::AccountLimits { stream, source },
        Some(_) | None => ProvisionError::Create { stream, source },
    }
}

#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    streams: Option<Vec<String>>,
}

/// The stream that takes messages on this subject.
async fn holder(context: &Context, subject: &str) -> Option<String> {
    let names: Names =
        jetstream::ask(context, "STREAM.NAMES".to_owned(), &json!({ "subject": subject })).await.ok()?;
    names.streams?.into_iter().next()
}
