//! Reports as one HTML file that needs nothing else.

use std::io::{self, Write};

use crate::audit::report::Report;

pub fn write(_report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<!doctype html>")
}
