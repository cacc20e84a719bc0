//! What holds of any sequence of inputs, plausible or not.

mod facts;

use crate::invariants::Invariants;
use chrono::TimeDelta;
use facts::{cluster, identity, report, server_id, wall};
use gatewatch::engine::{Engine, Input, Output, Policy};
use gatewatch::model::ask::Through;
use gatewatch::model::ids::{Link, ServerKey};
use gatewatch::model::incident::{IncidentKind, Memory, Severity};
use gatewatch::model::intent::{Expectations, Forget, ForgetOutcome, Matcher, Silence};
use gatewatch::model::observation::{
    AuthError, ClientChurn, Disconnect, Fact, Observation, Round, Stall, VantageChange, VantageEvent,
};
use gatewatch::model::time::{Mono, Now};
use proptest::prelude::*;

const CLUSTERS: [&str; 4] = ["east", "north", "west", "nowhere"];

/// One input after a pause. Numbers are small, so that most of them mean something together.
#[derive(Debug, Clone)]
struct Move {
    /// Milliseconds since the one before.
    pause: u64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// Servers of a cluster are asked; so many of them answer, heard by the vantages of this mask.
    Round {
        cluster: usize,
        everywhere: bool,
        answer: u8,
        heard: u8,
        late: u64,
    },
    /// So many rounds of every cluster, as real ones are: some servers silent, some cut from some vantages, one bit each.
    Rounds {
        count: u64,
        silent: u8,
        cut: u32,
    },
    /// A beat of any number.
    Beat {
        vantage: usize,
        server: u8,
        number: u64,
    },
    Report {
        vantage: usize,
        server: u8,
        kind: u8,
        lists: u8,
        made: i64,
        asked: bool,
    },
    Leaving {
        vantage: usize,
        server: u8,
    },
    Stopped {
        vantage: usize,
        server: u8,
    },
    Other {
        vantage: usize,
        server: u8,
    },
    Vantage {
        cluster: usize,
        event: u8,
    },
    Stalled {
        ago: u64,
    },
    Restored,
    /// Silences of so many milliseconds from now on, one for each bit.
    Silences {
        which: u8,
        span: u32,
    },
    Forget {
        server: u8,
        whole: bool,
    },
    Tick,
    /// Nothing but time.
    Wait,
}

/// Most begin in a healthy supercluster, some with nothing at all.
fn moves() -> impl Strategy<Value = Vec<Move>> {
    let pause = prop_oneof![4 => 0_u64..10, 4 => 100_u64..400, 1 => 1_000_u64..12_000];
    let one = (pause, what()).prop_map(|(pause, what)| Move { pause, what });
    (prop::bool::weighted(0.8), proptest::collection::vec(one, 1..50)).prop_map(|(healthy, moves)| {
        let opening = if healthy { opening() } else { Vec::new() };
        opening.into_iter().chain(moves).collect()
    })
}

fn opening() -> Vec<Move> {
    let connect = (0..3).map(|cluster| What::Vantage { cluster, event: 1 });
    let servers = [0, 1, 2, 4, 5, 6].map(|server| server | 0b0011_0000);
    let report = |server: u8, kind| What::Report {
        vantage: usize::from(server & 3),
        server,
        kind,
        lists: 7,
        made: 0,
        asked: true,
    };
    let reports = servers.into_iter().flat_map(|server| [2, 1].map(|kind| report(server, kind)));
    let rounds = What::Rounds { count: 50, silent: 0, cut: 0 };
    connect.chain(reports).chain([rounds]).map(|what| Move { pause: 1, what }).collect()
}

fn what() -> impl Strategy<Value = What> {
    let late = prop_oneof![8 => 1_u64..20, 1 => 100_u64..20_000];
    let few = prop_oneof![4 => Just(0_u8), 3 => (0_u8..6).prop_map(|bit| 1 << bit), 1 => any::<u8>()];
    let cuts = prop_oneof![
        3 => Just(0_u32),
        3 => (0_u32..18).prop_map(|bit| 1 << bit),
        3 => (0_u32..9, 0_u32..9).prop_map(|(a, b)| 0b11 << (2 * a) | 0b11 << (2 * b)),
        1 => any::<u32>(),
    ];
    prop_oneof![
        20 => (1_u64..16, few, cuts).prop_map(|(count, silent, cut)| What::Rounds { count, silent, cut }),
        4 => (0_usize..4, any::<bool>(), any::<u8>(), any::<u8>(), late).prop_map(
            |(cluster, everywhere, answer, heard, late)| What::Round { cluster, everywhere, answer, heard, late }
        ),
        2 => (0_usize..4, any::<u8>(), prop_oneof![0_u64..40, any::<u64>()])
            .prop_map(|(vantage, server, number)| What::Beat { vantage, server, number }),
        5 => (0_usize..4, any::<u8>(), 0_u8..3, any::<u8>(), -100_000_i64..100_000, any::<bool>()).prop_map(
            |(vantage, server, kind, lists, made, asked)| What::Report { vantage, server, kind, lists, made, asked }
        ),
        1 => (0_usize..4, any::<u8>()).prop_map(|(vantage, server)| What::Leaving { vantage, server }),
        1 => (0_usize..4, any::<u8>()).prop_map(|(vantage, server)| What::Stopped { vantage, server }),
        1 => (0_usize..4, any::<u8>()).prop_map(|(vantage, server)| What::Other { vantage, server }),
        3 => (0_usize..4, any::<u8>()).prop_map(|(cluster, event)| What::Vantage { cluster, event }),
        1 => (0_u64..100_000).prop_map(|ago| What::Stalled { ago }),
        1 => Just(What::Restored),
        2 => (any::<u8>(), 0_u32..20_000).prop_map(|(which, span)| What::Silences { which, span }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(server, whole)| What::Forget { server, whole }),
        2 => Just(What::Tick),
        2 => Just(What::Wait),
    ]
}

/// One link must exist, another must not.
fn policy() -> Policy {
    let link = |from: usize, to: usize| Link { from: cluster(from), to: cluster(to) };
    let expect = Expectations { required: vec![link(0, 1)], forbidden: vec![link(1, 2)] };
    Policy { expect, ..Policy::default() }
}

/// Plays moves to an engine and follows what it puts out.
struct Player {
    engine: Engine,
    now: u64,
    round: u64,
    /// The latest life of each server that was told of, by the number of its cluster and its own.
    lives: [[u8; 2]; 4],
    silences: Vec<Silence>,
    outputs: Vec<Output>,
    invariants: Invariants,
    /// Tick oftener than needed, also at odd moments.
    restless: bool,
}

impl Player {
    fn new(restless: bool) -> Self {
        let (engine, invariants) = (Engine::new(policy()), Invariants::default());
        let (lives, silences, outputs) = ([[0; 2]; 4], Vec::new(), Vec::new());
        Self { engine, now: 0, round: 0, lives, silences, outputs, invariants, restless }
    }

    fn play(mut self, moves: &[Move]) -> Result<Vec<Output>, TestCaseError> {
        for one in moves {
            self.wait(one.pause)?;
            if let What::Rounds { count, silent, cut } = one.what {
                (0..count).try_for_each(|_| self.healthy_round(silent, cut))?;
                continue;
            }
            for input in self.inputs(&one.what) {
                self.feed(input)?;
            }
            self.feed(Input::Tick)?;
            self.marked_right()?;
        }
        self.wait(60_000)?;
        self.marked_right()?;
        Ok(self.outputs)
    }

    /// Lets time pass, ticking whenever the engine wants.
    fn wait(&mut self, span: u64) -> Result<(), TestCaseError> {
        let until = self.now + span;
        while let Some(due) = self.engine.next_deadline() {
            let due = u64::try_from(due.at.0.as_nanos().div_ceil(1_000_000)).unwrap();
            if self.restless && self.now < until.min(due) {
                let half = self.now + (until.min(due) - self.now) / 2;
                self.now = half;
                self.feed(Input::Tick)?;
                self.feed(Input::Tick)?;
            }
            if due > until {
                break;
            }
            self.now = due;
            self.feed(Input::Tick)?;
            let next = self.engine.next_deadline();
            prop_assert!(
                next.is_none_or(|next| next.at > self.time().mono),
                "deadline in the past: {next:?}"
            );
        }
        self.now = until;
        Ok(())
    }

    fn feed(&mut self, input: Input) -> Result<(), TestCaseError> {
        let now = self.time();
        for output in self.engine.handle(input, now) {
            let result = match &output {
                Output::Transition(transition) => self.invariants.transition(transition),
                Output::Incident(event) => self.invariants.incident(event),
                Output::Ask(_) | Output::Beat(_) | Output::Probe(_) | Output::Forgotten(..) => Ok(()),
            };
            if let Output::Forgotten(what, ForgetOutcome::Done) = &output {
                self.is_gone(what)?;
            }
            prop_assert!(result.is_ok(), "at {} ms: {}", self.now, result.unwrap_err());
            self.outputs.push(output);
        }
        Ok(())
    }

    fn time(&self) -> Now {
        Now { mono: Mono::from_millis(self.now), wall: wall(i64::try_from(self.now).unwrap()) }
    }

    /// Every cluster is asked, and answers within milliseconds, except for who is silent and where it is cut.
    fn healthy_round(&mut self, silent: u8, cut: u32) -> Result<(), TestCaseError> {
        self.round += 1;
        for of in 0..3 {
            let (at, through) = (self.time().mono, Through::Home);
            self.feed(Input::Asked(Round { cluster: cluster(of), number: self.round, at, through }))?;
        }
        self.wait(3)?;
        for (bit, (of, server)) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)].into_iter().enumerate() {
            let id = server_id(of, u8::try_from(server).unwrap(), self.lives[of][server]);
            for vantage in (0..3).filter(|_| silent & (1 << bit) == 0) {
                // The bits of one server lie beside those of the other one of its cluster.
                if cut & (1 << (2 * (3 * of + vantage) + server)) == 0 {
                    let beat = Fact::Beat { server: id.clone(), number: self.round };
                    self.feed(self.saw(vantage, beat))?;
                }
            }
        }
        self.feed(Input::Tick)?;
        self.wait(247)
    }

    fn inputs(&mut self, what: &What) -> Vec<Input> {
        match *what {
            What::Round { cluster, everywhere, answer, heard, late } => {
                self.round(cluster, everywhere, answer, heard, late)
            }
            What::Beat { vantage, server, number } => {
                vec![self.saw(vantage, Fact::Beat { server: identity(server).id, number })]
            }
            What::Rounds { .. } => Vec::new(),
            What::Report { vantage, server, kind, lists, made, asked } => {
                self.lives[usize::from(server & 3)][usize::from((server >> 2) & 1)] = server >> 6;
                let made = Some(wall(i64::try_from(self.now).unwrap() + made));
                vec![self.saw(vantage, report(server, kind, lists, made, asked))]
            }
            What::Leaving { vantage, server } => vec![self.saw(vantage, Fact::Leaving(identity(server)))],
            What::Stopped { vantage, server } => vec![self.saw(vantage, Fact::Stopped(identity(server)))],
            What::Other { vantage, server } => self.other(vantage, server),
            What::Vantage { cluster, event } => vec![self.vantage(cluster, event)],
            What::Stalled { ago } => {
                let from = Mono::from_millis(self.now.saturating_sub(ago));
                vec![Input::Stalled(Stall { from, to: self.time().mono })]
            }
            What::Restored => vec![self.restored()],
            What::Silences { which, span } => vec![self.silences(which, span)],
            What::Forget { server, whole } => {
                let who = identity(server);
                let key = ServerKey { cluster: who.cluster, name: who.name };
                vec![Input::Forget(if whole { Forget::Cluster(key.cluster) } else { Forget::Server(key) })]
            }
            What::Tick => vec![Input::Tick],
            What::Wait => Vec::new(),
        }
    }

    fn silences(&mut self, which: u8, span: u32) -> Input {
        let now = self.time().wall;
        let matchers = [
            Matcher { cluster: Some(cluster(0)), ..Matcher::default() },
            Matcher { cluster: Some(cluster(2)), remote: Some(cluster(1)), ..Matcher::default() },
            Matcher { severity: Some(Severity::Critical), ..Matcher::default() },
            Matcher { kind: Some(IncidentKind::GatewayDegraded), ..Matcher::default() },
        ];
        let meant = matchers.into_iter().enumerate().filter(|(bit, _)| which & (1 << bit) != 0);
        let silences = meant.map(|(bit, matcher)| Silence {
            id: bit.to_string().as_str().into(),
            matcher,
            from: now + TimeDelta::milliseconds(i64::try_from(bit).unwrap() * 1_000),
            until: now + TimeDelta::milliseconds(i64::from(span)),
            comment: String::new(),
            author: String::new(),
        });
        self.silences = silences.collect();
        Input::Silences(self.silences.clone())
    }

    /// Every open incident is marked as the silences say.
    fn marked_right(&self) -> Result<(), TestCaseError> {
        let now = self.time();
        for incident in self.engine.snapshot(now).incidents {
            let holding =
                self.silences.iter().filter(|one| one.holds(now.wall) && one.matcher.matches(&incident));
            let ids: Vec<_> = holding.map(|one| &one.id).collect();
            let right = incident.silenced.as_ref().map_or(ids.is_empty(), |id| ids.contains(&id));
            prop_assert!(right, "at {} ms: {:?} of {ids:?}: {incident:?}", self.now, incident.silenced);
        }
        Ok(())
    }

    /// What was forgotten is nowhere to be found.
    fn is_gone(&mut self, what: &Forget) -> Result<(), TestCaseError> {
        let mut snapshot = self.engine.snapshot(self.time());
        // What was seen of it once stays told.
        snapshot.incidents.iter_mut().for_each(|incident| incident.evidence.clear());
        let cluster = |key: &ServerKey| snapshot.clusters.iter().any(|one| one.name == key.cluster);
        let gone = match what {
            Forget::Server(key) if !cluster(key) => Forget::Cluster(key.cluster.clone()),
            Forget::Server(_) | Forget::Cluster(_) => what.clone(),
        };
        self.invariants.forget(&gone);
        let found = format!("{snapshot:?}");
        let name = match what {
            Forget::Cluster(name) => format!("{name:?}"),
            Forget::Server(key) => format!("{key:?}"),
        };
        prop_assert!(!found.contains(&name), "{what} is forgotten, and still there: {found}");
        Ok(())
    }

    fn saw(&self, vantage: usize, fact: Fact) -> Input {
        Input::Observed(Observation { vantage: cluster(vantage), at: self.time().mono, fact })
    }

    /// A round with its answers, all of them heard some time after it was asked.
    fn round(&mut self, of: usize, everywhere: bool, answer: u8, heard: u8, late: u64) -> Vec<Input> {
        self.round += 1;
        let through = if everywhere { Through::All } else { Through::Home };
        let asked = Mono::from_millis(self.now.saturating_sub(late));
        let mut inputs =
            vec![Input::Asked(Round { cluster: cluster(of), number: self.round, at: asked, through })];
        for server in (0..2).filter(|server| answer & (1 << server) != 0) {
            let id = server_id(of, server, answer >> 6);
            for vantage in (0..4).filter(|vantage| heard & (1 << vantage) != 0) {
                inputs.push(self.saw(vantage, Fact::Beat { server: id.clone(), number: self.round }));
            }
        }
        inputs
    }

    fn other(&self, vantage: usize, server: u8) -> Vec<Input> {
        let error =
            AuthError { server: identity(server), gateway: server & 1 == 0, peer: None, reason: None };
        let churn = ClientChurn { server: identity(server), connected: 3, disconnected: u32::from(server) };
        vec![self.saw(vantage, Fact::AuthError(error)), self.saw(vantage, Fact::Clients(churn))]
    }

    fn vantage(&self, of: usize, event: u8) -> Input {
        let what = match event % 8 {
            0 => VantageEvent::Dialling,
            1..=3 => VantageEvent::Connected { server: None },
            4 => VantageEvent::Disconnected(Disconnect::Lost),
            5 => VantageEvent::Disconnected(Disconnect::Refused),
            6 => VantageEvent::Disconnected(Disconnect::TimedOut),
            _ => VantageEvent::Dropped,
        };
        Input::Vantage(VantageChange { cluster: cluster(of), at: self.time().mono, what })
    }

    /// What a former life of this very engine would have left.
    fn restored(&mut self) -> Input {
        let snapshot = self.engine.snapshot(self.time());
        let links = snapshot.links.into_iter().map(|link| link.link).collect();
        let open = snapshot.incidents.iter().map(|incident| (incident.id.clone(), incident.revision));
        self.invariants = Invariants::with_open(open);
        self.engine = Engine::new(policy());
        self.silences.clear();
        Input::Restored(Memory { links, incidents: snapshot.incidents, ..Memory::default() })
    }
}

/// Everything that is told, without its moment: who ticks oftener may learn of it earlier.
fn told(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Transition(_) | Output::Incident(_))).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_inputs_leave_every_rule_of_the_outputs_intact(moves in moves()) {
        Player::new(false).play(&moves)?;
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(moves in moves()) {
        prop_assert_eq!(Player::new(false).play(&moves)?, Player::new(false).play(&moves)?);
    }

    #[test]
    fn ticks_that_nobody_asked_for_change_nothing(moves in moves()) {
        let (calm, restless) = (Player::new(false).play(&moves)?, Player::new(true).play(&moves)?);
        prop_assert_eq!(told(&calm), told(&restless));
        prop_assert_eq!(calm, restless);
    }
}
