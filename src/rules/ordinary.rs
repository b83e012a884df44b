//! The entries that nearly all are: sound ones, which are told apart in one look instead of one for each rule.

use super::owner::{is_ifname, is_podref};
use crate::pool::{Allocation, Field, Shape};
use crate::range::Range;

/// Whether an entry is as whereabouts writes it, at an address it hands out. No rule that looks at entries
/// one by one speaks of it; a rule that would makes this stricter.
pub(super) fn is_ordinary(allocation: &Allocation<'_>, range: &Range) -> bool {
    let is_sound = |field: &Field<'_>, is_sound: fn(&str) -> bool| field.text().is_some_and(is_sound);
    allocation.offset.is_ok_and(|offset| range.holds(offset) && range.edge_at(offset).is_none())
        && allocation.shape == Shape::Object
        && is_sound(&allocation.id, |id| !id.is_empty())
        && is_sound(&allocation.podref, is_podref)
        && (allocation.ifname == Field::Absent || is_sound(&allocation.ifname, is_ifname))
}
