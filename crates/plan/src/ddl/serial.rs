//! Numbers that are unique over all nodes: serial and identity columns of fragmented tables.
//!
//! Every node has a sequence of its own. They count in steps of the same length, the stride, each
//! from another start, so that no number comes twice and numbers stay small. The stride is the
//! number of nodes, rounded up to a power of two; a node that would not fit into it may take
//! fragments only after the sequences have been given a longer one.

use std::collections::BTreeMap;

use herd_catalog::{Catalog, NodeRole, NodeStatus};
use herd_types::{ClientError, NodeId};

use super::columns::{Column, Identity};
use super::splice::Splice;
use crate::cursor::Cursor;
use crate::lex::Token;

/// How sequences of fragmented tables count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stride {
    step: i64,
    offsets: BTreeMap<NodeId, i64>,
}

impl Stride {
    pub fn of(catalog: &Catalog) -> Stride {
        let counts = catalog
            .nodes()
            .filter(|node| node.role == NodeRole::Primary && node.status != NodeStatus::Removed);
        let ids = counts.map(|node| node.id.0).collect::<Vec<_>>();
        let first = ids.iter().copied().min().unwrap_or(0);
        let last = ids.iter().copied().max().unwrap_or(0);
        let step = (u32::from(last - first) + 1).next_power_of_two();
        let offset = |id: u16| i64::from(u32::from(id) % step);
        let offsets = ids.into_iter().map(|id| (NodeId(id), offset(id))).collect();
        Stride { step: i64::from(step), offsets }
    }

    /// In how many steps of a sequence alone all nodes have had their number.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// How many steps of a sequence alone `node` is behind the first.
    pub fn offset(&self, node: NodeId) -> i64 {
        self.offsets.get(&node).copied().unwrap_or(0)
    }

    /// Increment and start of a sequence on `node` that alone would count so.
    pub fn counting(&self, node: NodeId, plain: &Counting) -> Option<(i64, i64)> {
        let step = plain.increment.checked_mul(self.step)?;
        let ahead = plain.increment.checked_mul(self.offset(node))?;
        Some((step, plain.start.checked_add(ahead)?))
    }

    /// Of which increment and start [`Stride::counting`] has made what `node` has.
    pub fn undone(&self, node: NodeId, counted: &Counting) -> Option<(i64, i64)> {
        let increment = counted.increment / self.step;
        let ahead = increment.checked_mul(self.offset(node))?;
        Some((increment, counted.start.checked_sub(ahead)?))
    }

    /// `INCREMENT BY … START WITH …` of a sequence on `node` that alone would count so.
    fn clauses(&self, node: NodeId, plain: &Counting) -> Option<String> {
        let (step, start) = self.counting(node, plain)?;
        Some(format!("INCREMENT BY {step} START WITH {start}"))
    }

    /// The options of a serial column's sequence.
    pub fn serial_clauses(&self, node: NodeId) -> String {
        self.clauses(node, &Counting { increment: 1, start: 1 }).unwrap_or_default()
    }

    /// Edits an identity column's definition for `node`.
    pub fn edit_identity(
        &self,
        splice: &mut Splice<'_>,
        sql: &[u8],
        identity: &Identity<'_>,
        node: NodeId,
    ) -> Result<(), ClientError> {
        let Some(options) = &identity.options else {
            splice.insert(identity.at, format!(" ({})", self.serial_clauses(node)));
            return Ok(());
        };
        let inner = &options.tokens[1..options.tokens.len() - 1];
        let plain = Counting::read(sql, inner, splice)?;
        let clauses = self.clauses(node, &plain).ok_or_else(refuse_numbers)?;
        splice.insert(options.span.end - 1, format!(" {clauses}"));
        Ok(())
    }
}

/// What a sequence would do if it were alone.
pub struct Counting {
    pub increment: i64,
    pub start: i64,
}

impl Counting {
    /// Reads a sequence's options, and cuts those that are written anew.
    fn read(
        sql: &[u8],
        tokens: &[Token],
        splice: &mut Splice<'_>,
    ) -> Result<Counting, ClientError> {
        let mut cursor = Cursor::new(sql, tokens);
        let (mut increment, mut start, mut min, mut max) = (1, None, None, None);
        while !cursor.is_done() {
            let from = cursor.offset();
            if cursor.word("increment") {
                cursor.word("by");
                increment = read_number(&mut cursor)?;
            } else if cursor.word("start") {
                cursor.word("with");
                start = Some(read_number(&mut cursor)?);
            } else if cursor.word("minvalue") {
                min = Some(read_number(&mut cursor)?);
                continue;
            } else if cursor.word("maxvalue") {
                max = Some(read_number(&mut cursor)?);
                continue;
            } else if cursor.word("no") {
                cursor.advance();
                continue;
            } else if cursor.sees("cycle") || cursor.sees("restart") {
                return Err(refuse_numbers());
            } else {
                cursor.advance();
                continue;
            }
            let end = cursor.peek().map_or_else(
                || tokens.last().map_or(from, |token| token.end as usize),
                |token| token.start as usize,
            );
            splice.cut(from..end);
        }
        let first = if increment > 0 { min.unwrap_or(1) } else { max.unwrap_or(-1) };
        Ok(Counting { increment, start: start.unwrap_or(first) })
    }
}

fn read_number(cursor: &mut Cursor<'_>) -> Result<i64, ClientError> {
    let negative = cursor.operator("-");
    if !negative {
        cursor.operator("+");
    }
    let token = cursor.advance().ok_or_else(refuse_numbers)?;
    let text = String::from_utf8_lossy(token.text(cursor.sql())).into_owned();
    let number: i64 = text.parse().map_err(|_| refuse_numbers())?;
    Ok(if negative { -number } else { number })
}

/// Whether the expression takes numbers from a sequence by itself.
pub fn calls_nextval(sql: &[u8], column: &Column<'_>) -> bool {
    column.default.as_ref().is_some_and(|default| names_nextval(sql, default.tokens))
}

pub fn names_nextval(sql: &[u8], tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.identifier(sql).is_some_and(|name| name == "nextval"))
}

pub fn refuse_nextval(column: &str) -> ClientError {
    ClientError::unsupported(format!(
        "the default of column \"{column}\" takes numbers from a sequence of the home node"
    ))
    .with_detail("The table lies on several nodes, and the sequence on one.")
    .with_hint("Declare the column as serial, bigserial or GENERATED … AS IDENTITY.")
}

pub fn refuse_numbers() -> ClientError {
    ClientError::unsupported("these sequence options cannot be kept on a fragmented table")
        .with_detail("On every node the sequence counts in steps, each from a start of its own.")
        .with_hint("Use START, INCREMENT, MINVALUE, MAXVALUE and CACHE, and no CYCLE.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::columns;
    use crate::ddl::tests::support::catalog_of;
    use crate::lex;

    fn identity_on(node: u16, definition: &str) -> String {
        let tokens = lex::tokens(definition.as_bytes()).unwrap();
        let column = columns::read(definition.as_bytes(), &tokens).unwrap();
        let mut splice = Splice::new(definition);
        let stride = Stride::of(&catalog_of(3));
        let identity = column.identity.unwrap();
        let sql = definition.as_bytes();
        match stride.edit_identity(&mut splice, sql, &identity, NodeId(node)) {
            Ok(()) => splice.render(0..definition.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_node_counts_from_a_start_of_its_own() {
        let plain = "id int generated always as identity";
        assert_eq!(identity_on(1, plain), format!("{plain} (INCREMENT BY 4 START WITH 2)"));
        assert_eq!(identity_on(3, plain), format!("{plain} (INCREMENT BY 4 START WITH 4)"));
    }

    #[test]
    fn declared_steps_are_kept_and_multiplied() {
        assert_eq!(
            identity_on(2, "id int generated by default as identity (start 100 increment by 5)"),
            "id int generated by default as identity ( INCREMENT BY 20 START WITH 110)"
        );
        assert_eq!(
            identity_on(1, "id int generated always as identity (increment -1 cache 5)"),
            "id int generated always as identity (cache 5 INCREMENT BY -4 START WITH -2)"
        );
    }

    #[test]
    fn a_cycle_would_hand_out_another_nodes_numbers() {
        assert!(identity_on(1, "id int generated always as identity (cycle)").contains("0A000"));
    }
}
