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
    let both = old.allocations.iter().zip(new.allocations.iter());
    let same = both.take_while(|(before, after)| before == after).count();
    let (mut before, mut after) = (old.allocations.iter().skip(same), new.allocations.iter().skip(same));
    let changed = match (old.allocations.len(), new.allocations.len()) {
        (was, is) if was + 1 == is => after.next(),
        (was, is) if was == is + 1 => before.next(),
        _ => before.next().zip(after.next()).filter(|it| is_id_replaced(*it)).map(|it| it.1),
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
