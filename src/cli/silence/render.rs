//! Silences as a person reads them.

use crate::cli::show::short_moment;
use crate::cli::term::{Look, Style, trimmed};
use crate::model::intent::{Matcher, Silence};
use crate::wire::text::span;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Whether a silence holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Pending,
    Active,
    Expired,
}

impl State {
    pub(super) fn of(silence: &Silence, now: DateTime<Utc>) -> Self {
        match () {
            () if silence.until <= now => Self::Expired,
            () if silence.from > now => Self::Pending,
            () => Self::Active,
        }
    }
}

/// A table, the first to end first.
pub(super) fn list(silences: &[Silence], now: DateTime<Utc>, style: Style) -> String {
    if silences.is_empty() {
        return "no silence\n".to_owned();
    }
    let mut table = style.table(&["until (UTC)", "state", "incidents", "comment", "by", "id"]);
    for silence in silences {
        let left = span((silence.until - now).to_std().unwrap_or_default());
        let (look, state) = match State::of(silence, now) {
            State::Expired => (Look::Dim, "ended".to_owned()),
            State::Pending => (Look::Doubtful, format!("from {}", short_moment(silence.from))),
            State::Active => (Look::Good, format!("{left} left")),
        };
        table.add_row(vec![
            Look::Plain.cell(short_moment(silence.until)),
            look.cell(state),
            Look::Plain.cell(meant(&silence.matcher)),
            Look::Plain.cell(&silence.comment),
            Look::Dim.cell(&silence.author),
            Look::Dim.cell(silence.id.as_str()),
        ]);
    }
    trimmed(&table)
}

/// Which incidents are meant, in words.
pub(super) fn meant(matcher: &Matcher) -> String {
    let pair = match (&matcher.cluster, &matcher.remote) {
        (Some(a), Some(b)) => Some(format!("between {a} and {b}")),
        (Some(one), None) | (None, Some(one)) => Some(format!("about cluster {one}")),
        (None, None) => None,
    };
    let what = match (matcher.severity, matcher.kind) {
        (None, None) if pair.is_none() && matcher.server.is_none() => "every incident".to_owned(),
        (None, None) => "incidents".to_owned(),
        (Some(severity), None) => format!("{severity} incidents"),
        (None, Some(kind)) => kind.to_string(),
        (Some(severity), Some(kind)) => format!("{severity} {kind}"),
    };
    let server = matcher.server.as_ref().map(|server| format!("about server {server}"));
    [Some(what), pair, server].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ServerKey;
    use crate::model::incident::{IncidentKind, Severity};

    #[test]
    fn what_is_meant_is_said_in_words() {
        let pair = Matcher { cluster: Some("b".into()), remote: Some("a".into()), ..Matcher::default() };
        let one = Matcher { cluster: Some("b".into()), ..Matcher::default() };
        let server = ServerKey { cluster: "b".into(), name: "n".into() };
        let all = Matcher {
            kind: Some(IncidentKind::ServerLost),
            severity: Some(Severity::Warning),
            server: Some(server),
            ..Matcher::default()
        };
        let said = [Matcher::default(), pair, one, all].map(|matcher| meant(&matcher));
        assert_eq!(
            said,
            [
                "every incident",
                "incidents between b and a",
                "incidents about cluster b",
                "warning server_lost about server b/n"
            ]
        );
    }
}
