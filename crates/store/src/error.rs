//! Why the store cannot do what it is asked.

use std::path::PathBuf;

use herd_catalog::CatalogError;
use herd_types::{ClientError, JobId, SqlState};

use crate::JobState;
use crate::limits::{JOB_BYTES_MAX, OPEN_JOBS_MAX};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("{} was not closed by the process that wrote it, and can only be opened to write", .0.display())]
    Unclean(PathBuf),
    #[error("the catalog was opened to read only")]
    ReadOnly,
    #[error("cannot make the catalog's directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("the catalog is at version {found}, not {expected}: someone else has changed it")]
    Conflict { expected: u64, found: u64 },
    #[error("version {next} of the catalog cannot follow version {current}")]
    NotNewer { current: u64, next: u64 },
    #[error("{0} is not known")]
    NoJob(JobId),
    #[error("{job} is {} and cannot become {}", from.as_str(), to.as_str())]
    JobTransition { job: JobId, from: JobState, to: JobState },
    #[error("{OPEN_JOBS_MAX} jobs are unfinished")]
    TooManyJobs,
    #[error("a job of {0} bytes is larger than {JOB_BYTES_MAX}")]
    JobTooLarge(usize),
    #[error("the stored {what} cannot be read: {source}")]
    Unreadable { what: &'static str, source: serde_json::Error },
    #[error("the stored catalog cannot be used: {0}")]
    Catalog(#[from] CatalogError),
    #[error("the catalog's file cannot be used: {0}")]
    Storage(Box<redb::Error>),
}

impl StoreError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            StoreError::InUse(_) | StoreError::Unclean(_) => SqlState::SYSTEM_ERROR,
            StoreError::ReadOnly => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            StoreError::Directory { .. } => SqlState::IO_ERROR,
            StoreError::Conflict { .. } => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            StoreError::NotNewer { .. } => SqlState::INTERNAL_ERROR,
            StoreError::NoJob(_) => SqlState::UNDEFINED_OBJECT,
            StoreError::JobTransition { .. } => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            StoreError::TooManyJobs => SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            StoreError::JobTooLarge(_) => SqlState::PROGRAM_LIMIT_EXCEEDED,
            StoreError::Unreadable { .. } => SqlState::SYSTEM_ERROR,
            StoreError::Catalog(error) => error.sqlstate(),
            StoreError::Storage(_) => SqlState::IO_ERROR,
        }
    }
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> ClientError {
        ClientError::error(error.sqlstate(), error.to_string())
    }
}

macro_rules! storage_errors {
    ($($kind:ident),*) => {
        $(impl From<redb::$kind> for StoreError {
            fn from(error: redb::$kind) -> StoreError {
                StoreError::Storage(Box::new(error.into()))
            }
        })*
    };
}

storage_errors!(CommitError, DatabaseError, StorageError, TableError, TransactionError);
