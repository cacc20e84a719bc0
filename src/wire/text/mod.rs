//! What people read: a person on call at night who knows NATS but not gatewatch, and has nothing else at hand.
//!
//! Texts are made from values and never read back. They say no more than the evidence does.

mod cause_steps;
mod evidence;
mod impact;
mod own;
mod remedy;
mod standing;
mod state;
mod summary;
mod title;

pub use evidence::evidence;
pub use impact::impact;
pub use own::{ailment, lack};
pub use remedy::remedy;
pub use state::change;
pub use summary::{cause, server_view, summary};
pub use title::title;

use chrono::{DateTime, Utc};
use std::fmt::Display;
use std::time::Duration;

/// Most names that a sentence lists.
const MAX_NAMES: usize = 5;

/// A span of time, in the two largest units: `0.4 s`, `12 s`, `2 min 5 s`, `3 h 4 min`, `2 d 3 h`.
#[must_use]
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0 => format!("{:.1} s", length.as_secs_f64().min(0.9)),
        1..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// A point in time: `2026-11-22 15:53:38 UTC`.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `a`, `a and b`, `a, b and c`; beyond five names `a, b, c, d, e and 7 more`.
fn list<T: Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(ToString::to_string).collect();
    let more = names.len() - shown.len();
    match (shown.as_slice(), more) {
        ([], _) => "none".to_owned(),
        ([all @ .., last], 0) if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        (shown, 0) => shown.concat(),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 server`, `2 servers`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let table = [
            (0, "0.0 s"),
            (400, "0.4 s"),
            (999, "0.9 s"),
            (12_300, "12 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (3_600_000, "1 h"),
            (11_040_000, "3 h 4 min"),
            (183_600_000, "2 d 3 h"),
        ];
        for (ms, text) in table {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list::<&str>(&[]), "none");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
