//! How incidents look, in every verb.

use super::term::{Look, Style};
use crate::model::incident::{Incident, IncidentEvent, Severity, Stage};
use crate::wire::text;
use chrono::{DateTime, Utc};

/// The look of a severity while the incident is open.
pub(super) const fn severity_look(severity: Severity) -> Look {
    match severity {
        Severity::Critical => Look::Bad,
        Severity::Warning => Look::Doubtful,
        Severity::Info => Look::Plain,
    }
}

/// The look of a step of an incident.
pub(super) const fn step_look(stage: Stage, severity: Severity) -> Look {
    match stage {
        Stage::Opened | Stage::Updated => severity_look(severity),
        Stage::Resolved => Look::Good,
    }
}

/// What a step of an incident is called: the severity while it is open (`CRITICAL`), `RESOLVED` at its end.
pub(super) fn step_word(stage: Stage, severity: Severity) -> String {
    match stage {
        Stage::Opened => severity.token().to_uppercase(),
        Stage::Updated => "updated".to_owned(),
        Stage::Resolved => "RESOLVED".to_owned(),
    }
}

/// The one line about a step: the title, without the word that stands before it already.
pub(super) fn headline(incident: &Incident) -> String {
    let title = text::title(incident);
    title.strip_prefix("resolved: ").map(str::to_owned).unwrap_or(title)
}

/// A step of an incident: word and headline, and at its opening the summary below. `indent` is where the word begins.
pub(super) fn step(event: &IncidentEvent, indent: usize, style: Style) -> String {
    let line = step_line(event, indent, style);
    match event.stage {
        Stage::Updated | Stage::Resolved => line,
        Stage::Opened => {
            let at = indent + WORD + 1;
            format!("{line}\n{}{}", " ".repeat(at), style.wrap(&text::summary(&event.incident), at))
        }
    }
}

/// A step of an incident: word and headline.
pub(super) fn step_line(event: &IncidentEvent, indent: usize, style: Style) -> String {
    let (stage, incident) = (event.stage, &event.incident);
    let look = step_look(stage, incident.severity);
    let word = style.pad(look, &step_word(stage, incident.severity), WORD);
    format!("{word} {}", style.paint(look, &style.wrap(&headline(incident), indent + WORD + 1)))
}

/// Room for the word that tells what happened.
pub(super) const WORD: usize = 9;

/// A point in time: `2026-11-22 15:53:38 UTC`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A point in time, for tables: `11-22 15:53:38`.
pub(super) fn short_moment(at: DateTime<Utc>) -> String {
    at.format("%m-%d %H:%M:%S").to_string()
}

/// `1 server`, `2 servers`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
