//! The file, as a database of our own tables.
//!
//! ```text
//! about      "version" -> the version of these tables
//! messages   number -> wire::queued, in the order in which they were handed over
//! heard      number: this message was sent to be heard
//! open       incident -> wire::record
//! over       incident -> (its last revision, when it was noted): known to be over, whatever other memories say
//! links      "links" -> wire::record
//! ```

use super::batch::{Batch, Standing};
use super::{Left, LeftMessage, Row};
use crate::model::incident::{IncidentId, Memory};
use crate::wire::{ReadError, queued, record};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle};
use std::error::Error;

/// The version that is written, and the newest that is read.
pub(super) const VERSION: u64 = 1;
/// How many incidents that are over are remembered. Beyond it the oldest are forgotten.
const OVER: u64 = 512;

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
const HEARD: TableDefinition<'_, u64, ()> = TableDefinition::new("heard");
const OPEN: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("open");
const ENDED: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("over");
const LINKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("links");
const LINKS_KEY: &str = "links";

/// Why a file is none of ours to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    #[error("it was written by a newer gatewatch (version {0} of its tables, this one knows {VERSION})")]
    Newer(u64),
    #[error("it is a database, but not one of gatewatch")]
    Other,
}

/// Why nothing could be read or written.
pub(super) type Failure = redb::Error;

/// An open file.
#[derive(Debug)]
pub(super) struct Store {
    db: Database,
    /// The number before that of the first message of this life.
    base: u64,
}

impl Store {
    /// Looks at a database: whether it is ours; a new one is made so.
    pub(super) fn take(db: Database) -> Result<Result<Self, Foreign>, Failure> {
        let is_new = db.begin_read()?.list_tables()?.next().is_none();
        if is_new {
            let begin = db.begin_write()?;
            begin.open_table(ABOUT)?.insert("version", VERSION)?;
            begin.open_table(MESSAGES)?;
            begin.open_table(HEARD)?;
            begin.open_table(OPEN)?;
            begin.open_table(ENDED)?;
            begin.open_table(LINKS)?;
            begin.commit()?;
        }
        let look = db.begin_read()?;
        if !look.list_tables()?.any(|table| table.name() == "about") {
            return Ok(Err(Foreign::Other));
        }
        let version = look.open_table(ABOUT)?.get("version")?.map(|version| version.value());
        match version {
            None | Some(0) => return Ok(Err(Foreign::Other)),
            Some(version) if version > VERSION => return Ok(Err(Foreign::Newer(version))),
            Some(_) => {}
        }
        let base = look.open_table(MESSAGES)?.last()?.map_or(0, |(number, _)| number.value());
        drop(look);
        Ok(Ok(Self { db, base }))
    }

    /// A database that was open before in this life: numbers go on.
    pub(super) fn again(self, base: u64) -> Self {
        Self { base, ..self }
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// What a former life left. Records that cannot be read are skipped with a warning and left alone.
    pub(super) fn left(&self) -> Result<Left, Failure> {
        let look = self.db.begin_read()?;
        let heard = look.open_table(HEARD)?;
        let mut messages = Vec::new();
        for found in look.open_table(MESSAGES)?.range(..=self.base)? {
            let (number, bytes) = found?;
            let number = number.value();
            if let Some(message) = readable("message", queued::read(bytes.value())) {
                let heard = heard.get(number)?.is_some();
                messages.push(LeftMessage { row: Row::Left(number), heard, message });
            }
        }
        let mut incidents = Vec::new();
        for found in look.open_table(OPEN)?.iter()? {
            let (_, bytes) = found?;
            incidents.extend(readable("incident", record::read_incident(bytes.value())));
        }
        let mut over = Vec::new();
        for found in look.open_table(ENDED)?.iter()? {
            over.push(IncidentId::from(found?.0.value()));
        }
        let links = look.open_table(LINKS)?.get(LINKS_KEY)?;
        let links = links.and_then(|bytes| readable("list of links", record::read_links(bytes.value())));
        Ok(Left { messages, memory: Memory { links: links.unwrap_or_default(), incidents, over } })
    }

    /// Writes a batch, wholly and for good, or not at all.
    pub(super) fn commit(&self, batch: &Batch) -> Result<(), Failure> {
        let write = self.db.begin_write()?;
        {
            let mut messages = write.open_table(MESSAGES)?;
            let mut heard = write.open_table(HEARD)?;
            for (row, bytes) in &batch.messages {
                messages.insert(self.number(*row), bytes.as_slice())?;
            }
            for row in &batch.heard {
                heard.insert(self.number(*row), ())?;
            }
            for row in &batch.gone {
                messages.remove(self.number(*row))?;
                heard.remove(self.number(*row))?;
            }
            let mut open = write.open_table(OPEN)?;
            let mut over = write.open_table(ENDED)?;
            let mut noted = latest(&over)?;
            for (id, standing) in &batch.incidents {
                match standing {
                    Standing::Open(bytes) => {
                        open.insert(id.as_str(), bytes.as_slice())?;
                        over.remove(id.as_str())?;
                    }
                    Standing::Over(revision) => {
                        noted += 1;
                        open.remove(id.as_str())?;
                        over.insert(id.as_str(), (*revision, noted))?;
                    }
                }
            }
            if over.len()? > OVER {
                over.retain(|_, (_, when)| when + OVER > noted)?;
            }
            if let Some(bytes) = &batch.links {
                write.open_table(LINKS)?.insert(LINKS_KEY, bytes.as_slice())?;
            }
        }
        write.commit()?;
        Ok(())
    }

    fn number(&self, row: Row) -> u64 {
        match row {
            Row::Left(number) => number,
            Row::Own(count) => self.base.saturating_add(count),
        }
    }
}

/// When the latest incident was noted to be over.
fn latest(over: &impl ReadableTable<&'static str, (u32, u64)>) -> Result<u64, Failure> {
    let mut latest = 0;
    for found in over.iter()? {
        latest = latest.max(found?.1.value().1);
    }
    Ok(latest)
}

fn readable<T>(what: &str, read: Result<T, ReadError>) -> Option<T> {
    let skipped = |error: &ReadError| {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "a {what} in the outbox is skipped and left there");
    };
    read.inspect_err(skipped).ok()
}
