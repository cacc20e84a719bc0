//! The way from another terminal to a running demonstration: a socket in a directory of the user's own.
//!
//! A socket and not a subject of the supercluster, because it must work while the supercluster is broken. One line of JSON there, one
//! back. Only the user can reach it: its directory is closed to others.

use super::command::{Command, CommandError};
use crate::cli::exit::Failure;
use serde::{Deserialize, Serialize};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Longest line.
const LONGEST: u64 = 64 * 1024;
/// How long the other side may take to say its line.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);
/// How long carrying a command out may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What came of a command.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    ok: bool,
    text: String,
}

/// Where commands come in. The socket is removed when it is dropped.
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

/// A command with the way back.
pub(super) struct Request {
    pub(super) command: Command,
    stream: UnixStream,
}

impl Listener {
    /// Opens the socket; refused while another demonstration has it.
    pub(super) async fn open() -> Result<Self, Failure> {
        let path = path().map_err(Failure::internal)?;
        if UnixStream::connect(&path).await.is_ok() {
            return Err(Failure::usage(anyhow::anyhow!(
                "another `gatewatch demo --keep` is running ({}); end it with Ctrl-C first",
                path.display()
            )));
        }
        // Nobody answers there: it is left over from one that was killed.
        let _ = std::fs::remove_file(&path);
        let socket = UnixListener::bind(&path).map_err(|error| {
            Failure::internal(
                anyhow::Error::new(error).context(format!("cannot listen on {}", path.display())),
            )
        })?;
        Ok(Self { socket, path })
    }

    /// The next command. Whoever connects and says nothing sensible is ignored.
    pub(super) async fn next(&mut self) -> Request {
        loop {
            let Ok((mut stream, _)) = self.socket.accept().await else {
                // Out of file handles, most likely; a moment later there may be one.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            if let Ok(Ok(line)) = timeout(REQUEST_WITHIN, read_line(&mut stream)).await
                && let Ok(command) = serde_json::from_str(&line)
            {
                return Request { command, stream };
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Request {
    /// Tells the other side. When it is gone there is nobody to tell.
    pub(super) async fn answer(mut self, done: Result<String, CommandError>) {
        let answer = match done {
            Ok(text) => Answer { ok: true, text },
            Err(error) => Answer { ok: false, text: error.to_string() },
        };
        let _ = timeout(REQUEST_WITHIN, write_line(&mut self.stream, &answer)).await;
    }
}

/// Has a command carried out by the running demonstration; returns what was done.
pub(super) async fn send(command: &Command) -> Result<String, Failure> {
    let path = path().map_err(Failure::internal)?;
    let mut stream = UnixStream::connect(&path).await.map_err(|_| {
        Failure::unavailable(anyhow::anyhow!(
            "no demonstration to talk to; start one in another terminal: gatewatch demo --keep"
        ))
    })?;
    let exchange = async {
        write_line(&mut stream, command).await?;
        read_line(&mut stream).await
    };
    let broken = |why: &str| Failure::unavailable(anyhow::anyhow!("the demonstration did not answer: {why}"));
    let line = match timeout(ANSWER_WITHIN, exchange).await {
        Ok(line) => line.map_err(|error| broken(&error.to_string()))?,
        Err(_) => return Err(broken("time is up")),
    };
    let answer: Answer = serde_json::from_str(&line).map_err(|error| broken(&error.to_string()))?;
    if answer.ok { Ok(answer.text) } else { Err(Failure::usage(anyhow::anyhow!(answer.text))) }
}

async fn write_line<T: Serialize>(stream: &mut UnixStream, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

async fn read_line(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line).await?;
    Ok(line)
}

/// The socket's path; its directory is made when missing, for the user only.
fn path() -> io::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_RUNTIME_DIR")
        .filter(|dir| dir.is_dir())
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or_else(|| io::Error::other("none of XDG_RUNTIME_DIR, XDG_CACHE_HOME and HOME is set"))?;
    let dir = base.join("gatewatch").join("demo");
    closed_dir(&dir)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot use {}: {error}", dir.display())))?;
    Ok(dir.join("control.sock"))
}

fn closed_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // It may have been there already, open to others.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
}
