//! IPPool (`whereabouts.cni.cncf.io/v1alpha1`), as whereabouts reads it.

mod allocations;
pub mod cidr;
pub mod cluster;
mod model;
mod normalize;
mod parse;
mod plugin_write;
pub mod rules;

pub use allocations::Allocations;
pub use cidr::Range;
pub use model::{Allocation, MAX_ALLOCATIONS, Metadata, Pool, Spec, Unreadable, read_offset};

use super::{FileEdit, Kind, Normalization};
use crate::finding::{Report, Rule};
use crate::json::Cursor;
use rules::{Check, Subject};

/// The kind.
#[derive(Debug)]
pub struct IpPool;

impl Kind for IpPool {
    type Object<'a> = Pool<'a>;
    type Subject<'a> = Subject<'a>;
    type Check = Check;

    const GROUP: &'static str = "whereabouts.cni.cncf.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "IPPool";
    const RESOURCE: &'static str = "ippools";

    fn rules() -> &'static [&'static Rule<Check>] {
        rules::ALL
    }

    fn parse(json: &str) -> Result<Pool<'_>, serde_json::Error> {
        Pool::parse(json)
    }

    fn parse_compact<'a>(cursor: &mut Cursor<'a>, base: Option<&Pool<'a>>) -> Option<Pool<'a>> {
        parse::compact(cursor, base)
    }

    fn unreadable<'a>(why: &str) -> Pool<'a> {
        Pool::unreadable(why)
    }

    fn subject<'s, 'a>(pool: &'s Pool<'a>, stored: Option<&'s Pool<'a>>, is_update: bool) -> Subject<'s> {
        Subject::new(pool, stored, is_update)
    }

    fn check<'s>(check: &Check, subject: &Subject<'s>, report: &mut Report<'_, 's>) {
        check.run(subject, report);
    }

    /// The same entries under the new range, where that is the network of the old one, or where nobody could read the
    /// old one: so that a repair of the range does not answer for the defects of the entries.
    fn rebase<'a: 'a>(stored: &Pool<'a>, pool: &Pool<'a>) -> Option<Pool<'a>> {
        let shift = normalize::shift_between(stored, pool)?;
        let spec = stored.spec.rebased(shift, pool.spec.range.clone());
        Some(Pool { metadata: stored.metadata.clone(), spec, size: stored.size })
    }

    fn is_reduction(stored: &Pool<'_>, pool: &Pool<'_>) -> bool {
        pool.spec.only_lacks_entries_of(&stored.spec)
    }

    fn normalize(stored: Option<&Pool<'_>>, pool: &Pool<'_>) -> Option<Normalization> {
        normalize::range(stored, pool)
    }

    fn file_edits(pool: &Pool<'_>) -> Vec<FileEdit> {
        normalize::file_edits(pool)
    }

    fn is_plugin_write(stored: &Pool<'_>, pool: &Pool<'_>) -> bool {
        plugin_write::is_plugin_write(&stored.spec, &pool.spec)
    }
}
