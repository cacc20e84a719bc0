//! Smaller decoders: the config file, greetings of gateway ports, escaped names, answers of JetStream.

use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream;
use gatewatch::config::settings::Settings;
use gatewatch::wire::advisory::Advisories;
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
