//! Alerts: one message per step of an incident, each a whole snapshot of it.

use super::TYPE_PREFIX;
use crate::model::ids::ClusterName;
use crate::model::incident::{Incident, IncidentEvent, Stage, Subject};
use crate::wire::body::{IncidentBody, StageWord, Stamp};
use crate::wire::json::{self, ReadError};
use crate::wire::token;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An incident was opened, updated or resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// `io.gatewatch.advisory.v1.incident_opened`, `incident_updated` or `incident_resolved`.
    #[serde(rename = "type")]
    #[schemars(extend("pattern" = r"^io\.gatewatch\.advisory\.v1\.incident_(opened|updated|resolved)$"))]
    pub type_name: String,
    /// `<incident>.<revision>`: the same however often it is sent.
    pub id: String,
    /// When this step happened.
    pub timestamp: Stamp,
    /// Which gatewatch says so.
    #[serde(default)]
    pub source: String,
    /// What happened to the incident.
    pub stage: StageWord,
    /// The incident as of now.
    #[serde(flatten)]
    pub incident: IncidentBody,
}

impl Alert {
    pub(super) fn new(event: &IncidentEvent, source: &str) -> Self {
        let incident = &event.incident;
        Self {
            type_name: format!("{TYPE_PREFIX}incident_{}", event.stage),
            id: format!("{}.{}", incident.id, incident.revision),
            timestamp: incident.updated.into(),
            source: source.to_owned(),
            stage: event.stage.into(),
            incident: incident.into(),
        }
    }

    /// Reads an alert back, also one of a later v1 with more fields.
    ///
    /// # Errors
    /// When it is no alert, or one of another major version.
    pub fn read(body: &[u8]) -> Result<Self, ReadError> {
        super::event::check_type("an alert", body)?;
        json::read("an alert", body)
    }

    /// The step of the incident that the alert is about.
    #[must_use]
    pub fn to_model(&self) -> IncidentEvent {
        IncidentEvent { stage: Stage::from(self.stage), incident: Incident::from(&self.incident) }
    }
}

/// `alert.<severity>.<kind>.<cluster or _>.<remote or _>`, with `silenced` in the place of `alert` while a silence holds; a pair always in its alphabetical order, so that one subject filter follows an
/// incident whichever direction is cut.
pub(super) fn subject(incident: &Incident) -> String {
    let (cluster, remote) = match &incident.subject {
        Subject::Cluster(cluster) => (Some(cluster), None),
        Subject::Pair(cluster, remote) => (Some(cluster), Some(remote.as_str())),
        Subject::Server(server) => (Some(&server.cluster), None),
        // No name of an instance may stand where a filter looks for that of a cluster.
        Subject::Instance(_) => (None, None),
    };
    let lane = if incident.silenced.is_some() { "silenced" } else { "alert" };
    format!(
        "{lane}.{}.{}.{}.{}",
        incident.severity,
        incident.kind,
        token::escape_or_none(cluster.map(ClusterName::as_str)),
        token::escape_or_none(remote)
    )
}
