//! `schema`: the JSON Schemas of what is published and stored.

use super::exit::{Exit, Failure};
use super::term::print;
use crate::wire::schema;
use clap::Args;
use serde_json::{Map, Value};

/// Prints the JSON Schemas (draft-07) of alerts, events and stored records.
///
/// With a NAME that one, without all of them in one object, by name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch schema                          all of them
  gatewatch schema alert > alert.schema.json")]
pub(super) struct SchemaArgs {
    /// Which one: alert, event, record.forget, record.incident, record.links, record.silence,
    /// record.snapshot
    name: Option<String>,
}

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let all = schema::all();
    let wanted = match &args.name {
        None => Value::Object(
            all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect::<Map<_, _>>(),
        ),
        Some(name) => pick(name, all)?,
    };
    print(&format!("{wanted:#}\n"))?;
    Ok(Exit::Ok)
}

fn pick(name: &str, all: Vec<(&'static str, Value)>) -> Result<Value, Failure> {
    let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let known = known.join(", ");
    let found = all.into_iter().find(|(known, _)| *known == name);
    found
        .map(|(_, schema)| schema)
        .ok_or_else(|| Failure::usage(anyhow::anyhow!("there is no schema {name:?}; there are: {known}")))
}
