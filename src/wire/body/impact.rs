//! What a loss costs.

use super::names::{LinkBody, each};
use super::words::CopyRoleWord;
use crate::model::impact::{Impact, Replication};
use crate::wire::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What the loss costs, as far as it can be measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ImpactBody {
    /// Messages per second that crossed the cut server links before the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<f64>,
    /// Bytes per second that crossed the cut server links before the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<f64>,
    /// Client connections closed on the touched servers since shortly before the incident opened.
    #[serde(default)]
    pub clients_disconnected: u64,
    /// Accounts with interest across the cut links, as last known; the first of them by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// How many accounts have interest across in all.
    #[serde(default)]
    pub accounts_total: u64,
    /// JetStream mirrors and sources that are fed across the cut links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replication: Vec<ReplicationBody>,
    /// After the heal: how long until interest and every lag had settled, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resynced_after_ms: Option<u64>,
    /// The same in words; empty when nothing is known.
    #[serde(default)]
    pub text: String,
}

/// One JetStream mirror or source whose origin lies in another cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplicationBody {
    /// The link over which it is fed: from the origin's cluster to that of the copy.
    pub link: LinkBody,
    /// The account.
    pub account: String,
    /// The stream that copies.
    pub stream: String,
    /// The stream that is copied.
    pub origin: String,
    /// Whether it is a mirror or one source of several.
    pub role: CopyRoleWord,
    /// Messages that the origin has and the copy has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}

impl From<&Impact> for ImpactBody {
    fn from(impact: &Impact) -> Self {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            messages_per_second: impact.messages_per_second,
            bytes_per_second: impact.bytes_per_second,
            clients_disconnected: impact.clients_disconnected,
            accounts: impact.accounts.clone(),
            accounts_total: impact.accounts_total,
            replication: each(&impact.replication),
            resynced_after_ms: impact.resynced_after.map(millis),
            text: text::impact(impact),
        }
    }
}

impl From<&ImpactBody> for Impact {
    fn from(body: &ImpactBody) -> Self {
        Self {
            messages_per_second: body.messages_per_second,
            bytes_per_second: body.bytes_per_second,
            clients_disconnected: body.clients_disconnected,
            accounts: body.accounts.clone(),
            accounts_total: body.accounts_total,
            replication: each(&body.replication),
            resynced_after: body.resynced_after_ms.map(Duration::from_millis),
        }
    }
}

impl From<&Replication> for ReplicationBody {
    fn from(copy: &Replication) -> Self {
        Self {
            link: (&copy.link).into(),
            account: copy.account.clone(),
            stream: copy.stream.clone(),
            origin: copy.origin.clone(),
            role: copy.role.into(),
            lag: copy.lag,
        }
    }
}

impl From<&ReplicationBody> for Replication {
    fn from(body: &ReplicationBody) -> Self {
        Self {
            link: (&body.link).into(),
            account: body.account.clone(),
            stream: body.stream.clone(),
            origin: body.origin.clone(),
            role: body.role.into(),
            lag: body.lag,
        }
    }
}
