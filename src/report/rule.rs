//! Who a rule is.

use super::{Operation, Severity};

/// Who a rule is: everything about it but the code that looks.
#[derive(Debug)]
pub struct Rule {
    /// `IPP` and three digits; the hundreds are the family. Never reused.
    pub id: &'static str,
    /// The defect in kebab case, so that "allow `range-not-cidr`" reads well.
    pub name: &'static str,
    /// The defect in one line, for tables.
    pub summary: &'static str,
    /// The operations it looks at.
    pub on: &'static [Operation],
    /// What it weighs unless the policy says otherwise.
    pub severity: Severity,
    /// Whether a policy can make it deny, and lift its denial.
    pub denial: Denial,
    /// Whether the mutating webhook repairs it where that is safe.
    pub normalized: bool,
    /// The page: what it finds, why it matters, examples, repair.
    pub page: &'static str,
}

/// When a rule of severity `deny` denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Where denials are enforced.
    WhenEnforced,
    /// With `enforcement: warn` as well: nothing could undo what the request does.
    Always,
    /// Not at all: what it finds is never denied, and `deny` is a mistake of the policy, for this reason.
    Never(&'static str),
}

impl Rule {
    /// What most rules share: create and update, `deny`.
    pub const DENY_ON_WRITE: Self = Self {
        id: "",
        name: "",
        summary: "",
        on: &[Operation::Create, Operation::Update],
        severity: Severity::Deny,
        denial: Denial::WhenEnforced,
        normalized: false,
        page: "",
    };

    /// The same with `warn`.
    pub const WARN_ON_WRITE: Self = Self { severity: Severity::Warn, ..Self::DENY_ON_WRITE };
}
