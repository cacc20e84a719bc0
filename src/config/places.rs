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
    /// Where systemd wants the state of this service.
    service_state: Option<PathBuf>,
    user_state: Option<PathBuf>,
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
        // systemd separates several by colons.
        let first = |paths: PathBuf| paths.to_string_lossy().split(':').next().map(PathBuf::from);
        let service_state = variable("STATE_DIRECTORY").and_then(first);
        let user_state =
            variable("XDG_STATE_HOME").or_else(|| home.as_ref().map(|home| home.join(".local/state")));
        let config_dir = file.and_then(Path::parent).map(Path::to_path_buf);
        Self { config_dir, home, user_config, service_state, user_state }
    }

    /// The directory of the `nats` tool's contexts; `None` without a home directory.
    pub(super) fn contexts(&self) -> Option<PathBuf> {
        self.user_config.as_ref().map(|dir| dir.join("nats").join("context"))
    }

    /// A file that can be read. A relative name in the configuration file is relative to that file, elsewhere to the
    /// working directory.
    pub(super) fn readable(&self, node: &Node) -> Result<PathBuf, String> {
        let path = self.directory(node)?;
        check_readable(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(path)
    }

    /// A directory that may have to be made yet; relative names as in [`Places::readable`].
    pub(super) fn directory(&self, node: &Node) -> Result<PathBuf, String> {
        let given = self.expand(&parse::text(node)?)?;
        Ok(match (&node.origin, &self.config_dir) {
            (Origin::File { .. }, Some(dir)) => dir.join(given),
            (Origin::File { .. } | Origin::Context(_) | Origin::Env(_) | Origin::Flag(_), _) => given,
        })
    }

    /// Where an instance keeps its state; `None` without a home directory.
    pub(super) fn state(&self, instance: &str) -> Option<PathBuf> {
        let own = || self.user_state.as_ref().map(|dir| dir.join("gatewatch").join(instance));
        self.service_state.clone().or_else(own)
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
