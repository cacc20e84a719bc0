//! How the process ends: one exit code per kind of ending, and the text of a failure.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Every exit code there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `status`: everything is well.
    Ok,
    /// `status`: an incident of severity warning (or info) is open.
    Warning,
    /// `status`: an incident of severity critical is open.
    Critical,
    /// `status`: nobody knows, there is no fresh snapshot.
    Unknown,
    /// Bad arguments or bad configuration; nothing was opened. (`EX_USAGE`)
    Usage,
    /// A file that was to be read is bad. (`EX_DATAERR`)
    Data,
    /// A server, or what it should hold, cannot be reached. (`EX_UNAVAILABLE`)
    Unavailable,
    /// Anything else that failed, also a demonstration that did not show what it promises. (`EX_SOFTWARE`)
    Internal,
}

/// The codes in words, for every long help.
pub(super) const EXIT_CODES: &str = "Exit codes:
   0  done (status: all is well)
   1  status: an incident of severity warning is open
   2  status: an incident of severity critical is open
   3  status: unknown, there is no fresh snapshot
  64  bad arguments or configuration; nothing was opened
  65  a file that was to be read is bad
  69  a server, or what it should hold, cannot be reached (run: it was not all stored in time)
  70  anything else that failed (run: a second signal ended it at once)";

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
            Self::Usage => 64,
            Self::Data => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb failed, and the code that tells so.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    pub(super) fn data(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Data, error: error.into() }
    }

    pub(super) fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, error: error.into() }
    }

    pub(super) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Internal, error: error.into() }
    }

    /// Who reads the output has seen enough: not a failure.
    pub(super) fn is_broken_pipe(&self) -> bool {
        let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        self.exit == Exit::Internal
            && self.error.chain().filter_map(|cause| cause.downcast_ref()).any(is_pipe)
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Causes are joined by colons; one that its wrapper repeats already is left out.
        let mut said = String::new();
        for cause in self.error.chain().map(ToString::to_string) {
            if !said.contains(&cause) {
                if !said.is_empty() {
                    said.push_str(": ");
                }
                said.push_str(&cause);
            }
        }
        f.write_str(&said)
    }
}

/// For `?` on writes to the standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::internal(anyhow::Error::new(error).context("cannot write the output"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        let codes = [
            Exit::Ok,
            Exit::Warning,
            Exit::Critical,
            Exit::Unknown,
            Exit::Usage,
            Exit::Data,
            Exit::Unavailable,
            Exit::Internal,
        ];
        let listed: Vec<u8> = EXIT_CODES
            .lines()
            .filter_map(|line| line.split_whitespace().next().and_then(|word| word.parse().ok()))
            .collect();
        assert_eq!(listed, codes.map(Exit::code));
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_failed_disk() {
        let failed = |kind: io::ErrorKind| Failure::from(io::Error::from(kind));
        assert!(failed(io::ErrorKind::BrokenPipe).is_broken_pipe());
        assert!(!failed(io::ErrorKind::StorageFull).is_broken_pipe());
    }

    #[test]
    fn a_failure_names_its_causes_once() {
        let inner = anyhow::anyhow!("no route to host");
        let error = inner.context("cannot connect to a:4222: no route to host").context("status");
        let text = Failure::unavailable(error).to_string();
        assert_eq!(text, "status: cannot connect to a:4222: no route to host");
    }
}
