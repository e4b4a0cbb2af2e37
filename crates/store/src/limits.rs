//! How much the store keeps.

/// Finished jobs that are kept to be looked at; the oldest go first.
pub const FINISHED_JOBS_MAX: u64 = 500;

/// Jobs that are not finished.
pub const OPEN_JOBS_MAX: u64 = 1_000;

/// One job, as it is stored.
pub const JOB_BYTES_MAX: usize = 4 << 20;
