//! Hostile input: whoever may publish in the system account may claim anything. What is claimed costs a bounded amount of memory, is
//! counted, never becomes a wrong subject, and moves no verdict about what gatewatch hears itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod floods;
mod forged;
mod names;
mod rig;
