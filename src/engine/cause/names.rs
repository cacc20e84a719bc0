//! Names of clusters that are spelled alike.

/// The most single-letter changes between a name and a misspelling of it.
const MAX_CHANGES: usize = 2;

/// Whether one name looks like a misspelling of the other. Names that differ in digits only are spelled as they are meant.
pub(super) fn like(one: &str, other: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (a, b) = (plain(one), plain(other));
    if one == other || a.is_empty() || b.is_empty() {
        return false;
    }
    if a == b {
        return true;
    }
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    let shortest = a.chars().count().min(b.chars().count());
    digits(&a) == digits(&b) && shortest > MAX_CHANGES && distance(&a, &b) <= MAX_CHANGES
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > MAX_CHANGES {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_told_from_other_names() {
        for (one, other) in [
            ("west", "wset"),
            ("west", "wes"),
            ("us-east", "us_east"),
            ("East", "east"),
            ("central", "cental"),
        ] {
            assert!(like(one, other) && like(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("west", "west"),
            ("us-1", "us-2"),
            ("east", "north"),
            ("eu", "us"),
            ("", "a"),
            ("west1", "west12"),
        ] {
            assert!(!like(one, other), "{one} {other}");
        }
    }

    #[test]
    fn swapped_neighbours_are_one_change() {
        assert_eq!(distance("wset", "west"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("a", "abcd"), usize::MAX);
    }
}
