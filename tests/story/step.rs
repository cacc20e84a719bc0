//! What can happen in a story.

use super::words::{
    Between, Sel, Version, Wan, between, dotted, number, only_between, sel, span, version, wan,
};
use std::fmt;

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
    /// Connections that exist live on; new ones are cut.
    CutDials(Cut, Between),
    /// Ends every cut, delay and loss between these, or all of them.
    Heal(Option<Between>),
    /// Connections are reset once and may be made anew at once.
    Reset(Between),
    /// Each way takes longer by so many milliseconds and a random part of the jitter.
    Slow(Between, u64, u64),
    /// So many of a hundred packets are lost, and sent again by TCP.
    Lossy(Between, u8),
    Flap(Flap),
    Kill(Sel),
    Stop(Sel),
    Freeze(Sel),
    Thaw(Sel),
    Start(Sel),
    LameDuck(Sel),
    /// One server after the other: lame duck, end, start, until it is back in its place.
    RollingRestart(Sel),
    /// A rolling restart into another version.
    Upgrade(Sel, Version),
    /// The next spare server of this cluster starts.
    ScaleUp(String),
    /// A cluster that was absent starts, configured with all that are there; they learn of it by gossip.
    Join(String),
    /// A cluster is stopped for good, and then the others no longer configure it.
    Retire(String),
    /// The configuration of these servers is changed, and those that run are restarted one after the other, as an operator would.
    Config(Sel, Change),
    /// Our own connection is lost and cannot be made: refused, or (`Drop`) unanswered. `*` is all of them.
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
    /// It starts with what it remembers.
    GatewatchStart,
    /// It starts and remembers nothing.
    GatewatchStartAfresh,
    /// It is restarted with a login that may ask servers nothing, or with a whole one again.
    Permissions(Permissions),
}

/// A link that comes and goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flap {
    pub(crate) between: Between,
    pub(crate) cut: Cut,
    /// How long it is cut each time. Milliseconds.
    pub(crate) down: u64,
    /// From one cut to the next.
    pub(crate) every: u64,
    /// How long this goes on; it ends healed.
    pub(crate) lasts: u64,
}

/// What gatewatch's system login may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permissions {
    /// Listen only.
    Narrow,
    /// Everything.
    Whole,
}

/// A change of configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// This remote is no longer listed.
    Remove(String),
    /// This remote is listed.
    Add(String),
    /// Clusters that are not listed are rejected.
    RejectUnknown,
    /// The remote is listed under another name.
    Misname(String, String),
    /// The remote is dialled with this password.
    Password(String, String),
    /// The servers' own gateway certificate is bad.
    Tls(BadCertificate),
    /// The remote's host name does not resolve.
    Dns(String),
    /// The remote's port is one where nobody listens.
    Port(String),
    /// As it was in the beginning.
    Restore,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadCertificate {
    Expired,
    Untrusted,
    WrongName,
}

impl Step {
    pub(super) fn parse(words: &[&str]) -> Result<Self, String> {
        match words {
            ["vantage", rest @ ..] => Self::of_vantage(rest),
            ["gatewatch", rest @ ..] => Self::of_gatewatch(rest),
            ["config", who, rest @ ..] => Ok(Self::Config(sel(who)?, Change::parse(rest)?)),
            [what, who] => match Self::of_servers(what, who)? {
                Some(step) => Ok(step),
                None => Self::of_network(words),
            },
            _ => Self::of_network(words),
        }
    }

    fn of_network(words: &[&str]) -> Result<Self, String> {
        Ok(match words {
            ["blackhole", rest @ ..] => Self::Cut(Cut::Drop, only_between(rest)?),
            ["refuse", rest @ ..] => Self::Cut(Cut::Refuse, only_between(rest)?),
            ["drop-dials", rest @ ..] => Self::CutDials(Cut::Drop, only_between(rest)?),
            ["refuse-dials", rest @ ..] => Self::CutDials(Cut::Refuse, only_between(rest)?),
            ["heal"] => Self::Heal(None),
            ["heal", rest @ ..] => Self::Heal(Some(only_between(rest)?)),
            ["reset", rest @ ..] => Self::Reset(only_between(rest)?),
            ["slow", rest @ ..] => Self::slow(rest)?,
            ["lossy", rest @ ..] => Self::lossy(rest)?,
            ["flap", rest @ ..] => Self::Flap(Flap::parse(rest)?),
            ["upgrade", who, to] => Self::Upgrade(sel(who)?, version(to)?),
            ["wan", rest @ ..] => Self::Wan(wan(rest)?),
            _ => return Err("unknown step".to_owned()),
        })
    }

    fn of_servers(what: &str, who: &str) -> Result<Option<Self>, String> {
        let step = match what {
            "kill" => Self::Kill,
            "stop" => Self::Stop,
            "freeze" => Self::Freeze,
            "thaw" => Self::Thaw,
            "start" => Self::Start,
            "lame-duck" => Self::LameDuck,
            "rolling-restart" => Self::RollingRestart,
            "scale-up" => return Ok(Some(Self::ScaleUp(who.to_owned()))),
            "join" => return Ok(Some(Self::Join(who.to_owned()))),
            "retire" => return Ok(Some(Self::Retire(who.to_owned()))),
            "stall" => return Ok(Some(Self::Stall(span(who)?))),
            _ => return Ok(None),
        };
        Ok(Some(step(sel(who)?)))
    }

    fn of_vantage(words: &[&str]) -> Result<Self, String> {
        let [at, what @ ..] = words else { return Err("which vantage?".to_owned()) };
        let at = (*at).to_owned();
        Ok(match what {
            ["refused"] => Self::VantageCut(at, Cut::Refuse),
            ["unanswered"] => Self::VantageCut(at, Cut::Drop),
            ["back"] => Self::VantageBack(at),
            ["reset"] => Self::VantageReset(at),
            ["overrun", long] => Self::Overrun(at, span(long)?),
            _ => return Err("unknown fate of a vantage".to_owned()),
        })
    }

    fn of_gatewatch(words: &[&str]) -> Result<Self, String> {
        Ok(match words {
            ["stops"] => Self::GatewatchStop,
            ["starts"] => Self::GatewatchStart,
            ["starts", "afresh"] => Self::GatewatchStartAfresh,
            ["permissions", "narrow"] => Self::Permissions(Permissions::Narrow),
            ["permissions", "whole"] => Self::Permissions(Permissions::Whole),
            _ => return Err("unknown fate of gatewatch".to_owned()),
        })
    }

    fn slow(words: &[&str]) -> Result<Self, String> {
        let (between, rest) = between(words)?;
        let [latency, "jitter", jitter] = rest else { return Err("slow A B <ms> jitter <ms>".to_owned()) };
        Ok(Self::Slow(between, span(latency)?, span(jitter)?))
    }

    fn lossy(words: &[&str]) -> Result<Self, String> {
        let (between, rest) = between(words)?;
        let share = rest.first().and_then(|word| word.strip_suffix('%')).filter(|_| rest.len() == 1);
        Ok(Self::Lossy(between, number(share.ok_or("lossy A B <n>%")?)?))
    }

    /// What it is made of, with when each part happens from its beginning on: itself, unless it repeats.
    pub(crate) fn unfolded(&self) -> Vec<(u64, Self)> {
        let Self::Flap(flap) = self else { return vec![(0, self.clone())] };
        let beginnings = (0..flap.lasts).step_by(usize::try_from(flap.every.max(1)).unwrap_or(usize::MAX));
        let cut = |at| {
            let ends = (at + flap.down, Self::Heal(Some(flap.between.clone())));
            [(at, Self::Cut(flap.cut, flap.between.clone())), ends]
        };
        beginnings.flat_map(cut).collect()
    }
}

impl Flap {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let (between, rest) = between(words)?;
        let [how, down, "every", every, "for", lasts] = rest else {
            return Err("flap A B down|refused <time> every <time> for <time>".to_owned());
        };
        let cut = match *how {
            "down" => Cut::Drop,
            "refused" => Cut::Refuse,
            other => return Err(format!("{other} is no way to flap")),
        };
        Ok(Self { between, cut, down: span(down)?, every: span(every)?, lasts: span(lasts)? })
    }
}

impl Change {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let named = |word: &&str| (*word).to_owned();
        Ok(match words {
            ["remove", remote] => Self::Remove(named(remote)),
            ["add", remote] => Self::Add(named(remote)),
            ["reject-unknown"] => Self::RejectUnknown,
            ["misname", remote, wrong] => Self::Misname(named(remote), named(wrong)),
            ["password", remote, wrong] => Self::Password(named(remote), named(wrong)),
            ["tls", "expired"] => Self::Tls(BadCertificate::Expired),
            ["tls", "untrusted"] => Self::Tls(BadCertificate::Untrusted),
            ["tls", "wrong-name"] => Self::Tls(BadCertificate::WrongName),
            ["dns", remote] => Self::Dns(named(remote)),
            ["port", remote] => Self::Port(named(remote)),
            ["restore"] => Self::Restore,
            _ => return Err("unknown change of a configuration".to_owned()),
        })
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "blackhole",
            Self::Refuse => "refuse",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(cut, between) => write!(f, "{cut} {between}"),
            Self::CutDials(Cut::Drop, between) => write!(f, "drop-dials {between}"),
            Self::CutDials(Cut::Refuse, between) => write!(f, "refuse-dials {between}"),
            Self::Heal(None) => f.write_str("heal"),
            Self::Heal(Some(between)) => write!(f, "heal {between}"),
            Self::Reset(between) => write!(f, "reset {between}"),
            Self::Slow(between, ms, jitter) => write!(f, "slow {between} {ms}ms jitter {jitter}ms"),
            Self::Lossy(between, share) => write!(f, "lossy {between} {share}%"),
            Self::Flap(flap) => flap.fmt(f),
            Self::Kill(who) => write!(f, "kill {who}"),
            Self::Stop(who) => write!(f, "stop {who}"),
            Self::Freeze(who) => write!(f, "freeze {who}"),
            Self::Thaw(who) => write!(f, "thaw {who}"),
            Self::Start(who) => write!(f, "start {who}"),
            Self::LameDuck(who) => write!(f, "lame-duck {who}"),
            Self::RollingRestart(who) => write!(f, "rolling-restart {who}"),
            Self::Upgrade(who, to) => write!(f, "upgrade {who} {}", dotted(*to)),
            Self::ScaleUp(cluster) => write!(f, "scale-up {cluster}"),
            Self::Join(cluster) => write!(f, "join {cluster}"),
            Self::Retire(cluster) => write!(f, "retire {cluster}"),
            Self::Config(who, change) => write!(f, "config {who} {change}"),
            Self::VantageCut(at, Cut::Refuse) => write!(f, "vantage {at} refused"),
            Self::VantageCut(at, Cut::Drop) => write!(f, "vantage {at} unanswered"),
            Self::VantageBack(at) => write!(f, "vantage {at} back"),
            Self::VantageReset(at) => write!(f, "vantage {at} reset"),
            Self::Overrun(at, ms) => write!(f, "vantage {at} overrun {ms}ms"),
            Self::Stall(ms) => write!(f, "stall {ms}ms"),
            Self::Wan(wan) => wan.fmt(f),
            Self::GatewatchStop => f.write_str("gatewatch stops"),
            Self::GatewatchStart => f.write_str("gatewatch starts"),
            Self::GatewatchStartAfresh => f.write_str("gatewatch starts afresh"),
            Self::Permissions(Permissions::Narrow) => f.write_str("gatewatch permissions narrow"),
            Self::Permissions(Permissions::Whole) => f.write_str("gatewatch permissions whole"),
        }
    }
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.cut {
            Cut::Drop => "down",
            Cut::Refuse => "refused",
        };
        write!(f, "flap {} {how} {}ms every {}ms for {}ms", self.between, self.down, self.every, self.lasts)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(remote) => write!(f, "remove {remote}"),
            Self::Add(remote) => write!(f, "add {remote}"),
            Self::RejectUnknown => f.write_str("reject-unknown"),
            Self::Misname(remote, wrong) => write!(f, "misname {remote} {wrong}"),
            Self::Password(remote, wrong) => write!(f, "password {remote} {wrong}"),
            Self::Tls(BadCertificate::Expired) => f.write_str("tls expired"),
            Self::Tls(BadCertificate::Untrusted) => f.write_str("tls untrusted"),
            Self::Tls(BadCertificate::WrongName) => f.write_str("tls wrong-name"),
            Self::Dns(remote) => write!(f, "dns {remote}"),
            Self::Port(remote) => write!(f, "port {remote}"),
            Self::Restore => f.write_str("restore"),
        }
    }
}
