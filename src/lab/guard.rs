//! The workspace of a lab on disk, and the guard process that cleans up when this process cannot.
//!
//! A destructor does not run when a process is killed, and a server does not end with its parent. So each lab has a
//! guard: a shell in its own process group, deaf to the terminal's signals, that waits for the end of a pipe of which
//! this process alone holds the writing end. However this process ends, the pipe ends with it; the guard then kills
//! every registered server (SIGKILL also ends a stopped process) and removes the workspace.
//!
//! The guard itself makes the file `live` once it stands, and nothing is started before.
//!
//! No window is left open between the spawn and the registration of a server: a server is started through a shell
//! that first registers its own pid and then looks whether the workspace is still `live`, and only then becomes the
//! server. The guard first removes `live` and then reads the registrations, so one of the two sees the other.
//! The pid of a process that has ended is unregistered before it is reaped, so the pid of a stranger is never killed.

use super::process::wait_briefly;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const GUARD: &str = r#"
trap '' INT TERM HUP
: > "$1/live" || exit 1
while read -r line; do :; done
rm -f "$1/live"
for file in "$1"/pids/*; do
    pid=${file##*/}
    [ "$pid" = '*' ] || kill -KILL "$pid" 2>/dev/null
done
tries=0
while [ -e "$1" ] && [ "$tries" -lt 50 ]; do
    rm -rf "$1" 2>/dev/null
    tries=$((tries + 1))
    [ -e "$1" ] && sleep 0.1
done
"#;

const LAUNCH: &str = r#": > "$1/pids/$$" && [ -e "$1/live" ] || exit 1; shift; exec "$@""#;

/// How long the guard may take to start; it takes milliseconds.
const GUARD_START: Duration = Duration::from_secs(5);

/// How long a drop waits for the guard to end; it has nothing to do then and ends within milliseconds.
const GUARD_GRACE: Duration = Duration::from_millis(500);

/// A temporary directory, removed together with every server registered in it.
#[derive(Debug)]
pub(super) struct Workspace {
    dir: Option<TempDir>,
    path: PathBuf,
    pipe: Option<ChildStdin>,
    guard: Child,
}

impl Workspace {
    /// Makes the directory and starts its guard.
    pub(super) fn create() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("gatewatch-lab-").tempdir()?;
        let path = dir.path().to_path_buf();
        std::fs::create_dir(path.join("pids"))?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "gatewatch-lab-guard"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = guard.stdin.take();
        let workspace = Self { dir: Some(dir), path, pipe, guard };
        if wait_briefly(GUARD_START, || workspace.path.join("live").exists()) {
            Ok(workspace)
        } else {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the guard process (a shell script run by sh) does not start",
            ))
        }
    }

    /// Where everything of this lab is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs `program` as a process registered with the guard, deaf to the terminal's signals.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH, "gatewatch-lab-launch"]).arg(&self.path).arg(program);
        command.process_group(0);
        command
    }

    /// Forgets a process. To be called after it has ended and before it is reaped.
    pub(super) fn unregister(&self, pid: u32) {
        // A missing file means that the process ended before it could register: nothing to forget.
        let _ = std::fs::remove_file(self.path.join("pids").join(pid.to_string()));
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Some(dir) = self.dir.take()
            && let Err(error) = dir.close()
        {
            tracing::warn!(dir = %self.path.display(), %error, "cannot remove the lab's directory; its guard retries");
        }
        drop(self.pipe.take());
        if !wait_briefly(GUARD_GRACE, || matches!(self.guard.try_wait(), Ok(Some(_)) | Err(_))) {
            tracing::warn!(dir = %self.path.display(), "the guard of the lab is still cleaning up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far above what it takes; a busy machine may take its time.
    const LIMIT: Duration = Duration::from_secs(30);

    fn sleeper(workspace: &Workspace) -> Child {
        workspace.command("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap()
    }

    fn registered(workspace: &Workspace, child: &Child) -> bool {
        workspace.path().join("pids").join(child.id().to_string()).exists()
    }

    #[test]
    fn when_the_pipe_ends_registered_processes_die_and_others_do_not() {
        let mut workspace = Workspace::create().unwrap();
        let (mut ours, mut stranger) = (sleeper(&workspace), sleeper(&workspace));
        assert!(wait_briefly(LIMIT, || registered(&workspace, &ours) && registered(&workspace, &stranger)));
        workspace.unregister(stranger.id());

        drop(workspace.pipe.take());
        assert!(wait_briefly(LIMIT, || ours.try_wait().unwrap().is_some()));
        assert!(wait_briefly(LIMIT, || !workspace.path().exists()));
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn nothing_starts_any_more_once_the_guard_has_begun_to_clean_up() {
        let workspace = Workspace::create().unwrap();
        std::fs::remove_file(workspace.path().join("live")).unwrap();
        let status = workspace.command("true").status().unwrap();
        assert!(!status.success());
    }

    #[test]
    fn the_guard_is_deaf_to_the_signals_of_a_terminal() {
        let mut workspace = Workspace::create().unwrap();
        let mut ours = sleeper(&workspace);
        assert!(wait_briefly(LIMIT, || registered(&workspace, &ours)));
        let guard = rustix::process::Pid::from_child(&workspace.guard);
        for signal in
            [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::HUP]
        {
            rustix::process::kill_process(guard, signal).unwrap();
        }
        assert!(workspace.guard.try_wait().unwrap().is_none());
        drop(workspace.pipe.take());
        assert!(wait_briefly(LIMIT, || ours.try_wait().unwrap().is_some()));
    }
}
