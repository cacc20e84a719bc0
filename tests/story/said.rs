//! What was told, in the words of a story, whoever played it; and whether it is what an expectation means.

use super::expect::{About, Allowed, Must, Way};
use std::fmt;

/// One alert: an incident as it was told at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Milliseconds from the start of the story.
    pub(crate) at: u64,
    /// The incident's id.
    pub(crate) incident: String,
    /// Counts what was told of this incident, from 1.
    pub(crate) revision: u64,
    /// `opened`, `updated` or `resolved`.
    pub(crate) stage: String,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) about: About,
    pub(crate) way: Option<Way>,
    /// As in [`Must`].
    pub(crate) links: Vec<String>,
    pub(crate) servers: Vec<String>,
    pub(crate) cut: Vec<String>,
    pub(crate) departure: Option<String>,
    /// How many of the cut server links their servers still list.
    pub(crate) listed: usize,
    pub(crate) cause: String,
}

impl Must {
    /// Whether this alert tells it, whenever that was, and whatever cause it names.
    pub(crate) fn fits(&self, said: &Said) -> bool {
        let same = |wanted: &Option<Vec<String>>, got: &[String]| {
            wanted.as_ref().is_none_or(|wanted| wanted.as_slice() == got)
        };
        self.concerns(said)
            && self.severity.contains(&said.severity)
            && self.way.as_ref().is_none_or(|way| Some(way) == said.way.as_ref())
            && self.departure.as_ref().is_none_or(|departure| Some(departure) == said.departure.as_ref())
            && self.listed.is_none_or(|listed| listed == said.listed)
            && same(&self.links, &said.links)
            && same(&self.servers, &said.servers)
            && same(&self.cut, &said.cut)
    }

    /// Whether this alert is of its kind and about the same thing: right in that, if not in all.
    pub(crate) fn concerns(&self, said: &Said) -> bool {
        self.kind == said.kind && self.about == said.about
    }

    /// Whether the cause is among the right ones.
    pub(crate) fn is_cause(&self, said: &Said) -> bool {
        self.cause.is_empty() || self.cause.contains(&said.cause)
    }
}

impl Allowed {
    /// Whether this alert is meant.
    pub(crate) fn covers(&self, said: &Said) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&said.kind);
        kind && self.about.as_ref().is_none_or(|about| *about == said.about)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, stage, severity, kind, about, cause, .. } = self;
        write!(f, "{at} ms {stage} {severity} {kind} {about}")?;
        match &self.way {
            Some(Way::Both) => f.write_str(" both")?,
            Some(Way::One(link)) => write!(f, " one-way {link}")?,
            None => {}
        }
        for (key, list) in [("links", &self.links), ("servers", &self.servers), ("cut", &self.cut)] {
            if !list.is_empty() {
                write!(f, " {key} {}", list.join(","))?;
            }
        }
        self.departure.iter().try_for_each(|departure| write!(f, " departure {departure}"))?;
        write!(f, " cause {cause}")
    }
}
