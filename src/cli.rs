//! The command line: subcommands and exit codes.

mod rules;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::audit;
use crate::certs;
use crate::check;
use crate::server;

/// The exit code of an error; clap uses the same for wrong usage.
const ERROR: u8 = 2;

/// Guards the IPPool objects of whereabouts.
///
/// Every flag has an environment variable of the same name: IPPOOL_WEBHOOK_LOG_LEVEL for --log-level; for --format, with
/// the subcommand in it: IPPOOL_WEBHOOK_CHECK_FORMAT. Exit codes: 0 no findings, 1 findings at or above --fail-on, 2 an
/// error.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_PKG_NAME"), version)]
struct Cli {
    #[command(subcommand)]
    subcommand: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Run the webhook server.
    Serve(Box<server::ServeArgs>),
    Check(check::CheckArgs),
    Audit(Box<audit::AuditArgs>),
    Rules(rules::RulesArgs),
    #[command(subcommand)]
    Certs(certs::CertsArgs),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Runs the subcommand of the command line.
pub fn main() -> ExitCode {
    match run(Cli::parse().subcommand) {
        Ok(code) => code,
        // `rules | head` is not an error.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, there is nowhere else to report the error.
            let _ = writeln!(anstream::stderr(), "error: {}", described(&error));
            ExitCode::from(ERROR)
        }
    }
}

/// An error with its causes. Many messages repeat that of their cause, which is then said only once.
fn described(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    })
}

fn run(subcommand: Subcommands) -> anyhow::Result<ExitCode> {
    match subcommand {
        Subcommands::Serve(args) => server::serve(*args).map(|()| ExitCode::SUCCESS),
        Subcommands::Check(args) => check::run(&args),
        Subcommands::Audit(args) => audit::run(&args),
        Subcommands::Rules(args) => rules::run(&args),
        Subcommands::Certs(args) => certs::run(&args),
        Subcommands::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
