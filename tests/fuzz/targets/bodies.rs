//! What gatewatch wrote once and reads back: advisories, records and wishes. What is read can be written, and says the same again.

use gatewatch::wire::advisory::{Advisories, Alert, Event};
use gatewatch::wire::{ReadError, record, wish};

/// An alert or an event.
pub(super) fn advisory(data: &[u8]) {
    let advisories = Advisories::new("gatewatch", "fuzz").unwrap();
    if let Some(alert) = read(Alert::read(data)) {
        let event = alert.to_model();
        let again = Alert::read(&advisories.alert(&event).body).unwrap();
        assert_eq!(again.to_model(), event);
    }
    read(Event::read(data));
}

/// Any record of the bucket.
pub(super) fn record(data: &[u8]) {
    if let Some(incident) = read(record::read_incident(data)) {
        assert_eq!(record::read_incident(&record::write_incident(&incident)).unwrap(), incident);
    }
    if let Some(links) = read(record::read_links(data)) {
        let at = chrono::DateTime::UNIX_EPOCH;
        assert_eq!(record::read_links(&record::write_links(&links, at)).unwrap(), links);
    }
    if let Some(snapshot) = read(record::read_snapshot(data)) {
        assert_eq!(record::read_snapshot(&record::write_snapshot(&snapshot)).unwrap(), snapshot);
    }
    if let Some(silence) = read(wish::read_silence(data)) {
        assert_eq!(wish::read_silence(&wish::write_silence(&silence)).unwrap(), silence);
    }
    if let Some(request) = read(wish::read_forget(data)) {
        assert_eq!(wish::read_forget(&wish::write_forget(&request)).unwrap(), request);
    }
}

fn read<T>(result: Result<T, ReadError>) -> Option<T> {
    result.inspect_err(|error| drop(error.to_string())).ok()
}
