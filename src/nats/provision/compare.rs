//! What an existing stream has that differs: limits of the user's choice, or something that makes it useless for us.

use super::wanted::Wanted;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use std::fmt;
use std::time::Duration;

/// A setting of an existing stream that differs from ours and is respected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The stream's setting, as the `nats` command shows it in JSON.
    pub setting: &'static str,
    /// What the stream has.
    pub found: String,
    /// What we would have chosen.
    pub wanted: String,
    /// Whether it can lose history that ours would keep.
    pub loses_history: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} instead of {}", self.setting, self.found, self.wanted)
    }
}

/// What comparing brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Comparison {
    /// Why it cannot be used, in words; empty when it can.
    pub(super) conflicts: Vec<String>,
    /// What is respected.
    pub(super) differences: Vec<Difference>,
}

/// Compares what the user has with what we want.
pub(super) fn compare(wanted: &Wanted, found: &Config) -> Comparison {
    Comparison { conflicts: conflicts(wanted, found), differences: differences(wanted, found) }
}

fn conflicts(wanted: &Wanted, found: &Config) -> Vec<String> {
    let mut conflicts = Vec::new();
    if let Some(mirror) = &found.mirror {
        conflicts.push(format!("it is a mirror of {} and takes no messages of its own", mirror.name));
    } else {
        let missing = missing(wanted, found).filter(|subject| Some(*subject) != wanted.can_lack.as_ref());
        conflicts.extend(
            missing.map(|subject| {
                format!("its subjects ({}) do not cover {subject}", found.subjects.join(", "))
            }),
        );
    }
    match found.retention {
        RetentionPolicy::Limits => {}
        RetentionPolicy::Interest => conflicts.push(retention("interest")),
        RetentionPolicy::WorkQueue => conflicts.push(retention("workqueue")),
    }
    if found.no_ack {
        conflicts.push("it has no_ack set, so nobody would ever know what is stored".to_owned());
    }
    if found.sealed {
        conflicts.push("it is sealed and takes no more messages".to_owned());
    }
    if found.subject_transform.is_some() {
        conflicts.push("it renames the subjects of what it stores (subject_transform)".to_owned());
    }
    let (age, least) = (found.max_age, wanted.config.max_age);
    if wanted.bucket && !least.is_zero() && !age.is_zero() && age < least {
        conflicts.push(format!(
            "it drops what it holds after {}, before the {} of lease.ttl",
            humantime::format_duration(age),
            humantime::format_duration(least)
        ));
    }
    if wanted.bucket && found.max_messages_per_subject < 1 {
        conflicts.push("it does not limit the messages per subject, so it is no key-value bucket".to_owned());
    }
    conflicts
}

/// The wanted subjects that it does not take.
fn missing<'a>(wanted: &'a Wanted, found: &'a Config) -> impl Iterator<Item = &'a String> {
    let covered = |subject: &String| found.subjects.iter().any(|pattern| covers(pattern, subject));
    wanted.config.subjects.iter().filter(move |subject| !covered(subject))
}

fn retention(policy: &str) -> String {
    format!("its retention is {policy}, which deletes messages once consumers have read them")
}

fn differences(wanted: &Wanted, found: &Config) -> Vec<Difference> {
    let ours = &wanted.config;
    let mut list = List::default();
    if missing(wanted, found).any(|subject| Some(subject) == wanted.can_lack.as_ref()) {
        list.add("subjects", ours.subjects.join(","), found.subjects.join(","), true);
    }
    list.add("max_age", age(ours.max_age), age(found.max_age), wanted.bucket);
    list.add("max_bytes", limit(ours.max_bytes), limit(found.max_bytes), false);
    list.add("max_msgs", limit(ours.max_messages), limit(found.max_messages), wanted.bucket);
    if !wanted.bucket {
        let per_subject = |config: &Config| limit(config.max_messages_per_subject);
        list.add("max_msgs_per_subject", per_subject(ours), per_subject(found), true);
        list.add("discard", discard(ours.discard), discard(found.discard), true);
        list.add("duplicate_window", age(ours.duplicate_window), age(found.duplicate_window), false);
    }
    let size = |config: &Config| limit(i64::from(config.max_message_size));
    list.add("max_msg_size", size(ours), size(found), true);
    list.add("storage", storage(ours.storage), storage(found.storage), true);
    if let [replicas] = wanted.replicas[..] {
        list.add("num_replicas", replicas.to_string(), found.num_replicas.to_string(), false);
    }
    list.0
}

#[derive(Default)]
struct List(Vec<Difference>);

impl List {
    fn add(&mut self, setting: &'static str, wanted: String, found: String, loses_history: bool) {
        if wanted != found {
            self.0.push(Difference { setting, found, wanted, loses_history });
        }
    }
}

fn age(span: Duration) -> String {
    if span.is_zero() { "unlimited".to_owned() } else { humantime::format_duration(span).to_string() }
}

fn limit(value: i64) -> String {
    if value <= 0 { "unlimited".to_owned() } else { value.to_string() }
}

fn discard(policy: DiscardPolicy) -> String {
    match policy {
        DiscardPolicy::Old => "old".to_owned(),
        DiscardPolicy::New => "new".to_owned(),
    }
}

fn storage(kind: StorageType) -> String {
    match kind {
        StorageType::File => "file".to_owned(),
        StorageType::Memory => "memory".to_owned(),
    }
}

/// Whether every subject that `inner` matches is also matched by `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (outer.split('.'), inner.split('.'));
    loop {
        match (outer.next(), inner.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(pattern), Some(token)) if pattern == token => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        let config = Config {
            name: "GATEWATCH_ALERTS".to_owned(),
            subjects: vec!["gatewatch.alert.>".to_owned(), "gatewatch.silenced.>".to_owned()],
            max_messages: -1,
            max_age: Duration::from_secs(86_400),
            ..Config::default()
        };
        let can_lack = Some("gatewatch.silenced.>".to_owned());
        Wanted { config, named_by: "alerts.alerts_stream", replicas: vec![3, 1], bucket: false, can_lack }
    }

    #[test]
    fn a_pattern_covers_what_it_always_matches() {
        for outer in [">", "a.>", "*.>", "*.b.>", "a.b.>"] {
            assert!(covers(outer, "a.b.>"), "{outer}");
        }
        for outer in ["a.b", "a.b.*", "a.b.c", "a.b.c.>", "b.>", "a"] {
            assert!(!covers(outer, "a.b.>"), "{outer}");
        }
        assert!(covers("a.*", "a.b") && covers("a.b", "a.b") && !covers("a.>", "a"));
    }

    #[test]
    fn what_we_would_have_made_is_neither_different_nor_in_conflict() {
        let wanted = wanted();
        // Servers spell "unlimited" as 0 or as -1.
        let found = Config { max_messages: 0, max_bytes: -1, ..wanted.with_replicas(1) };
        assert_eq!(compare(&wanted, &found), Comparison::default());
    }

    #[test]
    fn other_limits_are_respected_and_named() {
        let found = Config {
            max_age: Duration::from_secs(3600),
            max_messages_per_subject: 1,
            num_replicas: 5,
            ..wanted().config
        };
        let comparison = compare(&wanted(), &found);
        assert!(comparison.conflicts.is_empty());
        let texts: Vec<String> = comparison.differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["max_age is 1h instead of 1day", "max_msgs_per_subject is 1 instead of unlimited"]
        );
        assert!(!comparison.differences[0].loses_history && comparison.differences[1].loses_history);
    }

    #[test]
    fn a_stream_that_does_not_take_silenced_incidents_is_used_and_said_to_lose_them() {
        let found = Config { subjects: vec!["gatewatch.alert.>".to_owned()], ..wanted().config };
        let comparison = compare(&wanted(), &found);
        assert!(comparison.conflicts.is_empty());
        let [difference] = comparison.differences.as_slice() else { panic!("{comparison:?}") };
        assert_eq!((difference.setting, difference.loses_history), ("subjects", true));
    }

    #[test]
    fn a_stream_that_cannot_serve_is_refused_for_every_reason_at_once() {
        let found = Config {
            subjects: vec!["orders.>".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            no_ack: true,
            sealed: true,
            ..wanted().config
        };
        let conflicts = compare(&wanted(), &found).conflicts;
        assert_eq!(conflicts.len(), 4);
        assert_eq!(conflicts[0], "its subjects (orders.>) do not cover gatewatch.alert.>");
    }

    #[test]
    fn a_plain_stream_is_no_bucket() {
        let wanted = Wanted { bucket: true, ..wanted() };
        let found = Config { max_messages_per_subject: -1, ..wanted.config.clone() };
        assert!(compare(&wanted, &found).conflicts[0].contains("no key-value bucket"));
    }
}
