//! A finding with its location, and a message about the run.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::excerpt::Excerpt;
use crate::finding::{Finding, List, Severity};
use crate::text::printable;

/// The name of an object; either part is empty where it has none.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectName {
    pub namespace: String,
    pub name: String,
}

/// A finding in one object.
#[derive(Debug)]
pub struct Diagnostic {
    pub finding: Finding<'static>,
    /// The kind of the object.
    pub kind: &'static str,
    pub object: ObjectName,
    /// Where in a file it is; an audit has many objects of a cluster, which has no lines.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Debug)]
pub struct Place {
    pub file: Arc<str>,
    /// The number of the document in the file, from 1.
    pub document: usize,
    pub excerpt: Excerpt,
}

/// A message about the run itself: an error that kept a file from being checked, or a note.
#[derive(Debug)]
pub struct Notification {
    pub file: String,
    pub line: Option<usize>,
    pub text: String,
    /// Whether it is an error: something was not checked.
    pub is_error: bool,
}

impl Diagnostic {
    /// `namespace/name` of the object.
    pub fn object(&self) -> String {
        let ObjectName { namespace, name } = &self.object;
        let name = if name.is_empty() { "<no name>" } else { name };
        let slash = if namespace.is_empty() { "" } else { "/" };
        printable(&format!("{namespace}{slash}{name}"))
    }

    /// The path and what is wrong there, without the id of the rule, which every format shows elsewhere.
    pub fn sentence(&self) -> String {
        let finding = &self.finding;
        format!("{}: {}{}", finding.path, finding.opening(), finding.located_advice(List::MAX_KEPT))
    }
}

impl Notification {
    pub fn error(file: impl Into<String>, line: Option<usize>, text: String) -> Self {
        Self { file: file.into(), line, text, is_error: true }
    }

    pub fn note(file: impl Into<String>, line: Option<usize>, text: String) -> Self {
        Self { is_error: false, ..Self::error(file, line, text) }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", printable(&self.text))
    }
}

/// The level that compilers and SARIF have for a severity.
pub fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
        Severity::Off => "none",
    }
}

pub fn errors(notifications: &[Notification]) -> impl Iterator<Item = &Notification> {
    notifications.iter().filter(|it| it.is_error)
}
