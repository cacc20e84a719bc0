//! Names as subject tokens and key-value keys.
//!
//! Names of clusters and servers may hold almost anything: dots, wildcards, any language. A token may not, and the keys of a
//! key-value bucket only allow `[-/_=.a-zA-Z0-9]`. Every byte outside `[-_a-zA-Z0-9]` becomes `=` and two upper-case hex
//! digits, so plain names stay readable, no two names share a token, and every token leads back to its name.

use std::fmt::Write as _;

/// The token for "none"; no name is escaped to it.
pub const NONE: &str = "_";

/// The token of an empty name.
const EMPTY: &str = "=";

/// Escapes a name into one token.
///
/// ```
/// use gatewatch::wire::token::escape;
/// assert_eq!(escape("eu-west_1"), "eu-west_1");
/// assert_eq!(escape("eu.west *"), "eu=2Ewest=20=2A");
/// ```
#[must_use]
pub fn escape(name: &str) -> String {
    match name {
        "" => EMPTY.to_owned(),
        NONE => "=5F".to_owned(),
        _ => name.bytes().fold(String::with_capacity(name.len()), push_escaped),
    }
}

/// The token of a name, or [`NONE`].
#[must_use]
pub fn escape_or_none(name: Option<&str>) -> String {
    name.map_or_else(|| NONE.to_owned(), escape)
}

fn push_escaped(mut token: String, byte: u8) -> String {
    if is_plain(byte) {
        token.push(char::from(byte));
    } else {
        // Writing to a String cannot fail.
        let _infallible = write!(token, "={byte:02X}");
    }
    token
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Why a token is not the escaped form of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{token:?} is not an escaped name: only letters, digits, '-', '_' and '=' with two upper-case hex digits can be"
)]
pub struct NotEscaped {
    token: String,
}

/// Turns a token back into its name; `None` for [`NONE`].
///
/// # Errors
/// When the token is not what [`escape`] makes of any name.
pub fn unescape(token: &str) -> Result<Option<String>, NotEscaped> {
    let refused = || NotEscaped { token: token.to_owned() };
    if token == NONE {
        return Ok(None);
    }
    let name = if token == EMPTY { Some(String::new()) } else { bytes_of(token).and_then(utf8) };
    match name {
        Some(name) if escape(&name) == token => Ok(Some(name)),
        Some(_) | None => Err(refused()),
    }
}

fn bytes_of(token: &str) -> Option<Vec<u8>> {
    let mut rest = token.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        if *first == b'=' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Some(bytes)
}

fn utf8(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}
