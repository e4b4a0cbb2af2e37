//! The node to which rows are brought.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Buf, BytesMut};
use herd_node::{Answer, NodeError, ServerConnection};
use herd_types::NodeId;
use herd_wire::message;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Narrowing, Request, lost};
use crate::copy::CopyTrouble;
use crate::{Interrupt, Interrupts};

/// Signature, flags and an empty extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const BINARY_TRAILER: &[u8] = &[0xff, 0xff];
const GIVEN_UP: &str = "the rows to be brought together could not all be had";

pub(super) struct Sink<'c> {
    connection: &'c mut ServerConnection,
    /// Whole CopyData messages, or a part of one, not sent yet.
    pub(super) outbox: BytesMut,
    is_open: bool,
}

impl<'c> Sink<'c> {
    pub(super) fn new(connection: &'c mut ServerConnection) -> Sink<'c> {
        Sink { connection, outbox: BytesMut::new(), is_open: false }
    }

    pub(super) fn node(&self) -> NodeId {
        self.connection.node()
    }

    pub(super) async fn make(&mut self, request: &Request) -> Result<(), CopyTrouble> {
        let name = &request.table;
        let head = format!("CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS ");
        self.run(&[head.as_bytes(), &request.shape, b" WITH NO DATA"].concat()).await.map(drop)
    }

    /// Indexes for the rows that are there now.
    pub(super) async fn index(&mut self, request: &Request) -> Result<(), CopyTrouble> {
        let answer = self.run(definitions(request).as_bytes()).await?;
        let definitions: Vec<Cow<'_, str>> = answer
            .rows
            .iter()
            .filter_map(|row| row.first()?.as_deref().map(String::from_utf8_lossy))
            .collect();
        match definitions.is_empty() {
            true => Ok(()),
            false => self.run(definitions.join("; ").as_bytes()).await.map(drop),
        }
    }

    /// The rows that this node itself has; how many.
    pub(super) async fn insert_own(&mut self, request: &Request) -> Result<u64, CopyTrouble> {
        let head = format!("INSERT INTO pg_temp.{} ", request.table);
        let mut out = BytesMut::new();
        message::parse(&mut out, b"", &[head.as_bytes(), &request.text].concat(), &request.types);
        let rest = [request.parameters.as_slice(), &[0, 0]].concat();
        message::bind(&mut out, b"", b"", &rest);
        message::execute(&mut out, b"", 0);
        out.extend_from_slice(&message::SYNC);
        let answer = self.connection.tell(&out).await.map_err(lost)?.0;
        Ok(count(&answer))
    }

    /// The request without rows that go with none of the rows of `small` tables.
    pub(super) async fn narrowed<'r>(
        &mut self,
        request: &'r Request,
        small: &[&str],
    ) -> Result<Cow<'r, Request>, CopyTrouble> {
        let mut narrowed = Cow::Borrowed(request);
        for Narrowing { column, table, others } in &request.narrowings {
            if !small.contains(&table.as_str()) {
                continue;
            }
            let values = format!(
                "SELECT pg_catalog.array_agg(DISTINCT {others})::pg_catalog.text \
                   FROM pg_temp.{table} WHERE {others} IS NOT NULL"
            );
            let answer = self.run(values.as_bytes()).await?;
            let values = answer.rows.first().and_then(|row| row.first()?.as_deref());
            let values = String::from_utf8_lossy(values.unwrap_or(b"{}"));
            let text = &mut narrowed.to_mut().text;
            text.splice(..0, *b"SELECT * FROM (");
            let condition = format!(") AS narrowed WHERE {column} = ANY ('{values}')");
            text.extend_from_slice(condition.as_bytes());
        }
        Ok(narrowed)
    }

    /// How many bytes of rows are there.
    pub(super) async fn size(&mut self, request: &Request) -> Result<u64, CopyTrouble> {
        let table = request.table.replace('\'', "''");
        let size =
            format!("SELECT pg_catalog.pg_table_size('pg_temp.{table}'::pg_catalog.regclass)");
        let answer = self.run(size.as_bytes()).await?;
        let told = answer.rows.first().and_then(|row| row.first()?.as_deref());
        Ok(told.and_then(|told| std::str::from_utf8(told).ok()?.parse().ok()).unwrap_or_default())
    }

    pub(super) async fn open(&mut self, request: &Request) -> Result<(), CopyTrouble> {
        let statement = format!("COPY pg_temp.{} FROM STDIN (FORMAT binary)", request.table);
        self.connection.begin_copy(statement.as_bytes()).await.map_err(lost)?;
        self.is_open = true;
        message::frame(&mut self.outbox, b'd', |out| out.extend_from_slice(BINARY_HEADER));
        Ok(())
    }

    /// Sends what has been put out.
    pub(super) async fn send(&mut self, interrupts: &Interrupts) -> Result<(), CopyTrouble> {
        while !self.outbox.is_empty() {
            let stream = &mut self.connection.stream;
            let written = std::future::poll_fn(|cx| {
                match Pin::new(&mut *stream).poll_write(cx, &self.outbox) {
                    Poll::Pending => interrupts.poll(cx, &[Interrupt::Terminate]).map(|_| None),
                    ready => ready.map(Some),
                }
            });
            match written.await {
                None => return Err(CopyTrouble::Terminated),
                Some(Ok(bytes)) if bytes > 0 => self.outbox.advance(bytes),
                Some(Ok(_)) => {
                    return Err(lost(self.connection.lost(std::io::ErrorKind::WriteZero.into())));
                }
                Some(Err(error)) => return Err(lost(self.connection.lost(error))),
            }
        }
        let flushed = self.connection.stream.flush().await;
        flushed.map_err(|error| lost(self.connection.lost(error)))
    }

    /// There are no more rows for this table; how many there were.
    pub(super) async fn close(&mut self) -> Result<u64, CopyTrouble> {
        message::frame(&mut self.outbox, b'd', |out| out.extend_from_slice(BINARY_TRAILER));
        self.outbox.extend_from_slice(&message::COPY_DONE);
        self.is_open = false;
        let out = self.outbox.split();
        let answer = self.connection.tell(&out).await.map_err(lost)?.0;
        Ok(count(&answer))
    }

    pub(super) async fn analyse(&mut self, request: &Request) -> Result<(), CopyTrouble> {
        self.run(format!("ANALYZE pg_temp.{}", request.table).as_bytes()).await.map(drop)
    }

    /// Ends a COPY that is open; its transaction has failed then.
    pub(super) async fn give_up(&mut self) -> Result<(), NodeError> {
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        message::copy_fail(&mut self.outbox, GIVEN_UP);
        let out = self.outbox.split();
        match self.connection.tell(&out).await {
            Ok(_) | Err(NodeError::Server(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn run(&mut self, sql: &[u8]) -> Result<Answer, CopyTrouble> {
        let (answer, _) = self.connection.simple(sql).await.map_err(lost)?;
        Ok(answer)
    }
}

/// Asks for the definitions of indexes as the table has them whose rows they are: of the primary key,
/// grouped by which a query may speak of any other column, and of those that are for looking up, as far
/// as their first columns are there.
fn definitions(request: &Request) -> String {
    let Request { like, table, keyed, indexed, .. } = request;
    let (like, brought) = (like.replace('\'', "''"), table.replace('\'', "''"));
    format!(
        "SELECT DISTINCT CASE WHEN is_key THEN 'ALTER TABLE pg_temp.{brought} ADD PRIMARY KEY (' \
                ELSE 'CREATE INDEX ON pg_temp.{brought} (' END || columns || ')' \
           FROM (SELECT i.indisprimary AND {keyed} AND pg_catalog.bool_and(k.is_there) AS is_key, \
                        pg_catalog.string_agg(pg_catalog.quote_ident(k.name), ', ' ORDER BY k.place) \
                            FILTER (WHERE k.are_there) AS columns \
                   FROM pg_catalog.pg_index i \
                   JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                   JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree' \
                   CROSS JOIN LATERAL ( \
                        SELECT u.place, a.attname AS name, b.attname IS NOT NULL AS is_there, \
                               pg_catalog.bool_and(b.attname IS NOT NULL) OVER (ORDER BY u.place) AS are_there \
                          FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS u (attnum, place) \
                          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum \
                          LEFT JOIN pg_catalog.pg_attribute b ON b.attname = a.attname \
                               AND b.attrelid = 'pg_temp.{brought}'::pg_catalog.regclass \
                         WHERE u.place <= i.indnkeyatts) AS k \
                  WHERE i.indrelid = '{like}'::pg_catalog.regclass AND i.indpred IS NULL \
                  GROUP BY i.indexrelid, i.indisprimary) AS found \
          WHERE columns IS NOT NULL AND (is_key OR {indexed})"
    )
}

/// The rows of `INSERT 0 n` and `COPY n`.
fn count(answer: &Answer) -> u64 {
    answer.tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default()
}
