//! Embedded nodes against real server programs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tokio_postgres::NoTls;

use super::cluster::Cluster;
use super::directory::Directory;

/// Removed with all that is in it, after the cluster that a test made later is gone.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("herd-demo-{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn ask(port: u16, sql: &str) -> Vec<Option<String>> {
    let target = format!("host=127.0.0.1 port={port} user=herd password=herd dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&target, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let rows = client.simple_query(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    rows.iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        })
        .collect()
}

fn server_pid(scratch: &Scratch, node: &str) -> Option<String> {
    let file = scratch.0.join("nodes").join(node).join("postmaster.pid");
    Some(fs::read_to_string(file).ok()?.lines().next()?.to_owned())
}

/// A process that has ended but that nobody waited for yet is a zombie, not alive.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

#[tokio::test]
async fn nodes_are_made_once_taken_over_after_a_crash_and_leave_no_process() {
    let scratch = Scratch::new("lifecycle");
    let directory = Directory::open(&scratch.0).unwrap();
    let (cluster, state) = Cluster::start(&directory, 2).unwrap();
    let mut verifiers = Vec::new();
    for node in &state.nodes {
        assert_eq!(ask(node.port, "SHOW jit").await, [Some("off".to_owned())]);
        assert_eq!(ask(node.port, "SHOW fsync").await, [Some("on".to_owned())]);
        verifiers.extend(ask(node.port, "SELECT rolpassword FROM pg_authid WHERE rolsuper").await);
    }
    assert_eq!(verifiers.len(), 2);
    assert_eq!(verifiers[0], verifiers[1]);
    ask(state.nodes[0].port, "CREATE TABLE kept AS SELECT 42 AS answer").await;

    let pid = server_pid(&scratch, "n1").unwrap();
    std::mem::forget(cluster);
    let (mut cluster, again) = Cluster::start(&directory, 2).unwrap();
    assert_eq!(again, state);
    assert_eq!(server_pid(&scratch, "n1").as_ref(), Some(&pid), "taken over, not restarted");
    cluster.stop().unwrap();
    assert_eq!(server_pid(&scratch, "n1"), None);
    assert!(!is_alive(&pid));

    let (cluster, again) = Cluster::start(&directory, 2).unwrap();
    assert_eq!(again, state);
    let answer = ask(again.nodes[0].port, "SELECT answer FROM kept").await;
    assert_eq!(answer, [Some("42".to_owned())]);

    let pid = server_pid(&scratch, "n2").unwrap();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    drop(cluster);
    assert_eq!(server_pid(&scratch, "n1"), None, "dropping stops them");

    let error = Cluster::start(&directory, 3).err().unwrap().to_string();
    assert!(error.contains("was made with --nodes 2, not 3"), "{error}");
    let (cluster, _) = Cluster::start(&directory, 2).unwrap();
    drop(cluster);
}
