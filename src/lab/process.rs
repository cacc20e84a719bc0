//! One life of one server process: spawn, signal, notice the end, never leave it behind.

use super::guard::Workspace;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long a drop waits for a killed process to end.
const KILL_GRACE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);

/// How much of a log is shown in an error.
const TAIL_BYTES: u64 = 4_096;
const TAIL_LINES: usize = 12;

/// A running server, or one whose end has not been noticed yet. Killed on drop.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    workspace: Arc<Workspace>,
    log: PathBuf,
    log_start: u64,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `program` with the configuration file; its output is appended to `log`.
    pub(super) fn spawn(
        workspace: &Arc<Workspace>,
        program: &Path,
        config: &Path,
        log: &Path,
    ) -> io::Result<Self> {
        let out = OpenOptions::new().create(true).append(true).open(log)?;
        let log_start = out.metadata()?.len();
        let child = workspace
            .command(program)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            child,
            pid,
            workspace: Arc::clone(workspace),
            log: log.to_path_buf(),
            log_start,
            status: None,
        })
    }

    /// The process's id, valid as long as `self` lives.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal. A process that has already ended is no error.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How the process ended, or `None` while it runs.
    ///
    /// Looks first, unregisters the pid, and reaps last: see [`super::guard`].
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.has_exited()? {
            self.workspace.unregister(self.child.id());
            self.status = Some(self.child.wait()?);
        }
        Ok(self.status)
    }

    /// Whether every thread of the process has been stopped by a signal. That takes a moment after the signal.
    pub(super) fn is_frozen(&self) -> io::Result<bool> {
        self.peek(WaitIdOptions::STOPPED)
    }

    fn has_exited(&self) -> io::Result<bool> {
        self.peek(WaitIdOptions::EXITED)
    }

    fn peek(&self, state: WaitIdOptions) -> io::Result<bool> {
        let options = state | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid), options)?.is_some())
    }

    /// The last lines this life wrote to its log.
    pub(super) fn log_tail(&self) -> String {
        tail(&self.log, self.log_start).unwrap_or_else(|error| format!("(no log: {error})"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let killed = self.signal(Signal::KILL);
        if killed.is_err() || !wait_briefly(KILL_GRACE, || !matches!(self.ended(), Ok(None))) {
            tracing::warn!(
                pid = self.child.id(),
                "a server did not end in time; the lab's guard goes on with it"
            );
        }
    }
}

/// Asks `done` again and again until it says yes (true) or `limit` has passed (false). Blocks the thread: for drops.
pub(super) fn wait_briefly(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let mut waited = Duration::ZERO;
    while !done() {
        if waited >= limit {
            return false;
        }
        std::thread::sleep(POLL);
        waited += POLL;
    }
    true
}

fn tail(log: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}
