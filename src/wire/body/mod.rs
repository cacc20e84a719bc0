//! The JSON forms of the model's values, shared by everything that is published, stored or printed.
//!
//! The model carries no serde: the public format lives here, in one place. Version 1 only grows: readers ignore fields that
//! they do not know, and fields that are absent are left at their default. Every type can be read back.

mod change;
mod evidence;
mod impact;
mod incident;
mod names;
mod snapshot;
mod stamp;
mod words;

pub use change::{
    ChangeBody, ClusterStateBody, LinkStateBody, ServerLinkStateBody, ServerStateBody, VantageStateBody,
};
pub use evidence::{EvidenceBody, SaysBody};
pub use impact::{ImpactBody, ReplicationBody};
pub use incident::{CauseBody, FlapsBody, IncidentBody, ScopeBody, ServerViewBody, SubjectBody};
pub use names::{LinkBody, ServerBody, ServerLinkBody};
pub(super) use names::{forget, forget_names};
pub use snapshot::{
    AilmentBody, ClusterBody, LinkStatusBody, OwnBody, ServerLinkStatusBody, ServerStatusBody, SnapshotBody,
    VantageBody,
};
pub use stamp::Stamp;
pub use words::{
    AilmentWord, BasisWord, CauseWord, ConfidenceWord, ConfigItemWord, CopyRoleWord, DepartureWord,
    DirectionWord, DisconnectWord, KindWord, LackWord, ProbeFoundWord, SeverityWord, StageWord,
};
