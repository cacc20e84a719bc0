//! What gatewatch wrote once and reads back: advisories, records and wishes. What is read can be written, and says the same again.

use gatewatch::wire::advisory::{Advisories, Alert, Event};
use gatewatch::wire::{ReadError, queued, record, wish};

/// An alert or an event.
pub(super) fn advisory(data: &[u8]) {
    let advisories = Advisories::new("gatewatch", "fuzz").unwrap();
    settles(data, Alert::read, |alert| advisories.alert(&alert.to_model()).body);
    settles(data, Event::read, |event| serde_json::to_vec(event).unwrap());
}

/// Any record of the buckets, and a message of the outbox.
pub(super) fn record(data: &[u8]) {
    settles(data, record::read_incident, record::write_incident);
    settles(data, record::read_links, |links: &Vec<_>| {
        record::write_links(links, chrono::DateTime::UNIX_EPOCH)
    });
    settles(data, record::read_snapshot, record::write_snapshot);
    settles(data, record::read_lease, record::write_lease);
    settles(data, queued::read, queued::write);
    settles(data, wish::read_silence, wish::write_silence);
    settles(data, wish::read_forget, wish::write_forget);
}

/// What is read and written once is the same however often it is read and written again: times are cut to the microsecond, fields that are
/// not known fall away, and nothing else.
fn settles<T>(data: &[u8], read: impl Fn(&[u8]) -> Result<T, ReadError>, write: impl Fn(&T) -> Vec<u8>) {
    match read(data) {
        Ok(first) => {
            let written = write(&first);
            let again = read(&written).unwrap();
            let twice = write(&again);
            assert!(twice == written, "{}\n{}", twice.escape_ascii(), written.escape_ascii());
        }
        Err(error) => drop(error.to_string()),
    }
}
