//! The `herd` command.

mod check;
mod demo;
mod open_files;
mod serve;

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
    /// Serve clients
    Serve(serve::Options),
    /// Embedded nodes with Herd in front, and a sample to play with
    Demo(demo::Options),
    /// Whether a configuration is valid, its nodes are fit, and what is missing for more
    Check(check::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(options) => serve::run(&options),
        Command::Demo(options) => serve::run_demo(&options),
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
