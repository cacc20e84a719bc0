//! Reading and writing JSON bodies of our own.

use super::sys::JsonFault;
use serde::{Deserialize, Serialize};

/// Why a body of gatewatch's own cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or not of the expected form.
    #[error("this is not {what} that gatewatch wrote; remove it if it is damaged")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Where and why.
        #[source]
        source: JsonFault,
    },
    /// It is of a newer version.
    #[error("{what} of a newer version ({found}); read it with a newer gatewatch")]
    TooNew {
        /// What it should be.
        what: &'static str,
        /// Its version.
        found: String,
    },
}

/// Reads a body.
pub(super) fn read<'a, T: Deserialize<'a>>(what: &'static str, body: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(body).map_err(|error| ReadError::Malformed { what, source: error.into() })
}

/// Writes a body.
#[expect(
    clippy::expect_used,
    reason = "bodies are strings, numbers, lists and objects with plain keys: none can fail"
)]
pub(super) fn write<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("a body is always JSON")
}
