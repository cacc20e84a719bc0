//! `watch`: alerts as they are published.

use super::args::{ConnectionArgs, Global, KindArg, SeverityArg};
use super::exit::{Exit, Failure};
use super::signals::Signals;
use super::term::{Look, Style, print, tell};
use super::{load, logging, reach, show};
use crate::nats::connect::ConnectionEvent;
use crate::nats::history::{Heard, News, NewsFilter};
use crate::wire::advisory::Event;
use clap::Args;

/// Follows alerts as they are published, and with --events every state change.
///
/// Needs nothing but a subscription in the alert account. What is published while the connection is away is missed here; `gatewatch
/// incidents list` has it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch watch --server nats://host:4222 --alert-creds app.creds
  gatewatch watch --severity critical --json | while read -r alert; do page \"$alert\"; done
  gatewatch watch --events --cluster east")]
pub(super) struct WatchArgs {
    /// State changes too
    #[arg(long)]
    events: bool,
    /// Only alerts at least this urgent
    #[arg(long)]
    severity: Option<SeverityArg>,
    /// Only alerts of this kind; repeatable
    #[arg(long)]
    kind: Vec<KindArg>,
    /// Only what touches this cluster; repeatable
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

impl WatchArgs {
    fn filter(&self) -> NewsFilter {
        NewsFilter {
            alerts_only: !self.events,
            severity: self.severity.map(Into::into),
            kinds: self.kind.iter().copied().map(Into::into).collect(),
            clusters: self.cluster.iter().map(|name| name.as_str().into()).collect(),
        }
    }
}

pub(super) async fn run(global: &Global, args: WatchArgs) -> Result<Exit, Failure> {
    let settings = load::settings(global, &args.connection.overrides())?;
    logging::quiet(global)?;
    let mut signals = Signals::listen().map_err(Failure::internal)?;
    let mut reached = reach::alerts(&settings, "watch").await?;
    let mut following = reached.history.follow(args.filter()).await.map_err(Failure::unavailable)?;
    let style = Style::of_stdout(global.color);
    tell(&format!("following {}; stop with Ctrl-C", what(&args, &settings.alerts.subject_prefix)));
    loop {
        tokio::select! {
            () = signals.next() => return Ok(Exit::Ok),
            Some(event) = reached.events.recv() => told(event),
            heard = following.next() => match heard {
                Some(heard) if global.json => print(&raw(&heard))?,
                Some(heard) => print(&line(&heard, style))?,
                None => return Err(Failure::unavailable(anyhow::anyhow!("the connection was closed"))),
            },
        }
    }
}

fn what(args: &WatchArgs, prefix: &str) -> String {
    if args.events { format!("{prefix}.alert.> and {prefix}.event.>") } else { format!("{prefix}.alert.>") }
}

fn told(event: ConnectionEvent) {
    match event {
        ConnectionEvent::Connected => tell("connected"),
        ConnectionEvent::Disconnected => tell("disconnected: what is published now is missed; trying again"),
        ConnectionEvent::SlowConsumer(_) => tell("reading too slowly: messages were lost"),
        ConnectionEvent::ServerError(error) => tell(&format!("the server says: {error}")),
        ConnectionEvent::AttemptFailed(error) => tracing::debug!(error, "no connection"),
        ConnectionEvent::LameDuck | ConnectionEvent::Closing => {}
    }
}

/// The body as it was published, in one line.
fn raw(heard: &Heard) -> String {
    format!("{}\n", String::from_utf8_lossy(&heard.body).trim_end())
}

/// One line, with the summary below when an incident opens.
fn line(heard: &Heard, style: Style) -> String {
    match &heard.news {
        News::Alert(alert) => {
            let at = show::short_moment(alert.timestamp.into());
            format!("{}  {}\n", style.paint(Look::Dim, &at), show::step(&alert.to_model(), TIME, style))
        }
        News::Event(event) => event_line(event, style),
    }
}

/// Room for the time and the space after it.
const TIME: usize = 16;

fn event_line(event: &Event, style: Style) -> String {
    let at = show::short_moment(event.timestamp.into());
    let word = style.pad(Look::Dim, "event", show::WORD);
    let text = style.wrap(&event.text, TIME + show::WORD + 1);
    format!("{}  {word} {}\n", style.paint(Look::Dim, &at), style.paint(Look::Dim, &text))
}
