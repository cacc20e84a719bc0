//! JSON Schemas (draft-07) of everything that is published or stored.

use super::advisory::{Alert, Event};
use super::body::{IncidentBody, SnapshotBody};
use super::record::{Lease, LinksBody, Record};
use super::wish::{ForgetBody, SilenceBody};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Every schema by name, sorted.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("alert", schema::<Alert>("Alert", "An incident of gatewatch was opened, updated or resolved.")),
        ("event", schema::<Event>("Event", "Something that gatewatch watches changed its state.")),
        (
            "record.forget",
            schema::<Record<ForgetBody>>("ForgetRecord", "A request to forget something, as stored."),
        ),
        ("record.incident", schema::<Record<IncidentBody>>("IncidentRecord", "An open incident, as stored.")),
        (
            "record.lease",
            schema::<Record<Lease>>("LeaseRecord", "Which of several gatewatch speaks, as stored."),
        ),
        (
            "record.links",
            schema::<Record<LinksBody>>("LinksRecord", "Links that are expected to exist, as stored."),
        ),
        ("record.silence", schema::<Record<SilenceBody>>("SilenceRecord", "A silence, as stored.")),
        (
            "record.snapshot",
            schema::<Record<SnapshotBody>>("SnapshotRecord", "All current truth, as stored."),
        ),
    ]
}

fn schema<T: JsonSchema>(title: &str, description: &str) -> Value {
    let generator = SchemaSettings::draft07().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.insert("description".to_owned(), description.into());
    schema.to_value()
}
