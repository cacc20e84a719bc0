//! Writing the file, on a thread of its own: a slow disk must not hold up a connection.

use crate::cli::exit::Failure;
use crate::clock::Clock;
use crate::nats::heard::Tap;
use crate::wire::capture::{Header, Recorded, Writer};
use chrono::TimeDelta;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Lines that wait for the disk. When full, lines are left out and counted.
const ROOM: usize = 8192;

type Output = Box<dyn Write + Send>;

/// A file that is being written.
pub(super) struct Recorder {
    tap: Tap,
    thread: JoinHandle<io::Result<Written>>,
    path: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) lines: u64,
}

impl Recorder {
    /// Opens the file and writes its header. When writing fails later, `stop` is cancelled.
    pub(super) fn start(
        path: &Path,
        force: bool,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let output = open(path, force).map_err(|error| cannot_open(path, error))?;
        let now = clock.now();
        let header = Header {
            started: now.wall - TimeDelta::from_std(now.mono.0).unwrap_or_default(),
            program: concat!("gatewatch ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let writer =
            Writer::start(BufWriter::new(output), &header).map_err(|error| cannot_write(path, error))?;
        let (tap, lines) = mpsc::channel(ROOM);
        let thread = tokio::task::spawn_blocking(move || {
            let written = write(writer, lines);
            stop.cancel();
            written
        });
        Ok(Self { tap, thread, path: path.to_path_buf() })
    }

    /// Where lines are put in.
    pub(super) fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Writes what waits and closes the file. All other taps must be gone.
    pub(super) async fn finish(self) -> Result<Written, Failure> {
        drop(self.tap);
        let written = self.thread.await.map_err(Failure::internal)?;
        written.map_err(|error| cannot_write(&self.path, error))
    }
}

fn open(path: &Path, force: bool) -> io::Result<Output> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    Ok(Box::new(options.open(path)?))
}

fn cannot_open(path: &Path, error: io::Error) -> Failure {
    let file = path.display();
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Failure::usage(anyhow::anyhow!(
            "{file} exists; choose another name, or replace it with --force"
        ));
    }
    Failure::usage(anyhow::Error::new(error).context(format!("cannot create {file}")))
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    Failure::internal(anyhow::Error::new(error).context(format!("cannot write {}", path.display())))
}

/// Writes until all taps are gone. What was written is handed to the system whenever nothing waits.
fn write(mut writer: Writer<BufWriter<Output>>, mut lines: mpsc::Receiver<Recorded>) -> io::Result<Written> {
    let mut written = Written::default();
    loop {
        let line = match lines.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                writer.flush()?;
                match lines.blocking_recv() {
                    Some(line) => line,
                    None => break,
                }
            }
        };
        writer.write(&line)?;
        written.lines += 1;
    }
    writer.finish()?;
    Ok(written)
}
