//! Reports as one HTML file that needs nothing else: no network, no other file. Its policy allows only its own script and style,
//! and foreign text is escaped.

mod pictures;
mod table;

use std::fmt;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA256, digest};

use super::text::summary;
use crate::audit::report::Report;
use crate::text::printable;

const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = include_str!("html/report.js");

/// The longest file, in bytes, which a browser opens and a mail takes.
pub const MAX_BYTES: usize = 20_000_000;

/// The parts of the file that grow with the cluster, in bytes each. The rest takes less than what remains.
const MAX_POOLS: usize = 5_000_000;
const MAX_FINDINGS: usize = 5_000_000;
const MAX_PICTURES: usize = MAX_BYTES - MAX_POOLS - MAX_FINDINGS - 1_000_000;

pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write_head(out)?;
    writeln!(out, "<h1>Audit of IPPools</h1>\n<p class=\"quiet\">{}</p>", Escaped(&summary(report)))?;
    write_cards(report, out)?;
    writeln!(out, "{TOOLS}")?;
    table::write_pools(report, out)?;
    table::write_findings(report, out)?;
    table::write_not_done(report, out)?;
    pictures::write(report, out)?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn write_head(out: &mut impl Write) -> io::Result<()> {
    let (script, style) = (hash(SCRIPT), hash(STYLE));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; base-uri 'none'; form-action 'none'"
    );
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Audit of IPPools</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    )
}

/// The hash by which the content security policy allows a script or a style.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(digest(&SHA256, text.as_bytes())))
}

fn write_cards(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let cards = [
        (report.pools.len(), "pools"),
        (report.sum(|it| it.allocated), "allocations"),
        (report.sum(|it| it.reserved), "reserved"),
        (report.sum(|it| it.leaked), "leaked"),
        (report.sum(|it| it.conflicting), "in conflict"),
        (report.findings.len(), "findings"),
    ];
    writeln!(out, "<ul class=\"cards\">")?;
    cards.iter().try_for_each(|(count, what)| writeln!(out, "<li><b>{count}</b>{what}</li>"))?;
    writeln!(out, "</ul>")
}

/// Controls that need the script.
const TOOLS: &str = "\
<noscript><p>Without JavaScript the tables cannot be sorted or filtered, and the pictures of the pools are missing.</p></noscript>
<div class=\"tools\">
<input type=\"search\" id=\"filter\" placeholder=\"Filter by any text: a namespace, an address, a rule\" aria-label=\"Filter\">
<label><input type=\"checkbox\" id=\"only-findings\"> only pools with findings</label>
</div>";

/// Foreign text, escaped for HTML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in printable(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// Writes lines until they are `max` bytes; returns how many are left out.
fn write_up_to(
    max: usize,
    lines: impl ExactSizeIterator<Item = String>,
    out: &mut impl Write,
) -> io::Result<usize> {
    let (mut bytes, mut left) = (0, lines.len());
    for line in lines {
        bytes += line.len() + 1;
        if bytes > max {
            break;
        }
        left -= 1;
        writeln!(out, "{line}")?;
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
