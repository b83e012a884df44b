//! The tables: pools, findings, and what was not done.

use std::io::{self, Write};

use super::{Escaped, MAX_FINDINGS, MAX_POOLS, write_up_to};
use crate::audit::output::text::percent;
use crate::audit::report::{Pool, Report};
use crate::output::{Diagnostic, level};
use crate::text::Shortened;

/// The columns of pools; those of numbers are sorted as numbers.
const COLUMNS: [(&str, bool); 10] = [
    ("namespace", false),
    ("name", false),
    ("range", false),
    ("addresses", true),
    ("used", true),
    ("capacity", true),
    ("allocated", true),
    ("leaked", true),
    ("conflicts", true),
    ("findings", true),
];

const LEGEND: &str = "<ul class=\"legend\"><li><i class=\"f\"></i>free</li><li><i class=\"u\"></i>used</li>\
<li><i class=\"r\">R</i>reserved by hand</li><li><i class=\"l\">L</i>leaked: the owner is gone</li>\
<li><i class=\"c\">!</i>in conflict: two owners</li></ul>";

pub fn write_pools(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>Pools <small class=\"quiet\" id=\"pools-shown\"></small></h2>\n{LEGEND}")?;
    writeln!(out, "<div class=\"wide\"><table id=\"pools\">\n<thead><tr>")?;
    for (name, is_number) in COLUMNS {
        let class = if is_number && name != "addresses" { "number" } else { "" };
        writeln!(out, "<th scope=\"col\" class=\"{class}\"><button type=\"button\">{name}</button></th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    let left = write_up_to(MAX_POOLS, report.pools.iter().enumerate().map(row), out)?;
    writeln!(out, "</tbody>\n</table></div>")?;
    write_left_out(left, "pools", out)
}

fn row((number, pool): (usize, &Pool)) -> String {
    let Pool { namespace, name, range, allocated, capacity, leaked, conflicting, .. } = pool;
    let [namespace, name, range] =
        [namespace, name, range].map(|it| Escaped(&Shortened(it).to_string()).to_string());
    let share = pool.percent().unwrap_or(-1.0);
    let findings = if pool.findings == 0 { "-".to_owned() } else { pool.findings.to_string() };
    let number_cell = |number: &usize| format!("<td class=\"number\">{number}</td>");
    let numbers: String = [allocated, leaked, conflicting].map(number_cell).concat();
    format!(
        "<tr data-pool=\"{number}\"><td>{namespace}</td>\
         <td><button type=\"button\" aria-expanded=\"false\">{name}</button></td><td>{range}</td>\
         <td data-sort=\"{share}\">{}</td><td class=\"number\" data-sort=\"{share}\">{}</td>\
         <td class=\"number\" data-sort=\"{capacity}\">{}</td>{numbers}\
         <td class=\"number\" data-sort=\"{}\">{findings}</td></tr>",
        bar(pool),
        Escaped(&percent(pool)),
        shortened(*capacity),
        pool.findings,
    )
}

/// A readable number. The capacity of an IPv6 pool has twenty digits, and is two less than a power of two.
fn shortened(capacity: u128) -> String {
    const READABLE: u128 = 1 << 32;
    if capacity <= READABLE { capacity.to_string() } else { format!("2^{}", (capacity - 1).ilog2() + 1) }
}

/// The shares of used, leaked and free addresses, in percent.
fn bar(pool: &Pool) -> String {
    let [used, leaked] = pool.bar(100);
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"fill-used\" width=\"{used}\" height=\"1\"/>\
         <rect class=\"fill-leaked\" x=\"{used}\" width=\"{leaked}\" height=\"1\"/></svg>"
    )
}

pub fn write_findings(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>Findings <small class=\"quiet\" id=\"findings-shown\"></small></h2>")?;
    if report.findings.is_empty() {
        writeln!(out, "<p>No rule finds anything.</p>")?;
    }
    writeln!(
        out,
        "<div class=\"wide\"><table id=\"findings\">\n<thead><tr><th scope=\"col\">severity</th>\
         <th scope=\"col\">rule</th><th scope=\"col\">object</th><th scope=\"col\">finding</th></tr></thead>\n<tbody>"
    )?;
    let left = write_up_to(MAX_FINDINGS, report.findings.iter().map(finding), out)?;
    writeln!(out, "</tbody>\n</table></div>")?;
    write_left_out(left, "findings", out)
}

fn finding(it: &Diagnostic) -> String {
    let (level, rule) = (level(it.finding.severity), it.finding.rule);
    let [object, sentence] =
        [format!("{} {}", it.kind, it.object()), it.sentence()].map(|text| Escaped(&text).to_string());
    format!(
        "<tr><td class=\"level {level}\">{level}</td><td>{} {}</td><td>{object}</td><td>{sentence}</td></tr>",
        rule.id, rule.name
    )
}

fn write_left_out(left: usize, what: &str, out: &mut impl Write) -> io::Result<()> {
    match left {
        0 => Ok(()),
        left => writeln!(out, "<p>{left} more {what} are left out of this file; --format json has all.</p>"),
    }
}

pub fn write_not_done(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.not_done.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Not done</h2>\n<ul>")?;
    report.not_done.iter().try_for_each(|it| writeln!(out, "<li>{}</li>", Escaped(&it.to_string())))?;
    writeln!(out, "</ul>")
}
