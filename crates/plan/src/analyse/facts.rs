//! The facts that a condition states.

use std::ops::Bound;
use std::rc::Rc;

use herd_catalog::KeyType;
use smallvec::{SmallVec, smallvec};

use super::graph::{ColumnId, Fact, Values};
use super::limits::ALTERNATIVES_MAX;
use super::query::Env;
use super::scope::Scope;
use super::{Analysis, TypedUse};
use crate::route::{KeyConstant, Rows};
use crate::statement::{Comparison, Expr, Query};

impl<'a> Analysis<'a> {
    /// The facts that a condition states in the region of `env`, and all else that stands in it.
    pub(super) fn conditions(
        &mut self,
        expr: &Expr,
        scope: &Scope<'_>,
        env: &Env<'_>,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.conjunct(expr, scope, env, &mut facts);
        facts
    }

    fn conjunct(&mut self, expr: &Expr, scope: &Scope<'_>, env: &Env<'_>, facts: &mut Vec<Fact>) {
        let before = facts.len();
        match expr {
            Expr::And(all) => {
                all.iter().for_each(|expr| self.conjunct(expr, scope, env, facts));
                return;
            }
            Expr::InQuery(left, query) => {
                self.semi_join(left, query, scope, env, facts);
                return;
            }
            _ if !self.operators_are_builtin => {}
            Expr::Compare(Comparison::Equal, pair) => {
                self.equality(&pair[0], &pair[1], scope, facts);
            }
            Expr::Compare(comparison, pair) => {
                self.inequality(*comparison, &pair[0], &pair[1], scope, facts);
            }
            Expr::Between(operands) => {
                let [expr, low, high] = &**operands;
                self.inequality(Comparison::GreaterOrEqual, expr, low, scope, facts);
                self.inequality(Comparison::LessOrEqual, expr, high, scope, facts);
            }
            Expr::In(left, list) => facts.extend(self.membership(left, list, scope)),
            Expr::EqualsAny(pair) => facts.extend(self.any_of_array(&pair[0], &pair[1], scope)),
            Expr::IsNull(inner) => facts.extend(self.null_or(inner, &Expr::Null, scope)),
            Expr::IsNotDistinct(pair) => {
                let [left, right] = &**pair;
                let fact = self.null_or(left, right, scope);
                facts.extend(fact.or_else(|| self.null_or(right, left, scope)));
            }
            Expr::Or(all) => facts.extend(self.alternatives(all, scope)),
            _ => {}
        }
        if facts.len() == before {
            self.note_unused(expr, scope);
        }
        facts.extend(self.condition(expr, scope));
        self.walk(expr, scope, env);
    }

    /// The column that an expression is, and its type.
    fn key_column(&self, expr: &Expr, scope: &Scope<'_>) -> Option<(ColumnId, KeyType)> {
        let column = self.column(expr, scope)?;
        Some((column, self.graph.key_type(column)?))
    }

    pub(super) fn column(&self, expr: &Expr, scope: &Scope<'_>) -> Option<ColumnId> {
        match expr {
            Expr::Column(path) => scope.column(&self.graph, path),
            _ => None,
        }
    }

    fn equality(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>, facts: &mut Vec<Fact>) {
        if let (Expr::Row(left), Expr::Row(right)) = (left, right) {
            if left.len() == right.len() {
                for (left, right) in left.iter().zip(right) {
                    self.equality(left, right, scope, facts);
                }
            }
            return;
        }
        if let (Some(left), Some(right)) = (self.column(left, scope), self.column(right, scope)) {
            if self.graph.comparable(left, right) {
                facts.push(Fact::Equal(left, right));
            }
            return;
        }
        for (column, constant) in [(left, right), (right, left)] {
            if let Some((column, compared)) = self.key_column(column, scope)
                && let Some(constant) = self.compared(constant, compared)
            {
                facts.push(values_of(column, Rows::One(constant), false));
                return;
            }
        }
    }

    fn inequality(
        &mut self,
        comparison: Comparison,
        left: &Expr,
        right: &Expr,
        scope: &Scope<'_>,
        facts: &mut Vec<Fact>,
    ) {
        for (comparison, column, constant) in
            [(comparison, left, right), (comparison.reversed(), right, left)]
        {
            let Some((column, compared)) = self.key_column(column, scope) else { continue };
            let Some(constant) = self.compared(constant, compared) else { continue };
            facts.push(match comparison {
                Comparison::Less => Fact::High(column, Bound::Excluded(constant)),
                Comparison::LessOrEqual => Fact::High(column, Bound::Included(constant)),
                Comparison::Greater => Fact::Low(column, Bound::Excluded(constant)),
                Comparison::GreaterOrEqual => Fact::Low(column, Bound::Included(constant)),
                Comparison::Equal => return,
            });
            return;
        }
    }

    fn membership(&mut self, left: &Expr, list: &[Expr], scope: &Scope<'_>) -> Option<Fact> {
        if let Expr::Row(columns) = left {
            return self.row_membership(columns, list, scope);
        }
        let (column, compared) = self.key_column(left, scope)?;
        let rows = self.listed(list, compared)?;
        Some(values_of(column, rows, false))
    }

    /// `(a, b) IN ((1, 2), (3, 4))`: each pair of operands is compared for itself.
    fn row_membership(
        &mut self,
        columns: &[Expr],
        list: &[Expr],
        scope: &Scope<'_>,
    ) -> Option<Fact> {
        let columns: SmallVec<[Option<(ColumnId, KeyType)>; 2]> =
            columns.iter().map(|column| self.key_column(column, scope)).collect();
        let mut rows = Vec::with_capacity(list.len());
        for item in list {
            let Expr::Row(values) = item else { return None };
            if values.len() != columns.len() {
                return None;
            }
            let mut row = Vec::with_capacity(columns.len());
            for (value, column) in values.iter().zip(&columns) {
                if let Some((_, compared)) = column {
                    row.push(self.compared(value, *compared)?);
                }
            }
            rows.push(row.into_boxed_slice());
        }
        let columns: SmallVec<_> = columns.iter().flatten().map(|(column, _)| *column).collect();
        let rows = Rc::new(Rows::Many(rows.into()));
        (!columns.is_empty()).then_some(Fact::In(Values { columns, rows, null_matches: false }))
    }

    fn any_of_array(&mut self, left: &Expr, array: &Expr, scope: &Scope<'_>) -> Option<Fact> {
        let (column, compared) = self.key_column(left, scope)?;
        let rows = self.array(array, compared)?;
        Some(values_of(column, rows, false))
    }

    /// IS NULL, and IS NOT DISTINCT FROM a constant that may be NULL.
    fn null_or(&mut self, column: &Expr, constant: &Expr, scope: &Scope<'_>) -> Option<Fact> {
        let (column, compared) = self.key_column(column, scope)?;
        let constant = self.compared(constant, compared)?;
        let constant = KeyConstant { null_matches: true, ..constant };
        Some(values_of(column, Rows::One(constant), true))
    }

    /// `x IN (subquery)` as a join with it: of a row that satisfies it, a row of the subquery is
    /// equal to x.
    fn semi_join(
        &mut self,
        left: &Expr,
        query: &Query,
        scope: &Scope<'_>,
        env: &Env<'_>,
        facts: &mut Vec<Fact>,
    ) {
        self.walk(left, scope, env);
        let inside = self.graph.add_region(Some(env.region));
        let outputs = self.query(query, &env.for_subquery(scope, inside));
        if !self.operators_are_builtin {
            return;
        }
        let placed = outputs.placed;
        let relation = self.derive(outputs, inside);
        let lefts = match left {
            Expr::Row(columns) => columns.as_slice(),
            column => std::slice::from_ref(column),
        };
        for (column, left) in (0..placed).zip(lefts) {
            let right = ColumnId { relation, column: column as u32 };
            if let Some(left) = self.column(left, scope)
                && self.graph.comparable(left, right)
            {
                facts.push(Fact::Equal(left, right));
            }
        }
    }

    /// OR over the same columns, each alternative with constants for all of them.
    fn alternatives(&mut self, all: &[Expr], scope: &Scope<'_>) -> Option<Fact> {
        let mut alternatives = Vec::new();
        self.flatten_alternatives(all, scope, &mut alternatives)?;
        let (first, others) = alternatives.split_first()?;
        let columns: SmallVec<[ColumnId; 2]> = first
            .iter()
            .map(|(column, _)| *column)
            .filter(|column| others.iter().all(|other| other.iter().any(|(c, _)| c == column)))
            .collect();
        if columns.is_empty() {
            return None;
        }
        let mut rows: Vec<Box<[KeyConstant]>> = Vec::new();
        for alternative in &alternatives {
            let mut products: Vec<Vec<KeyConstant>> = vec![Vec::new()];
            for column in &columns {
                let (_, constants) = alternative.iter().find(|(other, _)| other == column)?;
                products = products
                    .iter()
                    .flat_map(|row| {
                        constants.iter().map(|&constant| {
                            row.iter().copied().chain([constant]).collect::<Vec<_>>()
                        })
                    })
                    .collect();
                if products.len() + rows.len() > ALTERNATIVES_MAX {
                    return None;
                }
            }
            rows.extend(products.into_iter().map(Vec::into_boxed_slice));
        }
        Some(Fact::In(Values {
            columns,
            rows: Rc::new(Rows::Many(rows.into())),
            null_matches: false,
        }))
    }

    fn flatten_alternatives(
        &mut self,
        all: &[Expr],
        scope: &Scope<'_>,
        alternatives: &mut Vec<Vec<(ColumnId, Vec<KeyConstant>)>>,
    ) -> Option<()> {
        for expr in all {
            if let Expr::Or(inner) = expr {
                self.flatten_alternatives(inner, scope, alternatives)?;
                continue;
            }
            let mut bound = Vec::new();
            self.bound_columns(expr, scope, &mut bound);
            if bound.is_empty() {
                return None;
            }
            alternatives.push(bound);
        }
        Some(())
    }

    /// The columns that one alternative binds to constants.
    fn bound_columns(
        &mut self,
        expr: &Expr,
        scope: &Scope<'_>,
        bound: &mut Vec<(ColumnId, Vec<KeyConstant>)>,
    ) {
        let mut facts = Vec::new();
        match expr {
            Expr::And(all) => {
                all.iter().for_each(|expr| self.bound_columns(expr, scope, bound));
                return;
            }
            Expr::Compare(Comparison::Equal, pair) => {
                self.equality(&pair[0], &pair[1], scope, &mut facts);
            }
            Expr::In(left, list) => facts.extend(self.membership(left, list, scope)),
            _ => {}
        }
        for fact in facts {
            let Fact::In(Values { columns, rows, null_matches: false }) = fact else { continue };
            let [column] = columns.as_slice() else { continue };
            let constants = match &*rows {
                Rows::One(constant) => vec![*constant],
                Rows::Many(rows) => rows.iter().map(|row| row[0]).collect(),
                Rows::Elements(_) => continue,
            };
            if bound.iter().all(|(other, _)| other != column) {
                bound.push((*column, constants));
            }
        }
    }

    /// Tells whoever asks why a condition on a key did not help.
    fn note_unused(&mut self, expr: &Expr, scope: &Scope<'_>) {
        let note = match expr {
            Expr::Or(_) => "the condition on its key is one of several alternatives",
            Expr::Subquery(_) | Expr::Call(_) | Expr::Column(_) => return,
            _ => "the condition on its key is no comparison of the column itself with constants",
        };
        let mut columns = Vec::new();
        columns_in(expr, &mut |path| columns.extend(scope.column(&self.graph, path)));
        for column in columns {
            if self.is_key(column) {
                self.notes.entry(column.relation).or_insert(note);
            }
        }
    }

    fn is_key(&self, column: ColumnId) -> bool {
        let occurrence = self.occurrences.iter().find(|each| each.relation == column.relation);
        let key = occurrence.and_then(|each| each.table.fragmentation()).map(|each| each.key());
        key.is_some_and(|key| key.iter().any(|key| key.column == column.column as usize))
    }

    /// A parameter that is assigned to a column, or compared with one, has its type.
    pub(super) fn note_assigned(&mut self, expr: &Expr, type_name: &str) {
        if let Some((key_type, _)) = KeyType::from_type_name(type_name) {
            let cast = self.constant(expr).and_then(|constant| constant.cast);
            let key_type = cast.unwrap_or(key_type);
            self.note_use(expr, TypedUse { key_type, is_array: false });
        }
    }
}

fn values_of(column: ColumnId, rows: Rows, null_matches: bool) -> Fact {
    Fact::In(Values { columns: smallvec![column], rows: Rc::new(rows), null_matches })
}

/// The columns in an expression, without its subqueries.
fn columns_in(expr: &Expr, visit: &mut dyn FnMut(&[crate::statement::Ident])) {
    match expr {
        Expr::Column(path) => visit(path),
        _ => super::walk::operands(expr, &mut |operand| columns_in(operand, visit)),
    }
}
