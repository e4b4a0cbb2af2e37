//! Where the catalog is durable: one file that one Herd process writes, or several read.
//!
//! The store keeps the current catalog and the jobs of the control plane. It decides nothing:
//! what the next catalog is, and what a job does, is for others to say. Each change is one
//! transaction, on disk when the call returns; a process that is killed leaves the state before
//! or after it, never between.

mod embedded;
mod error;
mod job;
mod limits;

pub use embedded::{EmbeddedStore, StoredCatalog};
pub use error::StoreError;
pub use job::{Job, JobState, NewJob};
pub use limits::{FINISHED_JOBS_MAX, JOB_BYTES_MAX, OPEN_JOBS_MAX};
