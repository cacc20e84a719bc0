//! A story: a supercluster and what happens to it, as text that people write and read.
//!
//! ```text
//! # What it is about.
//! cluster east 3
//! cluster west 3 version 2.9.10 no-vantage
//! wan east west 80ms jitter 20ms
//! 0s      blackhole east west
//! 20s     heal
//! 40s     end
//! ```

use std::fmt;

/// A whole story. All times are milliseconds from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Story {
    pub(crate) about: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) clusters: Vec<ClusterSpec>,
    /// Which clusters are configured with each other; empty means all.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) wan: Vec<Wan>,
    /// Tell what happens from the moment gatewatch starts, not from when it has settled.
    pub(crate) cold: bool,
    /// Tell of single server links too.
    pub(crate) in_detail: bool,
    pub(crate) steps: Vec<(u64, Step)>,
    pub(crate) end: u64,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterSpec {
    pub(crate) name: String,
    pub(crate) servers: usize,
    pub(crate) version: (u16, u16, u16),
    pub(crate) vantage: bool,
}

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

/// What happens to packets of a connection that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// They vanish.
    Drop,
    /// They are answered with a reset.
    Refuse,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Cut(Cut, Between),
    /// Ends the cut between these, or every cut.
    Heal(Option<Between>),
    /// Connections are reset once and may be made anew at once.
    Reset(Between),
    Kill(Sel),
    Stop(Sel),
    Freeze(Sel),
    Thaw(Sel),
    Start(Sel),
    LameDuck(Sel),
    /// Our own connection is lost and cannot be made: refused, or (`Drop`) unanswered.
    VantageCut(String, Cut),
    VantageBack(String),
    /// Our own connection is lost once.
    VantageReset(String),
    /// We lose messages of this connection for so long.
    Overrun(String, u64),
    /// This process does not run for so long.
    Stall(u64),
    Wan(Wan),
    GatewatchStop,
    GatewatchStart,
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
            ["seed", seed] => self.seed = number(seed)?,
            ["cold"] => self.cold = true,
            ["in-detail"] => self.in_detail = true,
            ["cluster", name, servers, rest @ ..] => {
                let mut cluster = ClusterSpec::new(name, number(servers)?);
                cluster.options(rest)?;
                self.clusters.push(cluster);
            }
            ["link", a, b] => self.links.push(((*a).to_owned(), (*b).to_owned())),
            ["wan", rest @ ..] => self.wan.push(wan(rest)?),
            [at, "end"] => self.end = span(at)?,
            [at, step @ ..] => self.steps.push((span(at)?, Step::parse(step)?)),
        }
        Ok(())
    }
}

impl ClusterSpec {
    pub(crate) fn new(name: &str, servers: usize) -> Self {
        Self { name: name.to_owned(), servers, version: (2, 12, 8), vantage: true }
    }

    fn options(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            ["no-vantage", rest @ ..] => {
                self.vantage = false;
                self.options(rest)
            }
            ["version", version, rest @ ..] => {
                let parts: Vec<u16> = version.split('.').map(number).collect::<Result<_, _>>()?;
                let [major, minor, patch] = parts[..] else { return Err("not a version".to_owned()) };
                self.version = (major, minor, patch);
                self.options(rest)
            }
            _ => Err("unknown option of a cluster".to_owned()),
        }
    }
}

impl Step {
    fn parse(words: &[&str]) -> Result<Self, String> {
        Ok(match words {
            ["blackhole", rest @ ..] => Self::Cut(Cut::Drop, between(rest)?),
            ["refuse", rest @ ..] => Self::Cut(Cut::Refuse, between(rest)?),
            ["heal"] => Self::Heal(None),
            ["heal", rest @ ..] => Self::Heal(Some(between(rest)?)),
            ["reset", rest @ ..] => Self::Reset(between(rest)?),
            ["kill", who] => Self::Kill(sel(who)?),
            ["stop", who] => Self::Stop(sel(who)?),
            ["freeze", who] => Self::Freeze(sel(who)?),
            ["thaw", who] => Self::Thaw(sel(who)?),
            ["start", who] => Self::Start(sel(who)?),
            ["lame-duck", who] => Self::LameDuck(sel(who)?),
            ["vantage", at, "refused"] => Self::VantageCut((*at).to_owned(), Cut::Refuse),
            ["vantage", at, "unanswered"] => Self::VantageCut((*at).to_owned(), Cut::Drop),
            ["vantage", at, "back"] => Self::VantageBack((*at).to_owned()),
            ["vantage", at, "reset"] => Self::VantageReset((*at).to_owned()),
            ["vantage", at, "overrun", long] => Self::Overrun((*at).to_owned(), span(long)?),
            ["stall", long] => Self::Stall(span(long)?),
            ["wan", rest @ ..] => Self::Wan(wan(rest)?),
            ["gatewatch", "stops"] => Self::GatewatchStop,
            ["gatewatch", "starts"] => Self::GatewatchStart,
            _ => return Err("unknown step".to_owned()),
        })
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

fn span(word: &str) -> Result<u64, String> {
    if let Some(ms) = word.strip_suffix("ms") {
        return number(ms);
    }
    let seconds: f64 = number(word.strip_suffix('s').ok_or_else(|| format!("{word} is not a time"))?)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "stories last minutes")]
    Ok((seconds * 1000.0).round() as u64)
}

fn sel(word: &str) -> Result<Sel, String> {
    Ok(match word.split_once('/') {
        None if word == "*" => Sel::Any,
        None => Sel::Cluster(word.to_owned()),
        Some((cluster, server)) => Sel::Server(cluster.to_owned(), number(server)?),
    })
}

fn between(words: &[&str]) -> Result<Between, String> {
    match words {
        [from, "->", to] => Ok(Between { from: sel(from)?, to: sel(to)?, both: false }),
        [from, to] => Ok(Between { from: sel(from)?, to: sel(to)?, both: true }),
        _ => Err("between whom?".to_owned()),
    }
}

fn wan(words: &[&str]) -> Result<Wan, String> {
    let [a, b, latency, "jitter", jitter] = words else { return Err("wan A B <ms> jitter <ms>".to_owned()) };
    Ok(Wan { ends: ((*a).to_owned(), (*b).to_owned()), ms: span(latency)?, jitter: span(jitter)? })
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(Cut::Drop, between) => write!(f, "blackhole {between}"),
            Self::Cut(Cut::Refuse, between) => write!(f, "refuse {between}"),
            Self::Heal(None) => f.write_str("heal"),
            Self::Heal(Some(between)) => write!(f, "heal {between}"),
            Self::Reset(between) => write!(f, "reset {between}"),
            Self::Kill(who) => write!(f, "kill {who}"),
            Self::Stop(who) => write!(f, "stop {who}"),
            Self::Freeze(who) => write!(f, "freeze {who}"),
            Self::Thaw(who) => write!(f, "thaw {who}"),
            Self::Start(who) => write!(f, "start {who}"),
            Self::LameDuck(who) => write!(f, "lame-duck {who}"),
            Self::VantageCut(at, Cut::Refuse) => write!(f, "vantage {at} refused"),
            Self::VantageCut(at, Cut::Drop) => write!(f, "vantage {at} unanswered"),
            Self::VantageBack(at) => write!(f, "vantage {at} back"),
            Self::VantageReset(at) => write!(f, "vantage {at} reset"),
            Self::Overrun(at, ms) => write!(f, "vantage {at} overrun {ms}ms"),
            Self::Stall(ms) => write!(f, "stall {ms}ms"),
            Self::Wan(wan) => wan.fmt(f),
            Self::GatewatchStop => f.write_str("gatewatch stops"),
            Self::GatewatchStart => f.write_str("gatewatch starts"),
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.about {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {}", self.seed)?;
        for cluster in &self.clusters {
            let (major, minor, patch) = cluster.version;
            let ears = if cluster.vantage { "" } else { " no-vantage" };
            writeln!(
                f,
                "cluster {} {} version {major}.{minor}.{patch}{ears}",
                cluster.name, cluster.servers
            )?;
        }
        self.links.iter().try_for_each(|(a, b)| writeln!(f, "link {a} {b}"))?;
        self.wan.iter().try_for_each(|wan| writeln!(f, "{wan}"))?;
        if self.cold {
            writeln!(f, "cold")?;
        }
        self.steps.iter().try_for_each(|(at, step)| writeln!(f, "{at}ms {step}"))?;
        writeln!(f, "{}ms end", self.end)
    }
}
