//! `replay`: a recording through the same decoder and engine as live traffic, in virtual time.

use super::args::{Global, SetArgs};
use super::exit::{Exit, Failure};
use super::load;
use super::show;
use super::term::{Look, Style, tell};
use crate::daemon::replay::{Replayed, Shown, replay};
use crate::engine::{Output, Policy};
use crate::model::incident::{IncidentId, IncidentKind};
use crate::model::time::{Mono, Now};
use crate::model::transition::Change;
use crate::wire::advisory::Advisories;
use crate::wire::capture::{CaptureError, Reader};
use crate::wire::lines::Lines;
use crate::wire::text;
use clap::Args;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, StdoutLock, Write};
use std::path::PathBuf;

/// Under which name the advisories of a replay are printed.
const INSTANCE: &str = "replay";

/// Runs a recording through the same decoder and engine as live traffic, in virtual time.
///
/// Needs no server, and gives the same output each time: the times are those of the recording. Prints every state change and every
/// step of an incident, then a summary. Thresholds are those of [detect] in the configuration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch replay night.ndjson
  gatewatch replay night.ndjson --incidents
  zcat night.ndjson.gz | gatewatch replay - --json | jq .title
  gatewatch replay night.ndjson --set detect.alert_after=10s")]
pub(super) struct ReplayArgs {
    /// The recording, uncompressed; - is the standard input
    file: PathBuf,
    /// Incidents only, with their summaries, and no state changes
    #[arg(long)]
    incidents: bool,
    #[command(flatten)]
    set: SetArgs,
}

pub(super) fn run(global: &Global, args: &ReplayArgs) -> Result<Exit, Failure> {
    let settings = load::settings(global, &args.set.overrides())?;
    let policy = crate::daemon::policy(&settings);
    let out = BufWriter::new(io::stdout().lock());
    let show: Box<dyn Show> = if global.json {
        let advisories =
            Advisories::new(&settings.alerts.subject_prefix, INSTANCE).map_err(Failure::usage)?;
        Box::new(JsonShow { lines: Lines::new(out, advisories) })
    } else {
        Box::new(TextShow { out, style: Style::of_stdout(global.color), incidents_only: args.incidents })
    };
    play(args, policy, show)
}

/// Replays, and goes on to the end of the summary unless the output fails.
fn play(args: &ReplayArgs, policy: Policy, mut show: Box<dyn Show + '_>) -> Result<Exit, Failure> {
    let reader = open(args)?;
    let mut tally = Tally::default();
    let mut failed: Option<io::Error> = None;
    let replayed = replay(reader, policy, |now, shown| {
        tally.count(&shown);
        let left_out = args.incidents && matches!(&shown, Shown::Output(Output::Transition(_)));
        if !left_out && failed.is_none() {
            failed = show.show(now, &shown).err();
        }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    match replayed {
        Ok(replayed) => {
            show.end(&replayed, &tally)?;
            Ok(Exit::Ok)
        }
        Err(error) => {
            // What came before the bad line has been shown and stays.
            show.flush()?;
            Err(bad(args, error))
        }
    }
}

fn open(args: &ReplayArgs) -> Result<Reader<Box<dyn BufRead>>, Failure> {
    let input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.file).map_err(|error| {
            Failure::data(anyhow::Error::new(error).context(format!("cannot open {}", args.file.display())))
        })?;
        Box::new(BufReader::new(file))
    };
    Reader::open(input).map_err(|error| bad(args, error))
}

fn bad(args: &ReplayArgs, error: CaptureError) -> Failure {
    let file = args.file.display();
    let compressed = matches!(error, CaptureError::Compressed);
    let error = anyhow::Error::new(error);
    Failure::data(if compressed {
        anyhow::anyhow!("{file} is compressed; replay it with: zcat {file} | gatewatch replay -")
    } else {
        error.context(file.to_string())
    })
}

/// How a replay is printed.
trait Show {
    fn show(&mut self, now: Now, shown: &Shown) -> io::Result<()>;
    fn end(&mut self, replayed: &Replayed, tally: &Tally) -> io::Result<()>;
    fn flush(&mut self) -> io::Result<()>;
}

/// One JSON body a line; the summary goes to the standard error.
struct JsonShow<'a> {
    lines: Lines<BufWriter<StdoutLock<'a>>>,
}

impl Show for JsonShow<'_> {
    fn show(&mut self, _: Now, shown: &Shown) -> io::Result<()> {
        match shown {
            Shown::Output(Output::Transition(transition)) => self.lines.transition(transition),
            Shown::Output(Output::Incident(event)) => self.lines.incident(event),
            Shown::Output(Output::Ask(_) | Output::Beat(_) | Output::Probe(_) | Output::Forgotten(..))
            | Shown::Mark(_) => Ok(()),
        }
    }

    fn end(&mut self, replayed: &Replayed, tally: &Tally) -> io::Result<()> {
        self.flush()?;
        tell(tally.render(replayed, Style { color: false, width: 100 }).trim());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}

/// One line for people each.
struct TextShow<'a> {
    out: BufWriter<StdoutLock<'a>>,
    style: Style,
    incidents_only: bool,
}

impl Show for TextShow<'_> {
    fn show(&mut self, now: Now, shown: &Shown) -> io::Result<()> {
        match line(now.mono, shown, self.style, self.incidents_only) {
            Some(line) => writeln!(self.out, "{line}"),
            None => Ok(()),
        }
    }

    fn end(&mut self, replayed: &Replayed, tally: &Tally) -> io::Result<()> {
        write!(self.out, "{}", tally.render(replayed, self.style))?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Spaces before the word that tells what happened, and before the text after it.
const WORD_AT: usize = 13;
const TEXT_AT: usize = WORD_AT + show::WORD + 1;

/// One line, with the seconds since the start of the recording. Incidents come with their summary when nothing else is shown.
fn line(at: Mono, shown: &Shown, style: Style, incidents_only: bool) -> Option<String> {
    let text = match shown {
        Shown::Mark(text) => labelled(Look::Accent, "mark", &style.wrap(text, TEXT_AT), style),
        Shown::Output(Output::Transition(transition)) => {
            let text = style.wrap(&text::change(&transition.change), TEXT_AT);
            labelled(change_look(&transition.change), "event", &text, style)
        }
        Shown::Output(Output::Incident(event)) if incidents_only => show::step(event, WORD_AT, style),
        Shown::Output(Output::Incident(event)) => show::step_line(event, WORD_AT, style),
        Shown::Output(Output::Ask(_) | Output::Beat(_) | Output::Probe(_) | Output::Forgotten(..)) => {
            return None;
        }
    };
    let seconds = format!("{:>9.3} s", at.0.as_secs_f64());
    Some(format!("{}  {text}", style.paint(Look::Dim, &seconds)))
}

fn labelled(look: Look, word: &str, text: &str, style: Style) -> String {
    format!("{} {}", style.pad(look, word, show::WORD), style.paint(look, text))
}

/// What is only a part of something bigger steps back.
const fn change_look(change: &Change) -> Look {
    match change {
        Change::ServerLink { .. } | Change::Vantage { .. } => Look::Dim,
        Change::Link { .. } | Change::Resynced { .. } | Change::Server { .. } | Change::Cluster { .. } => {
            Look::Plain
        }
    }
}

/// What a replay showed, counted.
#[derive(Debug, Default)]
struct Tally {
    transitions: u64,
    /// The latest kind of each incident.
    incidents: BTreeMap<IncidentId, IncidentKind>,
}

impl Tally {
    fn count(&mut self, shown: &Shown) {
        match shown {
            Shown::Output(Output::Transition(_)) => self.transitions += 1,
            Shown::Output(Output::Incident(event)) => {
                self.incidents.insert(event.incident.id.clone(), event.incident.kind);
            }
            Shown::Output(Output::Ask(_) | Output::Beat(_) | Output::Probe(_) | Output::Forgotten(..))
            | Shown::Mark(_) => {}
        }
    }

    fn render(&self, replayed: &Replayed, style: Style) -> String {
        let snapshot = &replayed.snapshot;
        let servers: usize = snapshot.clusters.iter().map(|cluster| cluster.servers.len()).sum();
        let undecodable = match replayed.undecodable {
            0 => String::new(),
            count => format!("; {count} messages could not be decoded"),
        };
        format!(
            "\n{} {}, {}\n{} lines over {} from {} in {}{undecodable}\n",
            style.paint(Look::Bold, "summary:"),
            show::counted(usize::try_from(self.transitions).unwrap_or(usize::MAX), "state change"),
            self.incidents(snapshot.incidents.len()),
            replayed.lines,
            text::span(replayed.lasted.0),
            show::counted(servers, "server"),
            show::counted(snapshot.clusters.len(), "cluster"),
        )
    }

    /// `2 incidents (1 cluster_offline, 1 gateway_down), none open at the end`
    fn incidents(&self, open: usize) -> String {
        if self.incidents.is_empty() {
            return "no incident".to_owned();
        }
        let mut kinds: BTreeMap<IncidentKind, usize> = BTreeMap::new();
        for kind in self.incidents.values() {
            *kinds.entry(*kind).or_default() += 1;
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let open = if open == 0 { "none".to_owned() } else { open.to_string() };
        let incidents = show::counted(self.incidents.len(), "incident");
        format!("{incidents} ({}), {open} open at the end", kinds.join(", "))
    }
}
