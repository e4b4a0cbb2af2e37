//! `herd demo`: embedded PostgreSQL nodes with Herd in front, in one directory and one process.
//!
//! It knows how to make, start and stop servers, and the sample; serving is another's, to which it
//! hands a configuration like any other.

mod binaries;
mod cluster;
mod configuration;
mod directory;
mod node;
mod owner;
mod ports;
mod sample;
mod signals;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result};
use clap::Args;
use herd_config::Config;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use cluster::Cluster;
use directory::{Directory, State};
use node::ACCOUNT;

#[derive(Args, Debug)]
pub struct Options {
    /// Holds the nodes' data and Herd's catalog; made on first use
    #[arg(long)]
    dir: PathBuf,

    /// Where PostgreSQL clients connect
    #[arg(long, default_value = "127.0.0.1:6432")]
    listen: SocketAddr,

    /// Where metrics are served
    #[arg(long, default_value = "127.0.0.1:8432")]
    http: SocketAddr,

    /// How many PostgreSQL nodes to embed
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=16))]
    nodes: u16,

    /// Do not load the sample
    #[arg(long)]
    empty: bool,

    /// Further settings, in the form of proxy.toml without nodes
    #[arg(long)]
    settings: Option<PathBuf>,
}

/// Called once when clients can connect.
pub type Ready = Box<dyn FnOnce() + Send>;

/// Runs until SIGINT or SIGTERM, or until `serve` ends by itself. No server outlives it.
pub fn run(
    options: &Options,
    serve: impl FnOnce(Config, Ready, CancellationToken) -> Result<()>,
) -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the demo's runtime")?;
    let shutdown = CancellationToken::new();
    signals::cancel_on_signal(&runtime, &shutdown)?;

    let directory = Directory::open(&options.dir)?;
    let (mut cluster, state) = Cluster::start(&directory, usize::from(options.nodes))?;
    let config = configuration::write(&directory, &state, options)?;
    runtime.block_on(node::create_databases(&state.nodes))?;

    let (ready, is_ready) = oneshot::channel();
    let served = thread::scope(|scope| {
        let announcer = scope.spawn(|| {
            let announced = announce(&runtime, is_ready, &directory, state, options, &shutdown);
            if announced.is_err() {
                shutdown.cancel();
            }
            announced
        });
        let ready: Ready = Box::new(move || _ = ready.send(()));
        let served = serve(config, ready, shutdown.clone());
        shutdown.cancel();
        let announced = announcer.join().expect("announcing returns errors, not panics");
        served.and(announced)
    });
    eprintln!("herd demo: stopping the nodes");
    let stopped = cluster.stop();
    served.and(stopped)
}

/// Waits until Herd serves, loads the sample if it is not there, and says how to connect.
fn announce(
    runtime: &Runtime,
    is_ready: oneshot::Receiver<()>,
    directory: &Directory,
    state: State,
    options: &Options,
    shutdown: &CancellationToken,
) -> Result<()> {
    let listen = options.listen;
    if runtime.block_on(is_ready).is_err() {
        return Ok(());
    }
    if !options.empty && !state.sample {
        eprintln!("herd demo: loading the sample");
        let load = shutdown.run_until_cancelled(sample::load(listen, state.nodes.len()));
        match runtime.block_on(load) {
            None => return Ok(()),
            Some(loaded) => loaded.context("cannot load the sample")?,
        }
        directory.remember(&State { sample: true, ..state })?;
    }
    let (host, port) = (listen.ip(), listen.port());
    println!(
        "herd: ready: psql 'host={host} port={port} user={ACCOUNT} password={ACCOUNT} dbname={ACCOUNT}'"
    );
    Ok(())
}
