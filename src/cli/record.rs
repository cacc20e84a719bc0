//! `record`: raw traffic to a file, as the vantages hear it, before any decoding.
//!
//! The engine runs along, because it decides who is asked for beats; what it concludes goes nowhere. It is safe to stop at any
//! moment: lines are whole.

mod file;

use super::args::{ConnectionArgs, Global};
use super::exit::{Exit, Failure};
use super::load;
use super::logging;
use super::signals::Signals;
use super::term::tell;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::daemon::driver::{Driver, Sink, Wires};
use crate::daemon::health::Pulse;
use crate::engine::Output;
use crate::metrics::Metrics;
use crate::model::time::Now;
use crate::nats::fleet::{Fleet, Wiring};
use crate::nats::heard::{Request, relay_probes};
use crate::nats::lease::Floor;
use crate::nats::probe::Prober;
use crate::nats::rights::Rights;
use crate::wire::text;
use clap::Args;
use file::Recorder;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Observations on their way to the engine. When full, they are dropped and counted; the recording has them all the same.
const HEARD_ROOM: usize = 4096;
/// Requests of the engine. When full, a request is left out: surveys come again, and plans for beats are far fewer than this.
const REQUEST_ROOM: usize = 1024;
/// Findings at gateway addresses. When full, no further address is looked at.
const PROBED_ROOM: usize = 64;

/// Records raw traffic of a supercluster to a file, for `gatewatch replay`.
///
/// Connects like the daemon and asks the same questions, but judges and publishes nothing; the alert account is not needed. Ends with
/// Ctrl-C, SIGTERM or after --for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch record night.ndjson --server nats://host:4222 --system-creds sys.creds --for 10m
  gatewatch record - | gzip > night.ndjson.gz")]
pub(super) struct RecordArgs {
    /// The file to write; - is the standard output
    file: PathBuf,
    /// How long: 30s, 10m, 8h
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    length: Option<Duration>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

pub(super) async fn run(global: &Global, args: RecordArgs) -> Result<Exit, Failure> {
    let settings = load::settings(global, &args.connection.overrides())?;
    logging::quiet(global)?;
    let clock = Clock::start();
    let shutdown = CancellationToken::new();
    let recorder = Recorder::start(&args.file, args.force, clock, shutdown.clone())?;
    let mut signals = Signals::listen().map_err(Failure::internal)?;
    let metrics = Arc::new(Metrics::default());
    let recording =
        tokio::spawn(record(settings, clock, Arc::clone(&metrics), recorder.tap(), shutdown.clone()));

    tell(&format!("recording to {}; stop with Ctrl-C", args.file.display()));
    tokio::select! {
        () = signals.next() => {}
        () = shutdown.cancelled() => {}
        () = end_of(args.length) => {}
    }
    shutdown.cancel();
    let ended = recording.await.map_err(Failure::internal)?;
    let written = recorder.finish().await?;
    tell(&format!(
        "{} lines, {} messages over {}; {} lines left out because writing did not keep up",
        written.lines,
        metrics.messages.get(),
        text::span(clock.mono().0),
        metrics.tap_full.get()
    ));
    ended.map(|()| Exit::Ok)
}

async fn end_of(length: Option<Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}

/// Connections and engine in a loop, until shut down.
async fn record(
    settings: Settings,
    clock: Clock,
    metrics: Arc<Metrics>,
    tap: crate::nats::heard::Tap,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    // Whatever ends this task ends the recording.
    let _end = shutdown.clone().drop_guard();
    let (heard_sender, heard) = mpsc::channel(HEARD_ROOM);
    let (requests, request_receiver) = mpsc::channel(REQUEST_ROOM);
    // Nothing is remembered: the driver sees the sender gone and does not wait.
    let (_, memory) = mpsc::channel(1);
    let (_, wishes) = mpsc::channel(1);
    let (snapshot, _) = watch::channel(None);
    let (reports, probed) = mpsc::channel(PROBED_ROOM);
    let prober = Prober::start(&settings.probe, clock, &metrics, reports);
    let relay = relay_probes(probed, heard_sender.downgrade(), Some(tap.clone()), Arc::clone(&metrics));
    // Ends with the prober.
    tokio::spawn(relay);
    let counts = Arc::clone(&metrics);
    let rights = Rights::new(&settings.names(), Arc::clone(&metrics));
    let wiring = Wiring {
        clock,
        metrics,
        rights,
        heard: heard_sender,
        requests: request_receiver,
        tap: Some(tap),
        shutdown: shutdown.clone(),
    };
    let fleet = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        fleet = Fleet::start(&settings, wiring) => fleet.map_err(Failure::unavailable)?,
    };
    let policy = crate::daemon::policy(&settings);
    let (_, own) = mpsc::channel(1);
    let pulse = Pulse::default();
    let wires =
        Wires { clock, heard, memory, wishes, floor: Floor::always(), own, pulse, metrics: counts, snapshot };
    let driver = Driver::new(policy, wires, AskBack { requests, prober });
    driver.run(shutdown).await;
    fleet.stop().await;
    Ok(())
}

/// Hands the engine's wishes back to the connections, and drops its verdicts.
struct AskBack {
    requests: mpsc::Sender<Request>,
    prober: Prober,
}

impl Sink for AskBack {
    fn put(&mut self, output: Output, _: Now) {
        let request = match output {
            Output::Beat(plan) => Request::Beat(plan),
            Output::Ask(request) => Request::Ask(request),
            Output::Probe(request) => {
                if let Err(error) = self.prober.try_send(request) {
                    tracing::debug!(%error, "a look at gateway addresses was left out");
                }
                return;
            }
            Output::Transition(_) | Output::Incident(_) | Output::Forgotten(..) => return,
        };
        if self.requests.try_send(request).is_err() {
            tracing::debug!("a request of the engine was left out");
        }
    }
}
