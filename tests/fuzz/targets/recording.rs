//! Recordings: read, written again, and replayed.

use super::outputs::Judge;
use crate::invariants::Invariants;
use gatewatch::daemon::replay::{Shown, replay};
use gatewatch::engine::Policy;
use gatewatch::wire::capture::{Header, Reader, Recorded, Writer};
use std::time::Duration;

/// Most lines that are replayed, and the longest time they may span: the engine wakes several times a second.
const MAX_LINES: usize = 400;
const MAX_SPAN: Duration = Duration::from_secs(120);

/// A recording that is read; what was read is written and read again.
pub(super) fn capture(data: &[u8]) {
    let Ok(reader) = Reader::open(data) else { return };
    let header = Header { started: reader.started(), program: String::new() };
    let lines: Vec<Recorded> = reader.filter_map(Result::ok).collect();
    let mut writer = Writer::start(Vec::new(), &header).unwrap();
    lines.iter().for_each(|line| writer.write(line).unwrap());
    let written = writer.finish().unwrap();
    let again: Vec<Recorded> = Reader::open(&*written).unwrap().map(Result::unwrap).collect();
    assert_eq!(again, lines);
}

/// A recording that is replayed.
pub(super) fn replayed(data: &[u8]) {
    let Ok(reader) = Reader::open(data) else { return };
    let times: Vec<Duration> = reader.map_while(Result::ok).map(|line| line.at().0).collect();
    if times.len() > MAX_LINES || times.iter().any(|at| *at > MAX_SPAN) {
        return;
    }
    let mut judge = Judge::new(Invariants::default());
    let shown = replay(Reader::open(data).unwrap(), Policy::default(), |_, shown| match shown {
        Shown::Output(output) => judge.output(&output),
        Shown::Mark(_) => {}
    });
    drop(shown);
}
