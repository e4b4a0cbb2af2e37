//! Where the rows are that a statement needs, and whether one node has them all.
//!
//! # The question
//!
//! On every node, each fragmented table is a parent with some of its fragments attached. A
//! statement that is sent to a node as it is sees of each table the fragments there. Its answer
//! is the right one if, for every occurrence of a table in it, the rows that are elsewhere make
//! no difference. So for every occurrence the analysis looks for keys outside of which rows make
//! no difference, and calls what it finds a *need*: "the rows of `orders` with key 42". If the
//! fragments that hold all the needs of a statement lie on one node, the statement goes there
//! verbatim. Which fragments those are depends on values, and is asked anew for each statement
//! ([`crate::route`]); the needs themselves do not, and are shared by all statements that differ
//! in their literals only.
//!
//! # Placement
//!
//! Every part of a statement has one of these placements, from the leaves up:
//!
//! | placement | of | as needs |
//! |---|---|---|
//! | Everywhere | constants, reference tables, functions | none |
//! | Single | home tables, home's sequences and locks | [`Need::Home`] |
//! | Single | a fragmented table whose key is bound to values | [`Need::Keys`] |
//! | Single | a fragment named directly | [`Need::Fragment`] |
//! | Single, if all its fragments are on one node | any other fragmented table | [`Need::Whole`] |
//! | none | what changes every copy, or cannot be seen through | [`Need::Herd`] |
//!
//! A part made of parts (a join, a set operation, a subquery in an expression, a CTE, a
//! data-modifying statement over a query) is Single with the needs of all its parts together:
//! whatever the operator does, it does on the one node as one PostgreSQL would, because each of
//! its inputs is whole there as far as it counts. So no operator is refused that has only Single
//! and Everywhere inputs, and none is allowed that has any other.
//!
//! # Which rows count
//!
//! That a row of an occurrence does not count follows from *facts*: conditions that are strict,
//! and true of every row that survives.
//!
//! | where | facts | for which tables |
//! |---|---|---|
//! | WHERE | the top-level conjuncts | all that no outer join fills with NULLs |
//! | ON, USING, NATURAL of an inner join | the conjuncts | as WHERE |
//! | ON of LEFT, RIGHT | the conjuncts, and all facts of the preserved side | the nullable side only |
//! | ON of FULL | none | |
//! | WHERE over an outer join | a strict conjunct on the nullable side makes the join an inner one | |
//! | a subquery or CTE in FROM | its own; those of its output column hold outside | both |
//! | outside of a subquery | hold for its output column inside, if no LIMIT, DISTINCT ON, grouping, window or lock stands between | the inside |
//! | UNION | a value of a column is one of those of the arms, if all arms have one | outside |
//! | UNION, INTERSECT, EXCEPT | what is true of the result's column, in all arms | the inside |
//! | `x IN (subquery)`, `= ANY (subquery)` | as a join with the subquery, if a top-level conjunct | both |
//! | a correlated subquery, LATERAL | the facts around it | the inside |
//! | recursive CTE | a column that the recursive term hands on unchanged keeps the facts of the first term | both |
//! | data-modifying CTE | of the columns that it returns unchanged | outside |
//!
//! A fact is one of: a column equals a constant, one of several (`IN`, `= ANY`, OR over the same
//! columns), or another column; a row of columns equals one of several rows of constants; a
//! column is at least or at most a constant. Equality goes on from column to column, but only
//! between types whose equal values are the same key, and for texts only between key columns,
//! whose collations are known to be deterministic. Whatever else is written (an expression around
//! the key, another collation, an operator with a schema, NOT, OR with anything else) states no
//! fact: it bounds nothing, and is harmless.
//!
//! # Writes
//!
//! INSERT needs the fragments of the keys that it stores, and what its query needs; UPDATE,
//! DELETE and MERGE need the rows that they may change, and the fragments where a changed key
//! belongs. A write to a reference table is [`Need::Herd`]: it would have to change every copy.

mod assigned;
mod call;
mod conditions;
mod constant;
mod cte;
mod dispatch;
mod exchange;
mod facts;
mod from;
mod graph;
mod insert;
mod joins;
mod limits;
mod merge;
mod needs;
mod outputs;
mod query;
mod scatter;
mod scope;
mod select;
mod statement;
mod unfragmented;
mod update;
mod walk;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use herd_catalog::{KeyType, Table};
use herd_types::ClientError;

use crate::lex::{Kind, Token};
use crate::route::{Beyond, Need};
use crate::{Context, Plan, Slots};
use graph::{Graph, RelationId};

/// The plan of a query or data-modifying statement. `slots` are its literals.
///
/// # Errors
/// When it names a table of the herd and cannot be read.
pub(crate) fn understand(
    sql: &[u8],
    tokens: &[Token],
    slots: &Slots,
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    statement::understand(sql, tokens, slots, context)
}

/// One statement under analysis.
struct Analysis<'a> {
    sql: &'a [u8],
    slots: &'a Slots,
    context: &'a Context<'a>,
    graph: Graph,
    /// Fragmented tables, each time one is read or changed.
    occurrences: Vec<Occurrence>,
    /// Keys that are stored.
    assigned: Vec<assigned::Assigned>,
    needs: Vec<Need>,
    /// Those that speak of one relation only.
    conditions: Vec<conditions::Condition>,
    /// Where fragmented tables are read; a place that was looked at twice is there twice.
    readings: Vec<exchange::Reading>,
    manner: exchange::Manner,
    /// A reference table that the statement itself changes.
    changed_reference: Option<Arc<Table>>,
    /// Conditions on a key that state no fact, by the occurrence they are about.
    notes: HashMap<RelationId, &'static str>,
    /// How often each parameter is written.
    parameters: HashMap<u16, usize>,
    /// Where a parameter stands beside something that tells its type.
    typed_uses: HashMap<u16, HashMap<u32, TypedUse>>,
    /// Whether `=` is surely PostgreSQL's own.
    operators_are_builtin: bool,
    steps: usize,
}

/// An occurrence of a fragmented table.
struct Occurrence {
    relation: RelationId,
    table: Arc<Table>,
    /// As the statement calls it.
    name: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TypedUse {
    key_type: KeyType,
    is_array: bool,
}

/// How much there was, so that what was added since can be taken back.
#[derive(Clone, Copy)]
struct Mark {
    graph: graph::Mark,
    occurrences: usize,
    assigned: usize,
    needs: usize,
}

impl<'a> Analysis<'a> {
    fn new(
        sql: &'a [u8],
        tokens: &[Token],
        slots: &'a Slots,
        context: &'a Context<'a>,
    ) -> Analysis<'a> {
        let mut parameters = HashMap::new();
        for &token in tokens.iter().filter(|token| token.kind == Kind::Parameter) {
            if let Some(index) = crate::parse::parameter_index(sql, token) {
                *parameters.entry(index).or_default() += 1;
            }
        }
        Analysis {
            sql,
            slots,
            context,
            graph: Graph::default(),
            occurrences: Vec::new(),
            assigned: Vec::new(),
            needs: Vec::new(),
            conditions: Vec::new(),
            readings: Vec::new(),
            manner: exchange::Manner::default(),
            changed_reference: None,
            notes: HashMap::new(),
            parameters,
            typed_uses: HashMap::new(),
            operators_are_builtin: operators_are_builtin(context),
            steps: 0,
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            graph: self.graph.mark(),
            occurrences: self.occurrences.len(),
            assigned: self.assigned.len(),
            needs: self.needs.len(),
        }
    }

    fn rewind(&mut self, mark: Mark) {
        self.graph.rewind(mark.graph);
        self.occurrences.truncate(mark.occurrences);
        self.assigned.truncate(mark.assigned);
        self.needs.truncate(mark.needs);
    }

    /// Whether there is work left to spend; without, the statement is beyond Herd.
    fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps == limits::STEPS_MAX {
            self.beyond("this statement is too complex for Herd", "It has too many subqueries.");
        }
        self.steps < limits::STEPS_MAX
    }

    fn home(&mut self, what: impl Into<Cow<'static, str>>) {
        self.needs.push(Need::Home(what.into()));
    }

    fn beyond(
        &mut self,
        message: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) {
        let (message, detail) = (message.into(), detail.into());
        self.needs.push(Need::Herd(Beyond { message, detail, hint: None }));
    }
}

/// pg_catalog comes first unless search_path says otherwise: then `=` may be anyone's.
fn operators_are_builtin(context: &Context<'_>) -> bool {
    match context.search_path.schemas().position(|schema| schema == "pg_catalog") {
        None | Some(0) => true,
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
