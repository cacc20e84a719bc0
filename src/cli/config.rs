//! `config`: is the configuration good, and what is in force?

mod effective;

use super::args::{ConnectionArgs, Global};
use super::exit::{Exit, Failure};
use super::load;
use super::term::{Look, Style, print, tell};
use crate::config::error::ConfigErrors;
use clap::{Args, Subcommand};
use effective::{Line, effective};
use serde_json::json;

const EXAMPLE: &str = include_str!("../../examples/gatewatch.toml");

/// Looks at the configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check the settings from file, environment and flags, and show what is in force
    #[command(
        long_about = "Checks the settings from file, environment and flags, opening no connection. Prints every setting in force and \
where it was given, with secrets masked, or everything that is wrong at once (exit 64).",
        after_help = "Examples:
  gatewatch config check --config /etc/gatewatch.toml
  gatewatch config check --server nats://host:4222 --system-creds sys.creds --set detect.beat_period=500ms"
    )]
    Check(Box<ConnectionArgs>),
    /// Print a commented configuration file with every setting and its default
    ShowExample,
}

pub(super) fn run(global: &Global, args: &ConfigArgs) -> Result<Exit, Failure> {
    match &args.what {
        What::Check(connection) => check(global, connection),
        What::ShowExample => {
            print(EXAMPLE)?;
            Ok(Exit::Ok)
        }
    }
}

fn check(global: &Global, connection: &ConnectionArgs) -> Result<Exit, Failure> {
    let file = load::file(global).map(|path| path.display().to_string());
    match load::explained(global, &connection.overrides()) {
        Ok((settings, origins)) => {
            let lines = effective(&settings, &origins);
            if global.json {
                print(&format!("{}\n", json!({ "ok": true, "file": file, "settings": lines })))?;
            } else {
                let style = Style::of_stdout(global.color);
                print(&render(&lines, file.as_deref(), style))?;
            }
            Ok(Exit::Ok)
        }
        Err(errors) if global.json => {
            print(&format!("{}\n", problems(&errors, file.as_deref())))?;
            Ok(Exit::Usage)
        }
        Err(errors) => {
            let count = errors.problems().len();
            let things = if count == 1 { "one thing is wrong" } else { "these things are wrong" };
            tell(&format!("gatewatch: {things} with the configuration\n{errors}"));
            Ok(Exit::Usage)
        }
    }
}

fn problems(errors: &ConfigErrors, file: Option<&str>) -> serde_json::Value {
    let problem = |problem: &crate::config::error::Problem| {
        json!({
            "origin": problem.origin.as_ref().map(ToString::to_string),
            "key": problem.key,
            "message": problem.message,
        })
    };
    let problems: Vec<_> = errors.problems().iter().map(problem).collect();
    json!({ "ok": false, "file": file, "problems": problems })
}

/// As a configuration file would say it, with where each value was given in a comment.
fn render(lines: &[Line], file: Option<&str>, style: Style) -> String {
    let source = file.unwrap_or("no file; defaults, environment and flags only");
    let mut text = format!("{} {source}\n", style.paint(Look::Good, "ok:"));
    let widest = lines.iter().map(|line| line.assignment().chars().count()).filter(|length| *length < 60);
    let column = widest.max().unwrap_or(0);
    let mut section = "";
    for line in lines {
        if line.section != section {
            section = &line.section;
            text.push_str(&format!("\n{}\n", style.paint(Look::Bold, section)));
        }
        let look = if line.origin.is_some() { Look::Accent } else { Look::Plain };
        let origin = format!("# {}", line.origin.as_deref().unwrap_or("default"));
        let assignment = style.pad(look, &line.assignment(), column);
        text.push_str(&format!("{assignment}  {}\n", style.paint(Look::Dim, &origin)));
    }
    text
}
