//! Reports for people.

use std::io::{self, Write};

use owo_colors::{OwoColorize, Style};

use crate::audit::report::{Pool, Report};
use crate::finding::Severity;
use crate::output::{plural, text};
use crate::text::printable;

/// The characters of a bar.
const BAR_WIDTH: u128 = 20;

const HEADINGS: [&str; 6] = ["NAMESPACE", "NAME", "RANGE", "ADDRESSES", "USED", "FINDINGS"];

pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if !report.pools.is_empty() {
        write_table(&report.pools, out)?;
        writeln!(out)?;
    }
    text::write(&report.findings, out)?;
    for reason in &report.not_done {
        writeln!(out, "{} {}", "not done:".bold(), printable(&reason.to_string()))?;
    }
    writeln!(out, "{}", summary(report))
}

fn write_table(pools: &[Pool], out: &mut impl Write) -> io::Result<()> {
    let names = |of: fn(&Pool) -> &str| pools.iter().map(move |pool| printable(of(pool)));
    let columns = [
        names(|it| &it.namespace).collect::<Vec<_>>(),
        names(|it| &it.name).collect(),
        names(|it| &it.range).collect(),
    ];
    let widths: Vec<_> = columns
        .iter()
        .zip(HEADINGS)
        .map(|(column, heading)| {
            column.iter().map(|it| it.chars().count()).chain([heading.len()]).max().unwrap_or_default()
        })
        .collect();
    let bar = BAR_WIDTH as usize;
    let row = |cells: [&str; 3]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ")
    };
    let [namespace, name, range, addresses, used, findings] = HEADINGS;
    let heading = format!("{}  {addresses:<bar$}  {used:>6}  {findings}", row([namespace, name, range]));
    writeln!(out, "{}", heading.bold())?;
    for (index, pool) in pools.iter().enumerate() {
        let cell =
            |column: usize| columns.get(column).and_then(|it| it.get(index)).map_or("", String::as_str);
        write!(out, "{}  ", row([cell(0), cell(1), cell(2)]))?;
        write_bar(pool, out)?;
        let findings = match pool.findings {
            0 => "-".to_owned(),
            findings => findings.to_string(),
        };
        let style = if pool.findings == 0 { Style::new().dimmed() } else { Style::new().yellow() };
        writeln!(out, "  {:>6}  {}", percent(pool), findings.style(style))?;
    }
    Ok(())
}

/// Draws what is used, leaked and free.
fn write_bar(pool: &Pool, out: &mut impl Write) -> io::Result<()> {
    let [used, leaked] = pool.bar(BAR_WIDTH);
    let free = BAR_WIDTH - leaked - used;
    let repeated = |character: &str, count: u128| character.repeat(count as usize);
    let used = repeated("█", used);
    write!(out, "{}{}{}", used.green(), repeated("▒", leaked).red(), repeated("·", free).dimmed())
}

/// The percentage that is used. It is only 0 or 100 if none or all are used.
pub fn percent(pool: &Pool) -> String {
    match pool.percent() {
        None => "-".to_owned(),
        Some(percent) if percent > 0.0 && percent < 1.0 => "<1 %".to_owned(),
        Some(percent) if percent > 99.0 && percent < 100.0 => "99 %".to_owned(),
        Some(percent) => format!("{percent:.0} %"),
    }
}

/// The last line.
pub fn summary(report: &Report) -> String {
    let pools = plural(report.pools.len(), "pool");
    let allocations = plural(report.sum(|it| it.allocated), "allocation");
    let parts = [
        (report.sum(|it| it.reserved), "reserved"),
        (report.sum(|it| it.leaked), "leaked"),
        (report.sum(|it| it.conflicting), "conflicting"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let result = match (report.count(Severity::Deny), report.count(Severity::Warn)) {
        (0, 0) => "no findings".to_owned(),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    };
    let not_done = match report.not_done.len() {
        0 => String::new(),
        _ => "; not everything was checked".to_owned(),
    };
    format!("audited {pools} with {allocations}{parts}: {result}{not_done}")
}
