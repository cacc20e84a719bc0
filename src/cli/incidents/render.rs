//! Incidents as a person reads them: a table of many, the story of one.

use crate::cli::show::{counted, headline, moment, severity_look, short_moment, step_look};
use crate::cli::term::{Look, Style, trimmed};
use crate::model::evidence::Evidence;
use crate::model::incident::{Incident, IncidentEvent, Stage};
use crate::wire::text;
use chrono::{DateTime, TimeDelta, Utc};

/// A table of incidents in their last revision.
pub(in crate::cli) fn list(incidents: &[Incident], now: DateTime<Utc>, style: Style) -> String {
    if incidents.is_empty() {
        return "no incident\n".to_owned();
    }
    let mut table = style.table(&["opened (UTC)", "lasted", "severity", "what", "id"]);
    for incident in incidents {
        let (look, state) = match (&incident.merged_into, incident.resolved) {
            (Some(_), _) => (Look::Dim, text::span(incident.lasted(now))),
            (None, Some(_)) => (Look::Good, text::span(incident.lasted(now))),
            (None, None) => (Look::Bad, format!("{}, open", text::span(incident.lasted(now)))),
        };
        table.add_row(vec![
            Look::Plain.cell(short_moment(incident.opened)),
            look.cell(state),
            severity_look(incident.severity).cell(incident.severity.token()),
            Look::Plain.cell(format!("{}{}", headline(incident), mark(incident))),
            Look::Dim.cell(incident.id.as_str()),
        ]);
    }
    keep_whole(&mut table, &[0, 2, 4]);
    trimmed(&table)
}

/// That it was not alerted, if so.
fn mark(incident: &Incident) -> &'static str {
    if incident.silenced.is_some() { " (silenced)" } else { "" }
}

/// Columns that are never broken into lines.
fn keep_whole(table: &mut comfy_table::Table, columns: &[usize]) {
    for index in columns {
        if let Some(column) = table.column_mut(*index) {
            column.set_constraint(comfy_table::ColumnConstraint::ContentWidth);
        }
    }
}

/// One incident: all its revisions, what they rest on, what to do. `revisions` are in order, at least one.
pub(super) fn story(revisions: &[IncidentEvent], now: DateTime<Utc>, style: Style) -> String {
    let Some(IncidentEvent { incident: last, .. }) = revisions.last() else { return String::new() };
    let mut text = head(last, now, style);
    text.push_str(&section("Timeline", &timeline(revisions, style), style));
    text.push_str(&section("Evidence", &evidence(last, style), style));
    // What the servers said matters as long as it contradicts what is known; at the end it is over.
    let opening = revisions.first().map_or(last, |first| &first.incident);
    let said = [
        (
            "Servers",
            text::server_view(if last.resolved.is_some() { &opening.server_view } else { &last.server_view }),
        ),
        ("Impact", text::impact(&last.impact)),
        ("Cause", text::cause(last.cause)),
    ];
    let facts = said.iter().filter(|(_, said)| !said.is_empty());
    let facts: String =
        facts.map(|(title, said)| format!("  {title:<9}{}\n", style.wrap(said, 11))).collect();
    let title = if last.resolved.is_some() { "What was known when it opened" } else { "What is known" };
    text.push_str(&section(title, &facts, style));
    if last.resolved.is_none() {
        let steps = text::remedy(last);
        let steps = steps.iter().enumerate();
        let steps: String =
            steps.map(|(n, step)| format!("  {}. {}\n", n + 1, style.wrap(step, 5))).collect();
        text.push_str(&section("What to do", &steps, style));
    }
    text
}

fn head(incident: &Incident, now: DateTime<Utc>, style: Style) -> String {
    let look = step_look(
        if incident.resolved.is_some() { Stage::Resolved } else { Stage::Opened },
        incident.severity,
    );
    let state = match (&incident.merged_into, incident.resolved) {
        (Some(other), _) => format!("taken in by {other}"),
        (None, Some(at)) => format!("resolved {}", moment(at)),
        (None, None) => format!("open for {}", text::span(incident.lasted(now))),
    };
    let facts = format!("{}  {} {}  {state}", incident.id, incident.severity, incident.kind);
    format!(
        "{}\n{}\n\n{}\n",
        style.paint(look, &style.wrap(&text::title(incident), 0)),
        style.paint(Look::Dim, &facts),
        style.wrap(&text::summary(incident), 0)
    )
}

fn section(title: &str, body: &str, style: Style) -> String {
    if body.is_empty() { String::new() } else { format!("\n{}\n{body}", style.paint(Look::Bold, title)) }
}

fn timeline(revisions: &[IncidentEvent], style: Style) -> String {
    let Some(began) = revisions.first().map(|first| first.incident.began) else { return String::new() };
    let mut text = format!("{} began     {}\n", offset(TimeDelta::zero()), moment(began));
    for IncidentEvent { stage, incident } in revisions {
        let look = step_look(*stage, incident.severity);
        let detail = match stage {
            Stage::Opened | Stage::Updated => {
                format!("{}{}{}", headline(incident), extent(incident), mark(incident))
            }
            Stage::Resolved => format!("{}{}", headline(incident), mark(incident)),
        };
        text.push_str(&format!(
            "{} {} {}\n",
            offset(incident.updated - began),
            style.pad(look, stage.token(), 9),
            style.wrap(&detail, COLUMN)
        ));
    }
    text
}

/// How much is cut, and how much of that the servers know.
fn extent(incident: &Incident) -> String {
    let (cut, listed) = (incident.scope.server_links.len(), incident.server_view.still_listed.len());
    match (cut, listed) {
        (0, _) => String::new(),
        (_, 0) => format!(" [{} cut, their servers know]", counted(cut, "server link")),
        (_, _) => format!(" [{} cut, {listed} still listed as up]", counted(cut, "server link")),
    }
}

/// Where texts of the timeline and the evidence begin.
const COLUMN: usize = 24;

fn evidence(incident: &Incident, style: Style) -> String {
    let line = |evidence: &Evidence| {
        let text = style.wrap(&text::evidence(&evidence.says), COLUMN - 10);
        format!("{} {text}\n", offset(evidence.at - incident.began))
    };
    incident.evidence.iter().map(line).collect()
}

/// Seconds since it began, in a column of its own.
fn offset(since: TimeDelta) -> String {
    let millis = since.num_milliseconds();
    let sign = if millis < 0 { '-' } else { '+' };
    let text = match millis.unsigned_abs() {
        short @ 0..600_000 => format!("{sign}{}.{} s", short / 1000, short % 1000 / 100),
        long => format!("{sign}{}", text::span(std::time::Duration::from_millis(long))),
    };
    format!("{text:>13}")
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
