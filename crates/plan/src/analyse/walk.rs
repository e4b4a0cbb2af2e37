//! Expressions, for the subqueries and calls in them.

use super::Analysis;
use super::query::Env;
use super::scope::Scope;
use crate::statement::{Expr, Path, Query, Window};

impl Analysis<'_> {
    /// Looks at everything in an expression that reads or does something. What is true in the
    /// region of `env` is true wherever the expression's value counts.
    pub(super) fn walk(&mut self, expr: &Expr, scope: &Scope<'_>, env: &Env<'_>) {
        match expr {
            Expr::Column(path) => self.note_named_column(path, scope),
            Expr::Subquery(query) => self.subquery(query, scope, env),
            Expr::InQuery(left, query) => {
                self.walk(left, scope, env);
                self.subquery(query, scope, env);
            }
            Expr::Call(call) => {
                self.call(call);
                call.operands.iter().for_each(|operand| self.walk(operand, scope, env));
                call.over.iter().for_each(|window| self.window(window, scope, env));
            }
            _ => operands(expr, &mut |operand| self.walk(operand, scope, env)),
        }
    }

    /// A name alone may be that of a table, whose whole rows it means then.
    fn note_named_column(&mut self, path: &Path, scope: &Scope<'_>) {
        if let [name] = &**path
            && scope.column(&self.graph, path).is_some()
        {
            self.manner.named_columns.insert(name.at);
        }
    }

    fn subquery(&mut self, query: &Query, scope: &Scope<'_>, env: &Env<'_>) {
        self.manner.has_subqueries = true;
        let inside = self.graph.add_region(Some(env.region));
        self.query(query, &env.for_subquery(scope, inside));
    }

    pub(super) fn window(&mut self, window: &Window, scope: &Scope<'_>, env: &Env<'_>) {
        let exprs = window.partition_by.iter().chain(&window.others);
        exprs.for_each(|expr| self.walk(expr, scope, env));
    }
}

/// The expressions right inside one, those in subqueries and windows left out.
pub(super) fn operands<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    match expr {
        Expr::Column(_)
        | Expr::Literal(_)
        | Expr::Null
        | Expr::Bool(_)
        | Expr::Default
        | Expr::Parameter { .. }
        | Expr::Subquery(_) => {}
        Expr::Minus(inner) | Expr::Cast(inner, _) | Expr::IsNull(inner) => visit(inner),
        Expr::InQuery(left, _) => visit(left),
        Expr::And(all) | Expr::Or(all) | Expr::Row(all) | Expr::Array(all) | Expr::Other(all) => {
            all.iter().for_each(visit)
        }
        Expr::Compare(_, pair) | Expr::EqualsAny(pair) | Expr::IsNotDistinct(pair) => {
            pair.iter().for_each(visit);
        }
        Expr::Between(three) => three.iter().for_each(visit),
        Expr::In(left, list) => {
            visit(left);
            list.iter().for_each(visit);
        }
        Expr::Call(call) => call.operands.iter().for_each(visit),
    }
}
