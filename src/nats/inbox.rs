//! The reply subjects of this process.
//!
//! All vantages of a process listen on one common inbox, so an answer to a question that was asked through one of them is heard by
//! all of them; what only one connection may hear goes to an inbox of its own. What stands behind the root is up to `wire`.

use std::hash::{BuildHasher, RandomState};

/// The root of reply subjects that no other process uses: `<prefix>.<32 hex digits>`.
pub(super) fn new_inbox(prefix: &str) -> String {
    format!("{prefix}.{:016x}{:016x}", random(), random())
}

/// 64 bits nobody can foresee: the keys that the standard library gives each of its hash maps.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::new_inbox;

    #[test]
    fn two_inboxes_differ_and_keep_the_prefix() {
        let (one, other) = (new_inbox("_INBOX.watch"), new_inbox("_INBOX.watch"));
        assert_ne!(one, other);
        assert!(one.starts_with("_INBOX.watch.") && !one.ends_with('.'));
    }
}
