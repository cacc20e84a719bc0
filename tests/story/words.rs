//! The small words that all lines share: numbers, times, who is meant.

use std::fmt;

/// Latency between two clusters, one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wan {
    pub(crate) ends: (String, String),
    pub(crate) ms: u64,
    pub(crate) jitter: u64,
}

/// Which servers are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sel {
    Any,
    Cluster(String),
    Server(String, usize),
}

/// Gateway connections: those that servers of `from` dialled to servers of `to`, and with `both` the other way round too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Between {
    pub(crate) from: Sel,
    pub(crate) to: Sel,
    pub(crate) both: bool,
}

/// A server's version.
pub(crate) type Version = (u16, u16, u16);

pub(super) fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

/// A time as milliseconds.
pub(super) fn span(word: &str) -> Result<u64, String> {
    if let Some(ms) = word.strip_suffix("ms") {
        return number(ms);
    }
    let seconds: f64 = number(word.strip_suffix('s').ok_or_else(|| format!("{word} is not a time"))?)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "stories last minutes")]
    Ok((seconds * 1000.0).round() as u64)
}

/// A version, of three numbers.
pub(crate) fn version(word: &str) -> Result<Version, String> {
    let parts: Vec<u16> = word.split('.').map(number).collect::<Result<_, _>>()?;
    let [major, minor, patch] = parts[..] else { return Err(format!("{word} is not a version")) };
    Ok((major, minor, patch))
}

pub(super) fn sel(word: &str) -> Result<Sel, String> {
    Ok(match word.split_once('/') {
        None if word == "*" => Sel::Any,
        None => Sel::Cluster(word.to_owned()),
        Some((cluster, server)) => Sel::Server(cluster.to_owned(), number(server)?),
    })
}

/// `A B` or `A -> B`, and what follows it.
pub(super) fn between<'a, 'b>(words: &'a [&'b str]) -> Result<(Between, &'a [&'b str]), String> {
    match words {
        [from, "->", to, rest @ ..] => Ok((Between { from: sel(from)?, to: sel(to)?, both: false }, rest)),
        [from, to, rest @ ..] => Ok((Between { from: sel(from)?, to: sel(to)?, both: true }, rest)),
        _ => Err("between whom?".to_owned()),
    }
}

/// `A B` or `A -> B`, and nothing more.
pub(super) fn only_between(words: &[&str]) -> Result<Between, String> {
    match between(words)? {
        (between, []) => Ok(between),
        (_, more) => Err(format!("{} is too much", more.join(" "))),
    }
}

pub(super) fn wan(words: &[&str]) -> Result<Wan, String> {
    let [a, b, latency, "jitter", jitter] = words else { return Err("wan A B <ms> jitter <ms>".to_owned()) };
    Ok(Wan { ends: ((*a).to_owned(), (*b).to_owned()), ms: span(latency)?, jitter: span(jitter)? })
}

/// A version as people write it.
pub(crate) fn dotted((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

impl Sel {
    /// The cluster, when one is meant.
    pub(crate) fn cluster(&self) -> Option<&str> {
        match self {
            Self::Any => None,
            Self::Cluster(name) | Self::Server(name, _) => Some(name),
        }
    }
}

impl fmt::Display for Sel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Cluster(name) => f.write_str(name),
            Self::Server(cluster, number) => write!(f, "{cluster}/{number}"),
        }
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.from, if self.both { "" } else { "-> " }, self.to)
    }
}

impl fmt::Display for Wan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wan {} {} {}ms jitter {}ms", self.ends.0, self.ends.1, self.ms, self.jitter)
    }
}
