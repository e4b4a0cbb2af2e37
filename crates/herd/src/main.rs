//! The `herd` command.

mod check;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One PostgreSQL endpoint for a herd of PostgreSQL servers.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Whether a configuration is valid, its nodes are fit, and what is missing for more
    Check(check::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Check(options) => check::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("herd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
