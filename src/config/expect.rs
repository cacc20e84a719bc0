//! `[expect]`: links that must or must not exist.
//!
//! A link is written `"east -> west"`, both directions `"east <-> west"`. The spaces are part of it: a cluster's name may hold
//! anything else, also an arrow. `{ from = "east", to = "west" }` says the same.

use super::node::{Node, Table, Value};
use super::parse;
use super::read::cluster_name;
use super::reader::Section;
use crate::model::ids::Link;
use crate::model::intent::Expectations;

const EXPECTED: &str = "expected \"east -> west\", \"east <-> west\" or { from = \"east\", to = \"west\" }";

/// Reads the section.
pub(super) fn read(section: Section<'_>) -> Expectations {
    let expect = Expectations {
        required: section.or("links", Vec::new(), links),
        forbidden: section.or("forbidden", Vec::new(), links),
    };
    let both = expect.forbidden.iter().find(|link| expect.required.contains(link));
    section.check("forbidden", &["links", "forbidden"], both.is_none(), || {
        let link = both.map(ToString::to_string).unwrap_or_default();
        format!("{link} is among links too; it cannot be both wanted and forbidden")
    });
    section.finish();
    expect
}

fn links(node: &Node) -> Result<Vec<Link>, String> {
    let mut links: Vec<Link> = match &node.value {
        Value::List(items) => {
            items.iter().map(link).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
        // Environment and flags say it in one text.
        Value::Text(text) if parse::untyped(node) => {
            text.split(',').map(arrow).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
        Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::Table(_) | Value::Other(_) => {
            return Err(format!("expected a list of links, got {}", node.value.kind()));
        }
    };
    links.sort();
    links.dedup();
    Ok(links)
}

fn link(node: &Node) -> Result<Vec<Link>, String> {
    match &node.value {
        Value::Text(text) => arrow(text),
        Value::Table(table) => ends(table),
        Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Other(_) => {
            Err(format!("{EXPECTED}, got {}", node.value.kind()))
        }
    }
}

fn arrow(text: &str) -> Result<Vec<Link>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (from, to, both) = match words[..] {
        [from, "->", to] => (from, to, false),
        [from, "<->", to] => (from, to, true),
        _ => return Err(format!("{EXPECTED}, got {text:?}; the spaces around the arrow are needed")),
    };
    let there = between(from, to)?;
    let back = Link { from: there.to.clone(), to: there.from.clone() };
    Ok(if both { vec![there, back] } else { vec![there] })
}

fn ends(table: &Table) -> Result<Vec<Link>, String> {
    if let Some(key) = table.keys().find(|key| !["from", "to"].contains(&key.as_str())) {
        return Err(format!("unknown key {key:?} in a link; {EXPECTED}"));
    }
    let end = |key: &str| {
        let node = table.get(key).ok_or_else(|| format!("a link without {key}; {EXPECTED}"))?;
        cluster_name(node).map_err(|message| format!("{key} of a link: {message}"))
    };
    Ok(vec![between(end("from")?.as_str(), end("to")?.as_str())?])
}

fn between(from: &str, to: &str) -> Result<Link, String> {
    if from == to {
        return Err(format!("{from:?} has no gateway to itself"));
    }
    Ok(Link { from: from.into(), to: to.into() })
}
