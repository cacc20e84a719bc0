//! What a server says when it refuses a publish or a subscription.

use super::Act;

/// Reads `Permissions Violation for Publish to "a.b"` and `.. for Subscription to "a.>" using queue "q"`. `None` for any other error.
#[must_use]
pub fn violation(error: &str) -> Option<(Act, &str)> {
    const BEGIN: &str = "permissions violation for ";
    let head = error.get(..BEGIN.len())?;
    let rest = head.eq_ignore_ascii_case(BEGIN).then(|| error.get(BEGIN.len()..)).flatten()?;
    let (what, subject) = rest.split_once(" to \"")?;
    let act = match what.to_ascii_lowercase().as_str() {
        "publish" => Act::Publish,
        "subscription" => Act::Subscribe,
        _ => return None,
    };
    let subject = subject.split_once('"').map(|(subject, _)| subject)?;
    (!subject.is_empty()).then_some((act, subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_understood() {
        for (words, expected) in [
            (
                "Permissions Violation for Publish to \"$SYS.REQ.SERVER.NA.IDZ\"",
                (Act::Publish, "$SYS.REQ.SERVER.NA.IDZ"),
            ),
            ("Permissions Violation for Subscription to \"a.>\"", (Act::Subscribe, "a.>")),
            ("permissions violation for subscription to \"a.>\" using queue \"q\"", (Act::Subscribe, "a.>")),
        ] {
            assert_eq!(violation(words), Some(expected), "{words}");
        }
        for words in [
            "",
            "User Authentication Expired",
            "Permissions Violation",
            "Permissions Violation for Publish to \"\"",
            "Permissions Violation for Publish to \"a",
            "Permissions Violation for Reading to \"a\"",
            "пермиссионс виолатион фор Publish to \"a\"",
        ] {
            assert_eq!(violation(words), None, "{words}");
        }
    }
}
