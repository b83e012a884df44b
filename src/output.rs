//! Diagnostics as text, JSON, SARIF and workflow commands, for every subcommand that reports findings.

mod diagnostic;
mod excerpt;
pub mod github;
pub mod json;
pub mod sarif;
pub mod text;

pub use self::diagnostic::{Diagnostic, Notification, ObjectName, Place, errors, level};
pub use self::excerpt::Excerpt;

/// A number of things.
pub fn plural(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
