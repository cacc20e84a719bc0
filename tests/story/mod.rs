//! A story: a supercluster, what happens to it and what must be told of it, as text that people write and read.
//!
//! One language for all who play stories: the simulation in virtual time, and the runner on real servers.
//!
//! ```text
//! # What it is about.
//! tag ci
//! cluster east 3
//! cluster west 3 version 2.9.10 no-vantage
//! cluster north 2 absent
//! wan east west 80ms jitter 20ms
//! 0s      blackhole east west
//! must gateway_down critical pair east west both cause packets_lost within 6s
//! may gateway_degraded pair east west
//! 20s     heal
//! 40s     end
//! ```
//!
//! Lines, one thing each:
//! - `cluster <name> <servers>`, then any of `version <x.y.z>`, `no-vantage`, `spare <n>` (seats whose servers do not run yet) and
//!   `absent` (none of it runs and nobody configures it until it joins);
//! - `link <a> <b>`: when there are such lines, only these clusters are configured with each other;
//! - `chaos <what> <much>...`: see [`Chaos`]; only the simulation has it;
//! - `wan`, `cold`, `in-detail`, `seed`, `tls` (gateways use it), `tag <word>...`, `since <version>` (older servers cannot play it),
//!   `real-only`, `sim-only`;
//! - `given <step>`: in force before servers and gatewatch start; the story begins when all is whole under it, unless it is `cold`;
//! - `<time> <step>`: see [`Step`]. On real servers a time is the earliest: a step that takes long moves those after it;
//! - `must`, `may`, `never`, `quiet`: see [`Expect`]. Whatever no `must` or `may` covers must not be told; with `quiet`, only if it is
//!   more severe than `info`. A `must` counts its time
//!   from the step before it. Everything is resolved in the end, unless its line says that it `stays`;
//! - `<time> end`.

#![allow(dead_code, reason = "each player of stories has its own part of the language")]

mod chaos;
mod expect;
mod judge;
mod said;
mod step;
mod words;

#[allow(unused_imports, reason = "each player of stories has its own part of the language")]
pub(crate) use {
    chaos::Chaos,
    expect::{About, Allowed, Expect, Must, Way},
    judge::{Moment, Outcome, Verdict, judge},
    said::Said,
    step::{BadCertificate, Change, Cut, Flap, Permissions, Step},
    words::{Between, Sel, Version, Wan, dotted, version},
};

use std::fmt;
use words::{number, span, wan};

/// The version of servers in the simulation, unless a story says otherwise.
const USUAL: Version = (2, 12, 8);

/// A whole story. All times are milliseconds from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Story {
    pub(crate) about: Vec<String>,
    pub(crate) seed: u64,
    /// Words by which a player picks its stories.
    pub(crate) tags: Vec<String>,
    /// Only servers from this version on can play it.
    pub(crate) since: Option<Version>,
    pub(crate) players: Players,
    pub(crate) clusters: Vec<ClusterSpec>,
    /// Which clusters are configured with each other; empty means all.
    pub(crate) links: Vec<(String, String)>,
    /// Gateways use TLS.
    pub(crate) tls: bool,
    pub(crate) wan: Vec<Wan>,
    pub(crate) chaos: Chaos,
    /// Tell what happens from the moment gatewatch starts, not from when it has settled.
    pub(crate) cold: bool,
    /// Tell of single server links too.
    pub(crate) in_detail: bool,
    /// In force before servers and gatewatch start.
    pub(crate) given: Vec<Step>,
    pub(crate) steps: Vec<(u64, Step)>,
    pub(crate) expect: Vec<Expect>,
    pub(crate) end: u64,
}

/// Who can play a story.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Players {
    #[default]
    All,
    RealOnly,
    SimOnly,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterSpec {
    pub(crate) name: String,
    pub(crate) servers: usize,
    /// Seats besides, whose servers do not run in the beginning.
    pub(crate) spare: usize,
    /// None of it runs in the beginning.
    pub(crate) absent: bool,
    /// `None` is the player's choice.
    pub(crate) version: Option<Version>,
    pub(crate) vantage: bool,
}

impl Story {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut story = Self::default();
        for (at, line) in text.lines().enumerate() {
            story.line(line.trim()).map_err(|what| format!("line {}: {what}: {line}", at + 1))?;
        }
        if story.end == 0 { Err("a story needs an end".to_owned()) } else { Ok(story) }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["#", ..] => self.about.push(line.to_owned()),
            ["cluster", name, servers, rest @ ..] => {
                let mut cluster = ClusterSpec::new(name, number(servers)?);
                cluster.options(rest)?;
                self.clusters.push(cluster);
            }
            ["link", a, b] => self.links.push(((*a).to_owned(), (*b).to_owned())),
            ["wan", rest @ ..] => self.wan.push(wan(rest)?),
            ["given", step @ ..] => self.given.push(Step::parse(step)?),
            [at, "end"] => self.end = span(at)?,
            [at, step @ ..] if at.starts_with(|c: char| c.is_ascii_digit()) => {
                self.steps.push((span(at)?, Step::parse(step)?));
            }
            words => match Expect::parse(words, self.steps.len().checked_sub(1))? {
                Some(expect) => self.expect.push(expect),
                None => self.setting(words)?,
            },
        }
        Ok(())
    }

    fn setting(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["seed", seed] => self.seed = number(seed)?,
            ["cold"] => self.cold = true,
            ["in-detail"] => self.in_detail = true,
            ["tls"] => self.tls = true,
            ["tag", tags @ ..] => self.tags.extend(tags.iter().map(|&tag| tag.to_owned())),
            ["since", first] => self.since = Some(version(first)?),
            ["chaos", rest @ ..] => self.chaos = Chaos::parse(rest)?,
            ["real-only"] => self.players = Players::RealOnly,
            ["sim-only"] => self.players = Players::SimOnly,
            _ => return Err("unknown line".to_owned()),
        }
        Ok(())
    }

    /// Whether it has this tag.
    pub(crate) fn is_tagged(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    /// What must be told.
    pub(crate) fn musts(&self) -> impl Iterator<Item = &Must> {
        self.expect.iter().filter_map(|expect| match expect {
            Expect::Must(must) => Some(&**must),
            Expect::May(_) | Expect::Never(_) | Expect::Quiet => None,
        })
    }

    /// When the step happens that a `must` counts its time from.
    pub(crate) fn moment(&self, must: &Must) -> u64 {
        must.after.and_then(|at| self.steps.get(at)).map_or(0, |(at, _)| *at)
    }
}

impl ClusterSpec {
    pub(crate) fn new(name: &str, servers: usize) -> Self {
        Self { name: name.to_owned(), servers, spare: 0, absent: false, version: None, vantage: true }
    }

    /// Its version in the simulation.
    pub(crate) fn usual_version(&self) -> Version {
        self.version.unwrap_or(USUAL)
    }

    fn options(&mut self, words: &[&str]) -> Result<(), String> {
        let rest = match words {
            [] => return Ok(()),
            ["no-vantage", rest @ ..] => {
                self.vantage = false;
                rest
            }
            ["absent", rest @ ..] => {
                self.absent = true;
                rest
            }
            ["spare", seats, rest @ ..] => {
                self.spare = number(seats)?;
                rest
            }
            ["version", own, rest @ ..] => {
                self.version = Some(version(own)?);
                rest
            }
            _ => return Err("unknown option of a cluster".to_owned()),
        };
        self.options(rest)
    }
}

impl fmt::Display for ClusterSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {} {}", self.name, self.servers)?;
        self.version.iter().try_for_each(|own| write!(f, " version {}", dotted(*own)))?;
        if self.spare > 0 {
            write!(f, " spare {}", self.spare)?;
        }
        f.write_str(if self.absent { " absent" } else { "" })?;
        f.write_str(if self.vantage { "" } else { " no-vantage" })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "seed {}", self.seed)?;
        if !self.tags.is_empty() {
            writeln!(f, "tag {}", self.tags.join(" "))?;
        }
        self.since.iter().try_for_each(|first| writeln!(f, "since {}", dotted(*first)))?;
        f.write_str(match self.players {
            Players::All => "",
            Players::RealOnly => "real-only\n",
            Players::SimOnly => "sim-only\n",
        })?;
        self.clusters.iter().try_for_each(|cluster| writeln!(f, "{cluster}"))?;
        self.links.iter().try_for_each(|(a, b)| writeln!(f, "link {a} {b}"))?;
        self.wan.iter().try_for_each(|wan| writeln!(f, "{wan}"))?;
        if !self.chaos.is_calm() {
            writeln!(f, "{}", self.chaos)?;
        }
        for (word, set) in [("tls", self.tls), ("cold", self.cold), ("in-detail", self.in_detail)] {
            f.write_str(&if set { format!("{word}\n") } else { String::new() })?;
        }
        self.given.iter().try_for_each(|step| writeln!(f, "given {step}"))?;
        self.write_expectations(f, None)?;
        for (place, (at, step)) in self.steps.iter().enumerate() {
            writeln!(f, "{at}ms {step}")?;
            self.write_expectations(f, Some(place))?;
        }
        writeln!(f, "{}ms end", self.end)
    }
}

impl Story {
    /// Those that belong to this step; those that belong to none go first.
    fn write_expectations(&self, f: &mut fmt::Formatter<'_>, place: Option<usize>) -> fmt::Result {
        let belongs = |expect: &&Expect| match expect {
            Expect::Must(must) => must.after == place,
            Expect::May(_) | Expect::Never(_) | Expect::Quiet => place.is_none(),
        };
        self.expect.iter().filter(belongs).try_for_each(|expect| writeln!(f, "{expect}"))
    }
}
