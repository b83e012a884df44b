//! The command line: verbs in, exit code out.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::catalogue;
use crate::certs;
use crate::check;
use crate::server;

/// The exit code when the work could not be done; clap uses the same for wrong usage.
const COULD_NOT_DO_THE_WORK: u8 = 2;

/// Guards the IPPool objects of whereabouts.
///
/// Every flag can be set by an environment variable of the same name: --log-level by
/// IPPOOL_WEBHOOK_LOG_LEVEL. Exit code: 0 clean, 1 findings at or above --fail-on, 2 the work could not be
/// done.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_PKG_NAME"), version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the webhook server.
    Serve(Box<server::ServeArgs>),
    Check(check::CheckArgs),
    Rules(catalogue::RulesArgs),
    Certs(certs::CertsArgs),
    /// Print the completions for a shell.
    Completions {
        /// The shell they are for.
        shell: Shell,
    },
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(code) => code,
        // `rules | head` is no failure of ours.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell it to if even this fails.
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            ExitCode::from(COULD_NOT_DO_THE_WORK)
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Serve(args) => server::serve(*args).map(|()| ExitCode::SUCCESS),
        Verb::Check(args) => check::run(&args),
        Verb::Rules(args) => catalogue::run(&args),
        Verb::Certs(args) => certs::run(&args),
        Verb::Completions { shell } => completions(shell),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable_of_the_same_name() {
        let cli = Cli::command();
        let mut verbs: Vec<_> = cli.get_subcommands().collect();
        verbs.extend(cli.get_subcommands().flat_map(clap::Command::get_subcommands));
        for verb in verbs {
            for argument in verb.get_arguments().filter(|it| it.get_id() != "help") {
                let Some(long) = argument.get_long() else { continue };
                let expected = format!("IPPOOL_WEBHOOK_{}", long.replace('-', "_").to_uppercase());
                let actual = argument.get_env().and_then(|it| it.to_str());
                assert_eq!(actual, Some(expected.as_str()), "{} --{long}", verb.get_name());
            }
        }
    }
}
