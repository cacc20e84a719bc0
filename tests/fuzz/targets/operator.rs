//! Smaller decoders: the config file, greetings of gateway ports, escaped names, answers of JetStream, what a user may do.

use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream;
use gatewatch::config::settings::Settings;
use gatewatch::wire::advisory::Advisories;
use gatewatch::wire::permission::{Granted, Names, Tier, User, covering, missing, violation};
use gatewatch::wire::sys::{MAX_NAME, greeting};
use gatewatch::wire::token;
use std::io::{Seek, Write};

thread_local! {
    static FILE: std::cell::RefCell<tempfile::NamedTempFile> = tempfile::NamedTempFile::new().unwrap().into();
}

/// A config file. Whatever stands in it, there are settings or a list of what is wrong, and no secret of it is told.
pub(super) fn config(data: &[u8]) {
    const SECRET: &str = "s3cr3t-of-the-file";
    FILE.with_borrow_mut(|file| {
        file.as_file().set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(data).unwrap();
        let read = Settings::load(Some(file.path()), std::iter::empty(), &[]);
        match read {
            Ok(settings) => assert!(!format!("{settings:?}").contains(SECRET)),
            Err(errors) => {
                assert!(!errors.problems().is_empty());
                drop(errors.to_string());
            }
        }
    });
}

/// The first line on a gateway port.
pub(super) fn greeting(data: &[u8]) {
    if let Some(cluster) = greeting::gateway(data) {
        assert!(greeting::may_greet(data));
        let name = cluster.as_str();
        assert!((1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control));
    }
}

/// A token of a subject, and a subject prefix.
pub(super) fn token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let escaped = token::escape(&text);
    assert_eq!(token::unescape(&escaped).unwrap().as_deref(), Some(&*text));
    assert!(escaped.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b)));
    if let Ok(Some(name)) = token::unescape(&text) {
        assert_eq!(token::escape(&name), *text);
    }
    drop(Advisories::new(&text, &text));
}

/// What a server says that a user may do, and how it refuses something. A first line is the refusal, the rest the answer.
pub(super) fn rights(data: &[u8]) {
    let (line, answer) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    if let Some((act, subject)) = violation(&String::from_utf8_lossy(line)) {
        for user in [User::System, User::Alerts] {
            let listed = Names::default().permissions(user, Tier::Creates);
            let found = covering(&listed, act, subject);
            assert!(found.is_none_or(|permission| permission.act == act));
        }
    }
    if let Some(granted) = Granted::read(answer) {
        let listed = Names::default().permissions(User::Alerts, Tier::Creates);
        let lacks = missing(&listed, &granted);
        assert!(
            lacks.is_empty() || granted != Granted::default(),
            "nothing is denied, and yet something is missing"
        );
        for (act, subject) in lacks.iter().flat_map(|lack| &lack.denied) {
            assert!(listed.iter().any(|one| one.act == *act && one.subject == *subject));
        }
    }
}

/// What JetStream answers, as it is read for streams, buckets and acks.
pub(super) fn jetstream(data: &[u8]) {
    type Answer<T> = Result<Response<T>, serde_json::Error>;
    let info: Answer<stream::Info> = serde_json::from_slice(data);
    if let Ok(Response::Err { error }) = info {
        let error = gatewatch::nats::JetStreamError::from(error);
        drop((error.is_transient(), error.to_string()));
    }
    let ack: Answer<async_nats::jetstream::publish::PublishAck> = serde_json::from_slice(data);
    let consumer: Answer<async_nats::jetstream::consumer::Info> = serde_json::from_slice(data);
    drop((ack, consumer));
}
