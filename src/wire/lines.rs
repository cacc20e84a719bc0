//! Newline-delimited JSON for programs: the bodies of events and alerts, one a line.

use super::advisory::Advisories;
use super::json;
use crate::model::incident::IncidentEvent;
use crate::model::transition::Transition;
use serde::Serialize;
use std::io::{self, Write};

/// Writes transitions and incidents as lines. It does not buffer: hand it a [`std::io::BufWriter`].
#[derive(Debug)]
pub struct Lines<W> {
    output: W,
    advisories: Advisories,
}

impl<W: Write> Lines<W> {
    /// Writes what these advisories would publish.
    #[must_use]
    pub fn new(output: W, advisories: Advisories) -> Self {
        Self { output, advisories }
    }

    /// Writes a state change: the body of its event.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn transition(&mut self, transition: &Transition) -> io::Result<()> {
        let body = self.advisories.event_body(transition);
        self.line(&body)
    }

    /// Writes a step of an incident: the body of its alert.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn incident(&mut self, event: &IncidentEvent) -> io::Result<()> {
        let body = self.advisories.alert_body(event);
        self.line(&body)
    }

    /// Hands everything on that the output holds back.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Gives the output back, flushed.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }

    fn line<T: Serialize>(&mut self, body: &T) -> io::Result<()> {
        let mut line = json::write(body);
        line.push(b'\n');
        self.output.write_all(&line)
    }
}
