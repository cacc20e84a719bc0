//! The entries: one file each, named by the file.

use crate::story::{Change, Players, Step, Story};
use std::fs;
use std::path::PathBuf;

/// A fault and what must be told of it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) story: Story,
}

/// All entries, by name.
pub(crate) fn all() -> Vec<Entry> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|end| end == "txt"));
    let mut entries: Vec<Entry> = texts
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let story = Story::parse(&fs::read_to_string(&path).unwrap());
            Entry { story: story.unwrap_or_else(|error| panic!("{name}: {error}")), name }
        })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The entry of this name.
pub(crate) fn named(name: &str) -> Entry {
    all().into_iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no entry {name}"))
}

impl Entry {
    /// Whether real servers can play it.
    pub(crate) fn is_for_real(&self) -> bool {
        self.story.players != Players::SimOnly
    }

    /// Its servers cannot be brought back to what they were: after it, others are started.
    pub(crate) fn is_spoiling(&self) -> bool {
        let spoils = |step: &Step| match step {
            Step::Config(..) | Step::Upgrade(..) | Step::ScaleUp(_) | Step::Join(_) | Step::Retire(_) => true,
            Step::Permissions(_) | Step::GatewatchStartAfresh | Step::Stall(_) => true,
            Step::Cut(..)
            | Step::CutDials(..)
            | Step::Heal(_)
            | Step::Reset(_)
            | Step::Slow(..)
            | Step::Lossy(..)
            | Step::Flap(_)
            | Step::Kill(_)
            | Step::Stop(_)
            | Step::Freeze(_)
            | Step::Thaw(_)
            | Step::Start(_)
            | Step::LameDuck(_)
            | Step::RollingRestart(_)
            | Step::VantageCut(..)
            | Step::VantageBack(_)
            | Step::VantageReset(_)
            | Step::Overrun(..)
            | Step::Wan(_)
            | Step::GatewatchStop
            | Step::GatewatchStart => false,
        };
        !self.story.given.is_empty() || self.story.clusters.iter().any(|c| c.spare > 0) || self.any(spoils)
    }

    /// gatewatch's own process is frozen, or may not come up: it must be one of its own.
    pub(crate) fn needs_a_process(&self) -> bool {
        self.any(|step| matches!(step, Step::Stall(_) | Step::Permissions(_)))
    }

    /// Our own connections are cut: they must go through proxies.
    pub(crate) fn cuts_clients(&self) -> bool {
        let of_vantage =
            |step: &Step| matches!(step, Step::VantageCut(..) | Step::VantageBack(_) | Step::VantageReset(_));
        self.any(of_vantage)
    }

    /// Gateways ask each other for a login.
    pub(crate) fn needs_logins(&self) -> bool {
        self.any(|step| matches!(step, Step::Config(_, Change::Password(..))))
    }

    fn any(&self, is: impl Fn(&Step) -> bool) -> bool {
        self.story.given.iter().chain(self.story.steps.iter().map(|(_, step)| step)).any(is)
    }
}
