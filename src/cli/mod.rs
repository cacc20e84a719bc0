//! The command line: one file per verb.
//!
//! Owns arguments, texts for people, and exit codes. Results go to the standard output, everything else to the standard error. A
//! verb reads the configuration before it opens anything; what it shows is made by pure functions from values.

mod args;
mod exit;
mod load;
mod logging;
mod names;
mod notify;
mod reach;
#[cfg(test)]
mod samples;
mod show;
mod signals;
mod term;

mod config;
mod demo;
mod forget;
mod incidents;
mod permissions;
mod record;
mod replay;
mod run;
mod schema;
mod silence;
mod status;
mod watch;

pub use exit::Exit;

use args::{Cli, Verb};
use clap::Parser;
use exit::Failure;
use std::process::ExitCode;

/// Runs the program with the arguments and the environment of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for, everything else is a mistake. When printing fails there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    match perform(cli) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Ok.into(),
        Err(failure) => {
            term::tell(&format!("gatewatch: {failure}"));
            failure.exit().into()
        }
    }
}

fn perform(cli: Cli) -> Result<Exit, Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Run(args) => block_on(run::run(&global, args)),
        Verb::Demo(args) => block_on(demo::run(&global, args)),
        Verb::Status(args) => block_on(status::run(&global, args)),
        Verb::Watch(args) => block_on(watch::run(&global, args)),
        Verb::Incidents(args) => block_on(incidents::run(&global, args)),
        Verb::Silence(args) => block_on(silence::run(&global, args)),
        Verb::Forget(args) => block_on(forget::run(&global, args)),
        Verb::Record(args) => block_on(record::run(&global, args)),
        Verb::Replay(args) => replay::run(&global, &args),
        Verb::Config(args) => config::run(&global, &args),
        Verb::Permissions(args) => permissions::run(&global, &args),
        Verb::Schema(args) => schema::run(&args),
    }
}

fn block_on(verb: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(anyhow::Error::new(error).context("cannot start the runtime")))?;
    let done = runtime.block_on(verb);
    // What still runs in the background, such as a name look-up, must not hold up the end.
    runtime.shutdown_background();
    done
}
