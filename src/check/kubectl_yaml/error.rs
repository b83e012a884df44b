//! Why a document cannot be read.

use super::node::Span;

/// Why a document cannot be read, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct YamlError {
    pub line: usize,
    pub why: String,
}

impl YamlError {
    /// An error of the value at `span`.
    pub fn at(span: &Span, why: impl Into<String>) -> Self {
        Self { line: span.line, why: why.into() }
    }
}
