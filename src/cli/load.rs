//! Where the settings come from: the file that is named or lies here, the environment, the flags.

use super::args::Global;
use super::exit::Failure;
use crate::config::settings::Settings;
use crate::config::{Origins, Override};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Read when no file is named.
const DEFAULT_FILE: &str = "gatewatch.toml";

/// The settings, or everything that is wrong with them.
pub(super) fn settings(global: &Global, overrides: &[Override]) -> Result<Settings, Failure> {
    let file = file(global);
    let loaded = Settings::load(file.as_deref(), environment(), overrides);
    loaded.map_err(|errors| Failure::usage(anyhow::anyhow!("the configuration cannot be used\n{errors}")))
}

/// The settings with where each was given, for showing.
pub(super) fn explained(
    global: &Global,
    overrides: &[Override],
) -> Result<(Settings, Origins), crate::config::error::ConfigErrors> {
    Settings::load_explained(file(global).as_deref(), environment(), overrides)
}

/// The file that is read.
pub(super) fn file(global: &Global) -> Option<PathBuf> {
    let named = global.config.clone().filter(|path| !path.as_os_str().is_empty());
    named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| Path::exists(path)))
}

/// Variables whose name or value is no text cannot be ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |part: OsString| part.into_string().ok();
    std::env::vars_os().filter_map(move |(name, value)| Some((text(name)?, text(value)?)))
}
