use super::*;
use crate::wire::advisory::Advisory;

const SECOND: Duration = Duration::from_secs(1);
const WINDOW_OF_IDS: Duration = Duration::from_secs(600);

fn lane() -> Lane {
    Lane::new(8, WINDOW_OF_IDS)
}

fn advisory(id: &str) -> Advisory {
    Advisory { subject: format!("s.{id}"), id: id.to_owned(), headers: Vec::new(), body: b"body".to_vec() }
}

fn alert(incident: &str, revision: u32) -> Message {
    Message::alert(&incident.into(), advisory(&format!("{incident}.{revision}")))
}

fn event(id: &str) -> Message {
    Message::event(advisory(id))
}

fn at(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

/// Actions in short: `store s.a.1`, `tell s.a.2`, `probe`.
fn show(actions: &[Action]) -> Vec<String> {
    let show = |action: &Action| match action {
        Action::Store { message, again: false, .. } => format!("store {}", message.subject),
        Action::Store { message, again: true, .. } => format!("again {}", message.subject),
        Action::Tell(_, message) => format!("tell {}", message.subject),
        Action::Probe => "probe".to_owned(),
        Action::Check(wanted) => {
            let wanted: Vec<&str> = wanted.iter().map(|(_, message)| message.subject.as_str()).collect();
            format!("check {}", wanted.join(" "))
        }
    };
    actions.iter().map(show).collect()
}

/// Tickets of everything that was sent to be stored.
fn tickets(actions: &[Action]) -> Vec<Ticket> {
    let ticket = |action: &Action| match action {
        Action::Store { ticket, .. } => Some(*ticket),
        Action::Tell(..) | Action::Probe | Action::Check(_) => None,
    };
    actions.iter().filter_map(ticket).collect()
}

/// A lane whose stream failed to store the given messages, at time zero.
fn shut(messages: Vec<Message>) -> Lane {
    let mut lane = lane();
    messages.into_iter().for_each(|message| assert!(lane.push(message).is_none()));
    for ticket in tickets(&lane.due(at(0))) {
        lane.settle(ticket, Outcome::Failed, at(0));
    }
    lane
}

#[test]
fn messages_are_stored_at_once_without_waiting_for_each_other() {
    let mut lane = lane();
    lane.push(alert("a", 1));
    lane.push(alert("b", 1));
    let actions = lane.due(at(0));
    assert_eq!(show(&actions), ["store s.a.1", "store s.b.1"]);
    assert!(lane.due(at(0)).is_empty());
    for ticket in tickets(&actions) {
        lane.settle(ticket, Outcome::Stored, at(1));
    }
    assert_eq!((lane.unstored(), lane.bytes, lane.in_flight), (0, 0, 0));
}

#[test]
fn a_revision_waits_shortly_for_the_one_before_it() {
    let mut lane = lane();
    lane.push(alert("a", 1));
    let first = tickets(&lane.due(at(0)))[0];
    lane.push(alert("a", 2));
    assert!(lane.due(at(10)).is_empty());
    assert_eq!(lane.deadline(), Some(at(10) + HOLD));
    lane.settle(first, Outcome::Stored, at(20));
    assert_eq!(show(&lane.due(at(20))), ["store s.a.2"]);
}

#[test]
fn a_revision_that_would_wait_long_is_heard_first_and_stored_in_its_turn() {
    let mut lane = lane();
    lane.push(alert("a", 1));
    let first = tickets(&lane.due(at(0)))[0];
    lane.push(alert("a", 2));
    assert!(lane.due(at(0)).is_empty());
    assert_eq!(show(&lane.due(at(0) + HOLD)), ["tell s.a.2"]);
    assert_eq!(lane.deadline(), None);
    lane.settle(first, Outcome::Stored, at(900));
    assert_eq!(show(&lane.due(at(900))), ["again s.a.2"]);
}

#[test]
fn while_the_stream_is_away_everything_is_heard_at_once_and_nothing_is_stored() {
    let mut lane = shut(vec![alert("a", 1)]);
    lane.push(alert("b", 1));
    lane.push(alert("a", 2));
    assert_eq!(show(&lane.due(at(0))), ["probe", "tell s.b.1", "tell s.a.2"]);
    lane.probed(false, at(0));
    let due = lane.deadline().unwrap();
    assert!(due > at(0) && lane.due(at(1)).is_empty());
    assert_eq!(show(&lane.due(due)), ["probe"]);
}

#[test]
fn once_the_stream_answers_one_message_goes_ahead_and_the_rest_follows_in_order() {
    let mut lane = shut(vec![alert("a", 1), alert("b", 1)]);
    lane.push(alert("b", 2));
    assert_eq!(show(&lane.due(at(0))), ["probe", "tell s.b.2"]);
    lane.probed(true, at(1));
    let first = lane.due(at(1));
    assert_eq!(show(&first), ["again s.a.1"]);
    lane.settle(tickets(&first)[0], Outcome::Stored, at(2));
    assert_eq!(show(&lane.due(at(2))), ["again s.b.1"]);
    lane.push(alert("c", 1));
    assert_eq!(show(&lane.due(at(3))), ["store s.c.1"]);
}

#[test]
fn a_stream_that_answers_but_stores_nothing_is_tried_ever_more_rarely() {
    let mut lane = shut(vec![alert("a", 1), alert("b", 1)]);
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(show(&lane.due(now)), ["probe"]);
        lane.probed(true, now);
        let sent = lane.due(now);
        assert_eq!(show(&sent), ["again s.a.1"], "never more than one at a time");
        lane.settle(tickets(&sent)[0], Outcome::Failed, now);
        let next = lane.deadline().unwrap();
        pauses.push(next.since(now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn late_confirmations_count_but_do_not_open_the_lane() {
    let mut lane = lane();
    lane.push(event("1"));
    lane.push(event("2"));
    let sent = tickets(&lane.due(at(0)));
    lane.settle(sent[0], Outcome::Failed, at(5));
    lane.settle(sent[1], Outcome::Stored, at(6));
    assert_eq!(lane.unstored(), 1);
    assert_eq!(show(&lane.due(at(6))), ["probe"]);
}

#[test]
fn what_was_not_sent_is_heard_again_as_soon_as_possible() {
    let mut lane = lane();
    lane.push(event("1"));
    let sent = tickets(&lane.due(at(0)));
    lane.settle(sent[0], Outcome::Unsent, at(0));
    assert_eq!(lane.unheard(), 1);
    let actions = lane.due(at(0));
    assert_eq!(show(&actions), ["probe", "tell s.1"]);
    if let Action::Tell(ticket, _) = &actions[1] {
        lane.untold(*ticket);
    }
    assert_eq!(show(&lane.due(at(0))), ["tell s.1"]);
}

#[test]
fn a_message_refused_for_good_is_given_up_and_holds_up_nothing() {
    let mut lane = lane();
    lane.push(alert("a", 1));
    lane.push(alert("a", 2));
    let sent = tickets(&lane.due(at(0)));
    lane.settle(sent[0], Outcome::Refused, at(1));
    assert_eq!(show(&lane.due(at(1))), ["store s.a.2"]);
}

#[test]
fn when_full_the_oldest_that_was_heard_makes_room() {
    let mut lane = shut((1..=7).map(|n| event(&n.to_string())).collect());
    lane.push(event("unheard"));
    assert!(lane.push(event("new")).is_some());
    assert_eq!(lane.unstored(), 8);
    assert_eq!(lane.unheard(), 2, "nothing unheard was given up");
}

#[test]
fn the_confirmation_of_a_message_that_made_room_is_harmless() {
    let mut lane = Lane::new(1, WINDOW_OF_IDS);
    lane.push(event("1"));
    let sent = tickets(&lane.due(at(0)));
    assert!(lane.push(event("2")).is_some());
    lane.settle(sent[0], Outcome::Stored, at(1));
    assert_eq!((lane.unstored(), lane.in_flight), (1, 0));
}

#[test]
fn messages_beyond_the_window_wait_for_their_turn() {
    let mut lane = Lane::new(2 * WINDOW, WINDOW_OF_IDS);
    for n in 0..=WINDOW {
        lane.push(event(&n.to_string()));
    }
    let sent = lane.due(at(0));
    assert_eq!(sent.len(), WINDOW);
    lane.settle(tickets(&sent)[0], Outcome::Stored, at(1));
    assert_eq!(show(&lane.due(at(1))), [format!("store s.{WINDOW}")]);
    assert_eq!(lane.deadline(), None);
    assert!(lane.due(at(0) + SECOND).is_empty());
}

/// The tickets of everything that is to be looked up.
fn asked(actions: &[Action]) -> Vec<Ticket> {
    let asked = |action: &Action| match action {
        Action::Check(wanted) => wanted.iter().map(|(ticket, _)| *ticket).collect(),
        Action::Store { .. } | Action::Tell(..) | Action::Probe => Vec::new(),
    };
    actions.iter().flat_map(asked).collect()
}

#[test]
fn what_a_former_life_left_is_looked_up_before_it_is_sent() {
    let mut lane = lane();
    lane.take_over(alert("a", 1), true);
    lane.take_over(alert("a", 2), false);
    lane.push(alert("a", 3));
    lane.push(alert("b", 1));
    let actions = lane.due(at(0));
    assert_eq!(show(&actions), ["check s.a.1 s.a.2", "store s.b.1"]);
    assert!(lane.due(at(10)).is_empty());
    let held = BTreeSet::from([asked(&actions)[0]]);
    let done = lane.checked(&asked(&actions), Some(&held), at(20));
    assert_eq!(done.iter().map(|message| message.subject.as_str()).collect::<Vec<_>>(), ["s.a.1"]);
    assert_eq!(show(&lane.due(at(20))), ["store s.a.2"], "in the order of the incident");
}

#[test]
fn what_nobody_may_have_heard_is_told_when_the_stream_does_not_answer() {
    let mut lane = lane();
    lane.take_over(alert("a", 1), true);
    lane.take_over(alert("b", 1), false);
    let actions = lane.due(at(0));
    assert_eq!(show(&actions), ["check s.a.1 s.b.1"]);
    assert_eq!(lane.deadline(), Some(at(0) + HOLD_LEFT));
    assert_eq!(show(&lane.due(at(0) + HOLD_LEFT)), ["tell s.b.1"]);
    assert!(lane.checked(&asked(&actions), None, at(5_000)).is_empty());
    assert_eq!(show(&lane.due(at(5_000))), ["probe"]);
    lane.probed(true, at(5_010));
    assert_eq!(show(&lane.due(at(5_010))), ["check s.a.1 s.b.1"]);
    assert_eq!(lane.unstored(), 2);
}

#[test]
fn what_was_tried_longer_ago_than_the_stream_remembers_is_looked_up_first() {
    let mut lane = shut(vec![alert("a", 1)]);
    assert_eq!(show(&lane.due(at(0))), ["probe"]);
    let late = at(0) + WINDOW_OF_IDS;
    lane.probed(true, late);
    let actions = lane.due(late);
    assert_eq!(show(&actions), ["check s.a.1"]);
    lane.checked(&asked(&actions), Some(&BTreeSet::new()), late);
    let actions = lane.due(late);
    assert_eq!(show(&actions), ["again s.a.1"]);
    lane.settle(tickets(&actions)[0], Outcome::Failed, late);
    let soon = lane.deadline().unwrap();
    assert_eq!(show(&lane.due(soon)), ["probe"]);
    lane.probed(true, soon);
    assert_eq!(show(&lane.due(soon)), ["again s.a.1"], "the stream remembers its id for a while from now");
}
