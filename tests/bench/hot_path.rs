//! What a message costs: decoding against reading the same bytes into a general JSON value, and the engine's share per beat.
//!
//! ```text
//! cargo bench --bench hot_path
//! ```

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and fails loudly"
)]

use gatewatch::clock::Clock;
use gatewatch::engine::{Engine, Input, Policy};
use gatewatch::model::ask::Through;
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::observation::{
    ConfigReport, Fact, Observation, Round, ServerIdentity, ServerVersion, VantageChange, VantageEvent,
};
use gatewatch::model::time::Mono;
use gatewatch::wire::capture::{Reader, Recorded};
use gatewatch::wire::sys::Decoder;
use std::hint::black_box;
use std::time::Duration;

const MESSAGES: &[u8] = include_bytes!("../recordings/messages.ndjson");
const BEAT: &[u8] = br#"{"name":"east-1","host":"10.77.1.1","id":"NAKW3SZREMCCRAIQRBZYAQ723RI43MHMEN53FRAA736NK3Y5USLSLFVC"}"#;
const CLUSTERS: [&str; 4] = ["africa", "america", "asia", "europe"];
const SERVERS: usize = 25;
const PERIOD: Duration = Duration::from_millis(250);

fn main() {
    let clock = Clock::start();
    let mut decoder = Decoder::new(ClusterName::from("east"));
    compare(clock, "beat, decoded", "_INBOX.x.BEAT.7", BEAT, &mut decoder);
    compare(clock, "STATSZ, decoded", "_INBOX.x.STATSZ.7", &recorded("STATSZ"), &mut decoder);
    compare(clock, "GATEWAYZ, decoded", "_INBOX.x.GATEWAYZ.7", &recorded("GATEWAYZ"), &mut decoder);
    engine(clock);
}

/// The longest recorded message of a kind.
fn recorded(kind: &str) -> Vec<u8> {
    let lines = Reader::open(MESSAGES).unwrap().map(Result::unwrap);
    let payloads = lines.filter_map(|line| match line {
        Recorded::Message(message) if message.subject.contains(kind) => Some(message.payload.to_vec()),
        Recorded::Message(_)
        | Recorded::Vantage(_)
        | Recorded::Asked(_)
        | Recorded::Probed(_)
        | Recorded::Stalled(_)
        | Recorded::Mark { .. } => None,
    });
    payloads.max_by_key(Vec::len).unwrap()
}

/// Best of several rounds, so that other programs on the machine weigh little.
fn nanoseconds(clock: Clock, rounds: u32, mut work: impl FnMut()) -> f64 {
    let one = |work: &mut dyn FnMut()| {
        let start = clock.mono();
        (0..rounds).for_each(|_| work());
        clock.mono().since(start).as_nanos() as f64 / f64::from(rounds)
    };
    (0..15).map(|_| one(&mut work)).fold(f64::INFINITY, f64::min)
}

fn compare(clock: Clock, what: &str, subject: &str, payload: &[u8], decoder: &mut Decoder) {
    let ours = nanoseconds(clock, 5_000, || {
        black_box(decoder.decode(Mono::default(), subject, black_box(payload)).unwrap());
    });
    let value = nanoseconds(clock, 5_000, || {
        black_box(serde_json::from_slice::<serde_json::Value>(black_box(payload)).unwrap());
    });
    println!(
        "{what:<18} {ours:>8.0} ns for {} bytes: {:.1} times as fast as a general JSON value",
        payload.len(),
        value / ours
    );
}

/// A healthy supercluster of four clusters of 25 servers: every answer is heard by four vantages.
fn engine(clock: Clock) {
    let mut engine = Engine::new(Policy::default());
    let started = clock.now();
    let at = |mono: Duration| gatewatch::model::time::Now { mono: Mono(mono), wall: started.wall };
    for cluster in CLUSTERS.map(ClusterName::from) {
        let connected = VantageEvent::Connected { server: None };
        engine.handle(
            Input::Vantage(VantageChange { cluster: cluster.clone(), at: Mono::default(), what: connected }),
            at(Duration::ZERO),
        );
        for server in 0..SERVERS {
            let seen = Observation {
                vantage: cluster.clone(),
                at: Mono::default(),
                fact: Fact::Config(config(&cluster, server)),
            };
            engine.handle(Input::Observed(seen), at(Duration::ZERO));
        }
    }
    let mut number = 0;
    let mut out = Vec::new();
    let clusters = CLUSTERS.map(ClusterName::from);
    let ids: Vec<Vec<ServerId>> =
        CLUSTERS.iter().map(|name| (0..SERVERS).map(|n| id(name, n)).collect()).collect();
    let per_round = nanoseconds(clock, 40, || {
        number += 1;
        let asked = PERIOD * u32::try_from(number).unwrap();
        for cluster in &clusters {
            let round = Round { cluster: cluster.clone(), number, at: Mono(asked), through: Through::Home };
            engine.handle_into(Input::Asked(round), at(asked), &mut out);
        }
        let heard = Mono(asked + Duration::from_millis(5));
        for vantage in &clusters {
            for server in ids.iter().flatten() {
                let fact = Fact::Beat { server: server.clone(), number };
                let seen = Observation { vantage: vantage.clone(), at: heard, fact };
                engine.handle_into(Input::Observed(seen), at(heard.0), &mut out);
            }
        }
        engine.handle_into(Input::Tick, at(asked + Duration::from_millis(200)), &mut out);
        out.clear();
    });
    let beats = CLUSTERS.len() * CLUSTERS.len() * SERVERS;
    let share = per_round / PERIOD.as_nanos() as f64 * 100.0;
    println!(
        "engine, one round  {per_round:>8.0} ns for {beats} beats of {} servers, judged: {:.0} ns a beat, {share:.2} % of one core",
        CLUSTERS.len() * SERVERS,
        per_round / beats as f64,
    );
    assert!(engine.snapshot(at(PERIOD)).incidents.is_empty(), "a healthy supercluster has no incident");
}

fn id(cluster: &str, n: usize) -> ServerId {
    ServerId::from(format!("N{cluster}{n:0>50}").as_str())
}

fn config(cluster: &ClusterName, n: usize) -> ConfigReport {
    let server = ServerIdentity {
        id: id(cluster.as_str(), n),
        name: format!("{cluster}-{n}").as_str().into(),
        cluster: cluster.clone(),
        version: Some(ServerVersion::FIRST_WITH_BEATS),
    };
    let others = CLUSTERS.into_iter().filter(|remote| *remote != cluster.as_str());
    let remotes = others.map(|remote| ClusterName::from(remote).into()).collect();
    ConfigReport { remotes, ..ConfigReport::new(server) }
}
