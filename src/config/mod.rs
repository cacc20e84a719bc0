//! File, environment and flags to validated settings.
//!
//! Owns the key paths, their defaults and bounds, and every message about a bad value. Refuses to read the process
//! environment (it is passed in), to open connections, and to hand out a value that was not checked.
//!
//! Precedence, highest first: flags, environment, file, defaults. The variable of a key is `GATEWATCH_` and its path
//! in capitals, with two underscores between levels: `GATEWATCH_DETECT__BEAT_PERIOD` is `detect.beat_period`.

pub mod connection;
pub mod error;
pub mod secret;
pub mod settings;

mod checks;
mod context;
mod expect;
mod load;
mod login;
mod node;
mod parse;
mod places;
mod read;
mod reader;

pub use load::{Origins, Override, keys};
