//! COPY on three real nodes. COPY FROM: everywhere or nowhere, whatever happens.

mod bed;
mod gather;
mod numbering;

use std::time::Duration;

use bed::{Bed, NODES, PREPARES};
use bytes::Bytes;
use herd_execute::Interrupt;
use herd_execute::copy::{CopyOutcome, CopyRun, CopyTrouble, Scope};
use herd_types::{ClientError, SqlState};
use herd_wire::message::TransactionStatus;

const COPY: &str = "COPY t FROM STDIN";

fn lines(keys: std::ops::Range<u64>) -> String {
    keys.map(|key| format!("{key}\tvalue {key}\n")).collect()
}

fn refused(outcome: CopyOutcome) -> ClientError {
    match outcome.result {
        Err(CopyTrouble::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn server_error(outcome: CopyOutcome) -> Bytes {
    match outcome.result {
        Err(CopyTrouble::Server(body)) => body,
        other => panic!("{other:?}"),
    }
}

fn message(body: &[u8]) -> String {
    field(body, b'M')
}

fn field(body: &[u8], tag: u8) -> String {
    let value = herd_wire::error::field(body, tag).expect("the error has this field");
    String::from_utf8_lossy(value).into_owned()
}

#[tokio::test]
async fn rows_reach_the_nodes_of_their_keys_and_are_committed_everywhere() {
    let bed = Bed::ready();
    let (outcome, received) = bed
        .run(COPY, async |mut client| {
            for part in lines(0..1000).as_bytes().chunks(701) {
                client.data(part).await;
            }
            client.done().await;
        })
        .await;
    assert_eq!(outcome.result.expect("it succeeds"), 1000);
    assert_eq!(received, b"G\0\0\0\x0b\0\0\x02\0\0\0\0");
    assert_eq!(bed.rows(), 1000);
    assert!(bed.everywhere("SELECT count(*) > 100 FROM t").iter().all(|many| many == "t"));
    assert_eq!(bed.decisions.heard(), ["open", "commit", "committed"]);
    bed.assert_at_rest();
}

#[tokio::test]
async fn rows_for_one_node_need_no_decision() {
    let bed = Bed::ready();
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(b"1\ta\n").await;
            client.done().await;
        })
        .await;
    assert_eq!(outcome.result.expect("it succeeds"), 1);
    assert_eq!(bed.rows(), 1);
    assert!(bed.decisions.heard().is_empty());
    let (outcome, _) = bed.run(COPY, async |client| client.done().await).await;
    assert_eq!(outcome.result.expect("it succeeds"), 0);
    bed.assert_at_rest();
}

#[tokio::test]
async fn the_first_error_of_a_node_undoes_all_and_is_passed_on() {
    let bed = Bed::ready();
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..5000).as_bytes()).await;
            client.data(b"5000\tbad\n").await;
            client.data(lines(5001..6000).as_bytes()).await;
            client.done().await;
        })
        .await;
    assert!(outcome.unusable.is_empty());
    let error = server_error(outcome);
    assert!(message(&error).contains("violates check constraint \"t_v_check\""));
    assert_eq!(field(&error, b'W'), "COPY t, line 5001: \"5000\tbad\"");
    bed.assert_untouched();

    for (data, words) in [
        ("1\n", "missing data for column \"v\""),
        ("1\ta\tb\n", "extra data after last expected column"),
        ("x\ta\n", "invalid input syntax for type bigint: \"x\""),
        ("\\N\ta\n", "null value in column \"k\" of relation \"t_"),
    ] {
        let (outcome, _) = bed
            .run(COPY, async |mut client| {
                client.data(data.as_bytes()).await;
                client.done().await;
            })
            .await;
        let error = server_error(outcome);
        assert!(message(&error).starts_with(words), "{}", message(&error));
    }
    bed.assert_untouched();
}

#[tokio::test]
async fn a_statement_that_no_node_accepts_never_invites_the_client() {
    let bed = Bed::ready();
    let (outcome, received) = bed
        .run("COPY t FROM STDIN (LOG_VERBOSITY loud)", async |client| client.listen().await)
        .await;
    assert!(message(&server_error(outcome)).contains("log_verbosity"));
    assert!(received.is_empty());
    bed.assert_untouched();
}

#[tokio::test]
async fn a_stream_that_cannot_be_split_undoes_all() {
    let bed = Bed::ready();
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..3000).as_bytes()).await;
            client.data(b"3000\ta\r\n").await;
            client.done().await;
        })
        .await;
    let error = refused(outcome);
    assert_eq!(error.message, "literal carriage return found in data");
    assert_eq!(error.detail.as_deref(), Some("COPY t, line 3001"));
    bed.assert_untouched();
}

#[tokio::test]
async fn a_client_that_gives_up_or_leaves_undoes_all() {
    let bed = Bed::ready();
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..3000).as_bytes()).await;
            client.fail("no more").await;
        })
        .await;
    let error = refused(outcome);
    assert_eq!(error.sqlstate, SqlState::QUERY_CANCELED);
    assert_eq!(error.message, "COPY from stdin failed: no more");
    bed.assert_untouched();

    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..3000).as_bytes()).await;
            drop(client);
        })
        .await;
    assert!(matches!(outcome.result, Err(CopyTrouble::ClientGone)));
    bed.assert_untouched();
}

#[tokio::test]
async fn a_copy_that_takes_too_long_is_cancelled() {
    let bed = Bed::ready();
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..10).as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            bed.interrupts.raise(Interrupt::QueryTimeout);
            client.listen().await;
        })
        .await;
    assert_eq!(refused(outcome).sqlstate, SqlState::QUERY_CANCELED);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_node_that_cannot_prepare_undoes_all() {
    let bed = Bed::with_settings([PREPARES, PREPARES, &["max_prepared_transactions=0"]]);
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..1000).as_bytes()).await;
            client.done().await;
        })
        .await;
    assert_eq!(message(&server_error(outcome)), "prepared transactions are disabled");
    assert_eq!(bed.decisions.heard(), ["open", "rolled back"]);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_decision_that_may_be_lost_is_left_to_be_repaired() {
    let mut bed = Bed::ready();
    bed.decisions.refuses_commit = true;
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..1000).as_bytes()).await;
            client.done().await;
        })
        .await;
    assert_eq!(refused(outcome).sqlstate, SqlState::TRANSACTION_RESOLUTION_UNKNOWN);
    assert_eq!(bed.decisions.heard(), ["open", "commit", "left"]);
    assert_eq!(bed.rows(), 0);
    let prepared =
        bed.everywhere("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()");
    assert_eq!(prepared, vec![bed.decisions.gid.clone(); usize::from(NODES)]);
}

#[tokio::test]
async fn a_node_that_dies_in_the_middle_undoes_all() {
    let mut bed = Bed::with_settings([PREPARES; 3]);
    let dying = bed.servers.pop().expect("the last of three");
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            client.data(lines(0..3000).as_bytes()).await;
            tokio::task::spawn_blocking(move || drop(dying)).await.expect("it was stopped");
            for part in 0..20 {
                client.data(lines(3000 + part * 3000..6000 + part * 3000).as_bytes()).await;
            }
            client.done().await;
        })
        .await;
    match outcome.result {
        // The server may have said goodbye before it went.
        Err(CopyTrouble::Server(body)) => assert!(message(&body).contains("terminating")),
        Err(CopyTrouble::Refused(error)) => {
            assert_eq!(error.sqlstate, SqlState::CONNECTION_FAILURE);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.unusable, [herd_types::NodeId(NODES)]);
    bed.assert_untouched();
}

#[tokio::test]
async fn a_reference_table_gets_every_row_on_every_node() {
    let bed = Bed::ready();
    let (outcome, _) = bed
        .run("COPY r FROM STDIN CSV HEADER", async |mut client| {
            client.data(b"k,v\n1,a\n2,\"b\n").await;
            client.data(b"c\"\n3,\n").await;
            client.done().await;
        })
        .await;
    assert_eq!(outcome.result.expect("it succeeds"), 3);
    let sums = bed.everywhere("SELECT sum(k), count(v) FROM r");
    assert_eq!(sums, vec!["6\t2"; usize::from(NODES)]);
    assert_eq!(bed.decisions.heard(), ["open", "commit", "committed"]);
    bed.assert_at_rest();
}

#[tokio::test]
async fn a_slow_node_slows_the_client_down() {
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep(0.0002); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow();";
    let bed = Bed::prepared_by(slow);
    let long = "x".repeat(10_000);
    let (outcome, _) = bed
        .run(COPY, async |mut client| {
            for key in 0..6000 {
                client.data(format!("{key}\t{long}\n").as_bytes()).await;
            }
            client.done().await;
        })
        .await;
    assert_eq!(outcome.result.expect("it succeeds"), 6000);
    assert_eq!(bed.rows(), 6000);
    bed.assert_at_rest();
}

#[tokio::test]
async fn in_a_transaction_a_reference_table_is_refused() {
    let bed = Bed::ready();
    let copy = bed.plan("COPY r FROM STDIN");
    let table = bed.catalog.table(copy.table).expect("it was planned").clone();
    let mut lease = bed.lease(2).await;
    let (mut client, _talker) = bed::connect().await;
    let run = CopyRun {
        copy: &copy,
        table: &table,
        statement: b"COPY r FROM STDIN",
        client: &mut client,
        interrupts: &bed.interrupts,
    };
    let outcome = run.run(vec![lease.connection()], Scope::Session).await;
    assert_eq!(outcome.status, None);
    assert_eq!(refused(outcome).sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
}

#[tokio::test]
async fn in_a_transaction_rows_must_belong_to_its_node() {
    let bed = Bed::ready();
    let copy = bed.plan(COPY);
    let table = bed.catalog.table(copy.table).expect("it was planned").clone();
    let keys: Vec<i64> = (1..100)
        .filter(|key| {
            let key = [Some(herd_catalog::KeyValue::Int(*key))];
            let fragment = table.fragmentation().and_then(|cut| cut.fragment_for(&key));
            fragment.is_some_and(|fragment| fragment.primary.0 == 2)
        })
        .collect();
    let here: String = keys.iter().map(|key| format!("{key}\ta\n")).collect();
    let mut lease = bed.lease(2).await;
    lease.connection().simple(b"BEGIN").await.expect("it begins");
    for (data, good) in [(here.clone(), true), (lines(0..10), false)] {
        let (mut client, mut talker) = bed::connect().await;
        let run = CopyRun {
            copy: &copy,
            table: &table,
            statement: COPY.as_bytes(),
            client: &mut client,
            interrupts: &bed.interrupts,
        };
        let talk = async {
            talker.data(data.as_bytes()).await;
            talker.finish().await;
        };
        let running = run.run(vec![lease.connection()], Scope::Session);
        let (outcome, ()) = tokio::join!(running, talk);
        assert!(outcome.unusable.is_empty());
        if good {
            assert_eq!(outcome.status, Some(TransactionStatus::InBlock));
            assert_eq!(outcome.result.expect("it succeeds"), keys.len() as u64);
        } else {
            assert_eq!(outcome.status, Some(TransactionStatus::Failed));
            assert_eq!(refused(outcome).sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
        }
    }
    lease.connection().simple(b"ROLLBACK").await.expect("it ends");
    lease.give_back();
    bed.assert_untouched();
}
