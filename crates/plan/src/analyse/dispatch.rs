//! Whether several nodes can carry out a write together, each its own part of it.
//!
//! | write | of | what each node does | if |
//! |---|---|---|---|
//! | UPDATE, DELETE, MERGE without INSERT | a fragmented table | the same, to the rows that it has | everything else that it reads is on every node, and no row changes its key |
//! | INSERT … VALUES | a fragmented table | stores the rows whose keys belong there | the keys are constants |
//! | any | a reference table | the same, to its copy | all nodes come to the same result |
//!
//! What is computed once for the whole statement, as a subquery may be, must come out the same on every
//! node. What is said of the moment, one node is asked for.

use std::ops::Range;
use std::sync::Arc;

use herd_catalog::Table;

use super::Analysis;
use super::exchange::Words;
use crate::dispatch::{Dispatch, MOMENTS, Moment, RowTokens, Share};
use crate::lex::{Kind, Token};
use crate::route::Need;
use crate::statement::{
    Body, Expr, Ident, Insert, InsertSource, Merge, MergeAction, Output, Query,
};

impl Analysis<'_> {
    /// Who does what of `query`, whose needs are all in `needs`.
    pub(super) fn dispatch(
        &self,
        query: &Query,
        tokens: &[Token],
        needs: &[Need],
    ) -> Option<Arc<Dispatch>> {
        let words = Words { sql: self.sql, tokens };
        let [need] = needs else { return None };
        let is_plain = query.ctes.is_empty() && query.tail.is_empty() && query.locks.is_empty();
        if !is_plain || !self.readings.is_empty() || words.name_system_columns() {
            return None;
        }
        let share = match (need, &query.body) {
            (Need::Herd(_), body) => self.share_of_copies(body)?,
            (Need::Keys(keys), Body::Insert(insert)) if keys.stored => {
                let rows = rows_of(insert)?;
                let rows = words.rows_of_values(rows)?;
                Share::RowsByKey { rows, keys: keys.clone() }
            }
            (Need::Keys(_) | Need::Whole(_), body) if changes_only_rows(body) => {
                Share::OwnRows(need.clone())
            }
            _ => return None,
        };
        if self.is_shared_by_rows(&query.body) && self.manner.calls_unsteady {
            return None;
        }
        if self.manner.picks_rows {
            return None;
        }
        let moments = words.moments();
        if !moments.is_empty() && !self.operators_are_builtin {
            return None;
        }
        let parameters = self.parameters.keys().map(|&index| usize::from(index) + 1).max();
        Some(Arc::new(Dispatch {
            parameters: parameters.unwrap_or_default(),
            returns: !returning(&query.body).is_empty(),
            share,
            moments,
        }))
    }

    /// Whether something may be computed once for several rows.
    fn is_shared_by_rows(&self, body: &Body) -> bool {
        let joins = match body {
            Body::Update(update) => !update.from.is_empty(),
            Body::Delete(delete) => !delete.using.is_empty(),
            Body::Merge(_) => true,
            _ => false,
        };
        joins || self.manner.has_subqueries || self.changed_reference.is_some()
    }

    fn share_of_copies(&self, body: &Body) -> Option<Share> {
        let table = self.changed_reference.as_deref()?;
        let is_told = match body {
            Body::Insert(insert) => gives_all(insert, table),
            Body::Merge(merge) => merge.clauses.iter().all(|clause| match &clause.action {
                MergeAction::Insert { columns, values } => {
                    are_given(columns, table) && !values.iter().any(is_default)
                }
                _ => true,
            }),
            _ => true,
        };
        is_told.then_some(Share::Copy)
    }
}

/// Whether the statement changes and removes rows, but makes none.
fn changes_only_rows(body: &Body) -> bool {
    match body {
        Body::Update(_) | Body::Delete(_) => true,
        Body::Merge(merge) => !inserts(merge),
        _ => false,
    }
}

fn inserts(merge: &Merge) -> bool {
    merge.clauses.iter().any(|clause| matches!(clause.action, MergeAction::Insert { .. }))
}

fn returning(body: &Body) -> &[Output] {
    match body {
        Body::Insert(insert) => &insert.returning,
        Body::Update(update) => &update.returning,
        Body::Delete(delete) => &delete.returning,
        Body::Merge(merge) => &merge.returning,
        _ => &[],
    }
}

fn rows_of(insert: &Insert) -> Option<usize> {
    match &insert.source {
        InsertSource::Query(Query { ctes, body: Body::Values(rows), tail, .. })
            if ctes.is_empty() && tail.is_empty() =>
        {
            Some(rows.len())
        }
        _ => None,
    }
}

/// Whether no column is left to what every node would give it by itself.
fn gives_all(insert: &Insert, table: &Table) -> bool {
    let given = match &insert.source {
        InsertSource::DefaultValues => return !table.columns.iter().any(is_filled),
        InsertSource::Query(Query { body: Body::Values(rows), .. }) => {
            // VALUES may be shorter than the table.
            let width = rows.first().map_or(0, Vec::len);
            let last = table.columns.iter().rposition(is_filled).map_or(0, |last| last + 1);
            !rows.iter().flatten().any(is_default) && (!insert.columns.is_empty() || width >= last)
        }
        InsertSource::Query(_) => {
            !insert.columns.is_empty() || !table.columns.iter().any(is_filled)
        }
    };
    given && are_given(&insert.columns, table)
}

fn are_given(columns: &[Ident], table: &Table) -> bool {
    let is_given = |name: &str| columns.iter().any(|column| *column.text == *name);
    columns.is_empty()
        || table.columns.iter().filter(|it| is_filled(it)).all(|it| is_given(&it.name))
}

fn is_filled(column: &herd_catalog::Column) -> bool {
    column.has_default && !column.generated
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Default)
}

impl Words<'_> {
    /// The rows of the VALUES that is not within parentheses, if there are as many.
    fn rows_of_values(&self, count: usize) -> Option<RowTokens> {
        let mut depth = 0_usize;
        let mut start = None;
        let mut rows = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::LeftParen => {
                    if depth == 0 && (start == Some(at) || is_next_row(&rows, at)) {
                        rows.push(at..at);
                    }
                    depth += 1;
                }
                Kind::RightParen => {
                    depth = depth.checked_sub(1)?;
                    if let Some(row) = rows.last_mut()
                        && depth == 0
                        && row.start == row.end
                    {
                        row.end = at + 1;
                    }
                }
                Kind::Word
                    if depth == 0 && start.is_none() && token.is_word(self.sql, "values") =>
                {
                    start = Some(at + 1);
                }
                _ => {}
            }
        }
        let are_apart = rows.windows(2).all(|pair| {
            pair[0].end + 1 == pair[1].start && self.is_kind(Some(pair[0].end), Kind::Comma)
        });
        (rows.len() == count && are_apart).then_some(RowTokens(rows))
    }

    /// What the text says of the moment.
    fn moments(&self) -> Vec<Moment> {
        (0..self.tokens.len()).filter_map(|at| self.moment(at)).collect()
    }

    fn moment(&self, at: usize) -> Option<Moment> {
        let before = at.checked_sub(1);
        if self.is_word(before, &["as"]) {
            return None;
        }
        let kind = MOMENTS.iter().find(|kind| self.is_word(Some(at), &[kind.word]))?;
        let opens = self.is_kind(Some(at + 1), Kind::LeftParen);
        let mut tokens: Range<usize> = at..at + 1;
        if kind.is_call {
            if !opens || !self.is_kind(Some(at + 2), Kind::RightParen) {
                return None;
            }
            tokens.end = at + 3;
        } else if opens {
            tokens.end = at + 4;
        }
        if self.is_kind(before, Kind::Dot) {
            tokens.start = at.checked_sub(2).filter(|_| kind.is_call)?;
        }
        Some(Moment { tokens, kind })
    }
}

/// Right after the comma after the last row.
fn is_next_row(rows: &[Range<usize>], at: usize) -> bool {
    rows.last().is_some_and(|row| row.start != row.end && row.end + 1 == at)
}
