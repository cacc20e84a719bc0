use super::*;
use crate::wire::permission::{Grants, Missing};

const EAST: &str = "gatewatch/vantage/east";

fn rights() -> (Arc<Rights>, Arc<Metrics>) {
    let metrics = Arc::<Metrics>::default();
    (Rights::new(&Names::default(), Arc::clone(&metrics)), metrics)
}

fn capabilities(rights: &Rights) -> Vec<(String, Capability)> {
    let lacks = rights.lacks();
    let lacks = lacks.borrow();
    lacks.iter().map(|lack| (lack.connection.clone(), lack.missing.capability)).collect()
}

#[test]
fn a_refusal_is_known_by_what_it_was_for_and_counted_each_time() {
    let (rights, metrics) = rights();
    for server in ["NA", "NB"] {
        let error = format!("Permissions Violation for Publish to \"$SYS.REQ.SERVER.{server}.IDZ\"");
        let refusal = rights.refused(User::System, EAST, &error).unwrap();
        assert_eq!(refusal.capability, Some(Capability::Beats));
    }
    assert_eq!(capabilities(&rights), [(EAST.to_owned(), Capability::Beats)]);
    assert_eq!(metrics.refusals.total(), 2);
    assert_eq!(rights.refused(User::System, EAST, "stale connection"), None);
    let unlisted = rights.refused(User::System, EAST, "Permissions Violation for Publish to \"x\"").unwrap();
    assert_eq!(unlisted.capability, None);
    assert_eq!(capabilities(&rights).len(), 1);
}

#[test]
fn subjects_of_one_capability_are_told_together() {
    let (rights, _) = rights();
    for event in ["CONNECT", "DISCONNECT"] {
        let error = format!("Permissions Violation for Subscription to \"$SYS.ACCOUNT.*.{event}\"");
        rights.refused(User::System, EAST, &error).unwrap();
    }
    let lacks = rights.lacks();
    assert_eq!(lacks.borrow()[0].missing.denied.len(), 2);
}

#[test]
fn what_the_server_tells_replaces_what_was_known_but_for_what_is_not_looked_at() {
    let (rights, _) = rights();
    let alerts = "gatewatch/alerts";
    for subject in ["gatewatch.alert.x", "$JS.API.STREAM.CREATE.GATEWATCH_ALERTS"] {
        let error = format!("Permissions Violation for Publish to \"{subject}\"");
        rights.refused(User::Alerts, alerts, &error).unwrap();
    }
    let beats = || Missing {
        capability: Capability::Beats,
        denied: [(Act::Publish, "$SYS.REQ.SERVER.*.IDZ".to_owned())].into(),
    };
    rights.found(User::System, EAST, &[beats()]);
    rights.found(User::Alerts, alerts, &[]);
    let create = (alerts.to_owned(), Capability::CreateStreams);
    let beats = (EAST.to_owned(), Capability::Beats);
    assert_eq!(capabilities(&rights), [create.clone(), beats]);
    rights.ended(EAST);
    assert_eq!(capabilities(&rights), [create]);
}

#[test]
fn whoever_watches_hears_of_changes_only() {
    let (rights, _) = rights();
    let mut watched = rights.lacks();
    assert!(!watched.has_changed().unwrap());
    let denied =
        Granted { publish: Grants { allow: vec!["x".to_owned()], deny: Vec::new() }, ..Granted::default() };
    let missing = permission::missing(rights.list(User::System), &denied);
    rights.found(User::System, EAST, &missing);
    assert!(watched.has_changed().unwrap());
    assert_eq!(watched.borrow_and_update().len(), 7);
    rights.found(User::System, EAST, &missing);
    assert!(!watched.has_changed().unwrap());
}
