//! Contexts of the `nats` command line tool: the connection it was told with `nats context save`.
//!
//! A context is put under the keys of the table that names it, at the lowest rank, so anything said beside it wins.
//! Keys of the context that are not about connecting are ignored.

use super::error::Origin;
use super::node::{Node, Table, Value};
use super::places::Places;
use super::reader::Findings;
use async_nats::ServerAddr;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

/// Keys of a context and ours for them.
const KEYS: [(&str, &str); 7] = [
    ("url", "servers"),
    ("user", "user"),
    ("password", "password"),
    ("token", "token"),
    ("creds", "creds"),
    ("nkey", "nkey"),
    ("inbox_prefix", "inbox_prefix"),
];
/// Ways to log in that are not supported; harmless when credentials are given beside the context.
const FOREIGN_LOGINS: [&str; 3] = ["nsc", "user_jwt", "user_seed"];
const LOGINS: [&str; 5] = ["creds", "nkey", "user", "token", "token_file"];
const TLS_KEYS: [(&str, &str); 4] = [("ca", "ca"), ("cert", "cert"), ("key", "key"), ("tls_first", "first")];

/// Loads the contexts that the tables of `root` name.
pub(super) fn expand(root: &mut Table, places: &Places, findings: &Findings) {
    for name in ["system", "alerts"] {
        if let Some(Node { value: Value::Table(table), .. }) = root.get_mut(name) {
            expand_one(table, name, places, findings);
        }
    }
    if let Some(Node { value: Value::List(items), .. }) = root.get_mut("vantage") {
        for (index, item) in items.iter_mut().enumerate() {
            if let Value::Table(table) = &mut item.value {
                expand_one(table, &format!("vantage.{index}"), places, findings);
            }
        }
    }
}

fn expand_one(table: &mut Table, path: &str, places: &Places, findings: &Findings) {
    let Some(Node { value: Value::Text(name), origin }) = table.get("context") else { return };
    let (name, origin) = (name.clone(), origin.clone());
    if let Err(message) = load(&name, places).and_then(|context| merge(table, &context)) {
        findings.add(Some(&origin), format!("{path}.context"), message);
    }
}

/// A context that was read.
struct Context {
    values: BTreeMap<String, Json>,
    origin: Origin,
}

impl Context {
    /// The value of `key`; the tool writes an empty text for what is not set.
    fn get(&self, key: &str) -> Option<Node> {
        let value = match self.values.get(key)? {
            Json::String(text) if !text.is_empty() => Value::Text(text.clone()),
            Json::Bool(value) => Value::Bool(*value),
            Json::String(_) | Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => return None,
        };
        Some(self.node(value))
    }

    fn node(&self, value: Value) -> Node {
        Node { value, origin: self.origin.clone() }
    }
}

fn load(name: &str, places: &Places) -> Result<Context, String> {
    if name.is_empty() || name.contains(['/', '\\']) || name.contains("..") {
        return Err(format!("{name:?} is not the name of a context"));
    }
    let dir = places.contexts().ok_or("contexts need HOME or XDG_CONFIG_HOME to be set")?;
    let path = dir.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}{}", path.display(), known(&dir)))?;
    let values = serde_json::from_str(&text)
        .map_err(|error| format!("{} is not a context of the nats tool: {error}", path.display()))?;
    Ok(Context { values, origin: Origin::Context(path.display().to_string()) })
}

fn known(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    if names.is_empty() { String::new() } else { format!("; there are: {}", names.join(", ")) }
}

fn merge(table: &mut Table, context: &Context) -> Result<(), String> {
    let has_login = LOGINS.iter().any(|key| table.contains_key(*key));
    let foreign = FOREIGN_LOGINS.iter().find(|key| !has_login && context.get(key).is_some());
    if let Some(key) = foreign {
        return Err(format!(
            "the context logs in by `{key}`, which is not supported; give `creds` or `nkey`"
        ));
    }
    if context.get("socks_proxy").is_some() {
        return Err("the context uses a `socks_proxy`, which is not supported".to_owned());
    }
    for (theirs, ours) in KEYS {
        let Some(node) = context.get(theirs) else { continue };
        if theirs == "url" {
            put_url(table, &node, context)?;
        } else {
            table.entry(ours.to_owned()).or_insert(node);
        }
    }
    put_tls(table, context);
    Ok(())
}

fn put_tls(table: &mut Table, context: &Context) {
    for (theirs, ours) in TLS_KEYS {
        let Some(node) = context.get(theirs) else { continue };
        let section =
            table.entry("tls".to_owned()).or_insert_with(|| context.node(Value::Table(Table::new())));
        if let Value::Table(section) = &mut section.value {
            section.entry(ours.to_owned()).or_insert(node);
        }
    }
}

/// The URLs of a context may hold the user and password, or the token as a user alone.
fn put_url(table: &mut Table, node: &Node, context: &Context) -> Result<(), String> {
    let Value::Text(urls) = &node.value else { return Ok(()) };
    let mut clean = Vec::new();
    for url in urls.split(',').map(str::trim) {
        let addr: ServerAddr = url.parse().map_err(|error| format!("`url` of the context: {error}"))?;
        let login = [addr.username().map(str::to_owned), addr.password().map(str::to_owned)];
        let keys: &[&str] = if login[1].is_some() { &["user", "password"] } else { &["token"] };
        for (key, text) in keys.iter().zip(login.into_iter().flatten()) {
            table.entry((*key).to_owned()).or_insert_with(|| context.node(Value::Text(text)));
        }
        let mut url = addr.into_inner();
        let _ = url.set_username("");
        let _ = url.set_password(None);
        clean.push(url.to_string());
    }
    table.entry("servers".to_owned()).or_insert_with(|| context.node(Value::Text(clean.join(","))));
    Ok(())
}
