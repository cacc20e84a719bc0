//! The `server` object that every advisory and answer carries.

use super::error::{DecodeError, What, clip};
use super::json;
use super::names::Names;
use crate::model::observation::{ServerIdentity, ServerVersion};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::borrow::Cow;

/// Who speaks, as it stands in a payload. Absent texts are empty.
#[derive(Deserialize)]
pub(super) struct ServerInfo<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    cluster: Cow<'a, str>,
    #[serde(borrow, default, rename = "ver")]
    version: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
}

impl ServerInfo<'_> {
    /// The identity, when the server belongs to a cluster.
    pub(super) fn identity(&self, names: &mut Names, what: What) -> Result<ServerIdentity, DecodeError> {
        if self.cluster.is_empty() {
            return Err(DecodeError::NotClustered { what, server: clip(&self.name) });
        }
        Ok(ServerIdentity {
            id: names.id(what, "the server's id", &self.id)?,
            name: names.server(what, &self.name)?,
            cluster: names.cluster(what, "the server's cluster name", &self.cluster)?,
            version: version(&self.version),
        })
    }

    /// When the message was made, by the server's clock.
    pub(super) fn made(&self) -> Option<DateTime<Utc>> {
        json::time(&self.time)
    }

    /// Refuses a message that one server published in the name of another.
    pub(super) fn published_by(&self, what: What, id: &str) -> Result<(), DecodeError> {
        if self.id == id {
            return Ok(());
        }
        Err(DecodeError::IdMismatch { what, subject: clip(id), payload: clip(&self.id) })
    }

    /// The name of its cluster; empty when it has none.
    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }
}

/// Reads `2.15.1` and `2.11.0-RC.1`; what follows the three numbers is left out.
pub(crate) fn version(text: &str) -> Option<ServerVersion> {
    let numbers = text.split(['-', '+']).next()?;
    let mut parts = numbers.split('.').map(|part| part.parse().ok());
    let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(ServerVersion { major, minor, patch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_and_without_a_suffix() {
        let some = |major, minor, patch| Some(ServerVersion { major, minor, patch });
        assert_eq!(version("2.15.1"), some(2, 15, 1));
        assert_eq!(version("2.11.0-RC.1"), some(2, 11, 0));
        assert_eq!(version("2.10.0+build"), some(2, 10, 0));
        for bad in ["", "2", "2.10", "2.10.x", "v2.10.0", "2.10.0.1", "2.10.70000"] {
            assert_eq!(version(bad), None, "{bad:?}");
        }
    }
}
