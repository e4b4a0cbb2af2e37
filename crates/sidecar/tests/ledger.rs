//! One process writes the ledger; another takes its place step by step.

use std::path::PathBuf;
use std::time::Duration;

use herd_sidecar::{Ledger, LedgerError};
use herd_store::StoreError;
use serde_json::json;

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn who_joins_reads_until_the_other_is_gone() {
    let place = Place::new();
    let old = Ledger::open(&place.0).expect("the directory is writable");
    let in_use = Ledger::join(&place.0);
    assert!(matches!(in_use, Err(LedgerError::Store(StoreError::InUse(_)))));

    old.leave_to_others(SHORT).await.expect("no job is at work");
    let new = Ledger::join(&place.0).expect("the other only reads");
    assert!(!new.is_alone());
    assert!(matches!(begin(&old).await, Err(LedgerError::Left)));
    assert!(tokio::time::timeout(SHORT, begin(&new)).await.is_err(), "it waits");
    assert!(tokio::time::timeout(SHORT, new.take_over()).await.is_err(), "it waits");
    assert_eq!(new.jobs().expect("it is readable"), []);

    drop(old);
    new.take_over().await.expect("nobody else has it");
    assert!(new.is_alone());
    begin(&new).await.expect("it may write");
}

#[tokio::test]
async fn nobody_can_join_while_a_job_is_at_work() {
    let place = Place::new();
    let old = Ledger::open(&place.0).expect("the directory is writable");
    let job = begin(&old).await.expect("it is alone");
    assert!(matches!(old.leave_to_others(SHORT).await, Err(LedgerError::AtWork(_))));
    assert!(Ledger::join(&place.0).is_err());
    old.end(job, None).await.expect("it is still writable");
    old.leave_to_others(SHORT).await.expect("no job is at work");
    Ledger::join(&place.0).expect("the other only reads");
}

async fn begin(ledger: &Ledger) -> Result<herd_types::JobId, LedgerError> {
    ledger.begin("define", "CREATE TABLE", json!({})).await
}

/// A directory of its own for each test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let name =
            format!("herd-test-ledger-{}-{:016x}", std::process::id(), rand::random::<u64>());
        Place(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
