//! What an audit found, for every format to write.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::finding::Severity;
use crate::kinds::ippool::Range;
use crate::kinds::ippool::cluster::{Name, Names};
use crate::output::Diagnostic;

/// What an audit found.
#[derive(Debug, Default)]
pub struct Report {
    /// By namespace and name.
    pub pools: Vec<Pool>,
    /// By object, then by path.
    pub findings: Vec<Diagnostic>,
    pub not_done: Vec<NotDone>,
    /// The owners of the entries.
    pub owners: Names,
}

/// A pool, and what its addresses are used for.
#[derive(Debug, Default)]
pub struct Pool {
    pub namespace: String,
    pub name: String,
    /// `spec.range` as written; empty where it is not a string.
    pub range: String,
    /// How many addresses whereabouts can hand out: those of the range without the first and the last.
    pub capacity: u128,
    /// All entries, including those that whereabouts cannot read.
    pub allocated: usize,
    /// Entries with an empty podref: reserved by hand.
    pub reserved: usize,
    /// Entries whose owner is gone.
    pub leaked: usize,
    /// Entries whose address another entry holds as well.
    pub conflicting: usize,
    /// The findings about this pool.
    pub findings: usize,
    /// `None` where whereabouts cannot read the range.
    pub parsed_range: Option<Range>,
    /// Kept only for a format that shows each entry, by offset.
    pub entries: Box<[Entry]>,
}

/// An entry of `spec.allocations`; 16 bytes, since there may be a million.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub offset: i64,
    /// Its podref, see [`Report::owner`].
    pub owner: Name,
    pub state: State,
}

/// What an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// By a pod.
    Used,
    /// By hand.
    Reserved,
    /// By a pod that is gone.
    Leaked,
    /// By two owners.
    Conflicting,
}

/// Rules that could not be checked, or not everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDone {
    pub rules: Vec<&'static str>,
    pub why: String,
}

impl Report {
    /// The podref of an entry.
    pub fn owner(&self, entry: &Entry) -> &str {
        self.owners.text(entry.owner)
    }

    /// A number of all pools.
    pub fn sum(&self, of: fn(&Pool) -> usize) -> usize {
        self.pools.iter().map(of).sum()
    }

    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|it| it.finding.severity == severity).count()
    }
}

/// `IPP504, IPP505: why`.
impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rules.join(", "), self.why)
    }
}

impl Pool {
    /// The network that the range spells.
    pub fn network(&self) -> Option<IpNet> {
        self.parsed_range.as_ref().map(Range::network)
    }

    /// The address that whereabouts takes an entry for: it may be outside the network, and there may be none.
    pub fn address(&self, entry: &Entry) -> Option<IpAddr> {
        self.parsed_range.as_ref()?.address_at(entry.offset)
    }

    /// How many of `whole` parts of a bar are used, and how many leaked. What is not zero has at least one part.
    pub fn bar(&self, whole: u128) -> [u128; 2] {
        let parts = |count: usize| match (count, self.capacity) {
            (0, _) => 0,
            (_, 0) => whole,
            (count, capacity) => (count as u128 * whole / capacity).clamp(1, whole),
        };
        let leaked = parts(self.leaked);
        [parts(self.allocated.saturating_sub(self.leaked)).min(whole - leaked), leaked]
    }

    /// The percentage of the addresses that whereabouts can hand out and that have an entry; `None` if it can hand out none.
    #[expect(clippy::cast_precision_loss, reason = "for people, who read at most three digits")]
    pub fn percent(&self) -> Option<f64> {
        (self.capacity > 0).then(|| self.allocated as f64 * 100.0 / self.capacity as f64)
    }
}

/// A report for tests: two pools, one of which has an entry of every state.
#[cfg(test)]
pub fn sample() -> Report {
    use crate::finding::{FieldPath, Report as Rule};
    use crate::kinds;
    use crate::output::ObjectName;

    let mut report = Report::default();
    let entry = |report: &mut Report, offset, podref, state| {
        let owner = report.owners.add(podref);
        Entry { offset, owner, state }
    };
    let entries = vec![
        entry(&mut report, 1, "default/web-0", State::Used),
        entry(&mut report, 2, "", State::Reserved),
        entry(&mut report, 3, "default/<script>alert(1)</script>", State::Leaked),
        entry(&mut report, 4, "default/web-1", State::Conflicting),
    ];
    let wide = vec![entry(&mut report, 0x1_0000_0000, "default/web-2", State::Used)];
    let pool = |name: &str, range: &str, capacity, entries: Vec<Entry>| {
        let count = |state| entries.iter().filter(|it| it.state == state).count();
        Pool {
            namespace: "kube-system".to_owned(),
            name: name.to_owned(),
            range: range.to_owned(),
            capacity,
            allocated: entries.len(),
            reserved: count(State::Reserved),
            leaked: count(State::Leaked),
            conflicting: count(State::Conflicting),
            findings: 0,
            parsed_range: Range::parse(range).ok(),
            entries: entries.into(),
        }
    };
    report.pools = vec![
        pool("10.0.9.0-24", "10.0.9.0/24", 254, entries),
        pool("fd00---64", "fd00::/64", (1 << 64) - 2, wide),
    ];
    let rule = kinds::find_rule("IPP211").expect("a rule");
    let object = ObjectName { namespace: "kube-system".to_owned(), name: "10.0.9.0-24".to_owned() };
    let mut sink = |finding: crate::finding::Finding<'_>| {
        let (finding, object) = (finding.into_owned(), object.clone());
        report.findings.push(Diagnostic { finding, kind: "IPPool", object, place: None });
    };
    let path = FieldPath::entry("spec.allocations", "2", Some(2)).field("podref");
    let detail = "is never reclaimed; right only for a reservation by hand";
    Rule::of(rule, Severity::Warn, &mut sink).invalid(path, "", detail).at(Some([10, 0, 9, 2].into()));
    report.pools[0].findings = 1;
    report.not_done = vec![NotDone { rules: vec!["IPP503"], why: "the dump has no reservations".to_owned() }];
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_16_bytes() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn an_entry_of_a_report_has_an_owner_and_an_address() {
        let report = sample();
        let [pool, wide] = report.pools.as_slice() else { panic!("two pools") };
        assert_eq!(report.owner(&pool.entries[2]), "default/<script>alert(1)</script>");
        assert_eq!(pool.address(&pool.entries[2]), Some([10, 0, 9, 3].into()));
        assert_eq!(wide.address(&wide.entries[0]).unwrap().to_string(), "fd00::1:0:0");
        assert_eq!(
            report.findings[0].finding.to_string(),
            "spec.allocations[2].podref: Invalid value: \"\": is never reclaimed; right only for a reservation by hand (10.0.9.2) [IPP211]"
        );
    }

    #[test]
    fn the_percentage_of_a_pool_counts_what_can_be_handed_out() {
        let report = sample();
        assert!((report.pools[0].percent().unwrap() - 4.0 * 100.0 / 254.0).abs() < 1e-9);
        assert!(report.pools[1].percent().unwrap() < 1e-9);
    }
}
