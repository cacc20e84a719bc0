//! The engine without NATS: feed it what you heard, in whatever time you like, and read its verdicts.
//!
//! Two clusters of two servers each. Every 250 ms each server answers a beat that both vantages can hear. After ten seconds the
//! answers of `east`'s servers no longer arrive in `west`; fifteen seconds later they do again.
//!
//! ```text
//! cargo run --example embed_engine
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use gatewatch::engine::{Engine, Input, Output, Policy};
use gatewatch::model::ask::Through;
use gatewatch::model::ids::{ClusterName, ServerId};
use gatewatch::model::observation::{
    ConfigReport, Fact, Observation, Round, ServerIdentity, ServerVersion, VantageChange, VantageEvent,
};
use gatewatch::model::time::{Mono, Now};
use std::time::Duration;

const CLUSTERS: [&str; 2] = ["east", "west"];
const PERIOD_MS: u64 = 250;
const LATENCY: Duration = Duration::from_millis(4);
const CUT_MS: std::ops::Range<u64> = 10_000..25_000;

fn main() {
    let mut world = World { engine: Engine::new(Policy::default()), started: DateTime::UNIX_EPOCH };
    for cluster in CLUSTERS {
        world.introduce(cluster);
    }
    for number in 1..160 {
        world.round(number, number * PERIOD_MS);
    }
}

struct World {
    engine: Engine,
    started: DateTime<Utc>,
}

impl World {
    /// A vantage connects into the cluster, and its servers tell which remotes they are configured for.
    fn introduce(&mut self, cluster: &str) {
        let name = ClusterName::from(cluster);
        let connected = VantageEvent::Connected { server: None };
        self.feed(
            Input::Vantage(VantageChange { cluster: name.clone(), at: Mono::default(), what: connected }),
            Mono::default(),
        );
        for server in servers(cluster) {
            let others = CLUSTERS.into_iter().filter(|remote| *remote != cluster);
            let remotes = others.map(|remote| ClusterName::from(remote).into()).collect();
            let config = ConfigReport { remotes, ..ConfigReport::new(server) };
            let seen = Observation { vantage: name.clone(), at: Mono::default(), fact: Fact::Config(config) };
            self.feed(Input::Observed(seen), Mono::default());
        }
    }

    /// Every server is asked by its home vantage, and answers both vantages - unless the way is cut.
    fn round(&mut self, number: u64, ms: u64) {
        let asked = Mono::from_millis(ms);
        self.sleep_until(asked);
        for cluster in CLUSTERS.map(ClusterName::from) {
            self.feed(Input::Asked(Round { cluster, number, at: asked, through: Through::Home }), asked);
        }
        let heard = asked + LATENCY;
        for from in CLUSTERS {
            for vantage in
                CLUSTERS.into_iter().filter(|to| !(CUT_MS.contains(&ms) && from == "east" && *to == "west"))
            {
                for server in servers(from) {
                    let fact = Fact::Beat { server: server.id, number };
                    self.feed(
                        Input::Observed(Observation { vantage: vantage.into(), at: heard, fact }),
                        heard,
                    );
                }
            }
        }
    }

    /// Ticks whenever the engine asked to be woken before `at`.
    fn sleep_until(&mut self, at: Mono) {
        while let Some(due) = self.engine.next_deadline().filter(|due| due.at < at) {
            self.feed(Input::Tick, due.at);
        }
    }

    fn feed(&mut self, input: Input, at: Mono) {
        let now = Now { mono: at, wall: self.started + TimeDelta::from_std(at.0).unwrap_or_default() };
        let mut outputs = self.engine.handle(input, now);
        outputs.extend(self.engine.handle(Input::Tick, now));
        for output in outputs {
            show(at, &output);
        }
    }
}

fn servers(cluster: &str) -> [ServerIdentity; 2] {
    [1, 2].map(|n| ServerIdentity {
        id: ServerId::from(format!("ID-{cluster}-{n}").as_str()),
        name: format!("{cluster}-{n}").as_str().into(),
        cluster: cluster.into(),
        version: Some(ServerVersion::FIRST_WITH_BEATS),
    })
}

#[expect(clippy::print_stdout, reason = "an example that talks")]
fn show(at: Mono, output: &Output) {
    let seconds = at.0.as_secs_f64();
    match output {
        Output::Transition(transition) => println!("{seconds:7.3} s  {:?}", transition.change),
        Output::Incident(event) => {
            let incident = &event.incident;
            println!(
                "{seconds:7.3} s  incident {} {}: {} {:?}",
                incident.id,
                event.stage,
                incident.kind,
                incident.direction()
            );
        }
        Output::Ask(request) => {
            println!("{seconds:7.3} s  would ask {} for {:?}", request.cluster, request.what);
        }
        Output::Probe(request) => {
            println!("{seconds:7.3} s  would look at the gateways of {}", request.target);
        }
        Output::Beat(plan) => {
            println!("{seconds:7.3} s  would beat {} servers of {}", plan.servers.len(), plan.cluster);
        }
        Output::Forgotten(what, outcome) => println!("{seconds:7.3} s  {what}: {outcome}"),
    }
}
