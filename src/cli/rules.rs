//! `rules`: the table of the rules, or the page of one rule.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::ValueEnum;
use owo_colors::{OwoColorize, Style};
use serde_json::{Value, json};

use crate::finding::{RuleInfo, Severity};
use crate::kinds;
use crate::output::json;

/// Print the table of rules or, with an id or name, the page of one rule.
#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    /// The id or name of a rule, such as IPP206 or offset-out-of-range.
    #[arg(value_name = "ID")]
    rule: Option<String>,

    /// Output format.
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_RULES_FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Text,
    /// An array of objects; with an id, one object with its page.
    Json,
    /// A table; with an id, its page.
    Markdown,
}

/// The minimum similarity (0..=1) of a name to suggest it.
const MIN_SIMILARITY: f64 = 0.5;

pub fn run(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let mut out = anstream::stdout().lock();
    match &args.rule {
        None => write_table(args.format, &mut out)?,
        Some(name) => {
            let rule = kinds::find_rule(name).ok_or_else(|| unknown(name))?;
            write_page(rule, args.format, &mut out)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> anyhow::Error {
    let name_lower = name.to_ascii_lowercase();
    let similarity = |known: &str| strsim::normalized_levenshtein(&name_lower, &known.to_ascii_lowercase());
    let known = kinds::rules().flat_map(|rule| [rule.id, rule.name]);
    let close = known.map(|known| (similarity(known), known)).filter(|it| it.0 >= MIN_SIMILARITY);
    let hint = match close.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, close)) => format!("did you mean {close}?"),
        None => "`ippool-webhook rules` lists them".to_owned(),
    };
    anyhow!("no rule is called {}; {hint}", crate::text::Quoted(name))
}

fn write_table(format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Text => write_columns(out),
        Format::Json => json::write(&kinds::rules().map(fields).collect::<Vec<_>>(), out),
        Format::Markdown => write_markdown(out),
    }
}

fn write_page(rule: &'static RuleInfo, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Text => rule.page.trim_end().lines().try_for_each(|line| {
            if line.starts_with('#') { writeln!(out, "{}", line.bold()) } else { writeln!(out, "{line}") }
        }),
        Format::Markdown => writeln!(out, "{}", rule.page.trim_end()),
        Format::Json => {
            let mut rule_fields = fields(rule);
            rule_fields["page"] = rule.page.into();
            json::write(&rule_fields, out)
        }
    }
}

fn fields(rule: &'static RuleInfo) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "summary": rule.summary,
        "on": on(rule),
        "severity": rule.severity,
        "normalized": rule.normalized,
    })
}

fn write_columns(out: &mut impl Write) -> io::Result<()> {
    let width = kinds::rules().map(|rule| rule.name.len()).max().unwrap_or_default();
    let heading = format!("{:<6}  {:<width$}  {:<3}  {:<20}  {}", "ID", "NAME", "ON", "DEFAULT", "FINDS");
    writeln!(out, "{}", heading.bold())?;
    for rule in kinds::rules() {
        let (id, name, summary) = (rule.id, rule.name, rule.summary);
        let default = format!("{:<20}", default(rule));
        let default = default.style(style(rule.severity));
        writeln!(out, "{}  {name:<width$}  {:<3}  {default}  {summary}", id.bold(), initials(rule))?;
    }
    Ok(())
}

/// The table of the README.
fn write_markdown(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| id | name | on | default | finds |\n|---|---|---|---|---|")?;
    for rule in kinds::rules() {
        let finds = rule.summary.replace('|', "\\|");
        writeln!(out, "| {} | {} | {} | {} | {finds} |", rule.id, rule.name, initials(rule), default(rule))?;
    }
    Ok(())
}

/// Where a rule is checked.
fn on(rule: &RuleInfo) -> Vec<&'static str> {
    if rule.is_only_for_audit() {
        return vec!["AUDIT"];
    }
    rule.operations.iter().map(|operation| operation.as_str()).collect()
}

/// Where a rule is checked: C, U, D and A.
fn initials(rule: &RuleInfo) -> String {
    let initials: Vec<_> = on(rule).iter().filter_map(|it| it.get(..1)).collect();
    initials.join(" ")
}

fn default(rule: &RuleInfo) -> String {
    let severity = rule.severity.as_str();
    if rule.normalized { format!("normalize, else {severity}") } else { severity.to_owned() }
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Deny => Style::new().red(),
        Severity::Warn => Style::new().yellow(),
        Severity::Off => Style::new().dimmed(),
    }
}
