//! What must outlive the process: the catalog, and jobs that have to be undone or carried through.
//!
//! The store blocks on fsync; here it runs where blocking is allowed. While one Herd takes the place
//! of another, both have the store open, and neither writes it: what one of them has planned by the
//! catalog stays true until it is gone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use herd_catalog::Catalog;
use herd_store::{EmbeddedStore, Job, JobState, NewJob, StoreError};
use herd_types::JobId;
use parking_lot::{Mutex, RwLock};
use thiserror::Error;
use tokio::sync::watch;

const CATALOG_FILE: &str = "catalog.redb";
const INSTANCE_FILE: &str = "instance";
/// Enough to tell herds apart that share a node by mistake.
const INSTANCE_BYTES: usize = 6;
/// How long a job waits for the Herd that this one replaces to be gone.
const JOINED_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether another process has left the store, or jobs have ended.
const LEAVE_POLL: Duration = Duration::from_millis(100);

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
    #[error("the Herd that this one replaces still has clients")]
    Joined,
    #[error("Herd is shutting down")]
    Left,
    #[error("jobs were still at work after {0:?}")]
    AtWork(Duration),
}

/// Whether this process may begin jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tenure {
    /// Not yet: the Herd that it replaces reads the store too.
    Joined,
    Sole,
    /// Not any more: another takes its place.
    Left,
}

/// The durable side of a herd.
pub struct Ledger {
    file: PathBuf,
    /// None only while it is opened in another way, or when that failed.
    store: Arc<RwLock<Option<EmbeddedStore>>>,
    instance: String,
    /// Jobs of this process that have not ended.
    open: Arc<Mutex<Vec<Job>>>,
    /// What they say of how far they are.
    progress: Mutex<BTreeMap<JobId, String>>,
    tenure: watch::Sender<Tenure>,
}

impl Ledger {
    /// Opens the store in `directory`, which is made if it is not there.
    pub fn open(directory: &Path) -> Result<Ledger, LedgerError> {
        let file = directory.join(CATALOG_FILE);
        let store = EmbeddedStore::open(&file)?;
        Ledger::with(directory, file, store, Tenure::Sole)
    }

    /// Opens the store beside the Herd that has it and has left it by [`Ledger::leave_to_others`].
    pub fn join(directory: &Path) -> Result<Ledger, LedgerError> {
        let file = directory.join(CATALOG_FILE);
        match EmbeddedStore::open_to_read(&file) {
            Ok(store) => Ledger::with(directory, file, store, Tenure::Joined),
            // The other one was killed.
            Err(StoreError::Unclean(_)) => Ledger::open(directory),
            Err(error) => Err(error.into()),
        }
    }

    fn with(
        directory: &Path,
        file: PathBuf,
        store: EmbeddedStore,
        tenure: Tenure,
    ) -> Result<Ledger, LedgerError> {
        Ok(Ledger {
            file,
            store: Arc::new(RwLock::new(Some(store))),
            instance: instance(&directory.join(INSTANCE_FILE))?,
            open: Arc::default(),
            progress: Mutex::default(),
            tenure: watch::Sender::new(tenure),
        })
    }

    /// Whether no other process has the store open.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        *self.tenure.borrow() == Tenure::Sole
    }

    /// Waits until no other process has the store open.
    pub async fn take_over(&self) -> Result<(), LedgerError> {
        while *self.tenure.borrow() == Tenure::Joined {
            if self.reopened(written_if_alone).await? {
                self.tenure.send_if_modified(|tenure| {
                    let joined = *tenure == Tenure::Joined;
                    if joined {
                        *tenure = Tenure::Sole;
                    }
                    joined
                });
            } else {
                tokio::time::sleep(LEAVE_POLL).await;
            }
        }
        Ok(())
    }

    /// Begins no more jobs, and when those of this process have ended lets another Herd join. The
    /// catalog does not change any more until this process ends.
    pub async fn leave_to_others(&self, wait_max: Duration) -> Result<(), LedgerError> {
        self.tenure.send_replace(Tenure::Left);
        let left = async {
            loop {
                let open = Arc::clone(&self.open);
                let left = self.reopened(move |store, file| read_if_idle(&open, store, file));
                if left.await? {
                    return Ok(());
                }
                tokio::time::sleep(LEAVE_POLL).await;
            }
        };
        tokio::time::timeout(wait_max, left).await.map_err(|_| LedgerError::AtWork(wait_max))?
    }

    /// Opens the store in another way, if that can be done now.
    async fn reopened(
        &self,
        reopen: impl FnOnce(&mut Option<EmbeddedStore>, &Path) -> Result<bool, StoreError>
        + Send
        + 'static,
    ) -> Result<bool, LedgerError> {
        let (store, file) = (Arc::clone(&self.store), self.file.clone());
        let reopened = tokio::task::spawn_blocking(move || reopen(&mut store.write(), &file));
        Ok(reopened.await.map_err(|_| LedgerError::Ended)??)
    }

    /// Names this herd in the names of its prepared transactions.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    pub fn load(&self) -> Result<Option<Catalog>, LedgerError> {
        let stored = self.read(EmbeddedStore::load)?;
        Ok(stored.map(|stored| stored.catalog))
    }

    /// Before anyone is served.
    pub fn publish(&self, expected: u64, catalog: &Catalog) -> Result<(), LedgerError> {
        self.read(|store| store.publish(expected, catalog))
    }

    pub fn jobs(&self) -> Result<Vec<Job>, LedgerError> {
        self.read(EmbeddedStore::jobs)
    }

    /// How far a job of this process is.
    pub fn note_progress(&self, id: JobId, progress: String) {
        self.progress.lock().insert(id, progress);
    }

    #[must_use]
    pub fn progress(&self, id: JobId) -> Option<String> {
        self.progress.lock().get(&id).cloned()
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
        self.pass_joined().await?;
        let new = NewJob {
            kind: kind.to_owned(),
            description: description.to_owned(),
            created_at_ms: now_ms(),
            payload,
        };
        let open = Arc::clone(&self.open);
        self.blocking(move |store| {
            let job = store.create_job(new)?;
            let id = job.id;
            open.lock().push(job);
            Ok(id)
        })
        .await
    }

    async fn pass_joined(&self) -> Result<(), LedgerError> {
        let mut tenure = self.tenure.subscribe();
        let settled = tenure.wait_for(|tenure| *tenure != Tenure::Joined);
        let settled = tokio::time::timeout(JOINED_WAIT_MAX, settled).await;
        match *settled.map_err(|_| LedgerError::Joined)?.map_err(|_| LedgerError::Ended)? {
            Tenure::Left => Err(LedgerError::Left),
            Tenure::Joined | Tenure::Sole => Ok(()),
        }
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
        self.close(id);
        self.blocking(move |store| store.put_job(&job)).await
    }

    /// This process can do no more for the job now: whoever repairs takes it over.
    pub async fn leave(&self, id: JobId, reason: String) -> Result<(), LedgerError> {
        let state = self.find(id)?.state;
        let job = self.changed(id, state, Some(reason))?;
        self.close(id);
        self.blocking(move |store| store.put_job(&job)).await
    }

    /// A job of this kind that nobody works on, and of which it is not known what becomes of it.
    pub fn undecided(&self, kind: &str) -> Result<Option<Job>, LedgerError> {
        let mut jobs = self.jobs()?.into_iter();
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

    fn close(&self, id: JobId) {
        self.open.lock().retain(|open| open.id != id);
        self.progress.lock().remove(&id);
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
        let done = tokio::task::spawn_blocking(move || on_open(&store, work)).await;
        done.map_err(|_| LedgerError::Ended)?
    }

    /// For what does not wait for the disk, or is done before anyone is served.
    fn read<T>(
        &self,
        work: impl FnOnce(&EmbeddedStore) -> Result<T, StoreError>,
    ) -> Result<T, LedgerError> {
        on_open(&self.store, work)
    }
}

fn on_open<T>(
    store: &RwLock<Option<EmbeddedStore>>,
    work: impl FnOnce(&EmbeddedStore) -> Result<T, StoreError>,
) -> Result<T, LedgerError> {
    Ok(work(store.read().as_ref().ok_or(LedgerError::Ended)?)?)
}

/// For a Herd that joins. While another has the store, it goes on reading.
fn written_if_alone(store: &mut Option<EmbeddedStore>, file: &Path) -> Result<bool, StoreError> {
    *store = None;
    match EmbeddedStore::open(file) {
        Ok(writing) => {
            *store = Some(writing);
            Ok(true)
        }
        Err(StoreError::InUse(_)) => {
            *store = Some(EmbeddedStore::open_to_read(file)?);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// For a Herd that leaves. No job can begin meanwhile: that takes the same lock.
fn read_if_idle(
    open: &Mutex<Vec<Job>>,
    store: &mut Option<EmbeddedStore>,
    file: &Path,
) -> Result<bool, StoreError> {
    if !open.lock().is_empty() {
        return Ok(false);
    }
    *store = None;
    *store = Some(EmbeddedStore::open_to_read(file)?);
    Ok(true)
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
