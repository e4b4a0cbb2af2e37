//! Shape Exchange: what a query needs of fragmented tables is brought to the home node, and the
//! query runs there, over what was brought in place of the tables.
//!
//! PostgreSQL itself answers then, from all rows: whatever the query does with them is right. The
//! plan tells which columns and rows of which tables are needed, and where the text names them. It
//! names tokens, not bytes, because texts that differ in their literals only share it.

mod aggregate;
mod filter;
mod over;
mod reading;
mod source;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use herd_catalog::Catalog;
use herd_types::{NodeId, TableId};

pub(crate) use self::filter::{Conjunction, Filter, Partner};
pub(crate) use self::source::{Edit, Source};
use crate::lex::position;
use crate::route::{Need, Nodes};
use crate::{Scatter, Values};

#[derive(Clone, Debug)]
pub struct Exchange {
    pub brought: Vec<Brought>,
    pub beside: Beside,
    /// How many parameters the query has.
    pub parameters: usize,
    /// How it is answered without bringing anything together.
    pub scatter: Option<Scatter>,
    /// Where the query stands, in bytes, if it is a part of the statement: its tokens are counted from
    /// there.
    pub part: Option<Range<usize>>,
    /// Whether its rows are to be locked where they lie.
    pub locks: bool,
    /// Tokens that the query does without over what was brought.
    pub(crate) omitted: Arc<[Range<usize>]>,
}

impl Exchange {
    /// What stands before the query, and the rest.
    #[must_use]
    pub fn split<'a>(&self, sql: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        sql.split_at(self.part.as_ref().map_or(0, |part| part.start).min(sql.len()))
    }

    /// The query alone, at its place in the text.
    #[must_use]
    pub fn alone<'a>(&self, sql: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(part) = &self.part else { return Cow::Borrowed(sql) };
        let query = sql.get(part.clone()).unwrap_or_default();
        let characters_before = position(sql, part.start) - 1;
        let blanks = (0..characters_before).map(|_| b' ');
        Cow::Owned(blanks.chain(query.iter().copied()).collect())
    }
}

/// What a query reads besides what is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Nothing,
    /// Reference tables, of which every node has a copy.
    Copies,
    /// What is on the home node only, such as a home table, and perhaps reference tables.
    Home,
}

/// A table whose rows are brought together.
#[derive(Clone, Debug)]
pub struct Brought {
    /// Whether it needs the primary key of the table: grouped by that, rows are single.
    pub keyed: bool,
    /// Whether the table's indexes would help: rows may be looked up again and again.
    pub indexed: bool,
    pub table: TableId,
    /// The columns that the query may speak of, in the table's order.
    pub columns: Vec<usize>,
    mentions: Vec<Mention>,
    /// What each mention needs of it.
    needs: Vec<Need>,
    pub(crate) reduction: Option<Reduction>,
    /// Without a reduction, which rows.
    pub(crate) filter: Filter,
    pub narrowings: Vec<Narrowing>,
    /// As of the whole query.
    omitted: Arc<[Range<usize>]>,
}

/// Only rows count that have in a column what another table has in one of those of its rows that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrowing {
    pub column: usize,
    pub other: TableId,
    pub others: usize,
}

/// A place where the query reads the table.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    /// The tokens of its name, or of `TABLE name`.
    pub(crate) tokens: Range<usize>,
    /// The byte at which its name starts, in the text that was understood.
    pub(crate) at: u32,
    pub(crate) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Another name follows.
    Aliased,
    /// The columns are named by the table's own name.
    Plain,
    /// The command TABLE.
    Command,
}

/// How less is brought than all rows, of the table that a query of one table reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reduction {
    /// The table as the query calls it.
    pub(crate) name: Box<str>,
    /// The tokens of a condition that every row needed satisfies, and that any node can tell.
    pub(crate) filter: Option<Range<usize>>,
    pub(crate) rows: Rows,
    /// FOR UPDATE and the like, which is for where the rows lie.
    pub(crate) locks: Vec<Range<usize>>,
}

/// Which of the rows that satisfy the condition.
#[derive(Clone, Debug, Default)]
pub(crate) enum Rows {
    #[default]
    All,
    /// The first ones in an order, as many as the whole query can need.
    First(First),
    /// One for each group: what the query computes of the group's rows is computed of parts.
    Groups(Groups),
}

/// Tokens of ORDER BY, LIMIT and OFFSET, their words left out.
#[derive(Clone, Debug)]
pub(crate) struct First {
    pub(crate) order: Option<Range<usize>>,
    pub(crate) limit: usize,
    pub(crate) offset: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Groups {
    /// Columns of the table.
    pub(crate) columns: Vec<usize>,
    pub(crate) aggregates: Vec<Aggregate>,
    /// WHERE and GROUP BY, which have been done when the parts are put together.
    pub(crate) done: Vec<Range<usize>>,
    /// The word HAVING, which is a condition on rows then.
    pub(crate) having: Option<usize>,
}

/// One call of an aggregate function.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) tokens: Range<usize>,
    /// What is between its parentheses.
    pub(crate) argument: Range<usize>,
    pub(crate) function: Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Min,
    Max,
    /// Of smallint or integer, which is a bigint.
    SumOfIntegers,
    /// Of bigint or numeric, which is a numeric.
    Sum,
    Avg,
}

/// What a node is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// A query; its parameters are `$1` and so on.
    pub text: Vec<u8>,
    /// Which of the statement's parameters those are, counted from 0.
    pub parameters: Vec<u16>,
}

impl Brought {
    pub(crate) fn new(
        table: TableId,
        columns: Vec<usize>,
        omitted: Arc<[Range<usize>]>,
    ) -> Brought {
        Brought {
            table,
            columns,
            mentions: Vec::new(),
            needs: Vec::new(),
            reduction: None,
            filter: Filter::default(),
            narrowings: Vec::new(),
            omitted,
            keyed: false,
            indexed: false,
        }
    }

    /// Whether the nodes are told to lock its rows.
    pub(crate) fn locks(&self) -> bool {
        self.reduction.as_ref().is_some_and(|reduction| !reduction.locks.is_empty())
    }

    pub(crate) fn is_grouped(&self) -> bool {
        matches!(&self.reduction, Some(Reduction { rows: Rows::Groups(_), .. }))
    }

    pub(crate) fn mention(&mut self, mention: Mention) {
        if self.mentions.iter().all(|known| known.tokens != mention.tokens) {
            self.mentions.push(mention);
        }
    }

    pub(crate) fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    pub(crate) fn need(&mut self, need: Need) {
        self.needs.push(need);
    }

    /// The nodes that have rows which count.
    #[must_use]
    pub fn nodes(&self, catalog: &Catalog, values: &Values<'_>) -> Vec<NodeId> {
        let all = || catalog.table(self.table).map_or_else(Vec::new, |it| catalog.nodes_of(it));
        let found: Result<Vec<Nodes>, _> =
            self.needs.iter().map(|need| need.nodes(catalog, values)).collect();
        let Some(found) = found.ok().filter(|found| !found.is_empty()) else { return all() };
        let mut nodes: Vec<NodeId> =
            found.iter().flat_map(|nodes| nodes.as_slice().iter().copied()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

#[cfg(test)]
mod tests;
