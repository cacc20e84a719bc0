//! What a server says that a user may do.

use super::{Act, pattern};
use serde::Deserialize;

/// Longest answer that is read; what a server grants is a few lines.
const MAX_BYTES: usize = 1024 * 1024;

/// What one user may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// Where it may publish.
    pub publish: Grants,
    /// What it may subscribe to.
    pub subscribe: Grants,
}

/// Subjects that are allowed and denied. Nothing allowed by name means that everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Grants {
    /// Allowed, when not empty: nothing else is.
    #[serde(default, deserialize_with = "null_default")]
    pub allow: Vec<String>,
    /// Denied in spite of being allowed.
    #[serde(default, deserialize_with = "null_default")]
    pub deny: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    publish: Option<Grants>,
    #[serde(default)]
    subscribe: Option<Grants>,
}

impl Granted {
    /// Reads the answer of a server to [`super::OWN_RIGHTS`]; `None` when it is none.
    #[must_use]
    pub fn read(answer: &[u8]) -> Option<Self> {
        if answer.len() > MAX_BYTES {
            return None;
        }
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        let permissions = answer.data.permissions;
        let (publish, subscribe) =
            permissions.map(|given| (given.publish, given.subscribe)).unwrap_or_default();
        Some(Self { publish: publish.unwrap_or_default(), subscribe: subscribe.unwrap_or_default() })
    }

    /// Whether all that `subject` stands for is allowed.
    #[must_use]
    pub fn allows(&self, act: Act, subject: &str) -> bool {
        let grants = match act {
            Act::Publish => &self.publish,
            Act::Subscribe => &self.subscribe,
        };
        let allowed =
            grants.allow.is_empty() || grants.allow.iter().any(|allow| pattern::covers(allow, subject));
        allowed && !grants.deny.iter().any(|deny| pattern::overlap(deny, subject))
    }
}

/// Servers send empty lists as null.
fn null_default<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::<Vec<String>>::deserialize(deserializer).map(Option::unwrap_or_default)
}
