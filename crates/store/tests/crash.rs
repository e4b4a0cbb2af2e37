//! A process that is killed while it writes leaves the last state it was told is durable, or the
//! one it was just writing.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use herd_catalog::{Catalog, Change, Node, NodeRole, NodeStatus, TableName};
use herd_store::{EmbeddedStore, Job, JobState, NewJob};
use herd_types::NodeId;

const ROUNDS: u32 = 12;
/// Names the store's file to the process that will be killed.
const FILE_VARIABLE: &str = "HERD_TEST_STORE_FILE";

#[test]
fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    let directory = env::temp_dir().join(format!("herd-test-crash-{}", std::process::id()));
    let file = directory.join("catalog.redb");
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        acknowledged = write_and_kill(&file, round).max(acknowledged);
        let store = EmbeddedStore::open(&file).expect("the writer is dead");
        let stored = store.load().expect("it is consistent").expect("it was published");
        let version = stored.catalog.version();
        assert!(version == acknowledged || version == acknowledged + 1, "round {round}");
        check_jobs(&stored.jobs, version);
        acknowledged = version;
    }
    assert!(acknowledged > u64::from(ROUNDS));
    let _ = std::fs::remove_dir_all(&directory);
}

/// Not a test by itself: the writer, in a process of its own.
#[test]
#[ignore = "run by the test above, in a process that it kills"]
fn writer() {
    let Some(file) = env::var_os(FILE_VARIABLE).map(PathBuf::from) else { return };
    let store = EmbeddedStore::open(&file).expect("no one else has it");
    let stored = store.load().expect("it is consistent");
    let mut catalog = stored.map_or_else(|| publish_first(&store), |stored| stored.catalog);
    loop {
        let version = catalog.version();
        let job = store.create_job(job_of(version + 1)).expect("there is room");
        let shadow = TableName::new("public", "t");
        let change = match catalog.shadows().next() {
            Some(_) => Change::DropShadow(shadow),
            None => Change::AddShadow(shadow),
        };
        catalog = catalog.apply(&change).expect("the name is free");
        let job = Job { state: JobState::Done, ..job };
        store.decide(version, &catalog, &job).expect("no one else writes");
        println!("\nacknowledged {}", catalog.version());
        std::io::stdout().flush().expect("the parent reads");
    }
}

/// The last version that the writer said is durable.
fn write_and_kill(file: &Path, round: u32) -> u64 {
    let mut writer = Command::new(env::current_exe().expect("it is running"))
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(FILE_VARIABLE, file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be run");
    let mut output = BufReader::new(writer.stdout.take().expect("its output is piped"));
    let mut acknowledged = 0;
    let mut line = String::new();
    while acknowledged == 0 {
        line.clear();
        assert_ne!(output.read_line(&mut line).expect("it is text"), 0, "the writer failed");
        acknowledged = version_in(&line).unwrap_or(0);
    }
    std::thread::sleep(Duration::from_micros(u64::from(round) * 3_700));
    writer.kill().expect("it is running");
    writer.wait().expect("it is dead");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("it is text");
    // The kill may have cut the last line short.
    let whole = rest.rsplit_once('\n').map_or("", |(lines, _)| lines);
    whole.lines().filter_map(version_in).max().unwrap_or(acknowledged)
}

/// Every finished job's catalog is published, and no more than one is unfinished for each kill.
fn check_jobs(jobs: &[Job], version: u64) {
    let finished = jobs.iter().filter(|job| job.state == JobState::Done);
    let newest = finished.filter_map(|job| job.payload.as_u64()).max();
    assert_eq!(newest, Some(version));
    let open = jobs.iter().filter(|job| !job.state.is_finished()).count();
    assert!(open <= ROUNDS as usize);
}

fn version_in(line: &str) -> Option<u64> {
    line.trim().strip_prefix("acknowledged ")?.parse().ok()
}

fn publish_first(store: &EmbeddedStore) -> Catalog {
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
    let catalog = Catalog::new(NodeId(1), [node]);
    store.publish(0, &catalog).expect("there is none yet");
    catalog
}

fn job_of(version: u64) -> NewJob {
    NewJob {
        kind: "test".to_owned(),
        description: format!("publish version {version}"),
        created_at_ms: version,
        payload: version.into(),
    }
}
