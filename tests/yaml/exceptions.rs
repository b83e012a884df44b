//! Where `check` and kubectl may differ, and why.

use crate::Case;

/// A difference that is meant.
pub struct Exception {
    pub why: &'static str,
    pub covers: fn(&Case) -> bool,
}

/// Each is met by some document; one that is not has to go.
pub const EXCEPTIONS: &[Exception] = &[Exception {
    why: "a key stands once, of which kubectl keeps either",
    covers: |case| case.check.error.as_ref().is_some_and(|it| it.contains("already stands on line")),
}];
