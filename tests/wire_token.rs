//! Names as tokens of subjects and keys.

use gatewatch::wire::token::{NONE, escape, escape_or_none, unescape};
use proptest::prelude::*;

#[test]
fn plain_names_stay_readable() {
    for name in ["east", "eu-west_1", "C-3po", "__"] {
        assert_eq!(escape(name), name);
    }
}

#[test]
fn what_would_break_a_subject_is_escaped() {
    let table = [
        ("", "="),
        ("_", "=5F"),
        ("=", "=3D"),
        ("a.b", "a=2Eb"),
        ("*", "=2A"),
        (">", "=3E"),
        ("$SYS", "=24SYS"),
        ("a b\n", "a=20b=0A"),
        ("ö/", "=C3=B6=2F"),
    ];
    for (name, token) in table {
        assert_eq!(escape(name), token);
        assert_eq!(unescape(token).unwrap().as_deref(), Some(name));
    }
}

#[test]
fn none_is_a_token_of_its_own() {
    assert_eq!(escape_or_none(None), NONE);
    assert_eq!(unescape(NONE).unwrap(), None);
}

#[test]
fn what_escape_never_writes_is_refused() {
    for token in ["", "a.b", "=4", "=zz", "=2e", "=41", "=FF", "ö", "a b", "=+1"] {
        assert!(unescape(token).is_err(), "{token:?}");
    }
}

fn fits_a_subject_and_a_key(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_has_a_token_that_leads_back_to_it(name in any::<String>()) {
        let token = escape(&name);
        prop_assert!(fits_a_subject_and_a_key(&token), "{token:?}");
        prop_assert_ne!(&token, NONE);
        prop_assert_eq!(unescape(&token).unwrap(), Some(name));
    }

    #[test]
    fn no_token_has_two_names_and_no_name_two_tokens(token in "[-_=.a-fA-F0-9]{0,8}") {
        if let Ok(Some(name)) = unescape(&token) {
            prop_assert_eq!(escape(&name), token);
        }
    }
}
