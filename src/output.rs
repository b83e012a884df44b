//! Diagnostics as text, JSON, SARIF and workflow commands, for every subcommand that reports findings.

mod diagnostic;
mod excerpt;
pub mod github;
pub mod json;
pub mod sarif;
pub mod text;

pub use self::diagnostic::{Diagnostic, Notification, ObjectName, Place, errors};
pub use self::excerpt::Excerpt;
