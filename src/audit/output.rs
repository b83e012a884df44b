//! Reports in every format.

pub mod html;
mod json;
mod markdown;
mod text;

use std::io::{self, Write};

use super::args::Format;
use super::report::Report;
use crate::output::{Notification, sarif};

/// Writes a report; `notifications` are what could not be read.
pub fn write(
    report: &Report,
    notifications: &[Notification],
    format: Format,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::Text => text::write(report, out),
        Format::Json => json::write(report, out),
        Format::Sarif => {
            let notes: Vec<_> = report.not_done.iter().map(ToString::to_string).collect();
            sarif::write(&report.findings, notifications, &notes, out)
        }
        Format::Markdown => markdown::write(report, out),
        Format::Html => html::write(report, out),
    }
}
