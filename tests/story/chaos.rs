//! What a busy host and a crowded network do to what is heard, besides the faults of a story.

use super::words::number;
use std::fmt;

/// Chances per thousand messages, and bursts per hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chaos {
    /// Lost.
    pub(crate) lost: u64,
    /// Held up, with all that the same server sends behind it.
    pub(crate) late: u64,
    /// Heard a second time, a little later.
    pub(crate) twice: u64,
    /// Overtaken by what was sent after it.
    pub(crate) overtaken: u64,
    /// So often in an hour everything of one listener, one server or one path is lost for a moment.
    pub(crate) bursts: u64,
}

impl Chaos {
    pub(super) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut chaos = Self::default();
        for pair in words.chunks(2) {
            let [what, much] = pair else { return Err(format!("{} how much?", pair.join(" "))) };
            let field = match *what {
                "lost" => &mut chaos.lost,
                "late" => &mut chaos.late,
                "twice" => &mut chaos.twice,
                "overtaken" => &mut chaos.overtaken,
                "bursts" => &mut chaos.bursts,
                other => return Err(format!("{other} is no kind of chaos")),
            };
            *field = number(much)?;
        }
        Ok(chaos)
    }

    pub(crate) fn is_calm(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, late, twice, overtaken, bursts } = self;
        write!(f, "chaos lost {lost} late {late} twice {twice} overtaken {overtaken} bursts {bursts}")
    }
}
