//! Repair: what was interrupted is undone or carried through, at the start and ever after.
//!
//! A prepared transaction holds locks and keeps the server from cleaning up, so none is ever left
//! alone: the job it belongs to tells what has to become of it.

mod act;
mod payload;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use herd_catalog::Change;
use herd_store::Job;
use herd_types::{ClientError, JobId};
use tokio_util::sync::CancellationToken;

use self::plan::{Found, Keeper, PreparedByNode};
use crate::{ControlPools, Ledger, LedgerError};

pub use payload::{COPY_GID_PREFIX, DEFINE_GID_PREFIX, Payload};

/// Between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Sweeps in a row, as one makes way for the next: a transaction is committed before its job ends.
const SWEEPS_AT_ONCE_MAX: usize = 3;

/// Brings changes of the catalog, which a node has committed, into the catalog.
pub trait Adopt: Send + Sync {
    fn adopt(
        &self,
        job: Job,
        changes: Vec<Change>,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClientError>> + Send + '_>>;
}

pub struct Repair {
    ledger: Arc<Ledger>,
    pools: Arc<ControlPools>,
    adopt: Arc<dyn Adopt>,
    /// Jobs that were unfinished when this process began.
    inherited: BTreeSet<JobId>,
}

impl Repair {
    /// Before this process begins any job.
    ///
    /// # Errors
    /// When the jobs cannot be read.
    pub fn new(
        ledger: Arc<Ledger>,
        pools: Arc<ControlPools>,
        adopt: Arc<dyn Adopt>,
    ) -> Result<Repair, LedgerError> {
        let unfinished = ledger.jobs()?.into_iter().filter(|job| !job.state.is_finished());
        let inherited = unfinished.map(|job| job.id).collect();
        Ok(Repair { ledger, pools, adopt, inherited })
    }

    /// Whether an earlier process left something to do.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.inherited.is_empty()
    }

    /// Sweeps until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            self.sweep().await;
            tokio::select! {
                () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Does what can be done now.
    pub async fn sweep(&self) {
        for _ in 0..SWEEPS_AT_ONCE_MAX {
            let prepared = self.prepared().await;
            let jobs = match self.found_jobs() {
                Ok(jobs) => jobs,
                Err(error) => return tracing::error!(%error, "cannot read the jobs"),
            };
            let steps = plan::plan(self.ledger.instance(), &prepared, &jobs);
            if steps.is_empty() {
                return;
            }
            let jobs = jobs.into_iter().map(|found| (found.job.id, found.job)).collect();
            self.act(steps, jobs).await;
        }
    }

    async fn prepared(&self) -> PreparedByNode {
        let mut prepared = BTreeMap::new();
        for node in self.pools.nodes() {
            prepared.insert(node, self.prepared_on(node).await);
        }
        prepared
    }

    fn found_jobs(&self) -> Result<Vec<Found>, LedgerError> {
        let keeper = |job: &Job| {
            // One that this process has just begun is not yet known to be at work.
            let was_given_up = self.inherited.contains(&job.id) || job.error.is_some();
            match was_given_up && !self.ledger.is_at_work(job.id) {
                true => Keeper::Nobody,
                false => Keeper::Owner,
            }
        };
        let jobs = self.ledger.jobs()?.into_iter();
        Ok(jobs.map(|job| Found { keeper: keeper(&job), job }).collect())
    }
}
