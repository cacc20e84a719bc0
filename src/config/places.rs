//! Where files named in the settings are looked for.

use super::error::Origin;
use super::node::Node;
use super::parse;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The directories that relative names, `~` and contexts refer to.
#[derive(Debug, Default)]
pub(super) struct Places {
    config_dir: Option<PathBuf>,
    home: Option<PathBuf>,
    user_config: Option<PathBuf>,
}

impl Places {
    /// For this configuration file; `env` is the environment that was passed in.
    pub(super) fn new(file: Option<&Path>, env: &[(String, String)]) -> Self {
        let variable = |name: &str| {
            env.iter()
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| PathBuf::from(value))
        };
        let home = variable("HOME");
        let user_config =
            variable("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        Self { config_dir: file.and_then(Path::parent).map(Path::to_path_buf), home, user_config }
    }

    /// The directory of the `nats` tool's contexts; `None` without a home directory.
    pub(super) fn contexts(&self) -> Option<PathBuf> {
        self.user_config.as_ref().map(|dir| dir.join("nats").join("context"))
    }

    /// A file that can be read. A relative name in the configuration file is relative to that file, elsewhere to the
    /// working directory.
    pub(super) fn readable(&self, node: &Node) -> Result<PathBuf, String> {
        let given = self.expand(&parse::text(node)?)?;
        let path = match (&node.origin, &self.config_dir) {
            (Origin::File { .. }, Some(dir)) => dir.join(given),
            (Origin::File { .. } | Origin::Context(_) | Origin::Env(_) | Origin::Flag(_), _) => given,
        };
        check_readable(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(path)
    }

    fn expand(&self, given: &str) -> Result<PathBuf, String> {
        match (given.strip_prefix("~/"), &self.home) {
            (None, _) => Ok(PathBuf::from(given)),
            (Some(rest), Some(home)) => Ok(home.join(rest)),
            (Some(_), None) => Err(format!("{given:?} needs HOME to be set")),
        }
    }
}

fn check_readable(path: &Path) -> io::Result<()> {
    if File::open(path)?.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    Ok(())
}
