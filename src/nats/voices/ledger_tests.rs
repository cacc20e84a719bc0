use super::super::fixtures::{ALL, cut, set, voices, whole};
use super::super::reach::reaches;
use super::*;
use crate::model::states::{ClusterState, Departure, LinkState, ServerLinkState};
use async_nats::HeaderMap;

const NOTICED: Duration = Duration::from_secs(5);

struct Play {
    ledger: Ledger,
    snapshot: Snapshot,
    now: Mono,
}

impl Play {
    fn begin() -> Self {
        Self { ledger: Ledger::new(NOTICED), snapshot: whole(), now: Mono::from_millis(1_000) }
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(ms);
        self
    }

    fn reaches(&self) -> Vec<Reach> {
        reaches(&voices(), &self.snapshot)
    }

    /// Tells an alert through the voices into these clusters.
    fn tell(&mut self, incident: &str, revision: u32, through: &[&str]) {
        let parcel = Parcel {
            incident: Some(incident.into()),
            id: format!("{incident}.{revision}"),
            subject: String::new(),
            headers: HeaderMap::new(),
            heard_only: HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        let reaches = self.reaches();
        let through: Vec<&Reach> =
            reaches.iter().filter(|reach| through.contains(&reach.voice.cluster.as_str())).collect();
        let everybody = reach::alive(&self.snapshot).cloned().collect();
        self.ledger.note(self.now, &Arc::new(parcel), &through, &everybody);
    }

    fn look(&mut self) {
        let attached = voices().into_iter().map(|voice| voice.id).collect();
        self.ledger.look(self.now, &attached, &self.snapshot);
    }

    /// What is told again now: id and the clusters it is spoken in.
    fn again(&mut self, before: Option<(&str, &[usize])>) -> Vec<(String, Vec<&'static str>)> {
        self.look();
        let incident = before.map(|(incident, _)| IncidentId::from(incident));
        let before = incident.as_ref().zip(before.map(|(_, through)| through));
        let due = self.ledger.due(self.now, before, &self.reaches());
        due.into_iter()
            .map(|(parcel, through)| (parcel.id.clone(), through.iter().map(|at| ALL[*at]).collect()))
            .collect()
    }

    /// The same, once it had time to settle.
    fn settled(&mut self) -> Vec<(String, Vec<&'static str>)> {
        let early = self.again(None);
        assert_eq!(early, [], "told again before the cut is known in full");
        self.wait(500).again(None)
    }
}

fn one(id: &str, through: &[&'static str]) -> Vec<(String, Vec<&'static str>)> {
    vec![(id.to_owned(), through.to_vec())]
}

#[test]
fn what_was_told_just_before_an_isolation_was_known_is_told_again_inside_once() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    assert_eq!(play.wait(400).again(None), []);
    for (from, to) in [("east", "west"), ("north", "west"), ("west", "east"), ("west", "north")] {
        cut(&mut play.snapshot, from, to);
    }
    assert_eq!(play.settled(), one("X.1", &["west"]));
    assert_eq!(play.wait(500).again(None), []);
    play.snapshot = whole();
    assert_eq!(play.wait(500).again(None), []);
}

#[test]
fn one_who_is_heard_by_others_too_is_taken_when_nobody_else_can() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    play.wait(400);
    cut(&mut play.snapshot, "east", "west");
    cut(&mut play.snapshot, "west", "east");
    // In west it is heard in north as well, through north at home as well: the fewest hear it twice from west.
    let again = play.settled();
    assert_eq!(again.len(), 1);
    assert!(again == one("X.1", &["west"]) || again == one("X.1", &["north"]), "{again:?}");
    // Nobody hears it a third time, though more is cut.
    cut(&mut play.snapshot, "east", "north");
    assert_eq!(play.wait(1_000).again(None), []);
    assert_eq!(play.wait(1_000).again(None), []);
}

#[test]
fn an_old_alert_is_not_told_again_for_a_new_cut() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    cut(&mut play.snapshot, "east", "west");
    assert_eq!(play.wait(5_100).settled(), []);
}

#[test]
fn across_an_ocean_a_cut_takes_longer_to_be_noticed() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    cut(&mut play.snapshot, "east", "west");
    let parts = play.snapshot.links.iter_mut().flat_map(|link| &mut link.servers);
    parts.for_each(|part| part.latency = Some(Duration::from_millis(300)));
    assert_eq!(play.wait(5_100).settled().len(), 1);
}

#[test]
fn where_only_reports_tell_of_cuts_an_older_one_is() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    play.wait(42_000);
    cut(&mut play.snapshot, "east", "west");
    play.snapshot.links.iter_mut().for_each(|link| link.basis = Some(Basis::Reports));
    assert_eq!(play.settled().len(), 1);
}

#[test]
fn a_later_alert_of_the_same_incident_does_not_overtake() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    play.tell("Y", 1, &["east"]);
    play.wait(400);
    for from in ["east", "north"] {
        cut(&mut play.snapshot, from, "west");
    }
    // West is heard in north as well, and yet the way is that of the alert to come.
    assert_eq!(play.again(Some(("X", &[0]))), [], "home does not reach west");
    assert_eq!(play.again(Some(("X", &[0, 2]))), one("X.1", &["west"]));
    assert_eq!(play.again(Some(("X", &[0, 2]))), []);
    let rest = play.settled();
    assert_eq!(rest.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["Y.1"]);
}

#[test]
fn who_could_not_be_reached_is_told_once_they_can_be() {
    let mut play = Play::begin();
    for (from, to) in [("east", "west"), ("north", "west")] {
        cut(&mut play.snapshot, from, to);
    }
    play.tell("X", 1, &["east"]);
    // There is a voice now.
    play.wait(100).look();
    assert_eq!(play.wait(500).again(None).len(), 1);

    // And not for ever.
    play.tell("Y", 1, &["east"]);
    assert_eq!(play.wait(61_000).again(None), []);
    assert!(play.ledger.is_empty());
}

#[test]
fn a_cluster_that_is_gone_misses_nothing() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    play.wait(400);
    for from in ["east", "north"] {
        cut(&mut play.snapshot, from, "west");
    }
    play.look();
    play.snapshot.clusters[2].state = ClusterState::Offline(Departure::Crash);
    assert_eq!(play.wait(1_000).again(None), []);
    play.snapshot = whole();
    assert_eq!(play.wait(5_000).again(None), []);
}

#[test]
fn what_a_connection_took_and_perhaps_nobody_read_is_told_through_others() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    play.wait(3_000);
    let others: Vec<_> = voices().into_iter().filter(|voice| !voice.home).collect();
    let look = |play: &mut Play| {
        let attached = others.iter().map(|voice| voice.id.clone()).collect();
        play.ledger.look(play.now, &attached, &play.snapshot);
    };
    look(&mut play);
    play.wait(500);
    let reaches = reaches(&others, &play.snapshot);
    assert_eq!(play.ledger.due(play.now, None, &reaches).len(), 1);

    // Long ago: it was read before the end.
    play.tell("Y", 1, &["east"]);
    play.wait(7_000);
    look(&mut play);
    play.wait(500);
    assert!(play.ledger.due(play.now, None, &reaches).is_empty());
}

#[test]
fn what_no_connection_took_is_told_again() {
    let mut play = Play::begin();
    cut(&mut play.snapshot, "east", "west");
    set(&mut play.snapshot, "north", "west", [ServerLinkState::Down; 2], LinkState::Down);
    cut(&mut play.snapshot, "west", "north");
    cut(&mut play.snapshot, "west", "east");
    play.tell("X", 1, &["east", "west"]);
    let west = voices().into_iter().find(|voice| voice.cluster.as_str() == "west").unwrap();
    play.ledger.unsent("X.1", &west.id);
    assert_eq!(play.settled(), one("X.1", &["west"]));
}

#[test]
fn what_was_heard_again_for_the_sake_of_the_stream_is_not_told_a_third_time() {
    let mut play = Play::begin();
    play.tell("X", 1, &["east"]);
    let reaches = play.reaches();
    play.ledger.note_again("X.1", &reaches[0]);
    cut(&mut play.snapshot, "east", "west");
    assert_eq!(play.wait(400).settled(), []);
}

#[test]
fn only_so_many_are_remembered() {
    let mut play = Play::begin();
    (0..2 * MANY).for_each(|revision| play.tell("X", u32::try_from(revision).unwrap(), &["east"]));
    assert_eq!(play.ledger.told.len(), MANY);
    // Offered once more, it is one and the same.
    play.tell("X", 1_000, &["east"]);
    assert_eq!(play.ledger.told.len(), MANY);
}
