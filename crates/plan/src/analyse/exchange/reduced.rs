//! How less can be brought of the table that a query of one table reads.
//!
//! A condition can be asked where the rows lie; of a query that only sorts and cuts off, the first
//! rows of every node are enough; and what is counted or added up can be so on every node first.

use std::ops::Range;

use super::words::{Clauses, Words};
use super::{Analysis, Reading};
use crate::exchange::{First, Reduction, Rows};
use crate::lex::Kind;
use crate::statement::{Body, Distinct, Expr, From, Grouping, Ident, Output, Query, Select};

/// Words that may follow a column in ORDER BY.
const DIRECTIONS: &[&str] = &["asc", "desc", "first", "last", "nulls"];

impl Analysis<'_> {
    pub(super) fn reduction(
        &self,
        query: &Query,
        reading: &Reading,
        words: &Words<'_>,
    ) -> Option<Reduction> {
        let Query { ctes, body: Body::Select(select), .. } = query else { return None };
        let [From::Table(table)] = select.from.as_slice() else { return None };
        let is_read = table.name.first().is_some_and(|part| part.at == reading.at);
        if !is_read || !ctes.is_empty() || !table.sample.is_empty() || reading.renames_columns {
            return None;
        }
        let clauses = words.clauses()?;
        let filter = clauses.filter.clone().map(|filter| filter.start + 1..filter.end);
        let is_steady = |tokens: &Range<usize>| {
            select.filter.as_ref().is_some_and(|expr| self.is_steady(expr))
                && !words.name_the_moment(tokens.clone())
        };
        let asked = filter.clone().filter(is_steady);
        let name = reading.visible_name.clone();
        if asked.is_some() != filter.is_some() {
            return None;
        }
        let groups = self.groups(query, select, reading, words, &clauses).map(Rows::Groups);
        let first = || self.first(query, select, reading, words, &clauses).map(Rows::First);
        let rows = groups.or_else(first).unwrap_or_default();
        let Clauses { limit, offset, locks, others, .. } = clauses;
        let is_cut = others || limit.is_some() || offset.is_some();
        if !locks.is_empty() && is_cut && !matches!(rows, Rows::First(_)) {
            return None;
        }
        Some(Reduction { name, filter: asked, rows, locks })
    }

    /// A query that gives its rows as they are, the first ones of an order of columns.
    fn first(
        &self,
        query: &Query,
        select: &Select,
        reading: &Reading,
        words: &Words<'_>,
        clauses: &Clauses,
    ) -> Option<First> {
        let is_plain = matches!(select.distinct, Distinct::No)
            && matches!(select.grouping, Grouping::None)
            && select.having.is_none()
            && select.windows.is_empty()
            && !clauses.others
            && query.tail.iter().all(|expr| self.is_steady(expr));
        if !is_plain || !select.output.iter().all(|item| self.is_row_of(item, reading)) {
            return None;
        }
        let order = clauses.order.clone().map(|order| order.start + 2..order.end);
        if let Some(order) = &order {
            let mut keys = words.tokens.get(order.clone())?.split(|it| it.kind == Kind::Comma);
            let is_column = |key: &[_]| words.is_sorted_column(key, &reading.table);
            if !keys.all(is_column) {
                return None;
            }
        }
        let limit = words.only_count(clauses.limit.clone()?)?;
        let offset = match clauses.offset.clone() {
            Some(offset) => Some(words.only_count(offset)?),
            None => None,
        };
        Some(First { order, limit, offset })
    }

    /// Whether an item of the select list makes one row of one row, and gives no name of a column to
    /// anything else.
    fn is_row_of(&self, item: &Output, reading: &Reading) -> bool {
        match item {
            Output::All | Output::AllOf(_) => true,
            Output::Fields(_) => false,
            Output::Expr { expr: Expr::Column(path), alias: None } => path.last().is_some(),
            Output::Expr { expr, alias: Some(alias) } => {
                self.is_steady(expr) && reading.table.column(&alias.text).is_none()
            }
            Output::Expr { alias: None, .. } => false,
        }
    }
}

impl Words<'_> {
    /// `[table.]column [ASC | DESC] [NULLS FIRST | NULLS LAST]`
    fn is_sorted_column(&self, key: &[crate::lex::Token], table: &herd_catalog::Table) -> bool {
        let (column, rest) = match key {
            [_, first, _, second, column, rest @ ..]
                if first.kind == Kind::Dot && second.kind == Kind::Dot =>
            {
                (column, rest)
            }
            [_, dot, column, rest @ ..] if dot.kind == Kind::Dot => (column, rest),
            [column, rest @ ..] => (column, rest),
            [] => return false,
        };
        let is_direction =
            |token: &crate::lex::Token| DIRECTIONS.iter().any(|word| token.is_word(self.sql, word));
        column.identifier(self.sql).is_some_and(|name| table.column(&name).is_some())
            && rest.iter().all(is_direction)
    }

    /// The one constant or parameter of LIMIT or OFFSET.
    pub(in crate::analyse) fn only_count(&self, clause: Range<usize>) -> Option<usize> {
        let count = clause.start + 1;
        let is_rest = (count + 1..clause.end).all(|at| self.is_word(Some(at), &["row", "rows"]));
        let is_count =
            self.is_kind(Some(count), Kind::Integer) || self.is_kind(Some(count), Kind::Parameter);
        (count < clause.end && is_rest && is_count).then_some(count)
    }
}

/// The last part of a column's name.
pub(super) fn column_name(path: &[Ident]) -> &str {
    path.last().map_or("", |ident| &ident.text)
}
