//! IPP6xx: the deletion of a pool.

use std::fmt::Write as _;

use super::{Check, Rule};
use crate::finding::{Denies, FieldPath, Operation, RuleInfo};
use crate::kinds::ippool::{Allocation, Pool};
use crate::text::Shortened;

/// How many owners the warning about a deleted pool names.
const NAMED_OWNERS: usize = 3;

/// The next pod gets the first address again, which another still uses.
pub static POOL_IN_USE_DELETED: Rule = Rule {
    info: RuleInfo {
        id: "IPP601",
        name: "pool-in-use-deleted",
        summary: "a pool with allocations is deleted",
        operations: &[Operation::Delete],
        denies: Denies::Never("a DELETE is never denied"),
        page: include_str!("IPP601-pool-in-use-deleted.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let count = pool.spec.entry_count();
        if count > 0 {
            let plural = if count == 1 { "allocation is" } else { "allocations are" };
            report.notice(
                FieldPath::of("spec.allocations"),
                format!("{count} {plural} in use:{}", first_owners(pool)),
            );
        }
    }),
};

fn first_owners(pool: &Pool<'_>) -> String {
    let in_order = |(index, it): &(usize, &Allocation<'_>)| (it.offset.is_err(), it.offset.ok(), *index);
    let mut first: Vec<_> = pool.spec.allocations.iter().enumerate().collect();
    if first.len() > NAMED_OWNERS {
        // Sorting a large pool for three of its names would be a waste.
        first.select_nth_unstable_by_key(NAMED_OWNERS, in_order);
        first.truncate(NAMED_OWNERS);
    }
    first.sort_by_key(in_order);
    let mut text = String::new();
    for (_, allocation) in first {
        let owner = if allocation.owner().is_empty() { "(no podref)" } else { allocation.owner() };
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", Shortened(owner));
        if let Some(address) = pool.address_of(allocation) {
            let _ = write!(text, " at {address}");
        }
        text.push(',');
    }
    text.pop();
    if pool.spec.allocations.len() > NAMED_OWNERS {
        text.push_str(", …");
    }
    text
}
