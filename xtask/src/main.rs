//! Development tasks: `cargo xtask tidy` checks the conventions that a machine can check.

mod tidy;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask tidy [--shrink]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["tidy"] => tidy::check(),
        ["tidy", "--shrink"] => tidy::shrink(),
        _ => bail!("{USAGE}"),
    }
}
