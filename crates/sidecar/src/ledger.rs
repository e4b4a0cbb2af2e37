//! What must outlive the process: the catalog, and jobs that have to be undone or carried through.
//!
//! The store blocks on fsync; here it runs where blocking is allowed.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use herd_catalog::Catalog;
use herd_store::{EmbeddedStore, Job, JobState, NewJob, StoreError};
use herd_types::JobId;
use parking_lot::Mutex;
use thiserror::Error;

const CATALOG_FILE: &str = "catalog.redb";
const INSTANCE_FILE: &str = "instance";
/// Enough to tell herds apart that share a node by mistake.
const INSTANCE_BYTES: usize = 6;

#[derive(Debug, Error)]
pub enum LedgerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read or write {path}: {source}")]
    File { path: String, source: io::Error },
    #[error("the ledger's thread ended")]
    Ended,
    #[error("{0} is not known")]
    UnknownJob(JobId),
}

/// The durable side of a herd.
pub struct Ledger {
    store: Arc<EmbeddedStore>,
    instance: String,
    /// Jobs of this process that have not ended.
    open: Mutex<Vec<Job>>,
}

impl Ledger {
    /// Opens the store in `directory`, which is made if it is not there.
    pub fn open(directory: &Path) -> Result<Ledger, LedgerError> {
        let store = Arc::new(EmbeddedStore::open(&directory.join(CATALOG_FILE))?);
        let instance = instance(&directory.join(INSTANCE_FILE))?;
        Ok(Ledger { store, instance, open: Mutex::default() })
    }

    /// Names this herd in the names of its prepared transactions.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    pub fn load(&self) -> Result<Option<Catalog>, LedgerError> {
        Ok(self.store.load()?.map(|stored| stored.catalog))
    }

    /// Before anyone is served.
    pub fn publish(&self, expected: u64, catalog: &Catalog) -> Result<(), LedgerError> {
        Ok(self.store.publish(expected, catalog)?)
    }

    pub fn jobs(&self) -> Result<Vec<Job>, LedgerError> {
        Ok(self.store.jobs()?)
    }

    /// Whether this process itself still works on the job.
    #[must_use]
    pub fn is_at_work(&self, job: JobId) -> bool {
        self.open.lock().iter().any(|open| open.id == job)
    }

    pub async fn begin(
        &self,
        kind: &str,
        description: &str,
        payload: serde_json::Value,
    ) -> Result<JobId, LedgerError> {
        let new = NewJob {
            kind: kind.to_owned(),
            description: description.to_owned(),
            created_at_ms: now_ms(),
            payload,
        };
        let job = self.blocking(move |store| store.create_job(new)).await?;
        let id = job.id;
        self.open.lock().push(job);
        Ok(id)
    }

    /// There is no way back from here: `next`, if given, is the catalog from now on.
    pub async fn decide(&self, id: JobId, next: Option<&Arc<Catalog>>) -> Result<(), LedgerError> {
        let job = self.changed(id, JobState::Decided, None)?;
        let next = next.cloned();
        let decided = self.blocking(move |store| match next {
            Some(next) => store.decide(next.version() - 1, &next, &job),
            None => store.put_job(&job),
        });
        let decided = decided.await;
        if decided.is_err() {
            self.changed(id, JobState::Running, None)?;
        }
        decided
    }

    /// The job is over: it failed if there is a reason, unless it was decided.
    pub async fn end(&self, id: JobId, reason: Option<String>) -> Result<(), LedgerError> {
        let decided = self.find(id)?.state == JobState::Decided;
        let state = if decided || reason.is_none() { JobState::Done } else { JobState::Failed };
        let job = self.changed(id, state, reason)?;
        self.open.lock().retain(|open| open.id != id);
        self.blocking(move |store| store.put_job(&job)).await
    }

    /// This process can do no more for the job now: whoever repairs takes it over.
    pub async fn leave(&self, id: JobId, reason: String) -> Result<(), LedgerError> {
        let state = self.find(id)?.state;
        let job = self.changed(id, state, Some(reason))?;
        self.open.lock().retain(|open| open.id != id);
        self.blocking(move |store| store.put_job(&job)).await
    }

    /// A job of this kind that nobody works on, and of which it is not known what becomes of it.
    pub fn undecided(&self, kind: &str) -> Result<Option<Job>, LedgerError> {
        let mut jobs = self.store.jobs()?.into_iter();
        Ok(jobs.find(|job| {
            job.kind == kind && job.state == JobState::Running && !self.is_at_work(job.id)
        }))
    }

    /// Repair has found that what a job did belongs into the catalog, which is `next` from now on.
    pub async fn adopted(&self, mut job: Job, next: &Arc<Catalog>) -> Result<(), LedgerError> {
        job.state = JobState::Done;
        job.error = None;
        job.updated_at_ms = now_ms();
        let next = Arc::clone(next);
        self.blocking(move |store| store.decide(next.version() - 1, &next, &job)).await
    }

    /// Repair has ended a job that nobody works on.
    pub async fn repaired(&self, job: Job) -> Result<(), LedgerError> {
        self.blocking(move |store| store.put_job(&job)).await
    }

    fn find(&self, id: JobId) -> Result<Job, LedgerError> {
        let open = self.open.lock();
        open.iter().find(|job| job.id == id).cloned().ok_or(LedgerError::UnknownJob(id))
    }

    fn changed(
        &self,
        id: JobId,
        state: JobState,
        error: Option<String>,
    ) -> Result<Job, LedgerError> {
        let mut open = self.open.lock();
        let job = open.iter_mut().find(|job| job.id == id).ok_or(LedgerError::UnknownJob(id))?;
        job.state = state;
        job.error = error;
        job.updated_at_ms = now_ms();
        Ok(job.clone())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EmbeddedStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(done.map_err(|_| LedgerError::Ended)??)
    }
}

/// Made once, and kept with the catalog.
fn instance(file: &Path) -> Result<String, LedgerError> {
    let failed = |source| LedgerError::File { path: file.display().to_string(), source };
    match fs::read_to_string(file) {
        Ok(instance) => Ok(instance.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes: [u8; INSTANCE_BYTES] = rand::random();
            let instance: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            fs::write(file, &instance).map_err(failed)?;
            Ok(instance)
        }
        Err(error) => Err(failed(error)),
    }
}

#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
