//! gatewatch makes the event that NATS does not have: *a gateway of the supercluster was lost, this is who is cut off, this is
//! probably why.*
//!
//! It runs beside a NATS supercluster, listens as a system-account client in every cluster, and publishes what it concludes as
//! alerts on NATS subjects, with the history of incidents in JetStream. This crate is both the `gatewatch` program and a library: the
//! [`engine`] can be embedded without NATS, the [`daemon`] with it, and the [`lab`] starts superclusters to break.
//!
//! # How it can know
//!
//! No server publishes anything when a gateway connects or drops, and when packets are lost silently every server goes on listing
//! the link as up for about 40 seconds. So gatewatch does not ask servers about their links; it *uses* them. Each of its connections
//! (a *vantage*, one per cluster) asks the servers of its own cluster for their identity a few times a second (a *beat*). The
//! answers go to all vantages, and an answer crosses to another cluster only through the answering server's own outbound gateway
//! connection. Heard at home but not there means exactly: this server cannot send to that cluster. Reports of the servers
//! (STATSZ, GATEWAYZ, VARZ) say what they know themselves, and why.
//!
//! # Data flow
//!
//! ```text
//! vantages --beats, $SYS events, answers--> wire --> Observation --> driver (sole owner of the Engine; a batch, then one Tick)
//!    ^                                                                  |
//!    +------------- BeatPlan, SurveyRequest (the only way back) --- dispatch
//!                                                                       |-> publisher: events and alerts, on disk first (outbox), then
//!                                                                       |              kept in streams
//!                                                                       |      +-> voices: the connections that every cluster hears
//!                                                                       |-> log
//!                                                                       +-> watch<Snapshot> -> state in the key-value bucket
//! lease --floor--> driver: among several gatewatch, only the one that holds the lease puts incidents and events out
//! ```
//!
//! # Map
//!
//! A module imports only from modules of a lower rank (`tests/architecture.rs` enforces it).
//!
//! | rank | module | what it owns |
//! |---|---|---|
//! | 0 | [`model`] | plain values: names, time, observations, states, evidence, incidents |
//! | 1 | [`wire`] | every byte format: `$SYS` messages in; alerts, events, records and recordings out; their texts and schemas |
//! | 1 | [`engine`] | every verdict, as a pure function of (state, input, now) |
//! | 1 | [`clock`] | the only reader of clocks |
//! | 2 | [`config`] | file, environment and flags to validated settings |
//! | 2 | [`metrics`] | what is counted |
//! | 2 | [`outbox`] | on disk: what waits to be stored in the streams, and the open incidents |
//! | 3 | [`nats`] | everything that talks to NATS: vantages, beats, surveys, probes; publishing, voices, streams, state, history |
//! | 3 | [`lab`] | superclusters on loopback with a fault proxy before every gateway |
//! | 4 | [`daemon`] | the one loop; replaying recordings through the same engine |
//! | 5 | [`cli`] | one file per verb |
//!
//! # Invariants
//!
//! - `model` and `engine` do no IO, read no clock, know no byte format. The same inputs give the same outputs, ids included.
//! - One task owns the engine. Nothing undecoded reaches it; nothing it puts out makes it wait.
//! - Losing our own view is never evidence about servers: a beat counts as missed only where the vantage heard its own cluster at
//!   the same time, and a span in which this process did not run counts for nothing.
//! - Nothing that ails this process itself becomes a verdict about a cluster: it is an incident about this instance, and no more.
//! - No link is called down without having been doubted first; no incident is resolved by the absence of news.
//! - Two that can reach the lease never both speak; one that cannot reach it does (`nats/lease`). A standby's engine runs in full, hushed.
//! - Names of servers and clusters are hostile until escaped ([`wire::token`]).
//!
//! # Where a change goes
//!
//! - A new verdict rule: `engine`, the file of the thing that is judged (`servers`, `links`, `clusters`, `vantages`).
//! - A new kind of incident: [`model::incident`], then `engine/correlate` (what explains what), then its texts in `wire/text`.
//! - Something that can ail this process: [`model::health`], found out in `daemon/health`, weighed in `engine/own`, words in `wire/text/own`.
//! - What a loss costs (accounts, copies that fall behind, time to resync): `engine/impact`; rates: `engine/traffic`.
//! - A new message of the servers: `wire/sys`. A new field in what we publish: `wire/body`, its golden files and schema.
//! - What people want (links that must or must not exist, silences, things to forget): `engine/intent`, stored as [`wire::wish`] says.
//! - Through which connections alerts go: `nats/voices`; who is heard where is `reach`, the choice `cover`, the repeats `ledger`.
//! - How much is kept of what is claimed, and for how long: `engine/world/room`, `engine/aging`. A new decoder: a target in `tests/fuzz`.
//! - A new sink: `nats`, fed from `daemon/dispatch` (happenings) or from the snapshot (current truth). A new task: `daemon/start`.
//! - A new subject to publish on or listen to: `wire/permission` and the README, or the lab's servers refuse it.
//! - A new setting: `config/settings` and `config/read`, and `examples/gatewatch.toml`. A new verb: a file in `cli`.
//! - A bug: first a story in `tests/scenarios` that tells it wrong.

pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod lab;
pub mod metrics;
pub mod model;
pub mod nats;
pub mod outbox;
pub mod wire;
