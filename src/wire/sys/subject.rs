//! The subjects gatewatch listens to, asks on and is answered on.
//!
//! Answers are recognised by the last but one token of their subject (`<inbox>.BEAT.<number>`, `<inbox>.STATSZ.<n>`), so
//! every inbox works.

use super::error::{DecodeError, What, clip};
use crate::model::ask::Survey;
use crate::model::ids::{ClusterName, ServerId};

/// Statistics that every server broadcasts: every 10 s, more often after its start, and when it dials a gateway.
pub const STATSZ_ALL: &str = "$SYS.SERVER.*.STATSZ";
/// Published by a server that shuts down in order; a crash publishes nothing.
pub const SHUTDOWN_ALL: &str = "$SYS.SERVER.*.SHUTDOWN";
/// Published by a server that enters lame duck mode.
pub const LAMEDUCK_ALL: &str = "$SYS.SERVER.*.LAMEDUCK";
/// Published by a server that refuses a connection, also a gateway, for bad credentials.
pub const AUTH_ERR_ALL: &str = "$SYS.SERVER.*.CLIENT.AUTH.ERR";
/// Published when a client or leafnode connects; never for gateways.
pub const CONNECT_ALL: &str = "$SYS.ACCOUNT.*.CONNECT";
/// Published when a client or leafnode disconnects; never for gateways.
pub const DISCONNECT_ALL: &str = "$SYS.ACCOUNT.*.DISCONNECT";

/// Everything a vantage subscribes to beside its inbox.
pub const LISTEN: [&str; 6] =
    [STATSZ_ALL, SHUTDOWN_ALL, LAMEDUCK_ALL, AUTH_ERR_ALL, CONNECT_ALL, DISCONNECT_ALL];

/// Where to ask one server.
#[must_use]
pub fn request(server: &ServerId, what: Survey) -> String {
    format!("$SYS.REQ.SERVER.{server}.{}", survey_token(what))
}

/// Where to ask every server at once. Send a [`body`] and a reply subject with it: a STATSZ ping *without* a reply subject
/// makes every server broadcast to all the others.
#[must_use]
pub const fn ping(what: Survey) -> &'static str {
    match what {
        Survey::Stats => "$SYS.REQ.SERVER.PING.STATSZ",
        Survey::Gateways | Survey::Interest => "$SYS.REQ.SERVER.PING.GATEWAYZ",
        Survey::Config => "$SYS.REQ.SERVER.PING.VARZ",
        Survey::JetStream => "$SYS.REQ.SERVER.PING.JSZ",
    }
}

/// Body of a question: what is to be told, and, of a [`ping`], the only cluster whose servers are to answer. Empty when it says nothing.
#[must_use]
pub fn body(what: Survey, cluster: Option<&ClusterName>) -> String {
    let mut body = serde_json::Map::new();
    for option in options(what) {
        body.insert((*option).to_owned(), true.into());
    }
    if let Some(cluster) = cluster {
        body.insert("cluster".to_owned(), cluster.as_str().into());
        body.insert("exact_match".to_owned(), true.into());
    }
    if body.is_empty() { String::new() } else { serde_json::Value::from(body).to_string() }
}

/// What the answer is to hold beyond what it always holds. Of accounts with streams, a server lists the first 1,024 by name.
const fn options(what: Survey) -> &'static [&'static str] {
    match what {
        Survey::Stats | Survey::Gateways | Survey::Config => &[],
        Survey::Interest => &["accounts"],
        Survey::JetStream => &["accounts", "streams", "stream_leader_only"],
    }
}

/// Where to ask one server for a beat: its identity, the smallest answer there is (about 100 bytes, servers >= 2.10).
#[must_use]
pub fn beat_request(server: &ServerId) -> String {
    format!("$SYS.REQ.SERVER.{server}.IDZ")
}

/// Reply subject of the beats of this round.
#[must_use]
pub fn beat_reply(inbox: &str, number: u64) -> String {
    format!("{inbox}.BEAT.{number}")
}

/// Reply subject of a survey; `n` only tells surveys apart.
#[must_use]
pub fn survey_reply(inbox: &str, what: Survey, n: u64) -> String {
    format!("{inbox}.{}.{n}", survey_token(what))
}

/// Subject filter for every answer sent to this inbox.
#[must_use]
pub fn replies(inbox: &str) -> String {
    format!("{inbox}.>")
}

const fn survey_token(what: Survey) -> &'static str {
    match what {
        Survey::Stats => "STATSZ",
        Survey::Gateways | Survey::Interest => "GATEWAYZ",
        Survey::Config => "VARZ",
        Survey::JetStream => "JSZ",
    }
}

/// What a subject says about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    Beat { number: u64 },
    Stats,
    StatsOf { id: &'a str },
    Gateways,
    Config,
    JetStream,
    Leaving { id: &'a str },
    Stopped { id: &'a str },
    AuthError { id: &'a str },
    ClientConnected,
    ClientDisconnected,
}

impl<'a> Heard<'a> {
    pub(super) fn parse(subject: &'a str) -> Result<Option<Self>, DecodeError> {
        if let Some(rest) = subject.strip_prefix("$SYS.SERVER.") {
            return Ok(Self::of_server(rest));
        }
        if let Some(rest) = subject.strip_prefix("$SYS.ACCOUNT.") {
            return Ok(Self::of_account(rest));
        }
        if subject.starts_with("$SYS.") { Ok(None) } else { Self::answer(subject) }
    }

    /// `<id>.<event>`
    fn of_server(rest: &'a str) -> Option<Self> {
        let (id, event) = rest.split_once('.')?;
        match event {
            "STATSZ" => Some(Self::StatsOf { id }),
            "SHUTDOWN" => Some(Self::Stopped { id }),
            "LAMEDUCK" => Some(Self::Leaving { id }),
            "CLIENT.AUTH.ERR" => Some(Self::AuthError { id }),
            _ => None,
        }
    }

    /// `<account>.<event>`; `<account>.LEAFNODE.CONNECT` is the servers' own business.
    fn of_account(rest: &str) -> Option<Self> {
        match rest.split_once('.')?.1 {
            "CONNECT" => Some(Self::ClientConnected),
            "DISCONNECT" => Some(Self::ClientDisconnected),
            _ => None,
        }
    }

    /// `<inbox>.<question>.<number>`
    fn answer(subject: &str) -> Result<Option<Self>, DecodeError> {
        let mut tokens = subject.rsplitn(3, '.');
        let (Some(last), Some(question), Some(_inbox)) = (tokens.next(), tokens.next(), tokens.next()) else {
            return Ok(None);
        };
        Ok(match question {
            "BEAT" => Some(Self::Beat { number: beat_number(last)? }),
            "STATSZ" => Some(Self::Stats),
            "GATEWAYZ" => Some(Self::Gateways),
            "VARZ" => Some(Self::Config),
            "JSZ" => Some(Self::JetStream),
            _ => None,
        })
    }

    pub(super) const fn what(self) -> What {
        match self {
            Self::Beat { .. } => What::Beat,
            Self::Stats | Self::StatsOf { .. } => What::Stats,
            Self::Gateways => What::Gateways,
            Self::Config => What::Config,
            Self::JetStream => What::JetStream,
            Self::Leaving { .. } => What::LameDuck,
            Self::Stopped { .. } => What::Shutdown,
            Self::AuthError { .. } => What::AuthError,
            Self::ClientConnected => What::Connect,
            Self::ClientDisconnected => What::Disconnect,
        }
    }

    /// Whether it answers a question of ours; such an answer is empty when nobody listens to the question.
    pub(super) const fn is_answer(self) -> bool {
        match self {
            Self::Beat { .. } | Self::Stats | Self::Gateways | Self::Config | Self::JetStream => true,
            Self::StatsOf { .. }
            | Self::Leaving { .. }
            | Self::Stopped { .. }
            | Self::AuthError { .. }
            | Self::ClientConnected
            | Self::ClientDisconnected => false,
        }
    }
}

fn beat_number(token: &str) -> Result<u64, DecodeError> {
    let digits_only = token.bytes().all(|b| b.is_ascii_digit());
    match token.parse() {
        Ok(number) if digits_only => Ok(number),
        Ok(_) | Err(_) => Err(DecodeError::BadNumber { what: What::Beat, found: clip(token) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_recognised_in_every_inbox() {
        let parse = |subject| Heard::parse(subject).unwrap();
        assert_eq!(parse("_INBOX.rec.east.STATSZ.0"), Some(Heard::Stats));
        assert_eq!(parse("a.BEAT.18446744073709551615"), Some(Heard::Beat { number: u64::MAX }));
        assert_eq!(parse("BEAT.1"), None);
        assert_eq!(parse("STATSZ.1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn other_system_subjects_are_not_ours() {
        for subject in [
            "$SYS.SERVER.ACCOUNT.SYS.CONNS",
            "$SYS.ACCOUNT.SYS.SERVER.CONNS",
            "$SYS.ACCOUNT.A.LEAFNODE.CONNECT",
            "$SYS.ACCOUNT.CLIENT.AUTH.ERR",
            "$SYS.REQ.SERVER.PING.STATSZ",
            "$SYS.REQ.BEAT.1",
            "$SYS.SERVER.STATSZ",
        ] {
            assert_eq!(Heard::parse(subject).unwrap(), None, "{subject}");
        }
    }

    #[test]
    fn a_beat_number_is_nothing_but_digits() {
        for subject in ["i.BEAT.", "i.BEAT.+1", "i.BEAT.-1", "i.BEAT.1a", "i.BEAT.18446744073709551616"] {
            assert_eq!(Heard::parse(subject).unwrap_err().kind(), "bad_number", "{subject}");
        }
    }

    #[test]
    fn what_we_ask_comes_back_under_a_subject_we_recognise() {
        let parse = |subject: String| Heard::parse(&subject).unwrap().map(Heard::what);
        assert_eq!(parse(beat_reply("_INBOX.x", 7)), Some(What::Beat));
        assert_eq!(parse(survey_reply("_INBOX.x", Survey::Stats, 7)), Some(What::Stats));
        assert_eq!(parse(survey_reply("_INBOX.x", Survey::Gateways, 7)), Some(What::Gateways));
        assert_eq!(parse(survey_reply("_INBOX.x", Survey::Config, 7)), Some(What::Config));
        assert_eq!(parse(survey_reply("_INBOX.x", Survey::Interest, 7)), Some(What::Gateways));
        assert_eq!(parse(survey_reply("_INBOX.x", Survey::JetStream, 7)), Some(What::JetStream));
    }

    #[test]
    fn questions_name_the_server_and_pings_the_cluster() {
        let id = ServerId::from("NABC");
        assert_eq!(request(&id, Survey::Config), "$SYS.REQ.SERVER.NABC.VARZ");
        assert_eq!(beat_request(&id), "$SYS.REQ.SERVER.NABC.IDZ");
        assert_eq!(ping(Survey::Gateways), "$SYS.REQ.SERVER.PING.GATEWAYZ");
        assert_eq!(ping(Survey::JetStream), "$SYS.REQ.SERVER.PING.JSZ");
    }

    #[test]
    fn a_body_holds_the_filter_and_what_is_to_be_told() {
        let cluster = ClusterName::from("ea\"st");
        assert_eq!(body(Survey::Stats, None), "");
        assert_eq!(body(Survey::Stats, Some(&cluster)), r#"{"cluster":"ea\"st","exact_match":true}"#);
        assert_eq!(body(Survey::Interest, None), r#"{"accounts":true}"#);
        assert_eq!(
            body(Survey::JetStream, Some(&cluster)),
            r#"{"accounts":true,"cluster":"ea\"st","exact_match":true,"stream_leader_only":true,"streams":true}"#
        );
    }
}
