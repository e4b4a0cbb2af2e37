//! tokio-postgres: pipelined by nature, binary for every value, its own type look-ups.

use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use futures::future::{join_all, poll_fn};
use futures::{SinkExt, StreamExt, TryStreamExt};
use herd_test_clients::{Endpoint, connect, fresh_schema};
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSqlOwned, Kind, ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, IsolationLevel, NoTls, SimpleQueryMessage};
use uuid::Uuid;

async fn client(schema: &str) -> Client {
    fresh_schema(schema).await;
    connect(schema).await
}

async fn round_trips<T>(client: &Client, kind: &str, value: T)
where
    T: ToSql + FromSqlOwned + PartialEq + std::fmt::Debug + Sync,
{
    let row = client.query_one(&format!("SELECT $1::{kind}"), &[&value]).await.unwrap();
    assert_eq!(row.get::<_, T>(0), value, "{kind}");
}

#[tokio::test]
async fn values_round_trip_in_binary() {
    let client = client("tokio_values").await;
    round_trips(&client, "bool", true).await;
    round_trips(&client, "int2", i16::MIN).await;
    round_trips(&client, "int4", i32::MAX).await;
    round_trips(&client, "int8", i64::MIN).await;
    round_trips(&client, "float8", f64::MIN_POSITIVE).await;
    round_trips(&client, "text", "žluť 🐑".to_owned()).await;
    round_trips(&client, "bytea", vec![0_u8, 255, 16]).await;
    round_trips(&client, "uuid", Uuid::from_u128(0xa0ee_bc99)).await;
    round_trips(&client, "jsonb", serde_json::json!({"a": [1, null, "ž"]})).await;
    round_trips(&client, "date", NaiveDate::from_ymd_opt(2026, 2, 28).unwrap()).await;
    round_trips(&client, "timestamptz", DateTime::<Utc>::from_timestamp_micros(1_000_001).unwrap())
        .await;
    round_trips(&client, "int4[]", vec![Some(1), None, Some(3)]).await;
    round_trips(&client, "text", None::<String>).await;
}

#[tokio::test]
async fn user_types_are_looked_up() {
    let client = client("tokio_types").await;
    client
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (m mood, n int[])",
        )
        .await
        .unwrap();
    let statement =
        client.prepare("SELECT ROW('glad', ARRAY[1, 2])::pair, '{sad}'::mood[]").await.unwrap();
    let Kind::Composite(fields) = statement.columns()[0].type_().kind() else {
        panic!("pair is a composite")
    };
    assert_eq!(fields.iter().map(|field| field.name()).collect::<Vec<_>>(), ["m", "n"]);
    let Kind::Array(element) = statement.columns()[1].type_().kind() else {
        panic!("mood[] is an array")
    };
    assert_eq!(*element.kind(), Kind::Enum(vec!["sad".to_owned(), "glad".to_owned()]));
}

#[tokio::test]
async fn wrong_password_is_28p01() {
    let refused =
        Endpoint::from_environment().config().password("wrong").connect(NoTls).await.err().unwrap();
    assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));
}

#[tokio::test]
async fn statements_in_flight_answer_in_order() {
    let client = client("tokio_pipeline").await;
    let statement = client.prepare("SELECT $1::int * 2").await.unwrap();
    let answers = join_all((0..500_i32).map(|number| {
        let (client, statement) = (&client, &statement);
        async move { client.query_one(statement, &[&number]).await.unwrap().get::<_, i32>(0) }
    }))
    .await;
    assert_eq!(answers, (0..500).map(|number| number * 2).collect::<Vec<_>>());
}

#[tokio::test]
async fn many_statements_live_and_die() {
    let client = client("tokio_statements").await;
    let mut statements = Vec::new();
    for number in 0..300 {
        statements.push(client.prepare(&format!("SELECT $1::int + {number}")).await.unwrap());
    }
    for (number, statement) in (0..).zip(&statements) {
        assert_eq!(client.query_one(statement, &[&1]).await.unwrap().get::<_, i32>(0), number + 1);
    }
    drop(statements);
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test]
async fn transactions_commit_roll_back_and_nest() {
    let mut client = client("tokio_transactions").await;
    client.batch_execute("CREATE TABLE kept (id int PRIMARY KEY)").await.unwrap();
    let mut outer = client
        .build_transaction()
        .isolation_level(IsolationLevel::Serializable)
        .start()
        .await
        .unwrap();
    outer.execute("INSERT INTO kept VALUES ($1)", &[&1]).await.unwrap();
    let inner = outer.savepoint("nested").await.unwrap();
    let refused = inner.execute("INSERT INTO kept VALUES ($1)", &[&1]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::UNIQUE_VIOLATION));
    inner.rollback().await.unwrap();
    outer.execute("INSERT INTO kept VALUES ($1)", &[&2]).await.unwrap();
    outer.commit().await.unwrap();
    let dropped = client.transaction().await.unwrap();
    dropped.execute("DELETE FROM kept", &[]).await.unwrap();
    drop(dropped);
    assert_eq!(
        client.query_one("SELECT count(*) FROM kept", &[]).await.unwrap().get::<_, i64>(0),
        2
    );
}

#[tokio::test]
async fn errors_carry_their_fields() {
    let client = client("tokio_errors").await;
    client
        .batch_execute("CREATE TABLE strict (id int CONSTRAINT one_id PRIMARY KEY)")
        .await
        .unwrap();
    client.batch_execute("INSERT INTO strict VALUES (1)").await.unwrap();
    let refused = client.execute("INSERT INTO strict VALUES (1)", &[]).await.unwrap_err();
    let error = refused.as_db_error().unwrap();
    assert_eq!(error.schema(), Some("tokio_errors"));
    assert_eq!(error.table(), Some("strict"));
    assert_eq!(error.constraint(), Some("one_id"));
    assert_eq!(error.detail(), Some("Key (id)=(1) already exists."));
}

#[tokio::test]
async fn portals_return_rows_in_pieces() {
    let mut client = client("tokio_portals").await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT generate_series(1, 10)", &[]).await.unwrap();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.push(transaction.query_portal(&portal, 5).await.unwrap().len());
    }
    assert_eq!(sizes, [5, 5, 0, 0]);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn copy_in_and_out_in_text_and_binary() {
    let client = client("tokio_copy").await;
    client.batch_execute("CREATE TABLE copied (id int, t text)").await.unwrap();
    let mut sink = pin!(client.copy_in("COPY copied FROM STDIN").await.unwrap());
    for number in 0..1000 {
        sink.send(bytes_of(format!("{number}\trow {number}\n"))).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 1000);

    let sink = client.copy_in("COPY copied FROM STDIN BINARY").await.unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT4, Type::TEXT]));
    for number in 1000..2000_i32 {
        writer.as_mut().write(&[&number, &None::<String>]).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 1000);

    let stream = client.copy_out("COPY (TABLE copied ORDER BY id) TO STDOUT BINARY").await.unwrap();
    let rows: Vec<_> =
        BinaryCopyOutStream::new(stream, &[Type::INT4, Type::TEXT]).try_collect().await.unwrap();
    assert_eq!(rows.len(), 2000);
    assert_eq!(rows[7].get::<Option<&str>>(1), Some("row 7"));
    assert_eq!(rows[1999].get::<Option<&str>>(1), None);
}

fn bytes_of(text: String) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(text.into_bytes())
}

#[tokio::test]
async fn dropped_copy_keeps_nothing() {
    let client = client("tokio_copy_dropped").await;
    client.batch_execute("CREATE TABLE copied (id int)").await.unwrap();
    let mut sink = Box::pin(client.copy_in("COPY copied FROM STDIN").await.unwrap());
    sink.send(bytes_of("1\n".to_owned())).await.unwrap();
    drop(sink);
    assert_eq!(
        client.query_one("SELECT count(*) FROM copied", &[]).await.unwrap().get::<_, i64>(0),
        0
    );
}

#[tokio::test]
async fn cancel_ends_the_running_statement() {
    let client = client("tokio_cancel").await;
    let token = client.cancel_token();
    let began = Instant::now();
    let (result, ()) = tokio::join!(client.query("SELECT pg_sleep(30)", &[]), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        token.cancel_query(NoTls).await.unwrap();
    });
    assert_eq!(result.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test]
async fn notifications_and_notices_arrive() {
    let (client, mut connection) =
        Endpoint::from_environment().config().connect(NoTls).await.unwrap();
    let (sender, mut receiver) = futures::channel::mpsc::unbounded();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            let text = match message {
                AsyncMessage::Notification(notification) => notification.payload().to_owned(),
                AsyncMessage::Notice(notice) => notice.message().to_owned(),
                _ => continue,
            };
            if sender.unbounded_send(text).is_err() {
                return;
            }
        }
    });
    client.batch_execute("LISTEN tokio_news; NOTIFY tokio_news, 'hello'").await.unwrap();
    assert_eq!(receiver.next().await.as_deref(), Some("hello"));
    client.batch_execute("DO $$ BEGIN RAISE NOTICE 'noticed'; END $$").await.unwrap();
    assert_eq!(receiver.next().await.as_deref(), Some("noticed"));
}

#[tokio::test]
async fn simple_protocol_returns_text_of_every_statement() {
    let client = client("tokio_simple").await;
    let messages = client
        .simple_query("SELECT 1 AS a; SET work_mem = '5MB'; VALUES ('x'), (NULL)")
        .await
        .unwrap();
    let texts: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0)),
            _ => None,
        })
        .collect();
    assert_eq!(texts, [Some("1"), Some("x"), None]);
}

#[tokio::test]
async fn million_rows_stream() {
    let client = client("tokio_stream").await;
    let none: [i32; 0] = [];
    let mut rows =
        pin!(client.query_raw("SELECT generate_series(1, 1000000)", none).await.unwrap());
    let mut total = 0_i64;
    while let Some(row) = rows.try_next().await.unwrap() {
        total += i64::from(row.get::<_, i32>(0));
    }
    assert_eq!(total, 500_000_500_000);
}
