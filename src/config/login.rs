//! Reads the keys that every connection has: servers, one kind of credentials, TLS.

use super::connection::{ClientCertificate, ConnectionSettings, Credentials, TlsSettings};
use super::error::Origin;
use super::parse;
use super::places::Places;
use super::reader::Section;
use super::secret::{Secret, SecretSource};
use async_nats::ServerAddr;

const DEFAULT_INBOX_PREFIX: &str = "_INBOX";

/// Kinds of credentials, each with its keys.
const KINDS: [&[&str]; 4] =
    [&["creds"], &["nkey"], &["user", "password", "password_file"], &["token", "token_file"]];

/// What one table says about its connection; what it does not say comes from another.
pub(super) struct Given {
    pub(super) servers: Option<Vec<ServerAddr>>,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<TlsSettings>,
    pub(super) inbox_prefix: Option<String>,
}

impl Given {
    /// For `[system]`: nothing to inherit from.
    pub(super) fn or_default(self, default_servers: Vec<ServerAddr>) -> ConnectionSettings {
        ConnectionSettings {
            servers: self.servers.unwrap_or(default_servers),
            credentials: self.credentials.unwrap_or(Credentials::None),
            tls: self.tls.unwrap_or_default(),
            inbox_prefix: self.inbox_prefix.unwrap_or_else(|| DEFAULT_INBOX_PREFIX.to_owned()),
        }
    }

    /// For `[alerts]`: the servers of `system` unless it names its own, never its credentials.
    pub(super) fn beside(self, system: &ConnectionSettings) -> ConnectionSettings {
        let same_servers = self.servers.is_none();
        let tls = self.tls.or_else(|| same_servers.then(|| system.tls.clone()));
        Self { tls, ..self }.or_default(system.servers.clone())
    }

    /// For `[[vantage]]`: everything from `system` that it does not say itself.
    pub(super) fn inside(self, system: &ConnectionSettings) -> ConnectionSettings {
        ConnectionSettings {
            servers: self.servers.unwrap_or_default(),
            credentials: self.credentials.unwrap_or_else(|| system.credentials.clone()),
            tls: self.tls.unwrap_or_else(|| system.tls.clone()),
            inbox_prefix: self.inbox_prefix.unwrap_or_else(|| system.inbox_prefix.clone()),
        }
    }
}

/// Reads the connection keys of a table. Its context, if it names one, was put into the table before.
pub(super) fn read(section: &Section<'_>, places: &Places) -> Given {
    let servers = section.get("servers", parse::servers);
    section.get("context", parse::text);
    let credentials = credentials(section, places);
    let inbox_prefix = section.get("inbox_prefix", parse::subject_prefix);
    Given { servers, credentials, tls: tls(section, places), inbox_prefix }
}

fn credentials(section: &Section<'_>, places: &Places) -> Option<Credentials> {
    for key in KINDS.into_iter().flatten() {
        section.get(key, parse::text);
    }
    let kind = pick(section, &KINDS)?;
    match kind[0] {
        "creds" => section.get("creds", |node| places.secret(node)).map(Credentials::CredsFile),
        "nkey" => section.get("nkey", |node| places.secret(node)).map(Credentials::NkeyFile),
        "user" => user(section, places),
        _ => secret(section, places, ["token", "token_file"]).map(Credentials::Token),
    }
}

fn user(section: &Section<'_>, places: &Places) -> Option<Credentials> {
    let password = secret(section, places, ["password", "password_file"]);
    if section.origin("user").is_none() {
        section.problem("user", "is missing, though a password is given");
        return None;
    }
    if password.is_none() && section.origin("password").or(section.origin("password_file")).is_none() {
        section.problem("user", "has no password; give `password` or `password_file`");
    }
    let user = section.get("user", parse::text)?;
    Some(Credentials::UserPassword { user, password: password? })
}

fn secret(section: &Section<'_>, places: &Places, [inline, file]: [&'static str; 2]) -> Option<SecretSource> {
    let alternatives = [[inline], [file]];
    let picked = pick(section, &alternatives.each_ref().map(<[_; 1]>::as_slice))?;
    if picked[0] == inline {
        return section.get(inline, parse::text).map(Secret::new).map(SecretSource::Inline);
    }
    section.get(file, |node| places.secret(node)).map(SecretSource::File)
}

/// The one alternative that was given at the highest rank: a flag replaces the credentials of the file also when
/// they are of another kind. Two of equal rank are a problem.
fn pick<'k>(section: &Section<'_>, alternatives: &[&'k [&'static str]]) -> Option<&'k [&'static str]> {
    let rank = |keys: &[&str]| keys.iter().filter_map(|key| section.origin(key)).map(Origin::rank).max();
    let best = alternatives.iter().filter_map(|keys| rank(keys)).max()?;
    let mut at_best = alternatives.iter().copied().filter(|keys| rank(keys) == Some(best));
    let first = at_best.next()?;
    if let Some(second) = at_best.next() {
        let given = |keys: &[&'static str]| keys.iter().copied().find(|key| section.origin(key).is_some());
        let (first, second) = (given(first)?, given(second)?);
        section
            .problem(second, format!("only one kind of credentials is possible, and `{first}` is given too"));
        return None;
    }
    Some(first)
}

fn tls(parent: &Section<'_>, places: &Places) -> Option<TlsSettings> {
    let section = parent.section("tls");
    let ca = section.get("ca", |node| places.readable(node));
    let cert = section.get("cert", |node| places.readable(node));
    let key = section.get("key", |node| places.secret(node));
    let first = section.or("first", false, parse::boolean);
    let required = section.or("required", false, parse::boolean);
    for (given, missing) in [("cert", "key"), ("key", "cert")] {
        let alone = section.origin(given).is_some() && section.origin(missing).is_none();
        section.check(given, &[], !alone, || format!("needs `{missing}` beside it"));
    }
    let client = cert.zip(key).map(|(cert, key)| ClientCertificate { cert, key });
    let given = section.is_given();
    section.finish();
    given.then_some(TlsSettings { ca, client, first, required })
}
