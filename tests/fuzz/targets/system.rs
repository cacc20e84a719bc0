//! Messages as a vantage hears them: decoded, and what was decoded fed to an engine.

use super::outputs::Judge;
use crate::invariants::Invariants;
use gatewatch::engine::{Engine, Input, Policy};
use gatewatch::model::ids::ClusterName;
use gatewatch::model::observation::{VantageChange, VantageEvent};
use gatewatch::model::time::{Mono, Now};
use gatewatch::wire::sys::{Decoder, MAX_LISTED};
use std::time::Duration;

/// What stands between two messages.
const NEXT: &[u8] = b"\n\x1e";
/// How many messages are taken at most.
const MAX_MESSAGES: usize = 64;

/// Bytes are messages, one after the other with `\n` and a record separator (0x1e) between them: a subject, a newline, a payload.
pub(super) fn messages(data: &[u8]) {
    let vantage = ClusterName::from("east");
    let mut decoder = Decoder::new(vantage.clone());
    let mut engine = Engine::new(Policy::default());
    let mut judge = Judge::new(Invariants::default());
    let mut feed = |engine: &mut Engine, input, at: Mono| {
        engine.handle(input, now(at)).iter().for_each(|output| judge.output(output));
    };
    let what = VantageEvent::Connected { server: None };
    let change = VantageChange { cluster: vantage, at: Mono::default(), what };
    feed(&mut engine, Input::Vantage(change), Mono::default());
    let mut at = Mono::default();
    for message in split(data).take(MAX_MESSAGES) {
        at = at + Duration::from_millis(250);
        let (subject, payload) = match message.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&message[..end], &message[end + 1..]),
            None => (message, &[][..]),
        };
        let before = decoder.counts().clone();
        let decoded = decoder.decode(at, &String::from_utf8_lossy(subject), payload);
        if let Err(error) = &decoded {
            let text = format!("{error} {:?}", std::error::Error::source(error).map(ToString::to_string));
            assert!(text.len() < 4_096, "{} bytes of error", text.len());
            assert!(!text.contains(char::is_control), "{text:?}");
            assert_ne!(before.failed, decoder.counts().failed, "refused and not counted");
        }
        let mut seen: Vec<_> = decoder.churn(at).collect();
        assert!(seen.len() <= MAX_LISTED);
        seen.extend(decoded.ok().flatten());
        for observation in seen {
            feed(&mut engine, Input::Observed(observation), at);
        }
        feed(&mut engine, Input::Tick, at);
    }
    for _ in 0..40 {
        let Some(due) = engine.next_deadline() else { break };
        at = at.max(due.at);
        feed(&mut engine, Input::Tick, at);
    }
    let snapshot = engine.snapshot(now(at));
    gatewatch::wire::record::read_snapshot(&gatewatch::wire::record::write_snapshot(&snapshot)).unwrap();
}

fn split(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let data = rest?;
        let end = data.windows(NEXT.len()).position(|window| window == NEXT);
        rest = end.map(|end| &data[end + NEXT.len()..]);
        Some(&data[..end.unwrap_or(data.len())])
    })
}

fn now(at: Mono) -> Now {
    // The time at which the recordings were made, so that their times are near.
    let began = chrono::DateTime::from_timestamp(1_795_362_818, 0).unwrap();
    Now { mono: at, wall: began + chrono::TimeDelta::from_std(at.0).unwrap() }
}
