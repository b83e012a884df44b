//! The entries that nearly all are: sound ones, which are told apart in one look instead of one for each rule.

use super::owner::{is_ifname, is_podref};
use crate::pool::{Allocation, Field, Shape};
use crate::range::Range;

/// Whether an entry is as whereabouts writes it, at an address it hands out. No rule that looks at entries
/// one by one speaks of it; a rule that would makes this stricter.
pub(super) fn is_ordinary(allocation: &Allocation<'_>, range: &Range) -> bool {
    let is_sound = |field: &Field<'_>, is_sound: fn(&str) -> bool| field.text().is_some_and(is_sound);
    allocation.offset.is_ok_and(|offset| range.holds(offset) && range.edge_at(offset).is_none())
        && allocation.key_is_canonical()
        && allocation.shape == Shape::Object
        && is_sound(&allocation.id, |id| !id.is_empty())
        && is_sound(&allocation.podref, is_podref)
        && (allocation.ifname == Field::Absent || is_sound(&allocation.ifname, is_ifname))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::is_ordinary;
    use crate::pool::Pool;
    use crate::report::{Report, Severity};
    use crate::rules::{ALL, Check};

    /// The rules that speak of the first entry of this pool, asked one by one.
    fn speaking(pool: &Pool<'_>) -> Vec<&'static str> {
        let entry = pool.spec.allocations.iter().next().expect("an entry");
        let of_entries = ALL.iter().filter_map(|rule| match rule.check {
            Check::Allocation(check) => Some((&rule.rule, check)),
            _ => None,
        });
        let spoke = of_entries.filter(|(rule, check)| {
            let mut found = 0;
            check(pool, entry, &mut Report::of(rule, Severity::Deny, &mut |_| found += 1));
            found > 0
        });
        spoke.map(|(rule, _)| rule.id).collect()
    }

    fn pool(range: &str, key: &str, entry: &str) -> String {
        format!(r#"{{"spec":{{"range":"{range}","allocations":{{"{key}":{entry}}}}}}}"#)
    }

    #[test]
    fn what_whereabouts_writes_is_ordinary() {
        for entry in [
            r#"{"id":"6f0e7d1c2b3a","ifname":"net1","podref":"default/web-0"}"#,
            r#"{"id":"6f0e7d1c2b3a","podref":"kube-system/a.b-c.d"}"#,
        ] {
            let text = pool("10.0.0.0/24", "1", entry);
            let pool = Pool::parse(&text).expect("JSON");
            let range = pool.range().expect("a CIDR");
            assert!(pool.spec.allocations.iter().all(|it| is_ordinary(it, range)), "{entry}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn of_what_is_ordinary_no_rule_speaks(
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
            if pool.spec.allocations.iter().all(|it| is_ordinary(it, range)) {
                prop_assert_eq!(speaking(&pool), [""; 0], "{}", text);
            }
        }
    }
}
