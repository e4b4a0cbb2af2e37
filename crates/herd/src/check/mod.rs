//! `herd check`: is the configuration valid, can Herd work with these nodes, and what is missing for
//! more?
//!
//! It looks and changes nothing. Observing and judging are apart, so that every verdict is tested
//! without a server.

mod files;
mod finding;
mod judge;
mod observe;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use herd_config::Config;
use tokio::runtime::Builder;

#[derive(Args, Debug)]
pub struct Options {
    /// The configuration to check
    #[arg(long, default_value = "proxy.toml")]
    config: PathBuf,
}

/// Fails when there is a problem that keeps Herd from working; notes are only printed.
pub fn run(options: &Options) -> Result<()> {
    let config = read(&options.config)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let observed = runtime.block_on(observe::all(&config));
    let mut findings = files::check(&config);
    findings.extend(judge::judge(&config, &observed));
    let problems = report::print(&options.config, &config, &observed, &findings);
    if problems > 0 {
        bail!("{}: {problems} problems", options.config.display());
    }
    Ok(())
}

/// Reads and validates a configuration file.
pub fn read(file: &Path) -> Result<Config> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Config::parse(&text).with_context(|| format!("{} is not valid", file.display()))
}
