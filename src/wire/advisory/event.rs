//! Events: one message per state change, as soon as it is confirmed.

use super::TYPE_PREFIX;
use crate::model::states::{ClusterState, LinkState, ServerLinkState, ServerState, VantageState};
use crate::model::transition::Transition;
use crate::wire::body::{BasisWord, ChangeBody, EvidenceBody, LinkStateBody, Stamp};
use crate::wire::json::{self, ReadError};
use crate::wire::{text, token};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A link, server, cluster or connection of gatewatch changed its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// `io.gatewatch.advisory.v1.<entity>_state`, for example `link_state`.
    #[serde(rename = "type")]
    #[schemars(extend("pattern" = r"^io\.gatewatch\.advisory\.v1\.(link|server_link|server|cluster|vantage)_state$"))]
    pub type_name: String,
    /// Made of what changed and when: the same however often it is sent.
    pub id: String,
    /// When the change was concluded.
    pub timestamp: Stamp,
    /// Which gatewatch says so.
    #[serde(default)]
    pub source: String,
    /// What changed, from which state to which.
    #[serde(flatten)]
    pub change: ChangeBody,
    /// What the verdict rests on, where there is a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<BasisWord>,
    /// The change in words.
    #[serde(default)]
    pub text: String,
    /// Why. A link or cluster may carry none of its own: it stands with its parts.
    #[serde(default)]
    pub evidence: Vec<EvidenceBody>,
}

impl Event {
    pub(super) fn new(transition: &Transition, source: &str) -> Self {
        let change = ChangeBody::from(&transition.change);
        let tokens = Tokens::of(&change);
        Self {
            type_name: format!("{TYPE_PREFIX}{}_state", tokens.entity),
            id: tokens.id(transition.at.wall.timestamp_micros()),
            timestamp: transition.at.wall.into(),
            source: source.to_owned(),
            basis: transition.basis.map(Into::into),
            text: text::change(&transition.change),
            evidence: transition.evidence.iter().map(Into::into).collect(),
            change,
        }
    }

    /// Reads an event back, also one of a later v1 with more fields.
    ///
    /// # Errors
    /// When it is no event, or one of another major version.
    pub fn read(body: &[u8]) -> Result<Self, ReadError> {
        check_type("an event", body)?;
        json::read("an event", body)
    }
}

/// Refuses advisories of another major version by name.
pub(super) fn check_type(what: &'static str, body: &[u8]) -> Result<(), ReadError> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        type_name: String,
    }
    let Typed { type_name } = json::read(what, body)?;
    let ours = type_name.strip_prefix("io.gatewatch.advisory.");
    match ours.and_then(|rest| rest.split_once('.')) {
        Some((version, _)) if version != "v1" => Err(ReadError::TooNew { what, found: version.to_owned() }),
        Some(_) | None => Ok(()),
    }
}

/// `event.<entity>.<state>.<cluster>.<remote, server or _>`
pub(super) fn subject(change: &ChangeBody) -> String {
    let Tokens { entity, state, cluster, last, .. } = Tokens::of(change);
    format!("event.{entity}.{state}.{cluster}.{last}")
}

/// What crosses a link has caught up: that is told like a state, though the link was up before.
fn link_token(state: LinkStateBody) -> &'static str {
    match state {
        LinkStateBody::Resynced { .. } => "resynced",
        LinkStateBody::Unknown
        | LinkStateBody::Up
        | LinkStateBody::Degraded { .. }
        | LinkStateBody::Down
        | LinkStateBody::Retired => LinkState::from(state).token(),
    }
}

struct Tokens {
    entity: &'static str,
    state: &'static str,
    cluster: String,
    /// The server of a server link, which stands in the id but not in the subject.
    server: Option<String>,
    last: String,
}

impl Tokens {
    fn of(change: &ChangeBody) -> Self {
        let tokens = |entity, state, cluster: &str, last: Option<&str>| Self {
            entity,
            state,
            cluster: token::escape(cluster),
            server: None,
            last: token::escape_or_none(last),
        };
        match change {
            ChangeBody::ServerLink { cluster, server, remote, to, .. } => Self {
                server: Some(token::escape(server)),
                ..tokens("server_link", ServerLinkState::from(*to).token(), cluster, Some(remote))
            },
            ChangeBody::Link { cluster, remote, to, .. } => {
                tokens("link", link_token(*to), cluster, Some(remote))
            }
            ChangeBody::Server { cluster, server, to, .. } => {
                tokens("server", ServerState::from(*to).token(), cluster, Some(server))
            }
            ChangeBody::Cluster { cluster, to, .. } => {
                tokens("cluster", ClusterState::from(*to).token(), cluster, None)
            }
            ChangeBody::Vantage { cluster, to, .. } => {
                tokens("vantage", VantageState::from(*to).token(), cluster, None)
            }
        }
    }

    /// The same change at the same microsecond has the same id.
    fn id(&self, micros: i64) -> String {
        let Self { entity, state, cluster, server, last } = self;
        let server = server.as_deref().map(|server| format!("{server}.")).unwrap_or_default();
        format!("{entity}.{cluster}.{server}{last}.{state}.{micros}")
    }
}
