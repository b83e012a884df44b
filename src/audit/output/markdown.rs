//! Reports as tables in Markdown.

use std::io::{self, Write};

use super::text::{percent, summary};
use crate::audit::report::Report;
use crate::output::level;
use crate::text::printable;

pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# Audit\n\n{}\n", escaped(&summary(report)))?;
    if !report.pools.is_empty() {
        writeln!(
            out,
            "| namespace | pool | range | allocated | capacity | used | leaked | conflicting | findings |"
        )?;
        writeln!(out, "|---|---|---|---:|---:|---:|---:|---:|---:|")?;
    }
    for pool in &report.pools {
        let [namespace, name, range] = [&pool.namespace, &pool.name, &pool.range].map(|it| escaped(it));
        let (allocated, capacity, used) = (pool.allocated, pool.capacity, percent(pool));
        let (leaked, conflicting, findings) = (pool.leaked, pool.conflicting, pool.findings);
        writeln!(
            out,
            "| {namespace} | {name} | {range} | {allocated} | {capacity} | {} | {leaked} | {conflicting} | {findings} |",
            escaped(&used)
        )?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "\n## Findings\n\n| severity | rule | object | finding |\n|---|---|---|---|")?;
    }
    for it in &report.findings {
        let (severity, rule) = (level(it.finding.severity), it.finding.rule);
        let [object, sentence] =
            [format!("{} {}", it.kind, it.object()), it.sentence()].map(|it| escaped(&it));
        writeln!(out, "| {severity} | {} {} | {object} | {sentence} |", rule.id, rule.name)?;
    }
    if !report.not_done.is_empty() {
        writeln!(out, "\n## Not done\n")?;
    }
    report.not_done.iter().try_for_each(|it| writeln!(out, "- {}", escaped(&it.to_string())))
}

/// Text with every character escaped that has a meaning in Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '#' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::report::sample;

    #[test]
    fn foreign_text_means_nothing_in_markdown() {
        let mut report = sample();
        report.pools[0].name = "a|b<script>`c`".to_owned();
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert!(
            written
                .contains(r"| kube-system | a\|b\<script\>\`c\` | 10.0.9.0/24 | 4 | 254 | 2 % | 1 | 1 | 1 |"),
            "{written}"
        );
        assert!(written.contains("- IPP503: the dump has no reservations\n"), "{written}");
    }
}
