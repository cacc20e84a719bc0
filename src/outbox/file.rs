//! Opening the file, and setting aside what cannot be used.

use super::Trouble;
use super::store::Store;
use redb::{Database, DatabaseError};
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The file's name in its directory.
pub const FILE: &str = "outbox.redb";
/// How much of the file is kept in memory.
const CACHE: usize = 8 * 1024 * 1024;
/// How many files can be set aside; an error after that, so that a loop cannot fill the disk.
const SET_ASIDE: u32 = 100;

/// Opens the database at a path, or makes one.
pub(super) type Opener = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send>;

/// How it is done outside of tests.
pub(super) fn plainly() -> Opener {
    Box::new(|path| Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create(path))
}

/// Where the file is, and how it is opened.
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) opener: Opener,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Place {
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Opens the file, or begins a new one. One that cannot be used is set aside first.
    pub(super) fn open(&self) -> Result<Store, Trouble> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|error| disk(&self.directory, &error))?;
        match self.look()? {
            Ok(store) => Ok(store),
            Err(reason) => {
                self.set_aside(&reason)?;
                let failed = |reason| Trouble::Failed(format!("a new file cannot be used either: {reason}"));
                self.look()?.map_err(failed)
            }
        }
    }

    /// The store, or why the file is not to be used.
    fn look(&self) -> Result<Result<Store, String>, Trouble> {
        // A damaged file may make the database panic instead of telling so; nothing of it is used afterwards.
        let looked = catch_unwind(AssertUnwindSafe(|| {
            let db = (self.opener)(&self.file()).map_err(redb::Error::from)?;
            Store::take(db)
        }));
        let error = match looked {
            Ok(Ok(Ok(store))) => return Ok(Ok(store)),
            Ok(Ok(Err(foreign))) => return Ok(Err(foreign.to_string())),
            Ok(Err(error)) => error,
            Err(_) => return Ok(Err("it is damaged".to_owned())),
        };
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                Err(Trouble::InUse(self.file()))
            }
            redb::Error::UpgradeRequired(version) => {
                Ok(Err(format!("it is a database of an old format ({version})")))
            }
            error if is_damage(&error) => {
                Ok(Err(format!("it is damaged, or no file of gatewatch ({error})")))
            }
            error => Err(trouble(&self.file(), &error)),
        }
    }

    fn set_aside(&self, reason: &str) -> Result<(), Trouble> {
        let file = self.file();
        let free = (1..=SET_ASIDE)
            .map(|number| self.directory.join(format!("{FILE}.set-aside-{number}")))
            .find(|path| !path.exists());
        let Some(to) = free else {
            let many = format!("{SET_ASIDE} files are set aside in {} already", self.directory.display());
            return Err(Trouble::Failed(many));
        };
        fs::rename(&file, &to).map_err(|error| disk(&file, &error))?;
        tracing::error!(
            file = %file.display(),
            set_aside = %to.display(),
            reason,
            "the outbox cannot be used: it is set aside, nothing of it is deleted, and a new one is begun. Alerts in it that were not stored \
             yet are missing in the history: if a newer gatewatch wrote it, stop gatewatch, move it back and start the newer one; if it is \
             damaged, its text can still be read (see README, \"The outbox\")"
        );
        Ok(())
    }
}

/// Whether it is the file's content that cannot be used, not the disk.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableDoesNotExist(_) => true,
        redb::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

/// What is wrong with the disk.
pub(super) fn trouble(path: &Path, error: &redb::Error) -> Trouble {
    match error {
        redb::Error::Io(error) => disk(path, error),
        error => Trouble::Failed(format!("{}: {error}", path.display())),
    }
}

fn disk(path: &Path, error: &io::Error) -> Trouble {
    let shown = path.to_path_buf();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full(shown),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Trouble::ReadOnly(shown),
        _ => Trouble::Failed(format!("{}: {error}", path.display())),
    }
}
