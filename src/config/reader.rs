//! Reads typed values out of the merged tree and collects every problem on the way.
//!
//! A section learns its keys from the questions it is asked, so the code that reads the settings is the only list of
//! keys there is: unknown keys, suggestions and [`super::keys`] all come from it.

use super::error::{Origin, Problem};
use super::node::{Node, Table, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What was found wrong so far, and every key that was asked for.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: RefCell<Vec<Problem>>,
    keys: RefCell<Vec<String>>,
}

impl Findings {
    pub(super) fn add(&self, origin: Option<&Origin>, key: impl Into<String>, message: impl Into<String>) {
        let problem = Problem { origin: origin.cloned(), key: key.into(), message: message.into() };
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<String>) {
        (self.problems.into_inner(), self.keys.into_inner())
    }

    fn failed(&self, key: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.key == key)
    }
}

/// One table of the tree while it is read.
pub(super) struct Section<'a> {
    table: Option<&'a Table>,
    origin: Option<&'a Origin>,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
    pub(super) findings: &'a Findings,
}

impl<'a> Section<'a> {
    /// The top of the tree.
    pub(super) fn root(table: &'a Table, findings: &'a Findings) -> Self {
        Self::new(Some(table), None, String::new(), findings)
    }

    fn new(
        table: Option<&'a Table>,
        origin: Option<&'a Origin>,
        path: String,
        findings: &'a Findings,
    ) -> Self {
        Self { table, origin, path, asked: RefCell::default(), findings }
    }

    /// The sub-table `[name]`; empty when it was not given.
    pub(super) fn section(&self, name: &'static str) -> Section<'a> {
        let node = self.node(name);
        let table = node.and_then(|node| match &node.value {
            Value::Table(table) => Some(table),
            Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Other(_) => {
                self.expected(name, node, "a table");
                None
            }
        });
        Section::new(table, node.map(|node| &node.origin), self.path_of(name), self.findings)
    }

    /// The tables `[[name]]`, in order.
    pub(super) fn sections(&self, name: &'static str) -> Vec<Section<'a>> {
        let Some(node) = self.node(name) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.expected(name, node, "a list of tables");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match &item.value {
                Value::Table(table) => {
                    let path = format!("{}.{index}", self.path_of(name));
                    sections.push(Section::new(Some(table), Some(&item.origin), path, self.findings));
                }
                Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Other(_) => {
                    self.expected(name, item, "a table");
                }
            }
        }
        sections
    }

    /// Was this table, or anything in it, given?
    pub(super) const fn is_given(&self) -> bool {
        self.table.is_some()
    }

    /// The value of `name`, as `parse` makes it; `None` when it is not given or bad, which is recorded.
    pub(super) fn get<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        self.findings.keys.borrow_mut().push(self.path_of(name));
        let node = self.node(name)?;
        parse(node).map_err(|message| self.problem(name, message)).ok()
    }

    /// The value of `name`, or `default` when it is not given or bad.
    pub(super) fn or<T>(
        &self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&Node) -> Result<T, String>,
    ) -> T {
        self.get(name, parse).unwrap_or(default)
    }

    /// Where `name` was given.
    pub(super) fn origin(&self, name: &str) -> Option<&'a Origin> {
        self.table.and_then(|table| table.get(name)).map(|node| &node.origin)
    }

    /// Records a problem with the key `name`.
    pub(super) fn problem(&self, name: &str, message: impl Into<String>) {
        self.findings.add(self.origin(name).or(self.origin), self.path_of(name), message);
    }

    /// Records `message` about `name` unless `holds`. Says nothing when one of `involved` is bad in itself.
    pub(super) fn check(&self, name: &str, involved: &[&str], holds: bool, message: impl FnOnce() -> String) {
        let failed = involved.iter().any(|key| self.findings.failed(&self.path_of(key)));
        if !holds && !failed {
            self.problem(name, message());
        }
    }

    /// The full key path of `name`.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Reports the keys that nobody asked for. Call it last.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        let unknown = self.table.into_iter().flatten().filter(|(key, _)| !asked.contains(key.as_str()));
        for (key, _) in unknown {
            self.problem(key, unknown_key(key, &asked));
        }
    }

    fn node(&self, name: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().insert(name);
        self.table.and_then(|table| table.get(name))
    }

    fn expected(&self, name: &str, node: &Node, what: &str) {
        let message = format!("expected {what}, got {}", node.value.kind());
        self.findings.add(Some(&node.origin), self.path_of(name), message);
    }
}

fn unknown_key(key: &str, known: &BTreeSet<&'static str>) -> String {
    let near = known.iter().map(|name| (distance(key, name), *name)).min();
    match near {
        Some((distance, name)) if distance <= 1 + key.len() / 4 => {
            format!("unknown key; did you mean `{name}`?")
        }
        _ => {
            let known: Vec<&str> = known.iter().copied().collect();
            format!("unknown key; known here: {}", known.join(", "))
        }
    }
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substitution = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
