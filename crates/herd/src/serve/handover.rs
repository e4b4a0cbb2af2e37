//! One Herd takes the place of another on the same machine, with `listen.reuse_port`.
//!
//! Both have the catalog open while the old one still has clients, and neither changes it: the
//! statements of the old one are planned by the same catalog as those of the new one. The old one
//! accepts until the new one listens, and lets its clients go then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use herd_config::Config;
use herd_sidecar::{Ledger, LedgerError, Repair};
use herd_store::StoreError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a new Herd waits for the old one to be told to drain.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(120);
/// Much shorter than [`SUCCESSOR_GRACE`].
const JOIN_POLL: Duration = Duration::from_millis(20);
/// How long the old Herd goes on accepting, so that the new one listens meanwhile.
const SUCCESSOR_GRACE: Duration = Duration::from_secs(1);
/// How long interrupted work may take to be repaired before clients are served all the same.
const REPAIR_WAIT_MAX: Duration = Duration::from_secs(10);

/// The ledger of this process, which it may share with the Herd that it replaces.
pub fn open_ledger(config: &Config) -> Result<Ledger> {
    let opened = match Ledger::open(&config.data_dir) {
        Err(error) if config.listen.reuse_port && is_in_use(&error) => join(config),
        opened => opened,
    };
    opened.context("cannot open Herd's catalog")
}

fn join(config: &Config) -> Result<Ledger, LedgerError> {
    tracing::info!("another Herd serves with this data_dir; waiting for it to be drained");
    let began = Instant::now();
    loop {
        match Ledger::join(&config.data_dir) {
            Err(error) if is_in_use(&error) && began.elapsed() < JOIN_WAIT_MAX => {
                std::thread::sleep(JOIN_POLL);
            }
            joined => return joined,
        }
    }
}

fn is_in_use(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Store(StoreError::InUse(_)))
}

/// Repair, from when no other Herd has the ledger until this one leaves it.
pub struct Repairing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Repairing {
    /// What is interrupted is settled before anyone can see it, unless a node or the Herd that this
    /// one replaces stands in the way.
    pub async fn start(repair: Repair, ledger: &Arc<Ledger>) -> Repairing {
        let is_alone = ledger.is_alone();
        let is_due = is_alone && repair.is_due();
        if is_due && tokio::time::timeout(REPAIR_WAIT_MAX, repair.sweep()).await.is_err() {
            tracing::warn!("serving while interrupted work is still being repaired");
        }
        let stop = CancellationToken::new();
        let (ledger, stopped) = (Arc::clone(ledger), stop.clone());
        let task = tokio::spawn(async move {
            match stopped.run_until_cancelled(ledger.take_over()).await {
                Some(Ok(())) => repair.run(stopped).await,
                Some(Err(error)) => tracing::error!(%error, "cannot take the catalog over"),
                None => {}
            }
        });
        Repairing { stop, task }
    }

    /// What is being repaired is repaired.
    async fn finish(self) {
        self.stop.cancel();
        if self.task.await.is_err() {
            tracing::error!("repair panicked");
        }
    }
}

/// Lets another Herd take this one's place, if one waits for that: when it returns, the other one
/// listens. Returns how long clients may still be let go, of `limit`.
pub async fn leave(ledger: &Ledger, repairing: Repairing, limit: Duration) -> Duration {
    let began = Instant::now();
    repairing.finish().await;
    match ledger.leave_to_others(limit).await {
        Ok(()) => tokio::time::sleep(SUCCESSOR_GRACE).await,
        Err(error) => {
            tracing::warn!(%error, "no other Herd can take this one's place before it has ended");
            return Duration::ZERO;
        }
    }
    limit.saturating_sub(began.elapsed())
}
