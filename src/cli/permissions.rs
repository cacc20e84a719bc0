//! `permissions`: what the two users must be allowed.

use super::args::{ConnectionArgs, Global};
use super::exit::{Exit, Failure};
use super::load;
use super::term::print;
use crate::wire::permission::{self, Tier, User};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;

/// Prints what the user of the system account and that of the alert account must be allowed: no more is used.
///
/// Made for the configuration in force: prefix, streams, bucket and inbox prefixes. Opens no connection.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatewatch permissions                                  both users, for a server's configuration
  gatewatch permissions --system --format nsc            the commands for operator mode
  gatewatch permissions --alerts --existing-streams      when somebody else creates streams and buckets")]
pub(super) struct PermissionsArgs {
    /// Only the user of the system account
    #[arg(long, conflicts_with = "alerts")]
    system: bool,
    /// Only the user of the alert account
    #[arg(long)]
    alerts: bool,
    /// The alert user may not create streams and buckets: they exist
    #[arg(long)]
    existing_streams: bool,
    /// For what
    #[arg(long, value_enum, default_value_t = Format::Conf)]
    format: Format,
    #[command(flatten)]
    connection: Box<ConnectionArgs>,
}

/// For what the permissions are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Users of a server's configuration.
    Conf,
    /// Commands of `nsc`, for operator mode.
    Nsc,
    /// JSON, with what each is for and what is lost without it.
    Json,
}

pub(super) fn run(global: &Global, args: &PermissionsArgs) -> Result<Exit, Failure> {
    let names = load::settings(global, &args.connection.overrides())?.names();
    let tier = if args.existing_streams { Tier::Existing } else { Tier::Creates };
    let users: BTreeSet<User> = match (args.system, args.alerts) {
        (true, _) => [User::System].into(),
        (false, true) => [User::Alerts].into(),
        (false, false) => [User::System, User::Alerts].into(),
    };
    let format = if global.json { Format::Json } else { args.format };
    let each = |text: fn(&permission::Names, User, Tier) -> String| {
        let texts: Vec<String> = users.iter().map(|user| text(&names, *user, tier)).collect();
        texts.join("\n")
    };
    let text = match format {
        Format::Conf => each(permission::conf),
        Format::Nsc => each(permission::nsc),
        Format::Json => format!("{:#}\n", permission::json(&names, &users, tier)),
    };
    print(&text)?;
    Ok(Exit::Ok)
}
