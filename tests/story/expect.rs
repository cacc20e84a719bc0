//! What must, may and must never be told of a story.

use super::words::{number, span};
use std::fmt;

/// Every kind of incident that gatewatch knows; a misspelt one would never be told.
const KINDS: [&str; 16] = [
    "vantage_lost",
    "cluster_offline",
    "cluster_isolated",
    "gateway_down",
    "gateway_degraded",
    "gateway_flapping",
    "server_lost",
    "gateway_never_up",
    "gateway_unwanted",
    "gateway_removed",
    "config_drift",
    "certificate_expiring",
    "single_url",
    "clock_skew",
    "mixed_versions",
    "routes_incomplete",
];

/// Every cause.
const CAUSES: [&str; 21] = [
    "planned_stop",
    "silent",
    "crashed",
    "frozen",
    "packets_lost",
    "connections_closed",
    "port_refused",
    "tls_expired",
    "tls_untrusted",
    "tls_name",
    "dns",
    "authentication",
    "config_removed",
    "config_rejected",
    "config_misnamed",
    "never_connected",
    "local_to_server",
    "own_view",
    "configuration",
    "clock",
    "unknown",
];

/// One line of expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// This is told.
    Must(Box<Must>),
    /// This may be told besides, for instance while the fault begins or heals.
    May(Allowed),
    /// This is never told, whatever else may be.
    Never(Allowed),
    /// No incident of severity warning or above, but any of severity info.
    Quiet,
}

/// An incident that must be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Must {
    /// Counted from this step (by its place in the story); from the beginning when no step goes before.
    pub(crate) after: Option<usize>,
    pub(crate) kind: String,
    /// Any of these is right.
    pub(crate) severity: Vec<String>,
    pub(crate) about: About,
    pub(crate) way: Option<Way>,
    /// Links cut as a whole, `from>to`, sorted.
    pub(crate) links: Option<Vec<String>>,
    /// Servers that are lost or stopped, `cluster/number`, sorted.
    pub(crate) servers: Option<Vec<String>>,
    /// Server links that are cut, `cluster/number>to`, sorted.
    pub(crate) cut: Option<Vec<String>>,
    pub(crate) departure: Option<String>,
    /// How many of the cut server links their servers still list.
    pub(crate) listed: Option<usize>,
    /// Any of these is right; empty when the cause is not judged.
    pub(crate) cause: Vec<String>,
    /// Milliseconds.
    pub(crate) within: u64,
    /// It is an update of an incident that told something else before.
    pub(crate) same: bool,
    /// It may still be open at the end.
    pub(crate) stays: bool,
}

/// Incidents that may, or may never, be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Any of these kinds; empty means every kind.
    pub(crate) kinds: Vec<String>,
    /// `None` means about anything.
    pub(crate) about: Option<About>,
    /// It may still be open at the end.
    pub(crate) stays: bool,
}

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Cluster(String),
    /// In alphabetical order.
    Pair(String, String),
    Server(String, usize),
}

/// Which way a pair is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Both,
    /// Only this link, `from>to`.
    One(String),
}

/// How soon, unless the line says otherwise. Milliseconds: confirmed in one second, alerted after three more, and some air.
const WITHIN: u64 = 6_000;

impl Expect {
    /// `None` when the line is no expectation. `after` is the place of the step before it.
    pub(super) fn parse(words: &[&str], after: Option<usize>) -> Result<Option<Self>, String> {
        Ok(Some(match words {
            ["must", kind, severity, rest @ ..] => {
                Self::Must(Box::new(Must::parse(kind, severity, rest, after)?))
            }
            ["must", ..] => return Err("must <kind> <severity> <about>".to_owned()),
            ["may", rest @ ..] => Self::May(Allowed::parse(rest)?),
            ["never", rest @ ..] => Self::Never(Allowed::parse(rest)?),
            ["quiet"] => Self::Quiet,
            _ => return Ok(None),
        }))
    }
}

impl Must {
    fn parse(kind: &str, severity: &str, words: &[&str], after: Option<usize>) -> Result<Self, String> {
        let (about, rest) = About::parse(words)?;
        let is_severity = |word: &str| ["info", "warning", "critical"].contains(&word);
        let severity = severity.split('|').map(|one| known(one, "severity", is_severity));
        let mut must = Self {
            after,
            kind: known(kind, "kind of incident", is_kind)?,
            severity: severity.collect::<Result<_, _>>()?,
            about,
            way: None,
            links: None,
            servers: None,
            cut: None,
            departure: None,
            listed: None,
            cause: Vec::new(),
            within: WITHIN,
            same: false,
            stays: false,
        };
        must.details(rest)?;
        Ok(must)
    }

    fn details(&mut self, words: &[&str]) -> Result<(), String> {
        let rest = match words {
            [] => return Ok(()),
            ["both", rest @ ..] => {
                self.way = Some(Way::Both);
                rest
            }
            ["same", rest @ ..] => {
                self.same = true;
                rest
            }
            ["stays", rest @ ..] => {
                self.stays = true;
                rest
            }
            [key, value, rest @ ..] => {
                self.detail(key, value)?;
                rest
            }
            [key] => return Err(format!("{key} of what?")),
        };
        self.details(rest)
    }

    fn detail(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "one-way" => self.way = Some(Way::One(value.to_owned())),
            "links" => self.links = Some(list(value, ',')),
            "servers" => self.servers = Some(list(value, ',')),
            "cut" => self.cut = Some(list(value, ',')),
            "departure" => {
                let known = known(value, "departure", |word| ["planned", "crash"].contains(&word))?;
                self.departure = Some(known);
            }
            "cause" => {
                let one = |cause: &str| known(cause, "cause", |word| CAUSES.contains(&word));
                self.cause = value.split('|').map(one).collect::<Result<_, _>>()?;
            }
            "listed" => self.listed = Some(number(value)?),
            "within" => self.within = span(value)?,
            other => return Err(format!("{other} is nothing that an incident has")),
        }
        Ok(())
    }
}

impl Allowed {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let [kinds, rest @ ..] = words else { return Err("which kind?".to_owned()) };
        let kinds = match *kinds {
            "*" => Vec::new(),
            named => {
                let one = |kind| known(kind, "kind of incident", is_kind);
                named.split('|').map(one).collect::<Result<_, _>>()?
            }
        };
        let (about, rest) = match rest {
            [] | ["stays"] => (None, rest),
            _ => {
                let (about, rest) = About::parse(rest)?;
                (Some(about), rest)
            }
        };
        match rest {
            [] => Ok(Self { kinds, about, stays: false }),
            ["stays"] => Ok(Self { kinds, about, stays: true }),
            more => Err(format!("{} is too much", more.join(" "))),
        }
    }
}

impl About {
    fn parse<'a, 'b>(words: &'a [&'b str]) -> Result<(Self, &'a [&'b str]), String> {
        match words {
            ["cluster", name, rest @ ..] => Ok((Self::Cluster((*name).to_owned()), rest)),
            ["pair", a, b, rest @ ..] => Ok((Self::pair(a, b), rest)),
            ["server", server, rest @ ..] => {
                let found = Self::server(server).ok_or_else(|| format!("{server} is no server"))?;
                Ok((found, rest))
            }
            _ => Err("about what? cluster <name>, pair <a> <b> or server <cluster>/<number>".to_owned()),
        }
    }

    /// The pair of these, in whichever order they are given.
    pub(crate) fn pair(a: &str, b: &str) -> Self {
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        Self::Pair(a.to_owned(), b.to_owned())
    }

    /// The server of this name, `cluster/number`.
    pub(crate) fn server(name: &str) -> Option<Self> {
        let (cluster, number) = name.split_once('/')?;
        Some(Self::Server(cluster.to_owned(), number.parse().ok()?))
    }
}

fn is_kind(word: &str) -> bool {
    KINDS.contains(&word)
}

fn known(word: &str, what: &str, is_known: impl Fn(&str) -> bool) -> Result<String, String> {
    if is_known(word) { Ok(word.to_owned()) } else { Err(format!("{word} is no {what}")) }
}

/// Sorted, as scopes are.
fn list(value: &str, between: char) -> Vec<String> {
    let mut list: Vec<String> = value.split(between).map(str::to_owned).collect();
    list.sort();
    list
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Pair(a, b) => write!(f, "pair {a} {b}"),
            Self::Server(cluster, number) => write!(f, "server {cluster}/{number}"),
        }
    }
}

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must {} {} {}", self.kind, self.severity.join("|"), self.about)?;
        match &self.way {
            Some(Way::Both) => f.write_str(" both")?,
            Some(Way::One(link)) => write!(f, " one-way {link}")?,
            None => {}
        }
        for (key, list) in [("links", &self.links), ("servers", &self.servers), ("cut", &self.cut)] {
            list.iter().try_for_each(|list| write!(f, " {key} {}", list.join(",")))?;
        }
        self.departure.iter().try_for_each(|departure| write!(f, " departure {departure}"))?;
        self.listed.iter().try_for_each(|count| write!(f, " listed {count}"))?;
        if !self.cause.is_empty() {
            write!(f, " cause {}", self.cause.join("|"))?;
        }
        write!(f, " within {}ms", self.within)?;
        f.write_str(if self.same { " same" } else { "" })?;
        f.write_str(if self.stays { " stays" } else { "" })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.kinds.is_empty() { "*".to_owned() } else { self.kinds.join("|") })?;
        self.about.iter().try_for_each(|about| write!(f, " {about}"))?;
        f.write_str(if self.stays { " stays" } else { "" })
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Must(must) => must.fmt(f),
            Self::May(allowed) => write!(f, "may {allowed}"),
            Self::Never(allowed) => write!(f, "never {allowed}"),
            Self::Quiet => f.write_str("quiet"),
        }
    }
}
