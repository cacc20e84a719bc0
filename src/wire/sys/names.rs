//! Names: bounds, and one shared allocation per name however often it is heard.

use super::error::{DecodeError, What, clip};
use crate::model::ids::{ClusterName, ServerId, ServerName};
use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;

/// Longest name or id, in bytes.
pub const MAX_NAME: usize = 256;

/// Most gateways, connections, addresses, accounts or streams in one message.
pub const MAX_LISTED: usize = 4096;

/// Most names of a kind that are kept. Beyond it the table starts anew: names that are in use stay valid, they are only
/// allocated once more when next heard.
const MAX_KEPT: usize = 4_096;

/// Why a name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is longer than [`MAX_NAME`].
    #[error("its {bytes} bytes are beyond the limit of {MAX_NAME}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has control characters.
    #[error("it has control characters: {name:?} without them")]
    Control {
        /// The name without them.
        name: String,
    },
    /// An id that cannot be one token of a subject.
    #[error("{id:?} is not one token of a subject")]
    NotAToken {
        /// The id.
        id: String,
    },
}

/// Names heard so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    clusters: HashSet<ClusterName>,
    servers: HashSet<ServerName>,
    ids: HashSet<ServerId>,
}

impl Names {
    /// A cluster's name.
    pub(super) fn cluster(
        &mut self,
        what: What,
        field: &'static str,
        text: &str,
    ) -> Result<ClusterName, DecodeError> {
        plain(text).map_err(|source| DecodeError::BadName { what, field, source })?;
        Ok(intern(&mut self.clusters, text))
    }

    /// A server's name.
    pub(super) fn server(&mut self, what: What, text: &str) -> Result<ServerName, DecodeError> {
        plain(text).map_err(|source| DecodeError::BadName { what, field: "the server's name", source })?;
        Ok(intern(&mut self.servers, text))
    }

    /// A name that is heard too seldom to be kept.
    pub(super) fn text(what: What, field: &'static str, text: &str) -> Result<String, DecodeError> {
        plain(text).map_err(|source| DecodeError::BadName { what, field, source })?;
        Ok(text.to_owned())
    }

    /// A server's id: it becomes a token of the subjects on which the server is asked.
    pub(super) fn id(
        &mut self,
        what: What,
        field: &'static str,
        text: &str,
    ) -> Result<ServerId, DecodeError> {
        if let Some(known) = self.ids.get(text) {
            return Ok(known.clone());
        }
        plain(text).and_then(|()| token(text)).map_err(|source| DecodeError::BadName {
            what,
            field,
            source,
        })?;
        Ok(intern(&mut self.ids, text))
    }
}

/// Refuses a list that is too long.
pub(super) fn bounded(what: What, field: &'static str, count: usize) -> Result<(), DecodeError> {
    if count > MAX_LISTED { Err(DecodeError::TooMany { what, field, count }) } else { Ok(()) }
}

/// Refuses what no name can be.
pub(super) fn plain(text: &str) -> Result<(), NameFault> {
    if text.is_empty() {
        Err(NameFault::Empty)
    } else if text.len() > MAX_NAME {
        Err(NameFault::TooLong { bytes: text.len() })
    } else if text.contains(char::is_control) {
        Err(NameFault::Control { name: clip(text) })
    } else {
        Ok(())
    }
}

fn token(id: &str) -> Result<(), NameFault> {
    let fits = id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'.' | b'*' | b'>'));
    if fits { Ok(()) } else { Err(NameFault::NotAToken { id: clip(id) }) }
}

fn intern<T>(table: &mut HashSet<T>, text: &str) -> T
where
    T: Borrow<str> + Eq + Hash + Clone + for<'a> From<&'a str>,
{
    if let Some(known) = table.get(text) {
        return known.clone();
    }
    if table.len() >= MAX_KEPT {
        table.clear();
    }
    let fresh = T::from(text);
    table.insert(fresh.clone());
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_handed_out_without_a_new_allocation() {
        let mut names = Names::default();
        let first = names.id(What::Beat, "id", "NABC").unwrap();
        let second = names.id(What::Stats, "id", "NABC").unwrap();
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
    }

    #[test]
    fn the_table_stays_bounded_and_correct() {
        let mut names = Names::default();
        for n in 0..MAX_KEPT * 2 + 5 {
            let text = format!("N{n}");
            assert_eq!(names.id(What::Beat, "id", &text).unwrap().as_str(), text);
            assert!(names.ids.len() <= MAX_KEPT);
        }
    }

    #[test]
    fn names_that_would_do_harm_are_refused() {
        let mut names = Names::default();
        let long = "x".repeat(MAX_NAME + 1);
        for bad in ["", "a\nb", long.as_str()] {
            assert_eq!(names.cluster(What::Stats, "cluster", bad).unwrap_err().kind(), "bad_name");
            assert_eq!(names.server(What::Stats, bad).unwrap_err().kind(), "bad_name");
        }
        for bad in ["", "a.b", "*", ">", "a b", "é"] {
            assert_eq!(names.id(What::Stats, "id", bad).unwrap_err().kind(), "bad_name", "{bad:?}");
        }
        assert_eq!(names.cluster(What::Stats, "cluster", "é.*> x").unwrap().as_str(), "é.*> x");
    }
}
