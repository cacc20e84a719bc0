//! What must hold of everything that leaves the engine, whatever was fed into it.

use crate::invariants::Invariants;
use gatewatch::engine::Output;
use gatewatch::model::ids::ServerId;
use gatewatch::model::intent::ForgetOutcome;
use gatewatch::wire::advisory::{Advisories, Advisory, Alert, Event};
use gatewatch::wire::{record, sys::subject};

/// Longest subject that may leave: a server reads lines of up to 4,096 bytes.
const MAX_SUBJECT: usize = 3_000;
/// Longest message that may leave: half of what a server takes by default.
const MAX_BODY: usize = 512 << 10;

/// Follows the outputs of one engine.
pub(super) struct Judge {
    advisories: Advisories,
    invariants: Invariants,
}

impl Judge {
    pub(super) fn new(invariants: Invariants) -> Self {
        Self { advisories: Advisories::new("gatewatch", "fuzz").unwrap(), invariants }
    }

    /// # Panics
    /// When the output breaks a rule.
    pub(super) fn output(&mut self, output: &Output) {
        match output {
            Output::Transition(transition) => {
                self.invariants.transition(transition).unwrap();
                let message = self.advisories.event(transition);
                sendable(&message);
                Event::read(&message.body).unwrap();
            }
            Output::Incident(event) => {
                self.invariants.incident(event).unwrap();
                let message = self.advisories.alert(event);
                sendable(&message);
                assert_eq!(Alert::read(&message.body).unwrap().to_model().incident.id, event.incident.id);
                let stored = record::write_incident(&event.incident);
                assert_eq!(record::read_incident(&stored).unwrap().id, event.incident.id);
                assert!(is_key(&record::incident_key(&event.incident.id)));
            }
            Output::Ask(ask) => {
                ask.servers.iter().for_each(|id| assert!(is_subject(&subject::request(id, ask.what))));
                serde_json::from_str::<serde_json::Value>(&subject::body(ask.what, Some(&ask.cluster)))
                    .unwrap();
            }
            Output::Beat(plan) => plan.servers.iter().for_each(askable),
            Output::Forgotten(what, outcome) => {
                if *outcome == ForgetOutcome::Done {
                    self.invariants.forget(what);
                }
                assert!(is_key(&gatewatch::wire::wish::forget_key(what)));
            }
            Output::Probe(request) => {
                assert!(request.addresses.len() <= 8);
                for address in &request.addresses {
                    assert!(address.port > 0 && !address.host.is_empty());
                }
            }
        }
    }
}

fn askable(id: &ServerId) {
    assert!(is_subject(&subject::beat_request(id)), "{id:?}");
}

/// # Panics
/// When a server would refuse or misread the message.
fn sendable(message: &Advisory) {
    assert!(is_subject(&message.subject), "{:?}", message.subject);
    assert!(message.body.len() <= MAX_BODY, "{} bytes", message.body.len());
    for (name, value) in &message.headers {
        assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{name}: {value:?}");
        assert!(value.len() <= MAX_SUBJECT, "{name} of {} bytes", value.len());
    }
}

/// Whether it is a literal subject: plain tokens, no wildcards.
fn is_subject(subject: &str) -> bool {
    let plain = |token: &str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'*' | b'>'))
    };
    subject.len() <= MAX_SUBJECT && subject.split('.').all(plain)
}

fn is_key(key: &str) -> bool {
    is_subject(key) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-/_=.".contains(&b))
}
