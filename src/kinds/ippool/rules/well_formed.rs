//! What nearly all entries are: as whereabouts writes them, at an address that it hands out. One look tells them from the
//! others, where each rule would look again.

use crate::json::{Field, Shape};
use crate::kinds::ippool::{Allocation, Range};

/// The longest name of a Linux network interface in bytes (`IFNAMSIZ` less the closing 0).
const MAX_IFNAME_BYTES: usize = 15;
/// The longest DNS label in bytes (RFC 1123); a namespace is one.
const MAX_LABEL_BYTES: usize = 63;
/// The longest DNS name in bytes (RFC 1123); a pod's name is one.
const MAX_NAME_BYTES: usize = 253;

/// Whether no rule that asks for [`super::Entries::Malformed`] finds anything in this entry.
pub(super) fn is_well_formed(allocation: &Allocation<'_>, range: &Range) -> bool {
    let is_valid = |field: &Field<'_>, is_valid: fn(&str) -> bool| field.text().is_some_and(is_valid);
    allocation.offset.is_ok_and(|offset| range.holds(offset) && range.edge_at(offset).is_none())
        && allocation.key_is_canonical()
        && allocation.shape == Shape::Object
        && is_valid(&allocation.id, |id| !id.is_empty())
        && is_valid(&allocation.podref, is_podref)
        && (allocation.ifname == Field::Absent || is_valid(&allocation.ifname, is_ifname))
}

/// `namespace/name` as Kubernetes allows them.
pub(super) fn is_podref(text: &str) -> bool {
    let bytes = text.as_bytes();
    let slash = bytes.iter().position(|byte| !is_label_byte(*byte)).unwrap_or(bytes.len());
    let (namespace, rest) = bytes.split_at(slash);
    let Some((b'/', name)) = rest.split_first() else { return false };
    namespace.len() <= MAX_LABEL_BYTES
        && has_valid_ends(namespace)
        && name.len() <= MAX_NAME_BYTES
        && if has_label_bytes_only(name) {
            has_valid_ends(name)
        } else {
            name.split(|byte| *byte == b'.').all(|label| has_valid_ends(label) && has_label_bytes_only(label))
        }
}

/// Whether a label begins and ends with something else than a dash (RFC 1123).
fn has_valid_ends(label: &[u8]) -> bool {
    label.first().is_some_and(|first| *first != b'-') && label.last().is_some_and(|last| *last != b'-')
}

/// Whether all bytes are allowed in a label. They are compared in blocks, which the processor takes at once; the last
/// block may overlap the one before.
fn has_label_bytes_only(bytes: &[u8]) -> bool {
    const BLOCK: usize = 16;
    let fits = |block: &[u8; BLOCK]| block.iter().fold(true, |fits, byte| fits & is_label_byte(*byte));
    match bytes.last_chunk() {
        Some(last) => fits(last) && bytes.as_chunks().0.iter().all(fits),
        None => bytes.iter().all(|byte| is_label_byte(*byte)),
    }
}

/// A lower-case letter, a digit or a dash.
fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'-')
}

/// What Linux accepts (`dev_valid_name`).
pub(super) fn is_ifname(name: &str) -> bool {
    (1..=MAX_IFNAME_BYTES).contains(&name.len())
        && name != "."
        && name != ".."
        && !name
            .bytes()
            .any(|byte| matches!(byte, b'/' | b':' | b'\0' | b'\x0b') || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::is_well_formed;
    use crate::finding::{Report, Severity};
    use crate::kinds::ippool::Pool;
    use crate::kinds::ippool::rules::{ALL, Check, Entries};

    /// The rules that speak of the first entry of this pool, asked one by one.
    fn speaking(pool: &Pool<'_>) -> Vec<&'static str> {
        let entry = pool.spec.allocations.iter().next().expect("an entry");
        let of_entries = ALL.iter().filter_map(|rule| match rule.check {
            Check::Entry(Entries::Malformed, check) => Some((&rule.info, check)),
            _ => None,
        });
        let found = of_entries.filter(|(rule, check)| {
            let mut found = 0;
            check(pool, entry, &mut Report::of(rule, Severity::Deny, &mut |_| found += 1));
            found > 0
        });
        found.map(|(rule, _)| rule.id).collect()
    }

    fn pool(range: &str, key: &str, entry: &str) -> String {
        format!(r#"{{"spec":{{"range":"{range}","allocations":{{"{key}":{entry}}}}}}}"#)
    }

    #[test]
    fn what_whereabouts_writes_is_well_formed() {
        for entry in [
            r#"{"id":"6f0e7d1c2b3a","ifname":"net1","podref":"default/web-0"}"#,
            r#"{"id":"6f0e7d1c2b3a","podref":"kube-system/a.b-c.d"}"#,
        ] {
            let text = pool("10.0.0.0/24", "1", entry);
            let pool = Pool::parse(&text).expect("JSON");
            let range = pool.range().expect("a CIDR");
            assert!(pool.spec.allocations.iter().all(|it| is_well_formed(it, range)), "{entry}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_rule_finds_anything_in_a_well_formed_entry(
            range in select(vec![
                "10.0.0.0/24", "10.0.0.7/24", "10.0.0.4/30", "10.0.0.1/31", "10.0.0.0/32", "0.0.0.0/0",
                "fd00::/120", "fd00::9/64", "fd00::1/128", "::ffff:10.0.0.1/80", "::/0",
            ]),
            key in prop_oneof![(-1..300i64).prop_map(|key| key.to_string()), "[+-]?0?[0-9a]{1,20}"],
            id in select(vec![r#""id":"a""#, r#""id":"""#, r#""id":null"#, r#""id":7"#, r#""x":1"#]),
            ifname in select(vec![
                r#","ifname":"net1""#, "", r#","ifname":"""#, r#","ifname":null"#, r#","ifname":[]"#,
                r#","ifname":"a/b""#, r#","ifname":"sixteen-letters!""#,
            ]),
            podref in prop_oneof![
                4 => "[a-z]{1,3}/[a-z0-9.-]{1,6}", 1 => "[a-z/.]{0,4}", 1 => "a{62,64}/b", 1 => "a/b{252,254}",
            ],
        ) {
            let text = pool(range, &key, &format!(r#"{{{id}{ifname},"podref":"{podref}"}}"#));
            let pool = Pool::parse(&text).expect("JSON");
            let range = pool.range().expect("a CIDR");
            if pool.spec.allocations.iter().all(|it| is_well_formed(it, range)) {
                prop_assert_eq!(speaking(&pool), [""; 0], "{}", text);
            }
        }
    }
}
