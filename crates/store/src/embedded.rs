//! The catalog and its jobs in a file of redb.
//!
//! Calls wait for the disk: async code makes them on a blocking thread.

use std::fs::{self, File};
use std::path::Path;

use herd_catalog::{Catalog, CatalogRecord};
use herd_types::JobId;
use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, TableError, WriteTransaction,
};
use serde::de::DeserializeOwned;

use crate::limits::{FINISHED_JOBS_MAX, JOB_BYTES_MAX, OPEN_JOBS_MAX};
use crate::{Job, NewJob, StoreError};

const CATALOG: TableDefinition<'_, (), &[u8]> = TableDefinition::new("catalog");
const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
const OPEN_JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("open_jobs");
const FINISHED_JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("finished_jobs");

/// The version of the stored catalog.
const VERSION: &str = "version";
const NEXT_JOB: &str = "next_job";

/// The store of a herd: one process writes it, or several read it.
pub struct EmbeddedStore {
    database: Access,
}

/// The kernel keeps the file for a writer alone, until it is closed or the process ends.
enum Access {
    Writing(Database),
    Reading(ReadOnlyDatabase),
}

/// What was stored when it was loaded.
#[derive(Debug)]
pub struct StoredCatalog {
    pub catalog: Catalog,
    /// All that is kept, in the order of their ids.
    pub jobs: Vec<Job>,
}

impl EmbeddedStore {
    /// Opens the file, or makes it, with its directory.
    ///
    /// # Errors
    /// When another process has it open, or the disk does not let it be used.
    pub fn open(path: &Path) -> Result<EmbeddedStore, StoreError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let failed = |source| StoreError::Directory { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let database = Database::create(path).map_err(|error| not_opened(path, error))?;
        // So that a new file is still there after a power failure.
        File::open(directory).and_then(|opened| opened.sync_all()).map_err(failed)?;
        Ok(EmbeddedStore { database: Access::Writing(database) })
    }

    /// Opens the file beside others who only read it: while it is open, it does not change.
    ///
    /// # Errors
    /// When another process writes it, when one that did was killed, or the file is not there.
    pub fn open_to_read(path: &Path) -> Result<EmbeddedStore, StoreError> {
        let database = ReadOnlyDatabase::open(path).map_err(|error| not_opened(path, error))?;
        Ok(EmbeddedStore { database: Access::Reading(database) })
    }

    /// The catalog and the jobs as of one moment; `None` before the first catalog is published.
    ///
    /// # Errors
    /// When what is stored cannot be read, or contradicts itself.
    pub fn load(&self) -> Result<Option<StoredCatalog>, StoreError> {
        let read = self.read()?;
        let table = match read.open_table(CATALOG) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            opened => opened?,
        };
        let Some(bytes) = table.get(())? else { return Ok(None) };
        let record: CatalogRecord = parse("catalog", bytes.value())?;
        Ok(Some(StoredCatalog { catalog: record.try_into()?, jobs: jobs_of(&read)? }))
    }

    /// All jobs that are kept, in the order of their ids.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn jobs(&self) -> Result<Vec<Job>, StoreError> {
        jobs_of(&self.read()?)
    }

    /// Makes `catalog` the stored one, if the stored one is of version `expected`; 0 when there
    /// is none yet.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is of another version; nothing has changed then, as
    /// after every error.
    pub fn publish(&self, expected: u64, catalog: &Catalog) -> Result<(), StoreError> {
        self.write(|transaction| put_catalog(transaction, expected, catalog))
    }

    /// Publishes `catalog` and records what it means for `job`, both or neither.
    ///
    /// # Errors
    /// As for [`EmbeddedStore::publish`] and [`EmbeddedStore::put_job`].
    pub fn decide(&self, expected: u64, catalog: &Catalog, job: &Job) -> Result<(), StoreError> {
        self.write(|transaction| {
            put_catalog(transaction, expected, catalog)?;
            update_job(transaction, job)
        })
    }

    /// A new job, running. Its id has never been used.
    ///
    /// # Errors
    /// When there are too many unfinished jobs, or it is too large.
    pub fn create_job(&self, job: NewJob) -> Result<Job, StoreError> {
        self.write(|transaction| {
            let id = {
                let mut counters = transaction.open_table(COUNTERS)?;
                let id = counters.get(NEXT_JOB)?.map_or(1, |next| next.value());
                counters.insert(NEXT_JOB, id + 1)?;
                id
            };
            let job = job.with_id(JobId(id));
            let mut open = transaction.open_table(OPEN_JOBS)?;
            if open.len()? >= OPEN_JOBS_MAX {
                return Err(StoreError::TooManyJobs);
            }
            open.insert(id, serialize(&job)?.as_slice())?;
            Ok(job)
        })
    }

    /// Records how far a job is. A finished one does not change any more, and is forgotten when
    /// many others have finished.
    ///
    /// # Errors
    /// When the job is unknown, or its state may not follow the stored one.
    pub fn put_job(&self, job: &Job) -> Result<(), StoreError> {
        self.write(|transaction| update_job(transaction, job))
    }

    fn read(&self) -> Result<ReadTransaction, StoreError> {
        Ok(match &self.database {
            Access::Writing(database) => database.begin_read()?,
            Access::Reading(database) => database.begin_read()?,
        })
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Access::Writing(database) = &self.database else { return Err(StoreError::ReadOnly) };
        let transaction = database.begin_write()?;
        let result = change(&transaction)?;
        // On disk before it returns: that is redb's default durability.
        transaction.commit()?;
        Ok(result)
    }
}

fn not_opened(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        DatabaseError::RepairAborted => StoreError::Unclean(path.to_owned()),
        other => other.into(),
    }
}

fn jobs_of(read: &ReadTransaction) -> Result<Vec<Job>, StoreError> {
    let mut jobs = Vec::new();
    for definition in [OPEN_JOBS, FINISHED_JOBS] {
        let table = match read.open_table(definition) {
            Err(TableError::TableDoesNotExist(_)) => continue,
            opened => opened?,
        };
        for entry in table.iter()? {
            jobs.push(parse("job", entry?.1.value())?);
        }
    }
    jobs.sort_by_key(|job: &Job| job.id);
    Ok(jobs)
}

fn put_catalog(
    transaction: &WriteTransaction,
    expected: u64,
    catalog: &Catalog,
) -> Result<(), StoreError> {
    let mut counters = transaction.open_table(COUNTERS)?;
    let found = counters.get(VERSION)?.map_or(0, |version| version.value());
    if found != expected {
        return Err(StoreError::Conflict { expected, found });
    }
    let next = catalog.version();
    if next <= found {
        return Err(StoreError::NotNewer { current: found, next });
    }
    counters.insert(VERSION, next)?;
    let bytes = serde_json::to_vec(&CatalogRecord::from(catalog))
        .expect("a catalog has no maps with keys that are not strings");
    transaction.open_table(CATALOG)?.insert((), bytes.as_slice())?;
    Ok(())
}

fn update_job(transaction: &WriteTransaction, job: &Job) -> Result<(), StoreError> {
    let id = job.id.0;
    let mut open = transaction.open_table(OPEN_JOBS)?;
    let mut finished = transaction.open_table(FINISHED_JOBS)?;
    let from = match (open.get(id)?, finished.get(id)?) {
        (Some(stored), _) | (None, Some(stored)) => parse::<Job>("job", stored.value())?.state,
        (None, None) => return Err(StoreError::NoJob(job.id)),
    };
    if !from.may_become(job.state) {
        return Err(StoreError::JobTransition { job: job.id, from, to: job.state });
    }
    let bytes = serialize(job)?;
    if !job.state.is_finished() {
        open.insert(id, bytes.as_slice())?;
        return Ok(());
    }
    open.remove(id)?;
    finished.insert(id, bytes.as_slice())?;
    while finished.len()? > FINISHED_JOBS_MAX {
        finished.pop_first()?;
    }
    Ok(())
}

fn serialize(job: &Job) -> Result<Vec<u8>, StoreError> {
    let bytes = serde_json::to_vec(job).expect("a job has no maps with keys but strings");
    if bytes.len() > JOB_BYTES_MAX {
        return Err(StoreError::JobTooLarge(bytes.len()));
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Unreadable { what, source })
}
