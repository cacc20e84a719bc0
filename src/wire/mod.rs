//! Every byte format: what servers say comes in as values, what gatewatch says goes out as bytes.
//!
//! Turns bytes into values of [`crate::model`] or into a named error that can be counted; nothing undecoded goes further in.
//! Does no IO beyond readers and writers it is handed, reads no clock, judges nothing.

pub mod advisory;
pub mod body;
pub mod capture;
mod json;
pub mod lines;
pub mod queued;
pub mod record;
pub mod schema;
pub mod sys;
pub mod text;
pub mod token;
pub mod wish;

pub use json::ReadError;
