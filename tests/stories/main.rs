//! Stories on real servers, with a daemon that watches them and subscribers that hear what any downstream service would.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a story that cannot go on fails, and tells its times"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sums of the whole catalogue are for its own runner"
)]

#[path = "../catalogue_support/mod.rs"]
mod catalogue_support;
#[path = "../cli_support/mod.rs"]
mod cli_support;
mod faults;
mod hostile;
mod impact;
mod intent;
#[path = "../kept/mod.rs"]
mod kept;
mod replicas;
#[path = "../stage/mod.rs"]
mod stage;
mod standing;
#[path = "../story/mod.rs"]
mod story;
#[path = "../troupe/mod.rs"]
mod troupe;
mod voices;
