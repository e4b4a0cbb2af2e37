//! Puts each row of the stream into the outbox of its node.

use herd_catalog::Table;
use herd_node::Reported;
use herd_plan::{CopyFormat, CopyIn, Spread};
use herd_types::{ClientError, NodeId};

use super::branch::Branch;
use super::{KeyReader, Piece, RowKey, RowSplitter, encoding};

/// PostgreSQL 18 does not take a line `\.` for the end of a CSV stream any more.
const MARKER_IN_CSV_BEFORE: u32 = 18;

pub(super) enum Spreader<'a> {
    /// Every branch gets the stream as it is.
    Everywhere,
    ByKey(Box<ByKey<'a>>),
}

pub(super) struct ByKey<'a> {
    table: &'a Table,
    splitter: RowSplitter,
    /// By the number of a node, the place of its branch.
    places: Vec<Option<usize>>,
}

impl<'a> Spreader<'a> {
    /// `nodes` are those of the branches, in their order; `reported` is what they say of
    /// themselves.
    pub(super) fn new(
        copy: &CopyIn,
        table: &'a Table,
        nodes: &[NodeId],
        reported: &Reported,
    ) -> Result<Spreader<'a>, ClientError> {
        let Spread::ByKey(fields) = &copy.spread else { return Ok(Spreader::Everywhere) };
        let encoding = encoding::of_stream(copy.encoding.as_deref(), reported)?;
        let ends_with_marker = ends_csv_with_marker(&copy.format, reported)?;
        let key = KeyReader::new(table, fields, encoding);
        let (name, format) = (&table.name.name, copy.format.clone());
        let splitter = RowSplitter::new(name, format, copy.columns.len(), key, ends_with_marker);
        let last = nodes.iter().map(|node| usize::from(node.0)).max().unwrap_or_default();
        let mut places = vec![None; last + 1];
        for (place, node) in nodes.iter().enumerate() {
            places[usize::from(node.0)] = Some(place);
        }
        Ok(Spreader::ByKey(Box::new(ByKey { table, splitter, places })))
    }

    pub(super) fn push(
        &mut self,
        data: &[u8],
        branches: &mut [Branch<'_>],
    ) -> Result<(), ClientError> {
        match self {
            Spreader::Everywhere => {
                for branch in branches {
                    branch.outbox.push(data);
                    branch.rows_sent += 1;
                }
                Ok(())
            }
            Spreader::ByKey(by_key) => {
                let ByKey { table, splitter, places } = by_key.as_mut();
                splitter.push(data, &mut |piece| place(piece, table, places, branches))
            }
        }
    }

    pub(super) fn finish(&mut self, branches: &mut [Branch<'_>]) -> Result<(), ClientError> {
        match self {
            Spreader::Everywhere => Ok(()),
            Spreader::ByKey(by_key) => {
                let ByKey { table, splitter, places } = by_key.as_mut();
                splitter.finish(&mut |piece| place(piece, table, places, branches))
            }
        }
    }
}

/// Whether a line `\.` in a CSV stream is its end for these nodes.
fn ends_csv_with_marker(format: &CopyFormat, reported: &Reported) -> Result<bool, ClientError> {
    let version = reported.get("server_version").unwrap_or_default();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let marked = digits.parse::<u32>().is_ok_and(|major| major < MARKER_IN_CSV_BEFORE);
    match format {
        CopyFormat::Csv(csv) if marked && csv.quote == b'\\' => {
            Err(ClientError::unsupported("COPY into a fragmented table cannot have QUOTE '\\'"))
        }
        _ => Ok(marked),
    }
}

#[inline]
fn place(
    piece: Piece<'_>,
    table: &Table,
    places: &[Option<usize>],
    branches: &mut [Branch<'_>],
) -> Result<(), ClientError> {
    let row = match piece {
        Piece::ForAll { bytes, lines } => {
            for branch in branches {
                branch.outbox.push(bytes);
                branch.lines.push(lines, lines);
            }
            return Ok(());
        }
        Piece::Row(row) => row,
    };
    let fragment = match row.key {
        RowKey::Known(key) => table.fragmentation().and_then(|cut| cut.fragment_for(key)),
        RowKey::Broken => None,
    };
    let place = match fragment {
        Some(fragment) => {
            let node = fragment.primary;
            let place = places.get(usize::from(node.0)).copied().flatten();
            place.ok_or_else(|| elsewhere(&table.name.name, row.line))?
        }
        // The first branch has the words for a row that no node takes.
        None => 0,
    };
    let branch = &mut branches[place];
    branch.outbox.push(row.bytes);
    branch.lines.push(row.line, row.lines);
    branch.rows_sent += 1;
    Ok(())
}

/// The transaction is bound to a node, and this row belongs to another.
fn elsewhere(table: &str, line: u64) -> ClientError {
    ClientError::unsupported("COPY in this transaction needs more than one node")
        .with_detail(format!(
            "The transaction is bound to another node than that of COPY {table}, line {line}."
        ))
        .with_hint("Run COPY outside of a transaction block: it is one transaction by itself.")
}
