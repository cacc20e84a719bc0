//! Points in time, as people type and read them.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use std::time::Duration;

/// What is taken without a zone, as UTC.
const FORMS: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];

/// Reads a point in time.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Ok(zoned.with_timezone(&Utc));
    }
    let plain = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    plain.map(|plain| plain.and_utc()).ok_or_else(|| {
        "expected 2026-12-24T06:00:00Z, 2026-12-24T07:00:00+01:00 or \"2026-12-24 06:00\" (UTC)".to_owned()
    })
}

/// So long after a moment.
pub(super) fn after(now: DateTime<Utc>, length: Duration) -> anyhow::Result<DateTime<Utc>> {
    let length = TimeDelta::from_std(length).ok();
    let until = length.and_then(|length| now.checked_add_signed(length));
    until.ok_or_else(|| anyhow::anyhow!("--for is too long"))
}

/// As it is shown.
pub(super) fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let at = moment("2026-12-24T06:00:00Z").unwrap();
        for same in ["2026-12-24T07:00:00+01:00", "2026-12-24 06:00", "2026-12-24T06:00:00"] {
            assert_eq!(moment(same).unwrap(), at, "{same}");
        }
        assert!(moment("tomorrow").unwrap_err().contains("2026-12-24"));
    }

    #[test]
    fn a_span_beyond_all_calendars_is_refused() {
        assert!(after(DateTime::UNIX_EPOCH, Duration::MAX).is_err());
    }
}
