//! Why a recording cannot be read.

use super::VERSION;
use crate::wire::sys::{JsonFault, MAX_PAYLOAD};
use std::io;

/// Longest line in bytes: the largest payload in hex, and room for the rest.
pub(super) const MAX_LINE: usize = 2 * MAX_PAYLOAD + (64 << 10);

/// Why a recording, or a line of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The input failed.
    #[error("line {line} cannot be read; is the file complete and not compressed?")]
    Input {
        /// Line number, from 1.
        line: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A line is longer than any that is written.
    #[error(
        "line {line} is longer than {MAX_LINE} bytes; is this a recording, uncompressed, one JSON object a line?"
    )]
    TooLong {
        /// Line number, from 1.
        line: u64,
    },
    /// A line is not a JSON object with the expected fields.
    #[error("line {line} is not a line of a recording; mend or remove it")]
    Malformed {
        /// Line number, from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: JsonFault,
    },
    /// The last line was not written to its end; everything before it is good.
    #[error("the recording ends within line {line}; remove that line to use the rest")]
    CutShort {
        /// Line number, from 1.
        line: u64,
    },
    /// A field has a value that means nothing.
    #[error("line {line}: {field} is {found:?}, expected {expected}")]
    BadValue {
        /// Line number, from 1.
        line: u64,
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A line says nothing that this version knows.
    #[error(
        "line {line} needs {expected}; if a newer gatewatch made this recording, replay it with that version"
    )]
    Incomplete {
        /// Line number, from 1.
        line: u64,
        /// What is missing.
        expected: &'static str,
    },
    /// The input is compressed.
    #[error("the recording is compressed; unpack it first, for example with gunzip")]
    Compressed,
    /// The recording is of a newer version.
    #[error(
        "the recording is of version {version}, this program reads up to {VERSION}; use a newer gatewatch"
    )]
    TooNew {
        /// Its version.
        version: u32,
    },
}
