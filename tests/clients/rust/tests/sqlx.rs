//! sqlx: a statement cache per connection, binary rows, its own type look-ups, pools.

use std::time::Duration;

use futures::TryStreamExt;
use herd_test_clients::{Endpoint, fresh_schema};
use sqlx::postgres::types::{PgInterval, PgRange};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolCopyExt, PgPoolOptions};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::types::{Json, Uuid};
use sqlx::{Acquire, Column, Connection, Executor, PgPool, Row};

fn options(schema: &str) -> PgConnectOptions {
    let endpoint = Endpoint::from_environment();
    PgConnectOptions::new()
        .host(&endpoint.host)
        .port(endpoint.port)
        .username(&endpoint.user)
        .password(&endpoint.password)
        .database(&endpoint.dbname)
        .options([("search_path", schema)])
}

async fn pool(schema: &str) -> PgPool {
    fresh_schema(schema).await;
    PgPoolOptions::new().max_connections(5).connect_with(options(schema)).await.unwrap()
}

#[tokio::test]
async fn values_round_trip_in_binary() {
    let pool = pool("sqlx_values").await;
    let when = DateTime::<Utc>::from_timestamp_micros(1_234_567).unwrap();
    let range = PgRange::from(1_i32..5);
    let interval = PgInterval { months: 1, days: -2, microseconds: 3 };
    let row = sqlx::query("SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11")
        .bind(i64::MIN)
        .bind("žluť 🐑")
        .bind(vec![0_u8, 255])
        .bind(Uuid::from_u128(7))
        .bind(Json(vec![1, 2]))
        .bind(when)
        .bind(vec![Some(1_i32), None])
        .bind(range)
        .bind(interval)
        .bind("12345678901234567890.10".parse::<sqlx::types::Decimal>().unwrap())
        .bind(None::<i32>)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>(0), i64::MIN);
    assert_eq!(row.get::<&str, _>(1), "žluť 🐑");
    assert_eq!(row.get::<Vec<u8>, _>(2), [0, 255]);
    assert_eq!(row.get::<Uuid, _>(3), Uuid::from_u128(7));
    assert_eq!(row.get::<Json<Vec<i32>>, _>(4).0, [1, 2]);
    assert_eq!(row.get::<DateTime<Utc>, _>(5), when);
    assert_eq!(row.get::<Vec<Option<i32>>, _>(6), [Some(1), None]);
    assert_eq!(row.get::<PgRange<i32>, _>(7), range);
    assert_eq!(row.get::<PgInterval, _>(8), interval);
    assert_eq!(row.get::<sqlx::types::Decimal, _>(9).to_string(), "12345678901234567890.10");
    assert_eq!(row.get::<Option<i32>, _>(10), None);
}

#[tokio::test]
async fn cached_statements_serve_many_transactions() {
    let pool = pool("sqlx_cached").await;
    for number in 0..300_i32 {
        let mut transaction = pool.begin().await.unwrap();
        let sql = format!("SELECT $1::int + {}", number % 150);
        let sum: i32 = sqlx::query_scalar(&sql).bind(1).fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(sum, number % 150 + 1);
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn unprepared_text_runs_several_statements() {
    let pool = pool("sqlx_simple").await;
    pool.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)").await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
        .persistent(false)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn nested_transactions_undo_their_part() {
    let pool = pool("sqlx_nested").await;
    pool.execute("CREATE TABLE kept (id int PRIMARY KEY)").await.unwrap();
    let mut outer = pool.begin().await.unwrap();
    outer.execute("INSERT INTO kept VALUES (1)").await.unwrap();
    let mut inner = outer.begin().await.unwrap();
    let refused = inner.execute("INSERT INTO kept VALUES (1)").await.unwrap_err();
    let error = refused.as_database_error().unwrap();
    assert_eq!((error.code().as_deref(), error.constraint()), (Some("23505"), Some("kept_pkey")));
    inner.rollback().await.unwrap();
    outer.execute("INSERT INTO kept VALUES (2)").await.unwrap();
    outer.commit().await.unwrap();
    drop(pool.begin().await.unwrap());
    let ids: Vec<i32> =
        sqlx::query_scalar("SELECT id FROM kept ORDER BY id").fetch_all(&pool).await.unwrap();
    assert_eq!(ids, [1, 2]);
}

#[tokio::test]
async fn user_types_are_described() {
    let pool = pool("sqlx_types").await;
    pool.execute("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN code AS text")
        .await
        .unwrap();
    let described =
        pool.describe("SELECT 'sad'::mood AS m, 'x'::code AS c, $1::mood").await.unwrap();
    let names: Vec<_> =
        described.columns().iter().map(|column| column.type_info().to_string()).collect();
    assert_eq!(names, ["mood", "TEXT", "mood"]);
}

#[tokio::test]
async fn dropped_future_leaves_a_usable_connection() {
    let pool = pool("sqlx_dropped").await;
    for _ in 0..3 {
        let mut connection = pool.acquire().await.unwrap();
        let slept = tokio::time::timeout(
            Duration::from_millis(50),
            connection.execute("SELECT pg_sleep(0.2)"),
        )
        .await;
        assert!(slept.is_err());
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(one, 1);
    }
}

#[tokio::test]
async fn copy_in_and_out() {
    let pool = pool("sqlx_copy").await;
    pool.execute("CREATE TABLE copied (id int, t text)").await.unwrap();
    let mut copy = pool.copy_in_raw("COPY copied FROM STDIN (FORMAT csv)").await.unwrap();
    for number in 0..1000 {
        copy.send(format!("{number},\"row, {number}\"\n").into_bytes()).await.unwrap();
    }
    assert_eq!(copy.finish().await.unwrap(), 1000);
    let mut out = pool
        .copy_out_raw("COPY (SELECT t FROM copied WHERE id < 2 ORDER BY id) TO STDOUT")
        .await
        .unwrap();
    let mut text = Vec::new();
    while let Some(chunk) = out.try_next().await.unwrap() {
        text.extend_from_slice(&chunk);
    }
    assert_eq!(text, b"row, 0\nrow, 1\n");
}

#[tokio::test]
async fn listener_hears() {
    let pool = pool("sqlx_listener").await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen_all(["sqlx_one", "sqlx_two"]).await.unwrap();
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind("sqlx_two")
        .bind("hello")
        .execute(&pool)
        .await
        .unwrap();
    let notification = listener.recv().await.unwrap();
    assert_eq!((notification.channel(), notification.payload()), ("sqlx_two", "hello"));
}

#[tokio::test]
async fn pool_serves_many_tasks() {
    let pool = pool("sqlx_tasks").await;
    let tasks = (0..500_i32).map(|number| {
        let pool = pool.clone();
        tokio::spawn(async move {
            sqlx::query_scalar::<_, i32>("SELECT $1 * 2")
                .bind(number)
                .fetch_one(&pool)
                .await
                .unwrap()
        })
    });
    let answers: Vec<_> =
        futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, (0..500).map(|number| number * 2).collect::<Vec<_>>());
}

#[tokio::test]
async fn rows_stream() {
    let pool = pool("sqlx_stream").await;
    let mut rows = sqlx::query_scalar::<_, i32>("SELECT generate_series(1, 300000)").fetch(&pool);
    let mut total = 0_i64;
    while let Some(number) = rows.try_next().await.unwrap() {
        total += i64::from(number);
    }
    assert_eq!(total, 45_000_150_000);
}

#[tokio::test]
async fn ping_and_close_are_clean() {
    fresh_schema("sqlx_ping").await;
    let mut connection = sqlx::PgConnection::connect_with(&options("sqlx_ping")).await.unwrap();
    connection.ping().await.unwrap();
    connection.close().await.unwrap();
}
