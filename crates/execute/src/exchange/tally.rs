//! How much is brought, told while it is being brought.

use std::sync::atomic::{AtomicU64, Ordering};

use herd_types::{ClientError, SqlState};

/// Rows and bytes that one client's query has brought so far. One task counts, others look on.
#[derive(Debug, Default)]
pub struct Tally {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    pub fn reset(&self) {
        self.rows.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `bytes_max` is zero for no limit.
    pub(super) fn check(&self, bytes_max: u64) -> Result<(), ClientError> {
        if bytes_max == 0 || self.bytes() <= bytes_max {
            return Ok(());
        }
        let message = "this query needs more rows of several nodes than it may bring together";
        Err(ClientError::error(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message)
            .with_detail(format!("It brought more than {bytes_max} bytes to the home node."))
            .with_hint("Add conditions on its tables, or raise limits.exchange_bytes_max."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_by_bytes_of_all_tables_together() {
        let tally = Tally::default();
        tally.add(10, 600);
        assert!(tally.check(1_000).is_ok());
        tally.add(10, 600);
        assert_eq!(
            tally.check(1_000).unwrap_err().sqlstate,
            SqlState::CONFIGURATION_LIMIT_EXCEEDED
        );
        assert!(tally.check(0).is_ok());
        tally.reset();
        assert!(tally.check(1_000).is_ok());
    }
}
