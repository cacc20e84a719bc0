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

    /// As [`Places::readable`], for a file that holds a secret. What looks like the secret itself, given in place of the file, is not
    /// repeated in what is said of it.
    pub(super) fn secret(&self, node: &Node) -> Result<PathBuf, String> {
        let given = parse::text(node)?;
        self.readable(node).map_err(|error| {
            if is_name_of_a_file(&given) {
                error
            } else {
                "cannot read the file of this name; a file is wanted here, not what is in it".to_owned()
            }
        })
    }

    fn expand(&self, given: &str) -> Result<PathBuf, String> {
        match (given.strip_prefix("~/"), &self.home) {
            (None, _) => Ok(PathBuf::from(given)),
            (Some(rest), Some(home)) => Ok(home.join(rest)),
            (Some(_), None) => Err(format!("{given:?} needs HOME to be set")),
        }
    }
}

/// Whether it looks like a path, and neither like a seed, a password, a JWT nor the text of a credentials or key file.
fn is_name_of_a_file(text: &str) -> bool {
    let is_path = text.contains(['/', '.']);
    is_path && !text.starts_with("eyJ") && !text.contains("-----BEGIN") && !text.contains('\n')
}

fn check_readable(path: &Path) -> io::Result<()> {
    if File::open(path)?.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    Ok(())
}
