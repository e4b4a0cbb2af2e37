//! COPY TO: one stream of all nodes, and every connection at rest behind it, whatever happens.

use std::time::Duration;

use herd_execute::Interrupt;
use herd_execute::copy::{CopyOutcome, CopyTrouble};
use herd_types::NodeId;
use herd_wire::frame;
use herd_wire::message::TransactionStatus;
use tokio::io::AsyncReadExt;

use super::bed::{Bed, NODES, Talker};
use super::{field, server_error};

/// Rows of about this size each, on all nodes together.
const ROW_BYTES: usize = 1000;
/// More than the sockets between a node and its client hold.
const MANY: u64 = 60_000;

/// Each node's share of the rows from 1 to `last`.
fn filled(last: u64) -> Bed {
    Bed::prepared_by(&format!(
        "DO $$ DECLARE f text; BEGIN
           FOR f IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 't'::regclass LOOP
             EXECUTE format('INSERT INTO %I SELECT k, repeat(''x'', {ROW_BYTES})
               FROM generate_series(1, {last}::bigint) k
               WHERE satisfies_hash_partition(''t''::regclass, 7, %s, k)', f, split_part(f, '_', 2));
           END LOOP;
         END $$;"
    ))
}

async fn gather(bed: &Bed, sql: &str) -> (CopyOutcome, Vec<u8>) {
    bed.gather(sql, async |client| client.listen().await).await
}

/// The tags of all messages, and the data in them.
fn read(received: &[u8]) -> (String, Vec<u8>) {
    let (mut tags, mut data, mut rest) = (String::new(), Vec::new(), received);
    while let Some((header, body)) = frame::first(rest).expect("valid frames") {
        if !(header.tag == b'd' && tags.ends_with('d')) {
            tags.push(char::from(header.tag));
        }
        if header.tag == b'd' {
            data.extend_from_slice(body);
        }
        rest = &rest[header.frame_bytes..];
    }
    assert!(rest.is_empty());
    (tags, data)
}

/// Takes as much as shows that rows of the first node flow.
async fn take_some(client: &mut Talker) {
    let mut some = vec![0; 100 * ROW_BYTES];
    client.stream.read_exact(&mut some).await.expect("data come");
}

#[tokio::test]
async fn the_rows_of_all_nodes_are_one_stream() {
    let bed = filled(1000);
    let (outcome, received) = gather(&bed, "COPY t (k) TO STDOUT (FORMAT csv, HEADER)").await;
    assert_eq!(outcome.result.expect("it succeeds"), 1000);
    let (tags, data) = read(&received);
    assert_eq!(tags, "Hdc");
    let text = String::from_utf8(data).expect("text");
    let (header, rows) = text.split_once('\n').expect("a header");
    let mut keys: Vec<u64> = rows.lines().map(|row| row.parse().expect("a number")).collect();
    keys.sort_unstable();
    assert_eq!(header, "k");
    assert_eq!(keys, (1..=1000).collect::<Vec<_>>());
    bed.assert_at_rest();
}

#[tokio::test]
async fn a_binary_stream_without_rows_has_one_header_and_one_trailer() {
    let bed = Bed::ready();
    let (outcome, received) = gather(&bed, "COPY t TO STDOUT (FORMAT binary)").await;
    assert_eq!(outcome.result.expect("it succeeds"), 0);
    let (tags, data) = read(&received);
    assert_eq!(tags, "Hdc");
    assert_eq!(data, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff");
    bed.assert_at_rest();
}

#[tokio::test]
async fn the_timeout_ends_it_on_all_nodes() {
    let bed = filled(MANY);
    let (outcome, _) = bed
        .gather("COPY t TO STDOUT", async |mut client| {
            take_some(&mut client).await;
            bed.interrupts.raise(Interrupt::QueryTimeout);
            client.listen().await;
        })
        .await;
    assert_eq!(outcome.unusable, []);
    assert_eq!(field(&server_error(outcome), b'C'), "57014");
    bed.assert_at_rest();
}

#[tokio::test]
async fn a_client_that_leaves_frees_all_nodes() {
    let bed = filled(MANY);
    let (outcome, _) = bed
        .gather("COPY t TO STDOUT", async |mut client| {
            take_some(&mut client).await;
            drop(client);
        })
        .await;
    assert_eq!(outcome.unusable, []);
    assert!(matches!(outcome.result, Err(CopyTrouble::ClientGone)));
    bed.assert_at_rest();
}

#[tokio::test]
async fn a_session_told_to_end_leaves_nothing_running() {
    let bed = filled(MANY);
    let (outcome, _) = bed
        .gather("COPY t TO STDOUT", async |mut client| {
            take_some(&mut client).await;
            bed.interrupts.raise(Interrupt::Terminate);
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(client);
        })
        .await;
    assert_eq!(outcome.unusable, []);
    assert!(matches!(outcome.result, Err(CopyTrouble::Terminated)));
    bed.assert_at_rest();
}

#[tokio::test]
async fn a_node_that_is_lost_ends_it() {
    let bed = filled(MANY);
    let lose = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY%' AND inet_server_port() = ";
    let (outcome, _) = bed
        .gather("COPY t TO STDOUT", async |mut client| {
            take_some(&mut client).await;
            bed.everywhere(&format!("{lose} {}", bed.servers[usize::from(NODES) - 1].port()));
            client.listen().await;
        })
        .await;
    assert!(outcome.result.is_err());
    assert_eq!(outcome.unusable, [NodeId(NODES)]);
    bed.assert_at_rest();
}

#[tokio::test]
async fn the_status_of_the_sessions_transaction_is_told() {
    let bed = filled(100);
    let (mut here, mut there) = (bed.lease(1).await, bed.lease(2).await);
    here.connection().simple(b"BEGIN").await.expect("it begins");
    for (sql, status) in [
        ("COPY t TO STDOUT", TransactionStatus::InBlock),
        ("COPY t TO STDOUT (NULL E'\\n')", TransactionStatus::Failed),
    ] {
        let connections = vec![here.connection(), there.connection()];
        let (outcome, _) =
            bed.gather_from(connections, sql, async |client| client.listen().await).await;
        assert_eq!(outcome.status, Some(status));
        assert_eq!(outcome.unusable, []);
    }
    here.connection().simple(b"ROLLBACK").await.expect("it ends");
    here.give_back();
    there.give_back();
    bed.assert_at_rest();
}
