//! What the CNI plugin of whereabouts writes, told from other changes of a pool.

use super::{Allocation, Spec};

/// The length of a container id, the SHA-256 that container runtimes make, in hexadecimal digits.
const ID_DIGITS: usize = 64;

/// Whether `new` is what the plugin makes of `old`: one entry of a container added or removed, or its id replaced.
pub fn is_plugin_write(old: &Spec<'_>, new: &Spec<'_>) -> bool {
    let alike = (&old.range, old.allocations_shape, old.truncated, &old.unknown)
        == (&new.range, new.allocations_shape, new.truncated, &new.unknown);
    alike && only_change(old, new).is_some_and(names_a_container)
}

/// The one entry that is added, removed or given another id, where nothing else changes. The apiserver sends the
/// keys of both objects in one order, so that the first difference is the only one.
fn only_change<'s, 'a>(old: &'s Spec<'a>, new: &'s Spec<'a>) -> Option<&'s Allocation<'a>> {
    let both = old.allocations.iter().zip(&new.allocations);
    let same = both.take_while(|(before, after)| before == after).count();
    let (mut before, mut after) = (old.allocations.iter().skip(same), new.allocations.iter().skip(same));
    let changed = match (old.allocations.len(), new.allocations.len()) {
        (was, is) if was + 1 == is => after.next(),
        (was, is) if was == is + 1 => before.next(),
        (was, is) if was == is => {
            before.next().zip(after.next()).filter(|it| is_id_replaced(*it)).map(|it| it.1)
        }
        _ => None,
    };
    changed.filter(|_| before.eq(after))
}

fn is_id_replaced((before, after): (&Allocation<'_>, &Allocation<'_>)) -> bool {
    before.id != after.id && before.key == after.key && before.podref == after.podref
}

fn names_a_container(entry: &Allocation<'_>) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    entry.id.text().is_some_and(|id| id.len() == ID_DIGITS && id.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::Pool;
    use super::*;

    const CONTAINER: &str = "3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c";
    const RANGE: &str = "10.0.9.0/24";

    /// A pool of entries: the key, the id and the pod of each.
    fn pool(range: &str, entries: &[(&str, &str, &str)]) -> String {
        let mut text = format!(r#"{{"spec":{{"range":"{range}","allocations":{{"#);
        for (place, (key, id, pod)) in entries.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(text, r#"{comma}"{key}":{{"id":"{id}","podref":"default/{pod}"}}"#).unwrap();
        }
        text + "}}}"
    }

    fn is_write(old: &str, new: &str) -> bool {
        is_plugin_write(&Pool::parse(old).unwrap().spec, &Pool::parse(new).unwrap().spec)
    }

    #[test]
    fn one_entry_added_removed_or_given_another_id_is_a_write_of_the_plugin() {
        let (a, b, c) = (("1", CONTAINER, "a"), ("10", CONTAINER, "b"), ("2", CONTAINER, "c"));
        let all = pool(RANGE, &[a, b, c]);
        for fewer in [&[b, c][..], &[a, c], &[a, b]] {
            assert!(is_write(&pool(RANGE, fewer), &all) && is_write(&all, &pool(RANGE, fewer)));
        }
        assert!(
            is_write(&pool(RANGE, &[]), &pool(RANGE, &[a]))
                && is_write(&pool(RANGE, &[a]), &pool(RANGE, &[]))
        );
        assert!(is_write(&pool(RANGE, &[a, ("10", "before", "b"), c]), &all));
    }

    #[test]
    fn any_other_change_is_not_a_write_of_the_plugin() {
        let (a, b, c) = (("1", CONTAINER, "a"), ("10", CONTAINER, "b"), ("2", CONTAINER, "c"));
        let all = pool(RANGE, &[a, b, c]);
        let others = [
            pool(RANGE, &[a, b, c]),
            pool(RANGE, &[a]),
            pool(RANGE, &[a, b, ("3", CONTAINER, "c")]),
            pool(RANGE, &[a, b, ("2", CONTAINER, "d")]),
            pool(RANGE, &[a, ("10", "short", "b"), c]),
            pool(RANGE, &[("1", "other", "a"), ("10", "other", "b"), c]),
            pool(RANGE, &[a, b, c, ("3", "reserved-by-hand", "d")]),
            pool(RANGE, &[a, b, c, ("3", &CONTAINER.to_uppercase(), "d")]),
            pool(RANGE, &[a, b, c, ("3", &CONTAINER[1..], "d")]),
            pool("10.0.8.0/24", &[a, b]),
        ];
        for other in others {
            assert!(!is_write(&all, &other), "{other}");
        }
    }
}
