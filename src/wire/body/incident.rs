//! An incident, whole: what alerts, records and lists carry.

use super::evidence::EvidenceBody;
use super::impact::ImpactBody;
use super::names::{LinkBody, ServerBody, ServerLinkBody, clusters, each, texts};
use super::stamp::Stamp;
use super::words::{
    BasisWord, CauseWord, ConfidenceWord, DepartureWord, DirectionWord, KindWord, SeverityWord,
};
use crate::model::cause::Cause;
use crate::model::incident::{Flaps, Incident, IncidentId, Scope, ServerView, Subject};
use crate::model::intent::SilenceId;
use crate::wire::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An incident, whole: each revision replaces the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentBody {
    /// Id of the incident, the same from opening to resolution; a ULID.
    pub incident: String,
    /// Counts the published snapshots of this incident from 1.
    pub revision: u32,
    /// What kind it is now; growing and shrinking can change it.
    pub kind: KindWord,
    /// How urgent it is.
    pub severity: SeverityWord,
    /// One line for people.
    #[serde(default)]
    pub title: String,
    /// What is cut, who loses what, since when, what the servers claim, and the probable cause: two to four sentences.
    #[serde(default)]
    pub summary: String,
    /// What to check and what heals it, step by step.
    #[serde(default)]
    pub remedy: Vec<String>,
    /// What it is about.
    pub subject: SubjectBody,
    /// How a cluster went offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<DepartureWord>,
    /// Which way a pair of clusters is cut as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<DirectionWord>,
    /// Everything it touches.
    #[serde(default)]
    pub scope: ScopeBody,
    /// When the first state behind it was confirmed.
    pub began: Stamp,
    /// When it was opened.
    pub opened: Stamp,
    /// When this revision was made.
    pub updated: Stamp,
    /// When everything it touches was good again; it is resolved once that has lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed: Option<Stamp>,
    /// When it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Stamp>,
    /// From its beginning to this revision, or to when everything was good again, in milliseconds.
    #[serde(default)]
    pub lasted_ms: u64,
    /// The incident that took this one in, when it was resolved for that reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Why it probably happened.
    pub cause: CauseBody,
    /// What it rests on, oldest first.
    #[serde(default)]
    pub evidence: Vec<EvidenceBody>,
    /// What the servers themselves say.
    #[serde(default)]
    pub server_view: ServerViewBody,
    /// What it costs.
    #[serde(default)]
    pub impact: ImpactBody,
    /// What the verdict rests on, where there is a choice: the weakest basis of what is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<BasisWord>,
    /// How often it flapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaps: Option<FlapsBody>,
    /// Id of the silence that keeps it from being alerted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silenced: Option<String>,
}

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum SubjectBody {
    /// A cluster, or the view of it.
    Cluster {
        /// The cluster.
        cluster: String,
    },
    /// A pair of clusters, in alphabetical order.
    Pair {
        /// The two clusters.
        clusters: [String; 2],
    },
    /// One server.
    Server {
        /// The server.
        server: ServerBody,
    },
    /// A gatewatch itself, and no cluster.
    Instance {
        /// Its name.
        instance: String,
    },
}

/// Everything an incident touches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ScopeBody {
    /// Clusters.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// Directed links that are cut as a whole.
    #[serde(default)]
    pub links: Vec<LinkBody>,
    /// Server links that are cut, also those of the links above.
    #[serde(default)]
    pub server_links: Vec<ServerLinkBody>,
    /// Servers that are lost or stopped.
    #[serde(default)]
    pub servers: Vec<ServerBody>,
}

/// Why it probably happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseBody {
    /// The cause.
    pub kind: CauseWord,
    /// How sure that is.
    pub confidence: ConfidenceWord,
    /// The same in words.
    #[serde(default)]
    pub text: String,
}

/// What the servers themselves say of the cut server links.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ServerViewBody {
    /// Cut server links whose server still lists them as up.
    #[serde(default)]
    pub still_listed: Vec<ServerLinkBody>,
    /// Cut server links whose server knows that they are gone.
    #[serde(default)]
    pub known_gone: Vec<ServerLinkBody>,
    /// When the last of `still_listed` will be noticed by its server at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_by: Option<Stamp>,
    /// The same in words; empty when there is nothing to say.
    #[serde(default)]
    pub text: String,
}

/// How often links flapped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlapsBody {
    /// Breaks that healed by themselves, counted since the first of them that still weighs.
    pub count: u32,
    /// How many an hour, at the present rate.
    pub per_hour: f64,
}

impl From<&Incident> for IncidentBody {
    fn from(incident: &Incident) -> Self {
        Self {
            incident: incident.id.to_string(),
            revision: incident.revision,
            kind: incident.kind.into(),
            severity: incident.severity.into(),
            title: text::title(incident),
            summary: text::summary(incident),
            remedy: text::remedy(incident),
            subject: (&incident.subject).into(),
            departure: incident.departure.map(Into::into),
            direction: incident.direction().as_ref().map(Into::into),
            scope: (&incident.scope).into(),
            began: incident.began.into(),
            opened: incident.opened.into(),
            updated: incident.updated.into(),
            healed: incident.healed.map(Into::into),
            resolved: incident.resolved.map(Into::into),
            lasted_ms: u64::try_from(incident.lasted(incident.updated).as_millis()).unwrap_or(u64::MAX),
            merged_into: incident.merged_into.as_ref().map(ToString::to_string),
            cause: (&incident.cause).into(),
            evidence: each(&incident.evidence),
            server_view: server_view(incident),
            impact: (&incident.impact).into(),
            basis: incident.basis.map(Into::into),
            flaps: incident.flaps.map(|flaps| FlapsBody { count: flaps.count, per_hour: flaps.per_hour }),
            silenced: incident.silenced.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&IncidentBody> for Incident {
    /// The incident as a value. Texts are left out: they are made anew. Evidence that only a newer version knows is left out.
    fn from(body: &IncidentBody) -> Self {
        Self {
            id: IncidentId::from(body.incident.as_str()),
            revision: body.revision,
            kind: body.kind.into(),
            severity: body.severity.into(),
            subject: (&body.subject).into(),
            departure: body.departure.map(Into::into),
            scope: (&body.scope).into(),
            began: body.began.into(),
            opened: body.opened.into(),
            updated: body.updated.into(),
            healed: body.healed.map(Into::into),
            resolved: body.resolved.map(Into::into),
            merged_into: body.merged_into.as_deref().map(IncidentId::from),
            cause: Cause { kind: body.cause.kind.into(), confidence: body.cause.confidence.into() },
            evidence: body.evidence.iter().filter_map(EvidenceBody::to_model).collect(),
            server_view: ServerView {
                still_listed: each(&body.server_view.still_listed),
                known_gone: each(&body.server_view.known_gone),
                notice_by: body.server_view.notice_by.map(Into::into),
            },
            impact: (&body.impact).into(),
            basis: body.basis.map(Into::into),
            flaps: body.flaps.map(|flaps| Flaps { count: flaps.count, per_hour: flaps.per_hour }),
            silenced: body.silenced.as_deref().map(SilenceId::from),
        }
    }
}

impl From<&Subject> for SubjectBody {
    fn from(subject: &Subject) -> Self {
        match subject {
            Subject::Cluster(cluster) => Self::Cluster { cluster: cluster.to_string() },
            Subject::Pair(a, b) => Self::Pair { clusters: [a.to_string(), b.to_string()] },
            Subject::Server(server) => Self::Server { server: server.into() },
            Subject::Instance(instance) => Self::Instance { instance: instance.to_string() },
        }
    }
}

impl From<&SubjectBody> for Subject {
    fn from(body: &SubjectBody) -> Self {
        match body {
            SubjectBody::Cluster { cluster } => Self::Cluster(cluster.as_str().into()),
            SubjectBody::Pair { clusters: [a, b] } => Self::Pair(a.as_str().into(), b.as_str().into()),
            SubjectBody::Server { server } => Self::Server(server.into()),
            SubjectBody::Instance { instance } => Self::Instance(instance.as_str().into()),
        }
    }
}

impl From<&Scope> for ScopeBody {
    fn from(scope: &Scope) -> Self {
        Self {
            clusters: texts(&scope.clusters),
            links: each(&scope.links),
            server_links: each(&scope.server_links),
            servers: each(&scope.servers),
        }
    }
}

impl From<&ScopeBody> for Scope {
    fn from(body: &ScopeBody) -> Self {
        Self {
            clusters: clusters(&body.clusters),
            links: each(&body.links),
            server_links: each(&body.server_links),
            servers: each(&body.servers),
        }
    }
}

impl From<&Cause> for CauseBody {
    fn from(cause: &Cause) -> Self {
        Self { kind: cause.kind.into(), confidence: cause.confidence.into(), text: text::cause(*cause) }
    }
}

fn server_view(incident: &Incident) -> ServerViewBody {
    let view = &incident.server_view;
    ServerViewBody {
        still_listed: each(&view.still_listed),
        known_gone: each(&view.known_gone),
        notice_by: view.notice_by.map(Into::into),
        text: text::server_view(view),
    }
}
