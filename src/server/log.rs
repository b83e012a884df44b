//! The log on stderr: its format, its level and its start.

mod writer;

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

pub use writer::{DROPPED_LINES, FlushGuard};

/// The log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

pub fn level(text: &str) -> Result<String, String> {
    let remedy = "write error, warn, info, debug or trace, or PART=LEVEL for parts of the program";
    // A bare word that is not a level would name a part, and everything else would be silent.
    let unknown = |part: &&str| !part.contains('=') && part.parse::<LevelFilter>().is_err();
    if let Some(part) = text.split(',').find(unknown) {
        return Err(format!("{part:?} is not a level; {remedy}"));
    }
    text.parse::<Targets>().map_err(|error| format!("{error}; {remedy}"))?;
    Ok(text.to_owned())
}

/// Starts the log. It goes to stderr, since stdout is for what a person asked to see.
pub fn start(format: LogFormat, level: &str) -> anyhow::Result<FlushGuard> {
    let filter: Targets = directives(level).parse().context("--log-level")?;
    let json = format == LogFormat::Json;
    let (writer, flush) = writer::LogWriter::new(io::stderr(), json);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let lines = if json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()
        .context("the log cannot start")?;
    // The default hook writes to stderr itself and blocks on a slow reader. The handler logs the panic message.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic; this is a bug");
    }));
    Ok(flush)
}

/// A bare level is that level for this program only: its libraries log every frame at `debug`.
fn directives(level: &str) -> String {
    match level.parse::<Level>() {
        Ok(level) => format!("warn,ippool_webhook={level}"),
        Err(_) => level.to_owned(),
    }
}
