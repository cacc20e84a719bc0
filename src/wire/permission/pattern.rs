//! Subjects with wildcards, compared.

/// Whether every subject that `needed` stands for is one that `pattern` stands for.
pub(super) fn covers(pattern: &str, needed: &str) -> bool {
    let (mut pattern, mut needed) = (pattern.split('.'), needed.split('.'));
    loop {
        match (pattern.next(), needed.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(own), Some(token)) if own == token => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

/// Whether there is any subject that both stand for.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_is_narrower() {
        for (pattern, needed) in [
            ("a.b", "a.b"),
            ("a.*", "a.b"),
            ("a.*", "a.*"),
            ("a.>", "a.*"),
            ("a.>", "a.b.>"),
            ("a.>", "a.>"),
            (">", "$SYS.REQ.SERVER.*.IDZ"),
            ("*.b.>", "a.b.c.d"),
        ] {
            assert!(covers(pattern, needed), "{pattern} {needed}");
            assert!(overlap(pattern, needed), "{pattern} {needed}");
        }
    }

    #[test]
    fn a_pattern_does_not_cover_what_is_wider_or_elsewhere() {
        for (pattern, needed) in [
            ("a.b", "a.*"),
            ("a.*", "a.>"),
            ("a.>", "a"),
            ("a.b.>", "a.>"),
            ("a", "a.b"),
            ("*", ">"),
            ("", "a"),
        ] {
            assert!(!covers(pattern, needed), "{pattern} {needed}");
        }
    }

    #[test]
    fn subjects_overlap_when_one_message_fits_both() {
        assert!(overlap("a.*.c", "a.b.*"));
        assert!(overlap("a.>", "a.b.c"));
        assert!(overlap("a.b", "a.>"));
        assert!(!overlap("a.*.c", "a.b.d"));
        assert!(!overlap("a", "a.b"));
        assert!(!overlap("a.>", "a"));
    }
}
