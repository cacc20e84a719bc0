//! The lease's record: its bucket, made when it is missing, and the two requests that the machine makes.

use super::machine::{Action, Answer, Holder};
use crate::config::settings::{AlertsSettings, LeaseSettings};
use crate::nats::jetstream::{self, JetStreamError};
use crate::nats::provision::{ProvisionError, provision_lease};
use crate::nats::scan::ScanError;
use crate::nats::state::Bucket;
use crate::wire::record::{self, LEASE_KEY, Lease};
use async_nats::Client;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

/// The bucket that holds the lease of a gatewatch whose state is in this one.
#[must_use]
pub fn lease_bucket(bucket: &str) -> String {
    format!("{bucket}_LEASE")
}

/// Why the lease cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseError {
    /// Its bucket is not there and cannot be made, or cannot serve.
    #[error("the bucket of the lease")]
    Bucket(#[from] ProvisionError),
    /// JetStream did not do as it was asked.
    #[error("the lease")]
    JetStream(#[source] JetStreamError),
    /// There is something in its place that is none.
    #[error("the record of the lease")]
    Record(#[source] crate::wire::ReadError),
}

/// Where the record is.
#[derive(Debug)]
pub(super) struct Store {
    client: Client,
    bucket: Bucket,
    subject: String,
    pub(super) own: Lease,
    alerts: AlertsSettings,
    lease: LeaseSettings,
    /// Whether the bucket was looked at in this life: one that drops records too soon must not be used.
    checked: bool,
    /// Who holds it, by the last look.
    pub(super) holder: Option<Lease>,
}

impl Store {
    pub(super) fn new(client: &Client, alerts: &AlertsSettings, lease: &LeaseSettings, own: Lease) -> Self {
        let name = lease_bucket(&alerts.bucket);
        Self {
            client: client.clone(),
            bucket: Bucket::new(client, &name),
            subject: format!("$KV.{name}.{LEASE_KEY}"),
            own,
            alerts: alerts.clone(),
            lease: lease.clone(),
            checked: false,
            holder: None,
        }
    }

    /// Does what the machine wants. Whoever waits for it limits its time.
    pub(super) async fn act(&mut self, action: Action) -> Result<Answer, LeaseError> {
        if !self.checked {
            provision_lease(&self.client, &self.alerts, &lease_bucket(&self.alerts.bucket), self.lease.ttl)
                .await?;
            self.checked = true;
        }
        match action {
            Action::Look => self.look().await,
            Action::Claim(over) => {
                let won = self.write(over, record::write_lease(&self.own)).await?;
                if won.is_some() {
                    self.holder = Some(self.own.clone());
                }
                Ok(won.map_or(Answer::Lost, Answer::Won))
            }
        }
    }

    /// Gives it up, if the last record is still ours.
    pub(super) async fn release(&mut self, over: u64) -> Result<(), LeaseError> {
        let nobody = Lease { process: String::new(), ..self.own.clone() };
        self.write(over, record::write_lease(&nobody)).await.map(|_| ())
    }

    async fn look(&mut self) -> Result<Answer, LeaseError> {
        self.holder = None;
        let kept = match self.bucket.last(LEASE_KEY).await {
            Ok(Some(kept)) => kept,
            Ok(None) => return Ok(Answer::Free),
            Err(ScanError::NoStream) => {
                self.checked = false;
                return Err(LeaseError::JetStream(JetStreamError::Silent));
            }
            Err(ScanError::JetStream(error)) => return Err(LeaseError::JetStream(error)),
        };
        // Deleted by hand: its revision counts all the same.
        let Some(value) = kept.value else { return Ok(Answer::Held(kept.sequence, Holder::Nobody)) };
        let lease = record::read_lease(&value).map_err(LeaseError::Record)?;
        let holder = match lease.process.as_str() {
            "" => return Ok(Answer::Held(kept.sequence, Holder::Nobody)),
            process if process == self.own.process => Holder::Own,
            _ => Holder::Other,
        };
        self.holder = Some(lease);
        Ok(Answer::Held(kept.sequence, holder))
    }

    /// Writes the record if the last one has this revision. `None` when it has another.
    async fn write(&mut self, over: u64, value: Vec<u8>) -> Result<Option<u64>, LeaseError> {
        let context = jetstream::context(&self.client, 4);
        let message = PublishMessage::build().payload(value.into()).expected_last_subject_sequence(over);
        let write = async { context.send_publish(self.subject.clone(), message).await?.await };
        match jetstream::within(&self.client, write).await.map_err(LeaseError::JetStream)? {
            Ok(ack) => Ok(Some(ack.sequence)),
            Err(error) => match error.kind() {
                PublishErrorKind::WrongLastSequence => Ok(None),
                PublishErrorKind::StreamNotFound => {
                    self.checked = false;
                    Err(failed(error))
                }
                PublishErrorKind::WrongLastMessageId
                | PublishErrorKind::TimedOut
                | PublishErrorKind::BrokenPipe
                | PublishErrorKind::MaxAckPending
                | PublishErrorKind::MaxPayloadExceeded
                | PublishErrorKind::Other => Err(failed(error)),
            },
        }
    }
}

fn failed(error: PublishError) -> LeaseError {
    LeaseError::JetStream(JetStreamError::Failed(Box::new(error)))
}

/// Who speaks by the record, asked of the stream's leader; `None` when nobody does.
pub(in crate::nats) async fn read_speaker(client: &Client, bucket: &str) -> Result<Option<Lease>, ScanError> {
    let name = lease_bucket(bucket);
    let kept = Bucket::new(client, &name).get(LEASE_KEY).await?;
    let lease = kept.and_then(|value| record::read_lease(&value).ok());
    Ok(lease.filter(|lease| !lease.process.is_empty()))
}
