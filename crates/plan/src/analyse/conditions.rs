//! Conditions that speak of one table only: whether a row satisfies one can be told where it lies.

use super::Analysis;
use super::graph::{Fact, RelationId};
use super::scope::Scope;
use super::{call, walk};
use crate::statement::Expr;

/// A condition on the rows of one table, which no row makes fail.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// Where the names in it start, those of columns and functions.
    pub(super) names: Vec<u32>,
    /// The first and the last byte at which something of it is known to start.
    pub(super) first: u32,
    pub(super) last: u32,
    /// Whether operators other than comparisons may be applied to columns.
    pub(super) is_opaque: bool,
}

/// A condition under inspection.
#[derive(Default)]
struct Survey {
    relation: Option<RelationId>,
    condition: Condition,
    places: Vec<u32>,
}

impl Analysis<'_> {
    /// What a conjunct says of one table, if it is about one only.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &Scope<'_>) -> Option<Fact> {
        if !self.operators_are_builtin || !self.is_steady(expr) {
            return None;
        }
        let mut survey = Survey::default();
        self.survey(expr, scope, &mut survey)?;
        let Survey { relation, mut condition, places } = survey;
        let relation = relation?;
        let stored = self.graph.relation(relation).stored.as_ref();
        stored.filter(|stored| stored.is_plain)?;
        condition.first = *places.iter().min()?;
        condition.last = *places.iter().max()?;
        self.conditions.push(condition);
        Some(Fact::Holds(relation, self.conditions.len() - 1))
    }

    /// `None` if it speaks of several tables, or may fail for some row.
    fn survey(&self, expr: &Expr, scope: &Scope<'_>, survey: &mut Survey) -> Option<()> {
        match expr {
            Expr::Column(path) => {
                let relation = scope.column(&self.graph, path)?.relation;
                if survey.relation.is_some_and(|known| known != relation) {
                    return None;
                }
                survey.relation = Some(relation);
                let names = path.iter().map(|name| name.at);
                survey.places.extend(names.clone());
                survey.condition.names.extend(names);
                return Some(());
            }
            Expr::Literal(at) | Expr::Parameter { at, .. } => survey.places.push(*at),
            Expr::Call(call) => {
                let names = call.name.iter().map(|name| name.at);
                survey.places.extend(names.clone());
                survey.condition.names.extend(names);
            }
            Expr::Minus(inner) | Expr::Cast(inner, _) if has_columns(inner) => return None,
            Expr::Other(_) => survey.condition.is_opaque |= has_columns(expr),
            _ => {}
        }
        let mut surveyed = Some(());
        walk::operands(expr, &mut |operand| {
            if surveyed.is_some() {
                surveyed = self.survey(operand, scope, survey);
            }
        });
        surveyed
    }

    /// Whether an expression has nothing in it but columns, constants, operators, and functions that
    /// always give the same.
    pub(super) fn is_steady(&self, expr: &Expr) -> bool {
        let is_itself = match expr {
            Expr::Call(call) => call::nature_of(call) == Some(call::Nature::Total),
            Expr::Subquery(_) | Expr::InQuery(..) => false,
            // Written more than once, its type may be told elsewhere.
            Expr::Parameter { index, .. } => self.parameters.get(index) == Some(&1),
            _ => true,
        };
        let mut steady = is_itself;
        if is_itself {
            walk::operands(expr, &mut |operand| steady = steady && self.is_steady(operand));
        }
        steady
    }
}

fn has_columns(expr: &Expr) -> bool {
    let mut found = matches!(expr, Expr::Column(_));
    walk::operands(expr, &mut |operand| found = found || has_columns(operand));
    found
}
