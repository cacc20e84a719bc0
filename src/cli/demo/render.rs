//! The steps of the demonstration as a person reads them. No line is wider than the style says.

use super::step::{ActOutcome, EventWord, Flow, Login, Step};
use crate::cli::incidents;
use crate::cli::show::{WORD, severity_look};
use crate::cli::term::{Look, Style, trimmed};
use crate::model::incident::{Incident, Severity};
use crate::wire::body::{SeverityWord, StageWord};
use std::collections::BTreeSet;
use std::path::Path;

/// Where the word of a line begins, and its text.
const WORD_AT: usize = 12;
const TEXT_AT: usize = WORD_AT + WORD + 1;

/// One step, with its line breaks.
pub(super) fn render(step: &Step, style: Style) -> String {
    match step {
        Step::Intro => intro(style),
        Step::Waiting { what } => {
            format!("  {} {}\n", style.paint(Look::Dim, "..."), style.paint(Look::Dim, &style.wrap(what, 6)))
        }
        Step::Ready { what, detail, took_ms } => ready(what, detail, *took_ms, style),
        Step::Act { number, of, title, story } => act(*number, *of, title, story, style),
        Step::Broke { what } => line(Some(0), Look::Accent, "BREAK", what, style),
        Step::Healed { what } => format!("\n{}", line(Some(0), Look::Accent, "HEAL", what, style)),
        Step::Event { after_ms, word, text } => {
            let look = match word {
                EventWord::Lost => Look::Plain,
                EventWord::Back => Look::Dim,
            };
            line(*after_ms, look, "event", text, style)
        }
        Step::Alert { after_ms, stage, severity, title, summary, .. } => {
            alert(*after_ms, *stage, *severity, title, summary, style)
        }
        Step::HeardIn { clusters } => {
            let text = format!("heard by plain subscribers in {}", clusters.join(", "));
            line(None, Look::Dim, "", &text, style)
        }
        Step::Claims { after_ms, asked, listing, notice_in_ms } => {
            claims(*after_ms, *asked, *listing, *notice_in_ms, style)
        }
        Step::Traffic { after_ms, flows } => traffic(*after_ms, flows, style),
        Step::Kept { stream, incidents } => {
            let models: Vec<Incident> = incidents.iter().map(Into::into).collect();
            kept(stream, &models, style)
        }
        Step::Outcome { acts } => outcome(acts, style),
        Step::Invitation { program, config, urls, login } => invitation(program, config, urls, login, style),
        Step::Done { what } => format!("{}\n", style.wrap(what, 0)),
        Step::End => format!("\n{}\n", style.paint(Look::Dim, "Everything is stopped and removed.")),
    }
}

fn intro(style: Style) -> String {
    let text = "A NATS supercluster on this machine: three clusters of three real servers, gateways between them, gatewatch \
                beside it with its default settings. Then gateways are lost, in three ways.";
    format!("{}\n{}\n\n", style.paint(Look::Bold, "gatewatch demo"), style.wrap(text, 0))
}

fn ready(what: &str, detail: &str, took_ms: u64, style: Style) -> String {
    let took = format!("{:>5}.{} s", took_ms / 1000, took_ms % 1000 / 100);
    format!(
        "  {} {} {}  {}\n",
        style.paint(Look::Good, "ok"),
        style.pad(Look::Bold, what, 20),
        style.paint(Look::Dim, &took),
        style.wrap(detail, 36)
    )
}

fn act(number: usize, of: usize, title: &str, story: &str, style: Style) -> String {
    let head = format!("{number}/{of}  {title}");
    format!(
        "\n{}\n{}\n\n",
        style.paint(Look::Bold, &style.wrap(&head, 5)),
        style.paint(Look::Dim, &format!("     {}", style.wrap(story, 5)))
    )
}

/// `+3.6 s  CRITICAL  text`
fn line(after_ms: Option<u64>, look: Look, word: &str, text: &str, style: Style) -> String {
    let after = after_ms.map(|ms| format!("+{}.{} s", ms / 1000, ms % 1000 / 100)).unwrap_or_default();
    let after = style.paint(Look::Dim, &format!("{after:>10}  "));
    format!("{after}{} {}\n", style.pad(look, word, WORD), style.paint(look, &style.wrap(text, TEXT_AT)))
}

fn alert(
    after_ms: Option<u64>,
    stage: StageWord,
    severity: SeverityWord,
    title: &str,
    summary: &str,
    style: Style,
) -> String {
    let severity = Severity::from(severity);
    match stage {
        StageWord::Opened => {
            let word = severity.token().to_uppercase();
            let head = line(after_ms, severity_look(severity), &word, title, style);
            format!("{head}{}{}\n", " ".repeat(TEXT_AT), style.wrap(summary, TEXT_AT))
        }
        StageWord::Updated => line(after_ms, Look::Dim, "updated", title, style),
        StageWord::Resolved => {
            line(after_ms, Look::Good, "RESOLVED", title.strip_prefix("resolved: ").unwrap_or(title), style)
        }
    }
}

fn claims(after_ms: u64, asked: usize, listing: usize, notice_in_ms: Option<u64>, style: Style) -> String {
    let (who, it) = match (listing, asked) {
        (1, 1) => ("the server still lists its link as up".to_owned(), "it"),
        (0, 1) => ("the server lists its link no more: now it knows too".to_owned(), ""),
        (0, _) => (format!("none of the {asked} servers lists its link any more: now they know too"), ""),
        (listing, _) if listing == asked => {
            (format!("all {asked} servers still list their link as up"), "they")
        }
        (_, _) => (format!("{listing} of {asked} servers still list their link as up"), "they"),
    };
    let text = match notice_in_ms {
        Some(ms) if listing > 0 => {
            format!("asked just now, {who}; {it} will notice within {} s", ms.div_ceil(1000))
        }
        Some(_) | None => format!("asked just now, {who}"),
    };
    let look = if listing == 0 { Look::Plain } else { Look::Doubtful };
    line(Some(after_ms), look, "servers", &text, style)
}

/// One row for each place of publishing, one column for each place of arrival.
fn traffic(after_ms: u64, flows: &[Flow], style: Style) -> String {
    let mut text =
        line(Some(after_ms), Look::Plain, "messages", "of a plain application since the break:", style);
    let targets: BTreeSet<&str> = flows.iter().map(|flow| flow.to.as_str()).collect();
    let sources: BTreeSet<&str> = flows.iter().map(|flow| flow.from.as_str()).collect();
    let arrived: Vec<String> = targets.iter().map(|to| format!("arrived in {to}")).collect();
    let header: Vec<&str> =
        ["published on", "sent"].into_iter().chain(arrived.iter().map(String::as_str)).collect();
    let mut table = style.table(&header);
    for from in sources {
        let of_source = |to: &str| flows.iter().find(|flow| flow.from == from && flow.to == to);
        let sent = flows.iter().find(|flow| flow.from == from).map_or(0, |flow| flow.sent);
        let cells = targets.iter().map(|to| of_source(to).map_or_else(|| Look::Dim.cell("-"), arrived_cell));
        let row = [Look::Plain.cell(from), Look::Plain.cell(sent.to_string())];
        table.add_row(row.into_iter().chain(cells).collect::<Vec<_>>());
    }
    text.push_str(&indented(&trimmed(&table), TEXT_AT - 1));
    text
}

fn arrived_cell(flow: &Flow) -> comfy_table::Cell {
    let look = match flow.arrived {
        0 => Look::Bad,
        arrived if arrived < flow.sent => Look::Doubtful,
        _ => Look::Good,
    };
    look.cell(flow.arrived.to_string())
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

fn kept(stream: &str, incidents: &[Incident], style: Style) -> String {
    let title = format!("What JetStream kept (stream {stream}), read back by a plain client");
    let now = incidents.iter().map(|incident| incident.updated).max().unwrap_or_default();
    format!("\n{}\n\n{}", style.paint(Look::Bold, &title), incidents::table(incidents, now, style))
}

fn outcome(acts: &[ActOutcome], style: Style) -> String {
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let mut table = style.table(&["broken", "proven", "alert", "what the servers said then", "resolved"]);
    for act in acts {
        let claims = match (act.claims, act.noticed_ms) {
            (None, _) => "could not be asked".to_owned(),
            (Some((listing, asked)), None) => format!("up, {listing} of {asked}"),
            (Some((listing, asked)), Some(ms)) => {
                format!("up, {listing} of {asked}; noticed after {}", seconds(ms))
            }
        };
        table.add_row(vec![
            Look::Plain.cell(act.what.as_str()),
            Look::Good.cell(seconds(act.seen_ms)),
            Look::Good.cell(seconds(act.alert_ms)),
            Look::Doubtful.cell(claims),
            Look::Plain.cell(seconds(act.resolved_ms)),
        ]);
    }
    let note = "Proven: from the break to the state change, published as an event at once. Alert: when the loss has lasted 3 s \
                (detect.alert_after). Resolved: from the heal, when all was well for 5 s (detect.clear_after).";
    format!(
        "\n{}\n\n{}\n{}\n",
        style.paint(Look::Bold, "What you saw"),
        trimmed(&table),
        style.paint(Look::Dim, &style.wrap(note, 0))
    )
}

fn invitation(program: &str, config: &Path, urls: &[String], login: &Login, style: Style) -> String {
    let Login { user, password } = login;
    let url = urls.first().map(String::as_str).unwrap_or_default();
    let run = |verbs: &[&str]| verbs.iter().map(|verb| format!("{program} {verb}")).collect::<Vec<_>>();
    let breaks = run(&[
        "demo break east west         also --one-way, --reset, --server east-1",
        "demo kill west-1             also stop, freeze; west means all of it",
        "demo heal",
        "demo start west",
    ]);
    let mut looks = vec![format!("export GATEWATCH_CONFIG={}", config.display())];
    looks.extend(run(&["status", "watch --events", "incidents list", "incidents show latest"]));
    let plain = vec![
        format!("nats -s {url} --user {user} --password {password} \\"),
        "     sub 'gatewatch.alert.>'".to_owned(),
    ];
    let commands = [
        ("Break it, from another terminal", breaks),
        ("Look at it", looks),
        ("Or with the nats tool", plain),
    ];
    let mut text = format!("\n{}\n", style.paint(Look::Bold, "The supercluster runs on; Ctrl-C ends it"));
    for (title, lines) in commands {
        text.push_str(&format!("\n{}\n", style.paint(Look::Dim, title)));
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
