//! What is known of a rule but for the code that checks it.

use super::{Operation, Severity};

/// A rule of one kind of object; `C` is how it checks.
#[derive(Debug)]
pub struct Rule<C> {
    /// Everything but the code.
    pub info: RuleInfo,
    /// The code.
    pub check: C,
}

/// Everything about a rule but the code that checks it.
#[derive(Debug)]
pub struct RuleInfo {
    /// `IPP` and three digits; the hundreds are the family. Never reused.
    pub id: &'static str,
    /// The defect in kebab case, so that "allow `range-not-cidr`" reads well.
    pub name: &'static str,
    /// The defect in one line, for tables.
    pub summary: &'static str,
    /// The operations it checks; none for a rule that only an audit checks.
    pub operations: &'static [Operation],
    /// Its severity unless the policy says otherwise.
    pub severity: Severity,
    /// Whether a policy can make it deny, and lift its denial.
    pub denies: Denies,
    /// Whether the mutating webhook repairs it where that is safe.
    pub normalized: bool,
    /// The page: what it finds, why it matters, examples, repair.
    pub page: &'static str,
}

/// When a rule of severity `deny` denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denies {
    /// Where the policy enforces denials.
    WhenEnforced,
    /// With `enforcement: warn` as well: nothing could undo what the request does.
    Always,
    /// Never, for this reason; `deny` is a mistake of the policy.
    Never(&'static str),
}

impl RuleInfo {
    /// Whether no request is checked by it.
    pub const fn is_only_for_audit(&self) -> bool {
        self.operations.is_empty()
    }

    /// What most rules share: create and update, `deny`.
    pub const DENY_ON_WRITE: Self = Self {
        id: "",
        name: "",
        summary: "",
        operations: &[Operation::Create, Operation::Update],
        severity: Severity::Deny,
        denies: Denies::WhenEnforced,
        normalized: false,
        page: "",
    };

    /// The same with `warn`.
    pub const WARN_ON_WRITE: Self = Self { severity: Severity::Warn, ..Self::DENY_ON_WRITE };
}
