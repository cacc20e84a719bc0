//! Reading a recording, one line at a time.

use super::error::{CaptureError, MAX_LINE};
use super::parse::{RawLine, parse_header, parse_line, started_by_a_server};
use super::{Header, Recorded};
use crate::model::ids::ClusterName;
use crate::model::observation::{VantageChange, VantageEvent};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read};

/// How many lines of a recording without header are searched for a server's clock.
const LOOK_AHEAD: usize = 1_000;

/// How gzip files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a recording. As an iterator it yields one happening after the other; after an error about one line it goes on with
/// the next one, after an error of the input it ends.
///
/// Times are those of the file: nearly, but not strictly, in order.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    line: u64,
    ended: bool,
    header: Option<Header>,
    started: DateTime<Utc>,
    ready: VecDeque<Result<Recorded, CaptureError>>,
    connected: BTreeSet<ClusterName>,
}

impl<R: Read> Reader<R> {
    /// Opens a recording.
    ///
    /// Without a header line, the wall-clock time is taken from the first server that tells it (or is 1970 when none does), and
    /// every vantage counts as connected from its first message on.
    ///
    /// # Errors
    /// When the input cannot be read, is compressed, or is of a newer version.
    pub fn open(input: R) -> Result<Self, CaptureError> {
        let mut reader = Self {
            input: BufReader::new(input),
            line: 0,
            ended: false,
            header: None,
            started: DateTime::UNIX_EPOCH,
            ready: VecDeque::new(),
            connected: BTreeSet::new(),
        };
        let Some(first) = reader.next_line()? else { return Ok(reader) };
        if first.text.starts_with(&GZIP) {
            return Err(CaptureError::Compressed);
        }
        if let Some(header) = parse_header(reader.line, &first.text)? {
            reader.started = header.started;
            reader.header = Some(header);
        } else {
            reader.accept(&first);
            reader.look_ahead();
        }
        Ok(reader)
    }

    /// The header line, when there is one.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The wall-clock time from which the times of the recording count.
    #[must_use]
    pub fn started(&self) -> DateTime<Utc> {
        self.started
    }

    /// Reads on until a server tells the time.
    fn look_ahead(&mut self) {
        let mut searched = 0;
        loop {
            let unsearched = self.ready.iter().skip(searched);
            if let Some(started) = unsearched.flatten().find_map(started_by_a_server) {
                self.started = started;
                return;
            }
            searched = self.ready.len();
            if searched >= LOOK_AHEAD || !self.advance() {
                return;
            }
        }
    }

    /// Takes one line into `ready`; `false` at the end.
    fn advance(&mut self) -> bool {
        match self.next_line() {
            Ok(Some(line)) => self.accept(&line),
            Ok(None) => return false,
            Err(error) => self.ready.push_back(Err(error)),
        }
        true
    }

    fn accept(&mut self, line: &RawLine) {
        let recorded = parse_line(self.line, line);
        if let Ok(recorded) = &recorded
            && self.header.is_none()
        {
            self.connect_implicitly(recorded);
        }
        self.ready.push_back(recorded);
    }

    fn connect_implicitly(&mut self, recorded: &Recorded) {
        match recorded {
            Recorded::Message(message) if !self.connected.contains(&message.vantage) => {
                let cluster = message.vantage.clone();
                let what = VantageEvent::Connected { server: None };
                let change = VantageChange { cluster: cluster.clone(), at: message.at, what };
                self.ready.push_back(Ok(Recorded::Vantage(change)));
                self.connected.insert(cluster);
            }
            Recorded::Vantage(change) => {
                self.connected.insert(change.cluster.clone());
            }
            Recorded::Message(_)
            | Recorded::Asked(_)
            | Recorded::Probed(_)
            | Recorded::Stalled(_)
            | Recorded::Mark { .. } => {}
        }
    }

    /// The next line that is not blank.
    fn next_line(&mut self) -> Result<Option<RawLine>, CaptureError> {
        while !self.ended {
            self.line += 1;
            let mut text = Vec::new();
            let limit = MAX_LINE as u64 + 1;
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut text);
            if let Err(source) = read {
                self.ended = true;
                return Err(CaptureError::Input { line: self.line, source });
            }
            if text.len() > MAX_LINE {
                self.ended = true;
                return Err(CaptureError::TooLong { line: self.line });
            }
            let complete = text.last() == Some(&b'\n');
            self.ended = !complete;
            if !text.trim_ascii().is_empty() {
                return Ok(Some(RawLine { text, complete }));
            }
        }
        Ok(None)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Recorded, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            self.advance();
        }
        self.ready.pop_front()
    }
}
