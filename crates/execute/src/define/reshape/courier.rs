//! Brings rows from a table to its twin: all of them, or those whose keys have changed.
//!
//! Rows travel as text, in the spelling of settings that lose nothing, and Herd reads no more of
//! them than their keys. Memory is bounded by one piece for each target.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use herd_catalog::Table;
use herd_plan::ddl::reshape::{Copying, Placing};
use herd_plan::{CopyFormat, TextFormat};
use herd_types::{ClientError, NodeId, SqlState};

use super::super::session::Sessions;
use super::super::{DefineError, NodeSession, Nodes};
use crate::copy::{KeyReader, Piece, RowKey, RowSplitter, StreamEncoding};

/// Rows are sent on in portions of about this size.
const PORTION_BYTES: usize = 64 << 10;
/// Progress is told after so many rows.
const ROWS_BETWEEN_NOTES: u64 = 100_000;

/// What a value is printed as is what it is read from, whatever the client has set; nothing is left
/// out for want of rights, and nothing gives up while others are slow.
const SETTINGS: &str = "\
SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL row_security = off; \
SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL intervalstyle = 'postgres'; \
SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C'; SET LOCAL xmloption = 'content'; \
SELECT pg_catalog.set_config('client_encoding', pg_catalog.current_setting('server_encoding'), true)";

/// The changed keys are few, and the table is large: PostgreSQL does not know the former.
const BY_INDEX: &str = "; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

pub(super) struct Courier<'a> {
    copying: &'a Copying,
}

type Targets<S> = BTreeMap<NodeId, S>;

impl<'a> Courier<'a> {
    pub(super) fn new(copying: &'a Copying) -> Courier<'a> {
        Courier { copying }
    }

    /// Begins a transaction in which rows are read or written.
    pub(super) fn begin(&self, isolation: &str) -> String {
        let by_index = if self.copying.by_index { BY_INDEX } else { "" };
        format!("BEGIN ISOLATION LEVEL {isolation} READ WRITE; {SETTINGS}{by_index}")
    }

    /// All rows, to a twin without any.
    pub(super) async fn bring_all<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        said: &impl Fn(u64),
    ) -> Result<(), DefineError> {
        let mut targets = self.open_targets(sessions).await?;
        ask_each(&mut targets, &self.copying.clear).await?;
        let mut rows = 0;
        for &node in &self.copying.sources {
            let mut source = self.open(sessions, node, "REPEATABLE READ").await?;
            // What was noted before this moment is in what is read from now on.
            ask(node, &mut source, &self.copying.forget_keys).await?;
            let read = &self.copying.read_all;
            let mut placed = self.placed(&targets)?;
            let told = |more: u64| said(rows + more);
            rows += self.carry(node, &mut source, read, &mut targets, &mut placed, &told).await?;
            ask(node, &mut source, "COMMIT").await?;
        }
        said(rows);
        ask_each(&mut targets, "COMMIT").await
    }

    /// The rows of keys that have changed: how many keys, or `None` when the table was truncated.
    pub(super) async fn bring_changes<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
    ) -> Result<Option<u64>, DefineError> {
        let mut keys = 0;
        for &node in &self.copying.sources {
            let mut source = self.open(sessions, node, "REPEATABLE READ").await?;
            let Some(more) = self.bring_changes_of(sessions, node, &mut source).await? else {
                return Ok(None);
            };
            keys += more;
            ask(node, &mut source, "COMMIT").await?;
        }
        Ok(Some(keys))
    }

    /// The same of one source, in its transaction.
    pub(super) async fn bring_changes_of<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        node: NodeId,
        source: &mut N::Session,
    ) -> Result<Option<u64>, DefineError> {
        let copying = self.copying;
        if !ask(node, source, &copying.was_truncated).await?.is_empty() {
            return Ok(None);
        }
        let mut targets = self.open_targets(sessions).await?;
        let keys = self.carry_keys(node, source, &mut targets).await?;
        if keys > 0 {
            for statement in &copying.take_out {
                ask_each(&mut targets, statement).await?;
            }
            let mut placed = self.placed(&targets)?;
            let read = &copying.read_changed;
            self.carry(node, source, read, &mut targets, &mut placed, &|_| ()).await?;
        }
        ask_each(&mut targets, "COMMIT").await?;
        ask(node, source, &copying.forget_keys).await?;
        Ok(Some(keys))
    }

    /// Every target gets all keys; how many.
    async fn carry_keys<S: NodeSession>(
        &self,
        node: NodeId,
        source: &mut S,
        targets: &mut Targets<S>,
    ) -> Result<u64, DefineError> {
        let mut placed = Placed::everywhere(targets.keys());
        let copying = self.copying;
        source.copy_out(&copying.read_keys).await.map_err(|error| error.of(node))?;
        begin_copies(targets, &copying.write_keys).await?;
        pump(node, source, targets, &mut placed, &|_| ()).await
    }

    async fn carry<S: NodeSession>(
        &self,
        node: NodeId,
        source: &mut S,
        read: &str,
        targets: &mut Targets<S>,
        placed: &mut Placed<'_>,
        said: &impl Fn(u64),
    ) -> Result<u64, DefineError> {
        source.copy_out(read).await.map_err(|error| error.of(node))?;
        begin_copies(targets, &self.copying.write_rows).await?;
        pump(node, source, targets, placed, said).await
    }

    async fn open<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        node: NodeId,
        isolation: &str,
    ) -> Result<N::Session, DefineError> {
        let mut session = sessions.fresh(node).await.map_err(|error| error.of(node))?;
        ask(node, &mut session, &self.begin(isolation)).await?;
        Ok(session)
    }

    async fn open_targets<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
    ) -> Result<Targets<N::Session>, DefineError> {
        let mut targets = Targets::new();
        for &node in &self.copying.targets {
            targets.insert(node, self.open(sessions, node, "READ COMMITTED").await?);
        }
        Ok(targets)
    }

    fn placed<S>(&self, targets: &Targets<S>) -> Result<Placed<'a>, DefineError> {
        match &self.copying.placing {
            Placing::Everywhere => Ok(Placed::everywhere(targets.keys())),
            Placing::ByKey { table, fields, columns } => {
                let format = CopyFormat::Text(TextFormat::default());
                let key = KeyReader::new(table, fields, StreamEncoding::Server);
                let splitter = RowSplitter::new(&table.name.name, format, *columns, key, true);
                let outboxes = targets.keys().map(|&node| (node, BytesMut::new())).collect();
                Ok(Placed { outboxes, by_key: Some((table, splitter)) })
            }
        }
    }
}

/// Rows on their way, by where they go.
struct Placed<'a> {
    outboxes: BTreeMap<NodeId, BytesMut>,
    /// `None`: every row goes everywhere.
    by_key: Option<(&'a Table, RowSplitter)>,
}

impl Placed<'_> {
    fn everywhere<'n>(nodes: impl Iterator<Item = &'n NodeId>) -> Placed<'static> {
        let outboxes = nodes.map(|&node| (node, BytesMut::new())).collect();
        Placed { outboxes, by_key: None }
    }

    /// Takes a row as it came.
    fn push(&mut self, row: &[u8]) -> Result<(), ClientError> {
        let Some((table, splitter)) = &mut self.by_key else {
            self.outboxes.values_mut().for_each(|outbox| outbox.extend_from_slice(row));
            return Ok(());
        };
        let outboxes = &mut self.outboxes;
        splitter.push(row, &mut |piece| {
            let Piece::Row(row) = piece else { return Ok(()) };
            let fragment = match row.key {
                RowKey::Known(key) => table.fragmentation().and_then(|cut| cut.fragment_for(key)),
                RowKey::Broken => None,
            };
            let outbox = fragment.and_then(|fragment| outboxes.get_mut(&fragment.primary));
            let outbox = outbox.ok_or_else(|| homeless(&table.name.name))?;
            outbox.extend_from_slice(row.bytes);
            Ok(())
        })
    }

    fn take(&mut self, node: NodeId, bytes_min: usize) -> Option<Bytes> {
        let outbox = self.outboxes.get_mut(&node)?;
        (!outbox.is_empty() && outbox.len() >= bytes_min).then(|| outbox.split().freeze())
    }
}

/// From one COPY to others, all of which are over then; how many rows.
async fn pump<S: NodeSession>(
    node: NodeId,
    source: &mut S,
    targets: &mut Targets<S>,
    placed: &mut Placed<'_>,
    said: &impl Fn(u64),
) -> Result<u64, DefineError> {
    let mut rows = 0;
    while let Some(row) = source.next_piece().await.map_err(|error| error.of(node))? {
        placed.push(&row)?;
        rows += 1;
        if rows % ROWS_BETWEEN_NOTES == 0 {
            said(rows);
        }
        for (&to, target) in targets.iter_mut() {
            if let Some(portion) = placed.take(to, PORTION_BYTES) {
                target.put(portion).await.map_err(|error| error.of(to))?;
            }
        }
    }
    for (&to, target) in targets.iter_mut() {
        if let Some(rest) = placed.take(to, 0) {
            target.put(rest).await.map_err(|error| error.of(to))?;
        }
        target.end_copy().await.map_err(|error| error.of(to))?;
    }
    Ok(rows)
}

async fn begin_copies<S: NodeSession>(
    targets: &mut Targets<S>,
    sql: &str,
) -> Result<(), DefineError> {
    for (&node, target) in targets {
        target.copy_in(sql).await.map_err(|error| error.of(node))?;
    }
    Ok(())
}

async fn ask_each<S: NodeSession>(targets: &mut Targets<S>, sql: &str) -> Result<(), DefineError> {
    for (&node, target) in targets {
        ask(node, target, sql).await?;
    }
    Ok(())
}

async fn ask<S: NodeSession>(
    node: NodeId,
    session: &mut S,
    sql: &str,
) -> Result<super::super::Rows, DefineError> {
    session.query(sql).await.map_err(|error| error.of(node))
}

fn homeless(table: &str) -> ClientError {
    ClientError::error(
        SqlState::CHECK_VIOLATION,
        format!("no partition of relation \"{table}\" found for row"),
    )
    .with_detail("A row has a key for which there is to be no fragment.")
}
