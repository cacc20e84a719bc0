//! The one tree into which file, environment and flags are merged; every value knows where it was given.

use super::error::{Origin, Problem};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it was given.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What a file can say. Environment and flags only ever give [`Value::Text`].
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
    /// A kind of value that no key takes; by its name.
    Other(&'static str),
}

pub(super) type Table = BTreeMap<String, Node>;

impl Value {
    /// The kind in words, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Parses the text of a configuration file. All syntax errors are returned at once.
pub(super) fn parse_file(text: &str, path: &str) -> Result<Table, Vec<Problem>> {
    let lines = Lines { text, path };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(lines.table(table.into_inner()));
    }
    let problem = |error: &toml::de::Error| Problem {
        origin: Some(lines.origin(error.span().map_or(0, |span| span.start))),
        key: String::new(),
        message: error.message().to_owned(),
    };
    Err(errors.iter().map(problem).collect())
}

/// Turns the parser's byte offsets into lines.
struct Lines<'a> {
    text: &'a str,
    path: &'a str,
}

impl Lines<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Origin::File { path: self.path.to_owned(), line }
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        table
            .into_iter()
            .map(|(key, value)| {
                // A table's own span can lie behind its keys; a message about a key should point at the key.
                let at = key.span().start;
                (key.into_inner().into_owned(), self.node(value.into_inner(), at))
            })
            .collect()
    }

    fn node(&self, value: DeValue<'_>, at: usize) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number out of range"), Value::Integer),
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Array(items) => Value::List(items.into_iter().map(|item| self.item(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
        };
        Node { value, origin: self.origin(at) }
    }

    fn item(&self, item: Spanned<DeValue<'_>>) -> Node {
        let at = item.span().start;
        self.node(item.into_inner(), at)
    }
}

/// Puts `text` at `path` (`vantage.0.password`), over whatever was there.
///
/// A number in the path picks an entry of a list; the number behind the last entry adds one.
pub(super) fn put(root: &mut Table, path: &str, text: String, origin: &Origin) -> Result<(), String> {
    let keys: Vec<&str> = path.split('.').collect();
    let [parents @ .., last] = keys.as_slice() else { return Err("empty key".to_owned()) };
    if keys.iter().any(|key| key.is_empty()) {
        return Err("the key has an empty part".to_owned());
    }
    let mut table = root;
    let mut rest = parents;
    while let [key, tail @ ..] = rest {
        let index = tail.first().and_then(|next| next.parse::<usize>().ok());
        table = match index {
            Some(index) => list_entry(table, key, index, origin)?,
            None => child(table, key, origin)?,
        };
        rest = if index.is_some() { &tail[1..] } else { tail };
    }
    table.insert((*last).to_owned(), Node { value: Value::Text(text), origin: origin.clone() });
    Ok(())
}

fn child<'t>(table: &'t mut Table, key: &str, origin: &Origin) -> Result<&'t mut Table, String> {
    let empty = || Node { value: Value::Table(Table::new()), origin: origin.clone() };
    let node = table.entry(key.to_owned()).or_insert_with(empty);
    let kind = node.value.kind();
    match &mut node.value {
        Value::Table(table) => Ok(table),
        Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Other(_) => {
            Err(format!("`{key}` is {kind}, it has no keys below it"))
        }
    }
}

fn list_entry<'t>(
    table: &'t mut Table,
    key: &str,
    index: usize,
    origin: &Origin,
) -> Result<&'t mut Table, String> {
    let empty = |value| Node { value, origin: origin.clone() };
    let node = table.entry(key.to_owned()).or_insert_with(|| empty(Value::List(Vec::new())));
    let kind = node.value.kind();
    let Value::List(items) = &mut node.value else {
        return Err(format!("`{key}` is {kind}, it has no entry {index}"));
    };
    let count = items.len();
    if index == count {
        items.push(empty(Value::Table(Table::new())));
    }
    match items.get_mut(index).map(|item| &mut item.value) {
        Some(Value::Table(table)) => Ok(table),
        Some(value) => Err(format!("entry {index} of `{key}` is {}, not a table", value.kind())),
        None => {
            Err(format!("`{key}` has {count} entries; entry {index} would leave a gap (they count from 0)"))
        }
    }
}
