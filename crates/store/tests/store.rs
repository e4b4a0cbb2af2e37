//! What is published is loaded again; what cannot follow is refused and changes nothing.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use herd_catalog::{Catalog, CatalogRecord, Change, Node, NodeRole, NodeStatus, TableName};
use herd_store::{EmbeddedStore, FINISHED_JOBS_MAX, Job, JobState, NewJob, StoreError};
use herd_types::{JobId, NodeId};

#[test]
fn a_new_store_is_empty() {
    let place = Place::new();
    let store = EmbeddedStore::open(&place.file()).expect("the directory is writable");
    assert!(store.load().expect("it is readable").is_none());
    assert_eq!(store.jobs().expect("it is readable"), []);
}

#[test]
fn what_is_published_is_loaded_after_a_restart() {
    let place = Place::new();
    let catalog = next(&herd());
    let store = place.open();
    store.publish(0, &catalog).expect("there is none yet");
    let job = store.create_job(new_job("split")).expect("there is room");
    drop(store);
    let stored = place.open().load().expect("it is readable").expect("it was published");
    assert_eq!(CatalogRecord::from(&stored.catalog), CatalogRecord::from(&catalog));
    assert_eq!(stored.jobs, [job]);
}

#[test]
fn only_the_expected_version_is_replaced_and_only_by_a_newer_one() {
    let place = Place::new();
    let store = place.open();
    let first = herd();
    let second = next(&first);
    store.publish(0, &first).expect("there is none yet");
    let conflict = store.publish(0, &second);
    assert!(matches!(conflict, Err(StoreError::Conflict { expected: 0, found: 1 })));
    let same = store.publish(1, &first);
    assert!(matches!(same, Err(StoreError::NotNewer { current: 1, next: 1 })));
    store.publish(1, &second).expect("2 follows 1");
    let stored = store.load().expect("it is readable").expect("it was published");
    assert_eq!(stored.catalog.version(), 2);
}

#[test]
fn a_decision_is_made_whole_or_not_at_all() {
    let place = Place::new();
    let store = place.open();
    let first = herd();
    let second = next(&first);
    store.publish(0, &first).expect("there is none yet");
    let job = store.create_job(new_job("create table")).expect("there is room");
    let decided = Job { state: JobState::Decided, ..job.clone() };

    assert!(store.decide(7, &second, &decided).is_err());
    let unknown = Job { id: JobId(99), ..decided.clone() };
    assert!(matches!(store.decide(1, &second, &unknown), Err(StoreError::NoJob(JobId(99)))));
    let stored = store.load().expect("it is readable").expect("it was published");
    assert_eq!((stored.catalog.version(), stored.jobs), (1, vec![job]));

    store.decide(1, &second, &decided).expect("nothing stands against it");
    let stored = store.load().expect("it is readable").expect("it was published");
    assert_eq!((stored.catalog.version(), stored.jobs), (2, vec![decided]));
}

#[test]
fn jobs_go_only_forward() {
    let place = Place::new();
    let store = place.open();
    let job = store.create_job(new_job("move")).expect("there is room");
    let put = |state| store.put_job(&Job { state, ..job.clone() });
    put(JobState::Running).expect("progress is recorded");
    put(JobState::Decided).expect("it was running");
    for back in [JobState::Running, JobState::Failed] {
        assert!(matches!(put(back), Err(StoreError::JobTransition { .. })));
    }
    put(JobState::Done).expect("it was decided");
    assert!(matches!(put(JobState::Done), Err(StoreError::JobTransition { .. })));
}

#[test]
fn the_oldest_finished_jobs_are_forgotten_and_unfinished_ones_never() {
    let place = Place::new();
    let store = place.open();
    let open = store.create_job(new_job("stays")).expect("there is room");
    for _ in 0..FINISHED_JOBS_MAX + 3 {
        let job = store.create_job(new_job("ends")).expect("there is room");
        store.put_job(&Job { state: JobState::Done, ..job }).expect("it was running");
    }
    let jobs = store.jobs().expect("they are readable");
    assert_eq!(jobs.len() as u64, FINISHED_JOBS_MAX + 1);
    assert_eq!(jobs[0], open);
    assert_eq!(jobs[1].id, JobId(5));
}

#[test]
fn one_process_has_the_file_at_a_time() {
    let place = Place::new();
    let _store = place.open();
    assert!(matches!(EmbeddedStore::open(&place.file()), Err(StoreError::InUse(_))));
    assert!(matches!(EmbeddedStore::open_to_read(&place.file()), Err(StoreError::InUse(_))));
}

#[test]
fn who_reads_shares_the_file_and_keeps_it_from_changing() {
    let place = Place::new();
    place.open().publish(0, &herd()).expect("there is none yet");
    let read = || EmbeddedStore::open_to_read(&place.file()).expect("nobody writes");
    let (one, other) = (read(), read());
    assert!(one.load().expect("it is readable").is_some());
    assert!(matches!(one.create_job(new_job("split")), Err(StoreError::ReadOnly)));
    assert!(matches!(EmbeddedStore::open(&place.file()), Err(StoreError::InUse(_))));
    drop((one, other));
    place.open().create_job(new_job("split")).expect("there is room");
}

/// A directory of its own for each test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("herd-test-store-{}-{number}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }

    fn file(&self) -> PathBuf {
        self.0.join("catalog.redb")
    }

    fn open(&self) -> EmbeddedStore {
        EmbeddedStore::open(&self.file()).expect("the directory is writable")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn herd() -> Catalog {
    let node = Node {
        id: NodeId(1),
        name: "n1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: "dc1".to_owned(),
        zone: "a".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    };
    Catalog::new(NodeId(1), [node])
}

fn next(catalog: &Catalog) -> Catalog {
    let shadow = TableName::new("public", format!("t{}", catalog.version()));
    catalog.apply(&Change::AddShadow(shadow)).expect("the name is free")
}

fn new_job(description: &str) -> NewJob {
    NewJob {
        kind: "test".to_owned(),
        description: description.to_owned(),
        created_at_ms: 1_700_000_000_000,
        payload: serde_json::json!({ "step": 1 }),
    }
}
