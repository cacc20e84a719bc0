//! From one node of the tree to one typed value; an error says what was expected and what was found.

use super::error::Origin;
use super::node::{Node, Value};
use async_nats::ServerAddr;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Units of a duration in messages, largest first, in milliseconds.
const TIME_UNITS: [(u128, &str); 5] =
    [(DAY.as_millis(), "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
/// Units of a size, longest suffix first.
const SIZE_UNITS: [(&str, u64); 5] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)];

pub(super) fn text(node: &Node) -> Result<String, String> {
    match &node.value {
        Value::Text(text) if text.is_empty() => Err("is empty".to_owned()),
        Value::Text(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
            Err(format!("expected text in quotes, got {}", node.value.kind()))
        }
    }
}

pub(super) fn boolean(node: &Node) -> Result<bool, String> {
    match &node.value {
        Value::Bool(value) => Ok(*value),
        Value::Text(text) if untyped(node) && text == "true" => Ok(true),
        Value::Text(text) if untyped(node) && text == "false" => Ok(false),
        Value::Text(text) => Err(format!("expected true or false, got {text:?}")),
        Value::Integer(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
            Err(format!("expected true or false, got {}", node.value.kind()))
        }
    }
}

pub(super) fn integer(bounds: RangeInclusive<u32>) -> impl Fn(&Node) -> Result<u32, String> {
    move |node| {
        let number = match &node.value {
            Value::Integer(number) => *number,
            Value::Text(text) if untyped(node) => {
                text.parse().map_err(|_| format!("expected a whole number, got {text:?}"))?
            }
            Value::Text(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
                return Err(format!("expected a whole number, got {}", node.value.kind()));
            }
        };
        let within = u32::try_from(number).ok().filter(|number| bounds.contains(number));
        within.ok_or_else(|| format!("{number} is not within {} to {}", bounds.start(), bounds.end()))
    }
}

pub(super) fn duration(bounds: RangeInclusive<Duration>) -> impl Fn(&Node) -> Result<Duration, String> {
    move |node| {
        let given = match &node.value {
            Value::Text(text) => text,
            Value::Integer(number) => {
                return Err(format!("{number} has no unit; write \"{number}s\" or \"{number}ms\""));
            }
            Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
                return Err(format!("expected a duration such as \"250ms\", got {}", node.value.kind()));
            }
        };
        let value = humantime::parse_duration(given)
            .map_err(|error| format!("{given:?} is not a duration such as \"250ms\" or \"3s\": {error}"))?;
        if value < *bounds.start() {
            return Err(format!("{given:?} is below the minimum of {}", render(*bounds.start())));
        }
        if value > *bounds.end() {
            return Err(format!("{given:?} is above the maximum of {}", render(*bounds.end())));
        }
        Ok(value)
    }
}

/// A duration in the largest unit that divides it, as it would be written in the file.
pub(super) fn render(duration: Duration) -> String {
    let millis = duration.as_millis();
    TIME_UNITS
        .iter()
        .find(|(unit, _)| millis != 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", millis / unit))
}

/// A size in bytes: a number, `"256MiB"`, or `"unlimited"` for none.
pub(super) fn size(node: &Node) -> Result<Option<NonZeroU64>, String> {
    let bytes = match &node.value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Text(text) if text == "unlimited" => return Ok(None),
        Value::Text(text) => parse_size(text),
        Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => None,
    };
    let fits_stream = |bytes: &u64| i64::try_from(*bytes).is_ok();
    bytes.filter(fits_stream).and_then(NonZeroU64::new).map(Some).ok_or_else(|| {
        format!(
            "expected a size above 0 such as 1048576 or \"256MiB\", or \"unlimited\", got {}",
            shown(&node.value)
        )
    })
}

fn parse_size(text: &str) -> Option<u64> {
    let unit = SIZE_UNITS.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (number, factor) =
        unit.map_or((text, 1), |(suffix, factor)| (&text[..text.len() - suffix.len()], *factor));
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

/// One URL or a list of them; in environment and flags separated by commas.
pub(super) fn servers(node: &Node) -> Result<Vec<ServerAddr>, String> {
    let urls: Vec<&str> = match &node.value {
        Value::Text(text) => text.split(',').map(str::trim).collect(),
        Value::List(items) => items.iter().map(list_text).collect::<Result<_, _>>()?,
        Value::Integer(_) | Value::Bool(_) | Value::Table(_) | Value::Other(_) => {
            return Err(format!("expected a list of URLs, got {}", node.value.kind()));
        }
    };
    if urls.is_empty() {
        return Err("needs at least one URL".to_owned());
    }
    urls.into_iter().map(server).collect()
}

fn list_text(node: &Node) -> Result<&str, String> {
    match &node.value {
        Value::Text(text) => Ok(text),
        Value::Integer(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
            Err(format!("expected a list of URLs, got {} in it", node.value.kind()))
        }
    }
}

fn server(url: &str) -> Result<ServerAddr, String> {
    // Before anything else, and without showing the URL: what stands before the @ is usually a password.
    if url.contains('@') {
        return Err("a URL must not hold a user or password, they would be ignored; \
                    give them as `user` and `password`, or `token`"
            .to_owned());
    }
    let addr: ServerAddr =
        url.parse().map_err(|error| format!("{url:?} is not a URL such as nats://host:4222: {error}"))?;
    if addr.is_websocket() {
        return Err(format!(
            "{url:?}: websockets are not supported, use the server's nats:// or tls:// port"
        ));
    }
    if addr.host().is_empty() {
        return Err(format!("{url:?} names no host"));
    }
    Ok(addr)
}

/// Text made of letters, digits and `extra`, of at most `longest` characters.
pub(super) fn token(extra: &'static str, longest: usize) -> impl Fn(&Node) -> Result<String, String> {
    move |node| {
        let text = text(node)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        if let Some(bad) = text.chars().find(|c| !fits(*c)) {
            let allowed: Vec<String> = extra.chars().map(|c| format!("`{c}`")).collect();
            return Err(format!(
                "{text:?} holds {bad:?}; only letters, digits and {} fit",
                allowed.join(" ")
            ));
        }
        if text.len() > longest {
            return Err(format!("{text:?} is longer than {longest} characters"));
        }
        Ok(text)
    }
}

/// The start of a subject: tokens separated by dots, none empty.
pub(super) fn subject_prefix(node: &Node) -> Result<String, String> {
    let text = token("-_.", 128)(node)?;
    if text.split('.').any(str::is_empty) {
        return Err(format!("{text:?} has an empty part before, after or between its dots"));
    }
    Ok(text)
}

/// A value as it may be shown in a message.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => value.kind().to_owned(),
    }
}

/// Environment and flags can only give text, so numbers and booleans are read from it there.
pub(super) const fn untyped(node: &Node) -> bool {
    matches!(node.origin, Origin::Env(_) | Origin::Flag(_))
}
