//! What stops a demo: SIGINT, SIGTERM, and the loss of the terminal it was started on.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub fn cancel_on_signal(runtime: &Runtime, shutdown: &CancellationToken) -> Result<()> {
    let _in_runtime = runtime.enter();
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let had_terminal = stderr().is_terminal();
    let shutdown = shutdown.clone();
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => {
                    if had_terminal && !stderr().is_terminal() {
                        break;
                    }
                }
            }
        }
        shutdown.cancel();
    });
    Ok(())
}
