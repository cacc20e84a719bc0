//! The outbox on real files: what is on disk after a crash, and what happens when the disk or the file cannot be used.

use super::*;
use crate::model::incident::{IncidentKind, Severity, Subject};
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition, TableHandle};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn message(id: &str) -> Queued {
    Queued {
        incident: Some(id.split('.').next().unwrap().into()),
        subject: format!("gatewatch.alert.{id}"),
        id: id.to_owned(),
        headers: vec![("Nats-Msg-Id".to_owned(), id.to_owned())],
        at: DateTime::UNIX_EPOCH,
        may_be_left_out: false,
        body: vec![b'x'; 600],
    }
}

fn incident(id: &str, revision: u32) -> Incident {
    let what = (IncidentKind::ClusterOffline, Severity::Critical);
    let when = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
    Incident { revision, ..Incident::new(id.into(), what, Subject::Cluster("east".into()), when) }
}

fn resolved(incident: Incident) -> Incident {
    Incident { resolved: Some(incident.updated), ..incident }
}

fn ids(left: &Left) -> Vec<&str> {
    left.messages.iter().map(|left| left.message.id.as_str()).collect()
}

async fn open(directory: &Path) -> (Outbox, Left) {
    Outbox::open(directory, Clock::start()).await
}

impl Outbox {
    /// Writes what was said; whether it is on disk.
    async fn write(&mut self) -> bool {
        let wanted = self.hand_over();
        loop {
            match timeout(SOON, self.news()).await.expect("the disk answers") {
                News::Written { batch, kept } if batch >= wanted => return kept,
                News::Written { .. } | News::Found(_) => {}
            }
        }
    }

    async fn until(&self, wanted: impl Fn(&OutboxStatus) -> bool) -> OutboxStatus {
        let mut status = self.status();
        let met = timeout(SOON, status.wait_for(|status| wanted(status))).await;
        met.unwrap_or_else(|_| panic!("it is {:?}", self.status.borrow())).unwrap().clone()
    }

    fn trouble(&self) -> Option<Trouble> {
        match &*self.status.borrow() {
            OutboxStatus::Away(trouble) => Some(trouble.clone()),
            OutboxStatus::Opening | OutboxStatus::Working => None,
        }
    }
}

#[tokio::test]
async fn what_was_appended_and_not_removed_is_left_in_its_order_with_what_was_heard_of_it() {
    let dir = place();
    let (mut outbox, left) = open(&dir.path().join("made/anew")).await;
    assert_eq!((left, outbox.works()), (Left::default(), true));
    let rows: Vec<Row> = (1..=4).map(|revision| outbox.append(&message(&format!("I.{revision}")))).collect();
    assert!(outbox.write().await);
    outbox.heard(rows[1]);
    outbox.remove(rows[0]);
    outbox.close().await;

    let (mut outbox, left) = open(&dir.path().join("made/anew")).await;
    assert_eq!(ids(&left), ["I.2", "I.3", "I.4"]);
    assert_eq!(left.messages.iter().map(|left| left.heard).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(left.messages[0].message, message("I.2"));
    outbox.append(&message("I.5"));
    outbox.remove(left.messages[1].row);
    outbox.close().await;
    let (_outbox, left) = open(&dir.path().join("made/anew")).await;
    assert_eq!(ids(&left), ["I.2", "I.4", "I.5"]);
}

#[tokio::test]
async fn the_newest_revision_of_an_open_incident_is_remembered_and_that_it_is_over() {
    let dir = place();
    let (mut outbox, _) = open(dir.path()).await;
    outbox.remember(&incident("I", 1));
    outbox.remember(&incident("I", 2));
    outbox.remember(&incident("J", 1));
    let links = [Link { from: "east".into(), to: "west".into() }];
    outbox.expect_links(&links, DateTime::UNIX_EPOCH);
    assert!(outbox.write().await);
    outbox.remember(&resolved(incident("J", 2)));
    outbox.close().await;
    let (_outbox, left) = open(dir.path()).await;
    let memory = Memory { links: links.to_vec(), incidents: vec![incident("I", 2)], over: vec!["J".into()] };
    assert_eq!(left.memory, memory);
}

#[tokio::test]
async fn only_the_latest_of_many_that_are_over_are_remembered() {
    let dir = place();
    let (mut outbox, _) = open(dir.path()).await;
    for number in 0..600 {
        outbox.remember(&resolved(incident(&format!("{number:04}"), 2)));
        if number % 100 == 0 {
            assert!(outbox.write().await);
        }
    }
    outbox.close().await;
    let (_outbox, left) = open(dir.path()).await;
    let over = left.memory.over;
    assert!(
        over.len() <= 512 && over.contains(&"0599".into()) && !over.contains(&"0001".into()),
        "{}",
        over.len()
    );
}

#[tokio::test]
async fn whatever_moment_the_file_is_copied_at_every_message_that_counts_is_in_it() {
    let dir = place();
    let (mut outbox, _) = open(dir.path()).await;
    let copied = dir.path().join("copies");
    fs::create_dir(&copied).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let copier = std::thread::spawn({
        let (file, copied, done) = (dir.path().join(FILE), copied.clone(), Arc::clone(&done));
        move || {
            let mut copies = 0;
            while !done.load(Ordering::Relaxed) && copies < 60 {
                let to = copied.join(copies.to_string());
                fs::create_dir(&to).unwrap();
                // What counts before the copy begins must be in it, however much is written meanwhile.
                fs::copy(&file, to.join(FILE)).unwrap();
                copies += 1;
            }
            copies
        }
    });
    for revision in 0..150 {
        let row = outbox.append(&message(&format!("I.{revision}")));
        outbox.remember(&incident("I", revision));
        assert!(outbox.write().await);
        if revision >= 3 {
            let _ = row;
            outbox.remove(Row::Own(u64::from(revision) - 2));
        }
    }
    done.store(true, Ordering::Relaxed);
    let copies = copier.join().unwrap();
    assert!(copies > 3, "{copies}");
    outbox.close().await;
    let mut usable = 0;
    for copy in 0..copies {
        let (outbox, left) = open(&copied.join(copy.to_string())).await;
        assert!(outbox.works(), "copy {copy}: {:?}", outbox.trouble());
        let set_aside = copied.join(copy.to_string()).join(format!("{FILE}.set-aside-1")).exists();
        // A copy is not taken at one moment, so it may hold pages of several: that must be noticed, never believed.
        let revisions: Vec<u32> =
            ids(&left).iter().map(|id| id.strip_prefix("I.").unwrap().parse().unwrap()).collect();
        assert!(revisions.windows(2).all(|two| two[1] == two[0] + 1), "copy {copy}: {revisions:?}");
        if let (Some(last), Some(open)) = (revisions.last(), left.memory.incidents.first()) {
            assert_eq!(*last, open.revision, "a message and its incident are written together");
        }
        usable += usize::from(!set_aside);
    }
    assert!(usable > 0);
}

#[tokio::test]
async fn a_second_process_says_so_goes_on_without_and_takes_over_when_the_first_has_ended() {
    let dir = place();
    let (mut first, _) = open(dir.path()).await;
    first.append(&message("I.1"));
    assert!(first.write().await);
    let (mut second, left) = open(dir.path()).await;
    assert_eq!((left, second.trouble()), (Left::default(), Some(Trouble::InUse(dir.path().join(FILE)))));
    second.append(&message("J.1"));
    assert!(!second.write().await);
    first.close().await;
    second.until(|status| *status == OutboxStatus::Working).await;
    assert!(
        matches!(timeout(SOON, second.news()).await.unwrap(), News::Found(left) if ids(&left) == ["I.1"])
    );
    second.close().await;
    let (_third, left) = open(dir.path()).await;
    assert_eq!(ids(&left), ["I.1", "J.1"]);
}

#[tokio::test]
async fn a_foreign_a_damaged_and_a_newer_file_are_set_aside_and_a_new_one_is_begun() {
    let dir = place();
    let file = dir.path().join(FILE);
    fs::write(&file, "somebody's notes, longer than the header of a database would be: ".repeat(100))
        .unwrap();
    let foreign = fs::read(&file).unwrap();
    open(dir.path()).await.0.close().await;
    assert_eq!(fs::read(dir.path().join("outbox.redb.set-aside-1")).unwrap(), foreign);

    let other: TableDefinition<'_, &str, u64> = TableDefinition::new("other");
    fs::remove_file(&file).unwrap();
    let db = Database::create(&file).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(other).unwrap().insert("one", 1).unwrap();
    write.commit().unwrap();
    drop(db);
    open(dir.path()).await.0.close().await;
    let db = Database::open(dir.path().join("outbox.redb.set-aside-2")).unwrap();
    let names: Vec<_> =
        db.begin_read().unwrap().list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    assert_eq!(names, ["other"]);

    let about: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
    let db = Database::open(&file).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(about).unwrap().insert("version", 2).unwrap();
    write.commit().unwrap();
    drop(db);
    let (mut outbox, left) = open(dir.path()).await;
    assert_eq!((left, outbox.works()), (Left::default(), true));
    assert!(dir.path().join("outbox.redb.set-aside-3").exists());
    outbox.append(&message("I.1"));
    assert!(outbox.write().await);
}

#[tokio::test]
async fn a_file_with_damaged_pages_is_noticed_or_read_rightly() {
    let dir = place();
    let (mut outbox, _) = open(dir.path()).await;
    for revision in 0..40 {
        outbox.append(&message(&format!("I.{revision}")));
    }
    assert!(outbox.write().await);
    outbox.close().await;
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let dir = place();
        let mut bytes = whole.clone();
        let end = (at + 700).min(bytes.len());
        bytes[at..end].fill(0xA5);
        fs::write(dir.path().join(FILE), &bytes).unwrap();
        let (mut outbox, left) = open(dir.path()).await;
        for left in &left.messages {
            assert_eq!(left.message, message(&left.message.id), "damaged at {at}");
        }
        outbox.append(&message("J.1"));
        assert!(outbox.write().await, "damaged at {at}: {:?}", outbox.trouble());
    }
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_named_and_used_once_it_may() {
    let dir = place();
    let state = dir.path().join("state");
    // A file in its place serves where the tests run as root, who may write anywhere.
    fs::write(&state, "").unwrap();
    let (mut outbox, _) = open(&state).await;
    assert!(
        matches!(outbox.trouble(), Some(Trouble::Failed(_) | Trouble::ReadOnly(_))),
        "{:?}",
        outbox.trouble()
    );
    outbox.append(&message("I.1"));
    assert!(!outbox.write().await);
    fs::remove_file(&state).unwrap();
    outbox.until(|status| *status == OutboxStatus::Working).await;
    outbox.close().await;
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(ids(&open(&state).await.1), ["I.1"]);
}

/// A disk that can be full, forbidden or silent.
#[derive(Debug, Default)]
struct Disk {
    full: AtomicBool,
    forbidden: AtomicBool,
    silent: AtomicBool,
}

impl Disk {
    fn opener(self: &Arc<Self>) -> Opener {
        let disk = Arc::clone(self);
        Box::new(move |path| {
            if disk.forbidden.load(Ordering::Relaxed) {
                return Err(DatabaseError::from(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)));
            }
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let backend = FileBackend::new(file)?;
            Database::builder().create_with_backend(Flawed { backend, disk: Arc::clone(&disk) })
        })
    }

    fn writes(&self) -> Result<(), io::Error> {
        while self.silent.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.full.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Flawed {
    backend: FileBackend,
    disk: Arc<Disk>,
}

impl redb::StorageBackend for Flawed {
    fn len(&self) -> Result<u64, io::Error> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.disk.writes()?;
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.disk.writes()?;
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.disk.writes()?;
        self.backend.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.backend.close()
    }
}

#[tokio::test]
async fn on_a_full_disk_everything_goes_on_and_what_waits_is_written_when_there_is_room_again() {
    let (dir, disk) = (place(), Arc::<Disk>::default());
    let (mut outbox, _) = Outbox::open_by(dir.path(), Clock::start(), disk.opener()).await;
    let first = outbox.append(&message("I.1"));
    assert!(outbox.write().await);
    disk.full.store(true, Ordering::Relaxed);
    outbox.append(&message("I.2"));
    let third = outbox.append(&message("I.3"));
    outbox.remember(&incident("I", 3));
    assert!(!outbox.write().await);
    assert_eq!(outbox.trouble(), Some(Trouble::Full(dir.path().join(FILE))));
    outbox.remove(first);
    outbox.remove(third);
    assert!(!outbox.write().await);
    disk.full.store(false, Ordering::Relaxed);
    outbox.until(|status| *status == OutboxStatus::Working).await;
    outbox.append(&message("I.4"));
    outbox.close().await;
    let (_outbox, left) = open(dir.path()).await;
    assert_eq!((ids(&left), left.memory.incidents.clone()), (vec!["I.2", "I.4"], vec![incident("I", 3)]));
}

#[tokio::test]
async fn a_disk_that_is_forbidden_at_first_gives_what_it_holds_later() {
    let (dir, disk) = (place(), Arc::<Disk>::default());
    let (mut outbox, _) = open(dir.path()).await;
    outbox.append(&message("I.1"));
    outbox.close().await;
    disk.forbidden.store(true, Ordering::Relaxed);
    let (mut outbox, left) = Outbox::open_by(dir.path(), Clock::start(), disk.opener()).await;
    assert_eq!((left, outbox.trouble()), (Left::default(), Some(Trouble::ReadOnly(dir.path().join(FILE)))));
    disk.forbidden.store(false, Ordering::Relaxed);
    assert!(
        matches!(timeout(SOON, outbox.news()).await.unwrap(), News::Found(left) if ids(&left) == ["I.1"])
    );
}

#[tokio::test]
async fn a_disk_that_does_not_answer_holds_up_nobody_and_is_used_again() {
    let (dir, disk) = (place(), Arc::<Disk>::default());
    let (mut outbox, _) = Outbox::open_by(dir.path(), Clock::start(), disk.opener()).await;
    disk.silent.store(true, Ordering::Relaxed);
    outbox.append(&message("I.1"));
    outbox.hand_over();
    assert!(timeout(Duration::from_millis(100), outbox.news()).await.is_err());
    outbox.late();
    assert_eq!(outbox.trouble(), Some(Trouble::NotAnswering(dir.path().join(FILE))));
    outbox.append(&message("I.2"));
    disk.silent.store(false, Ordering::Relaxed);
    assert!(outbox.write().await);
    assert!(outbox.works());
    outbox.close().await;
    assert_eq!(ids(&open(dir.path()).await.1), ["I.1", "I.2"]);
}
