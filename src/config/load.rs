//! Merges the three sources into one tree and has it read.

use super::context;
use super::error::{ConfigErrors, Origin, Problem};
use super::node::{self, Node, Table, Value};
use super::places::Places;
use super::read;
use super::reader::{Findings, Section};
use super::settings::Settings;
use std::collections::BTreeMap;
use std::path::Path;

/// What every variable of ours starts with.
const PREFIX: &str = "GATEWATCH_";
/// Variables with that prefix which are not keys.
const RESERVED: [&str; 3] = ["GATEWATCH_CONFIG", "GATEWATCH_LOG", "GATEWATCH_NATS_SERVER"];

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key path: `detect.beat_period`, or `vantage.0.password` for the first `[[vantage]]`.
    pub key: String,
    /// The value as it was typed; several servers are separated by commas.
    pub value: String,
    /// How the flag is called, for messages: `--beat-period`.
    pub flag: String,
}

impl Settings {
    /// Reads and validates the settings.
    ///
    /// `env` is the whole environment: besides the `GATEWATCH_` variables, `HOME`, `XDG_CONFIG_HOME`, `XDG_STATE_HOME` and
    /// `STATE_DIRECTORY` are used to find files. A variable that is set to nothing counts as not set.
    ///
    /// # Errors
    /// Everything that is wrong at once: unknown keys, bad values, values that contradict each other, files that
    /// cannot be read. A file with syntax errors is reported without looking at its values.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        overrides: &[Override],
    ) -> Result<Self, ConfigErrors> {
        Self::load_explained(file, env, overrides).map(|(settings, _)| settings)
    }

    /// As [`Settings::load`], with where each value was given.
    ///
    /// # Errors
    /// Those of [`Settings::load`].
    pub fn load_explained(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        overrides: &[Override],
    ) -> Result<(Self, Origins), ConfigErrors> {
        let mut env: Vec<(String, String)> = env.collect();
        env.sort();
        let places = Places::new(file, &env);
        let findings = Findings::default();
        let mut root = file.map_or_else(|| Ok(Table::new()), read_file)?;
        put_env(&mut root, &env, &findings);
        for Override { key, value, flag } in overrides {
            put(&mut root, key, value, &Origin::Flag(flag.clone()), &findings);
        }
        context::expand(&mut root, &places, &findings);
        let settings = read::settings(Section::root(&root, &findings), &places);
        match findings.into_parts() {
            (problems, _) if problems.is_empty() => Ok((settings, Origins::of(&root))),
            (problems, _) => Err(ConfigErrors::new(problems)),
        }
    }
}

/// Every key path there is, in the order of the settings. Keys of `[[vantage]]` are given as `vantage.cluster`.
#[must_use]
pub fn keys() -> Vec<String> {
    let origin = Origin::Flag(String::new());
    let entry = Node { value: Value::Table(Table::new()), origin: origin.clone() };
    let list = Node { value: Value::List(vec![entry]), origin };
    let root = Table::from([("vantage".to_owned(), list)]);
    let findings = Findings::default();
    read::settings(Section::root(&root, &findings), &Places::default());
    let (_, asked) = findings.into_parts();
    let mut keys: Vec<String> = Vec::new();
    for key in asked.into_iter().map(|key| key.replace("vantage.0.", "vantage.")) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// Where each value was given, by key path; what is not in it has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the value of this key was given, `vantage.0.cluster` for the first `[[vantage]]`; `None` for a default.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    fn of(root: &Table) -> Self {
        let mut origins = Self::default();
        origins.add(root, "");
        origins
    }

    fn add(&mut self, table: &Table, path: &str) {
        for (key, node) in table {
            let path = format!("{path}{key}");
            match &node.value {
                Value::Table(table) => self.add(table, &format!("{path}.")),
                Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
                    self.add_each(items, &path);
                    self.0.insert(path, node.origin.clone());
                }
                Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Other(_) => {
                    self.0.insert(path, node.origin.clone());
                }
            }
        }
    }

    fn add_each(&mut self, items: &[Node], path: &str) {
        for (index, item) in items.iter().enumerate() {
            if let Value::Table(table) = &item.value {
                self.add(table, &format!("{path}.{index}."));
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigErrors> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the configuration file {shown}: {error}");
        ConfigErrors::new(vec![Problem { origin: None, key: String::new(), message }])
    })?;
    node::parse_file(&text, &shown).map_err(ConfigErrors::new)
}

fn put_env(root: &mut Table, env: &[(String, String)], findings: &Findings) {
    let ours = env.iter().filter(|(name, value)| !value.is_empty() && !RESERVED.contains(&name.as_str()));
    for (name, value) in ours {
        if let Some(rest) = name.strip_prefix(PREFIX) {
            let key = rest.to_ascii_lowercase().replace("__", ".");
            put(root, &key, value, &Origin::Env(name.clone()), findings);
        }
    }
}

fn put(root: &mut Table, key: &str, value: &str, origin: &Origin, findings: &Findings) {
    if let Err(message) = node::put(root, key, value.to_owned(), origin) {
        findings.add(Some(origin), key, message);
    }
}
