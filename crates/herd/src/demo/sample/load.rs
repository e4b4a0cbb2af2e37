//! From the generators through Herd's own port: CREATE TABLE, then COPY.

use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::{Client, NoTls};

use super::rows::{ARTICLES, READS, USERS};
use super::{people, reading, writing};
use crate::demo::node::ACCOUNT;

const SCHEMA: &str = include_str!("../../../../../sql/sample/schema.sql");
const COPY_CHUNK_BYTES: usize = 64 << 10;

/// In the order in which they can be dropped.
const TABLES: [&str; 6] = ["popular_rank", "be_read", "articles", "reads", "users", "categories"];

/// Loads everything anew: what an interrupted load left is dropped first.
pub async fn load(herd: SocketAddr, nodes: usize) -> Result<()> {
    let client = connect(herd).await.context("cannot connect to Herd to load the sample")?;
    for table in TABLES {
        run(&client, &format!("DROP TABLE IF EXISTS {table}")).await?;
    }
    for statement in statements(nodes) {
        run(&client, &statement).await?;
    }
    let categories = writing::CATEGORIES.len();
    copy(&client, "categories", (0..categories).map(|n| rows(|out| writing::category(out, n))))
        .await?;
    copy(&client, "users", (0..USERS).map(|uid| rows(|out| people::user(out, uid)))).await?;
    copy(&client, "articles", (0..ARTICLES).map(|aid| rows(|out| writing::article(out, aid))))
        .await?;
    copy(&client, "reads", (0..READS).map(|id| rows(|out| reading::read(out, id)))).await?;
    let be_read = reading::be_read();
    let be_read =
        be_read.iter().map(|(aid, readers)| rows(|out| reading::be_read_row(out, *aid, readers)));
    copy(&client, "be_read", be_read).await?;
    let popular = reading::popular_rank();
    let popular = popular
        .iter()
        .enumerate()
        .map(|(id, (period, aids))| rows(|out| reading::popular_rank_row(out, id, *period, aids)));
    copy(&client, "popular_rank", popular).await
}

async fn connect(herd: SocketAddr) -> Result<Client> {
    let (client, connection) = tokio_postgres::Config::new()
        .host(herd.ip().to_string())
        .port(herd.port())
        .user(ACCOUNT)
        .password(ACCOUNT)
        .dbname(ACCOUNT)
        .application_name("herd demo")
        .connect(NoTls)
        .await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The schema's statements, on as many nodes as there are.
fn statements(nodes: usize) -> Vec<String> {
    let without_comments: Vec<&str> =
        SCHEMA.lines().filter(|line| !line.starts_with("--")).collect();
    let mut text = without_comments.join("\n");
    for missing in nodes + 1..=3 {
        text = text.replace(&format!("'n{missing}'"), &format!("'n{nodes}'"));
    }
    text.split(';').map(str::trim).filter(|sql| !sql.is_empty()).map(str::to_owned).collect()
}

async fn run(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.with_context(|| format!("in {sql}"))
}

fn rows(write: impl Fn(&mut String)) -> String {
    let mut row = String::new();
    write(&mut row);
    row
}

async fn copy(client: &Client, table: &str, rows: impl Iterator<Item = String>) -> Result<()> {
    let told = || format!("cannot copy the sample into {table}");
    let sink = client.copy_in(&format!("COPY {table} FROM STDIN")).await.with_context(told)?;
    let mut sink = pin!(sink);
    let mut chunk = String::with_capacity(COPY_CHUNK_BYTES * 2);
    let mut count = 0;
    for row in rows {
        chunk.push_str(&row);
        count += 1;
        if chunk.len() >= COPY_CHUNK_BYTES {
            sink.send(Bytes::from(std::mem::take(&mut chunk))).await.with_context(told)?;
        }
    }
    sink.send(Bytes::from(chunk)).await.with_context(told)?;
    let copied: u64 = sink.finish().await.with_context(told)?;
    if copied != count {
        bail!("{copied} rows arrived in {table} of the {count} that were sent");
    }
    eprintln!("herd demo: {copied} rows in {table}");
    Ok(())
}
