use super::*;

fn names() -> Names {
    Names::default()
}

fn granted(list: &[Permission]) -> Granted {
    let side = |act: Act| {
        let own = list.iter().filter(|permission| permission.act == act);
        Grants { allow: own.map(|permission| permission.subject.clone()).collect(), deny: Vec::new() }
    };
    Granted { publish: side(Act::Publish), subscribe: side(Act::Subscribe) }
}

#[test]
fn exactly_the_list_is_enough_and_without_any_one_of_it_that_one_is_named() {
    for user in [User::System, User::Alerts] {
        let list = names().permissions(user, Tier::Creates);
        assert_eq!(missing(&list, &granted(&list)), []);
        for index in 0..list.len() {
            let mut less = list.clone();
            let removed = less.remove(index);
            let found = missing(&list, &granted(&less));
            if removed.capability.is_needed_to_run() {
                let expected = Missing {
                    capability: removed.capability,
                    denied: [(removed.act, removed.subject.clone())].into(),
                };
                assert_eq!(found, [expected], "{removed:?}");
            } else {
                assert_eq!(found, [], "{removed:?}");
            }
        }
    }
}

#[test]
fn a_missing_permission_is_told_with_what_is_lost() {
    let list = names().permissions(User::System, Tier::Creates);
    let mut granted = granted(&list);
    granted.publish.deny.push("$SYS.REQ.SERVER.*.IDZ".to_owned());
    granted.subscribe.deny.push("$SYS.ACCOUNT.>".to_owned());
    let told: Vec<String> = missing(&list, &granted).iter().map(ToString::to_string).collect();
    assert!(
        told[0].starts_with("may not publish `$SYS.REQ.SERVER.*.IDZ`: beats off, basis reports"),
        "{told:?}"
    );
    let clients =
        "may not subscribe to `$SYS.ACCOUNT.*.CONNECT`, `$SYS.ACCOUNT.*.DISCONNECT`: client connections";
    assert!(told[1].starts_with(clients), "{told:?}");
}

#[test]
fn a_refused_subject_is_found_in_the_list() {
    let names = names();
    let of = |user, act, subject: &str| {
        covering(&names.permissions(user, Tier::Creates), act, subject).map(|found| found.capability)
    };
    let system = |act, subject| of(User::System, act, subject);
    assert_eq!(system(Act::Publish, "$SYS.REQ.SERVER.NABC.IDZ"), Some(Capability::Beats));
    assert_eq!(system(Act::Publish, "$SYS.REQ.SERVER.PING.VARZ"), Some(Capability::AskConfig));
    assert_eq!(system(Act::Subscribe, "_INBOX.0a1b.>"), Some(Capability::Answers));
    assert_eq!(system(Act::Publish, "_INBOX.0a1b"), Some(Capability::Echo));
    assert_eq!(system(Act::Publish, "$SYS.REQ.SERVER.NABC.RELOAD"), None);
    let alerts = |subject| of(User::Alerts, Act::Publish, subject);
    assert_eq!(alerts("gatewatch.alert.critical.gateway_down.a.b"), Some(Capability::PublishAlerts));
    assert_eq!(alerts("$KV.GATEWATCH.snapshot"), Some(Capability::WriteState));
    assert_eq!(alerts("$KV.GATEWATCH_LEASE.speaker"), Some(Capability::Lease));
    assert_eq!(alerts("$JS.API.CONSUMER.CREATE.GATEWATCH_ALERTS"), Some(Capability::ReadHistory));
    assert_eq!(alerts("$JS.API.STREAM.DELETE.GATEWATCH_ALERTS"), None);
}

#[test]
fn the_lists_follow_the_settings() {
    let names = Names {
        subject_prefix: "ops.gw".to_owned(),
        bucket: "GW".to_owned(),
        system_inboxes: ["_INBOX.sys".to_owned(), "_INBOX.west".to_owned()].into(),
        ..names()
    };
    let has = |user, tier, subject: &str| {
        names.permissions(user, tier).iter().any(|permission| permission.subject == subject)
    };
    for subject in ["_INBOX.sys.*", "_INBOX.sys.>", "_INBOX.west.*", "_INBOX.west.>"] {
        assert!(has(User::System, Tier::Creates, subject), "{subject}");
    }
    for subject in ["ops.gw.alert.>", "$KV.GW.>", "$KV.GW_LEASE.>", "$JS.API.STREAM.MSG.GET.KV_GW"] {
        assert!(has(User::Alerts, Tier::Existing, subject), "{subject}");
    }
    assert!(has(User::Alerts, Tier::Creates, "$JS.API.STREAM.CREATE.KV_GW"));
    assert!(!has(User::Alerts, Tier::Existing, "$JS.API.STREAM.CREATE.KV_GW"));
}

#[test]
fn what_a_server_tells_is_read() {
    let answer = br#"{"server":{},"data":{"user":"u","account":"A","permissions":{"publish":{"allow":["a.>"],"deny":["a.b"]},"subscribe":null}}}"#;
    let granted = Granted::read(answer).unwrap();
    assert!(granted.allows(Act::Publish, "a.c") && !granted.allows(Act::Publish, "b"));
    assert!(!granted.allows(Act::Publish, "a.b") && !granted.allows(Act::Publish, "a.>"));
    assert!(granted.allows(Act::Subscribe, ">"));
    let free = Granted::read(br#"{"data":{"user":"u","account":"A"}}"#).unwrap();
    assert_eq!(free, Granted::default());
    let nulls = br#"{"data":{"permissions":{"publish":{"allow":null,"deny":["x"]}}}}"#;
    assert!(Granted::read(nulls).unwrap().allows(Act::Publish, "y"));
    for bad in [&b""[..], b"{}", b"[]", br#"{"server":{},"error":{"code":503}}"#, b"\xff"] {
        assert_eq!(Granted::read(bad), None);
    }
}

#[test]
fn every_word_and_text_is_its_own() {
    let words: BTreeSet<_> = Capability::ALL.iter().map(|capability| capability.word()).collect();
    let texts: BTreeSet<_> = Capability::ALL.iter().map(|capability| capability.without()).collect();
    assert_eq!((words.len(), texts.len()), (Capability::ALL.len(), Capability::ALL.len()));
}

#[test]
fn the_commands_quote_every_subject() {
    let text = nsc(&names(), User::System, Tier::Creates);
    assert!(text.contains(" \\\n  --allow-pub '$SYS.REQ.SERVER.*.IDZ' \\\n"), "{text}");
    assert!(
        text.ends_with("nsc generate creds --account SYS --name gatewatch-system > gatewatch-system.creds\n")
    );
}
