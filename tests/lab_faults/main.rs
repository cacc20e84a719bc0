//! Faults of configuration, growth and shrinking, and faults on clients: what real servers make of them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod clients;
mod config;
mod growth;
#[path = "../lab_support/mod.rs"]
mod lab_support;
#[path = "../logins/pki.rs"]
mod pki;
