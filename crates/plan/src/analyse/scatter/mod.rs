//! Whether the result of a query is what the nodes give, each over its own rows: put one behind the
//! other, merged in an order that can be told outside of a server, and cut off.
//!
//! Each row of the result is then one row of the table, and nothing in it is computed of anything else:
//! no aggregate, window, DISTINCT or subquery, and no function that may give something else elsewhere.

mod keys;
mod types;

use std::ops::Range;

use super::call::{Nature, nature_of};
use super::exchange::Reading;
use super::exchange::words::{Clauses, Words};
use super::{Analysis, walk};
use crate::lex::Kind;
use crate::scatter::{Count, Order, Scatter};
use crate::statement::{Body, Call, Distinct, Expr, From, Grouping, Output, Query, Select};

/// A query of one table under inspection.
struct Inspection<'a> {
    reading: &'a Reading,
    words: &'a Words<'a>,
    select: &'a Select,
    /// The tokens of each item of the select list.
    items: Vec<Range<usize>>,
}

impl Analysis<'_> {
    pub(super) fn scatter(
        &self,
        query: &Query,
        words: &Words<'_>,
        parameters: usize,
    ) -> Option<Scatter> {
        let [reading] = self.readings.as_slice() else { return None };
        let Query { ctes, body: Body::Select(select), .. } = query else { return None };
        let [From::Table(table)] = select.from.as_slice() else { return None };
        let clauses = words.clauses()?;
        let is_plain = ctes.is_empty()
            && table.sample.is_empty()
            && !reading.renames_columns
            && matches!(select.distinct, Distinct::No)
            && matches!(select.grouping, Grouping::None)
            && select.having.is_none()
            && select.windows.is_empty()
            && !clauses.others
            && clauses.locks.is_empty()
            && self.operators_are_builtin
            && !words.name_the_moment(0..words.tokens.len());
        if !is_plain || !select.filter.iter().chain(&query.tail).all(is_local) {
            return None;
        }
        let list = select_list(words)?;
        let items = words.parts(list..from_of(words, reading)?);
        let inspection = Inspection { reading, words, select, items };
        let columns = inspection.columns()?;
        let order = match &clauses.order {
            Some(order) => Some(inspection.order(order.start + 2..order.end, query)?),
            None => None,
        };
        let (limit, offset) = counts(query, words, &clauses, order.as_ref())?;
        let is_binary_portable = inspection.is_binary_portable();
        Some(Scatter { columns, is_binary_portable, list, order, limit, offset, parameters })
    }
}

impl Inspection<'_> {
    /// How many columns the result has, if each row of it is one of the table.
    fn columns(&self) -> Option<usize> {
        if self.items.len() != self.select.output.len() {
            return None;
        }
        let own = self.reading.table.columns.len();
        let columns = self.select.output.iter().map(|item| match item {
            Output::All => Some(own),
            Output::AllOf(path) => match &**path {
                [table] if table.text == self.reading.visible_name => Some(own),
                _ => None,
            },
            Output::Fields(_) => None,
            Output::Expr { expr, .. } => is_local(expr).then_some(1),
        });
        columns.sum()
    }

    /// Whether no value has in it the number of something that users made.
    fn is_binary_portable(&self) -> bool {
        let columns = &self.reading.table.columns;
        let exprs = self.select.output.iter().filter_map(|item| match item {
            Output::Expr { expr, .. } => Some(expr),
            _ => None,
        });
        columns.iter().all(|column| types::is_own(&column.type_name))
            && exprs.into_iter().all(casts_to_own_types)
    }
}

/// Whether a node can tell its value from one row as any other node could.
fn is_local(expr: &Expr) -> bool {
    let is_so = match expr {
        Expr::Subquery(_) | Expr::InQuery(..) => false,
        Expr::Call(call) => is_steady(call),
        // What a name stands for has a number of its own on each node.
        Expr::Cast(_, to) => !to.name.starts_with("reg"),
        _ => true,
    };
    is_so && all_operands(expr, is_local)
}

fn is_steady(call: &Call) -> bool {
    matches!(nature_of(call), Some(Nature::Total | Nature::Steady))
}

fn casts_to_own_types(expr: &Expr) -> bool {
    let is_so = match expr {
        Expr::Cast(_, to) => types::is_own(&to.name),
        _ => true,
    };
    is_so && all_operands(expr, casts_to_own_types)
}

fn all_operands(expr: &Expr, is_so: fn(&Expr) -> bool) -> bool {
    let mut all = true;
    walk::operands(expr, &mut |operand| all &= is_so(operand));
    all
}

/// The token with which the select list begins.
fn select_list(words: &Words<'_>) -> Option<usize> {
    let begins = words.is_word(Some(0), &["select"]);
    begins.then(|| if words.is_word(Some(1), &["all"]) { 2 } else { 1 })
}

/// The token FROM in front of the table.
fn from_of(words: &Words<'_>, reading: &Reading) -> Option<usize> {
    let table = words.tokens.binary_search_by_key(&reading.at, |token| token.start).ok()?;
    let from = table.checked_sub(1)?;
    words.is_word(Some(from), &["from"]).then_some(from)
}

/// LIMIT and OFFSET, which are all that the query has besides its order.
fn counts(
    query: &Query,
    words: &Words<'_>,
    clauses: &Clauses,
    order: Option<&Order>,
) -> Option<(Option<Count>, Option<Count>)> {
    let count = |clause: &Option<Range<usize>>| match clause {
        Some(clause) => {
            let count = words.only_count(clause.clone())?;
            Some(Some(Count { clause: clause.clone(), count }))
        }
        None => Some(None),
    };
    let (limit, offset) = (count(&clauses.limit)?, count(&clauses.offset)?);
    let keys = order.map_or(0, |order| order.keys.len());
    let counts = usize::from(limit.is_some()) + usize::from(offset.is_some());
    (query.tail.len() == keys + counts).then_some((limit, offset))
}

impl Words<'_> {
    /// What commas divide, those within parentheses left out.
    fn parts(&self, tokens: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut depth) = (tokens.start, 0_usize);
        for at in tokens.clone() {
            match self.tokens[at].kind {
                Kind::LeftParen | Kind::LeftBracket => depth += 1,
                Kind::RightParen | Kind::RightBracket => depth = depth.saturating_sub(1),
                Kind::Comma if depth == 0 => {
                    parts.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(start..tokens.end);
        parts
    }
}
