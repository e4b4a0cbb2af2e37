//! Queries: their bodies, and what they are made of.

use super::Analysis;
use super::cte::{Ctes, Visible, changes_data};
use super::graph::{Constant, Meaning, RegionId};
use super::outputs::{OutputColumn, Outputs};
use super::scope::Scope;
use crate::statement::{Body, Expr, Query, SetOperation};

/// What surrounds a query.
#[derive(Clone, Copy)]
pub(super) struct Env<'s> {
    /// The names of the queries around it.
    pub(super) scope: Option<&'s Scope<'s>>,
    pub(super) ctes: Option<Visible<'s>>,
    pub(super) region: RegionId,
    /// Whether FOR UPDATE of a query around it locks its rows.
    pub(super) locked: bool,
}

impl<'s> Env<'s> {
    /// For a subquery in an expression.
    pub(super) fn for_subquery<'t>(&self, scope: &'t Scope<'t>, region: RegionId) -> Env<'t>
    where
        's: 't,
    {
        Env { scope: Some(scope), ctes: self.ctes, region, locked: false }
    }
}

impl Analysis<'_> {
    /// A query with its WITH; its columns.
    pub(super) fn query(&mut self, query: &Query, env: &Env<'_>) -> Outputs {
        if !self.step() {
            return Outputs::unknown();
        }
        if query.ctes.is_empty() {
            return self.query_body(query, env);
        }
        let ctes = Ctes::new(query, env);
        self.define(&ctes, env);
        let with = Env { ctes: Some(ctes.all()), ..*env };
        let outputs = self.query_body(query, &with);
        self.look_at_unused(&ctes, env);
        outputs
    }

    fn query_body(&mut self, query: &Query, env: &Env<'_>) -> Outputs {
        let mut outputs = match &query.body {
            Body::Select(select) => self.select(select, query, env),
            body => {
                let outputs = self.body(body, env);
                let scope = Scope::within(env.scope);
                query.tail.iter().for_each(|expr| self.walk(expr, &scope, env));
                outputs
            }
        };
        self.manner.locks |= !query.locks.is_empty();
        self.manner.picks_rows |= query.limited;
        if query.limited || !query.locks.is_empty() {
            outputs.seal();
        }
        outputs
    }

    /// A body that has no ORDER BY and the like of its own.
    pub(super) fn body(&mut self, body: &Body, env: &Env<'_>) -> Outputs {
        self.manner.changes_data |= changes_data(body);
        match body {
            Body::Select(select) => {
                let plain = Query {
                    recursive: false,
                    ctes: Vec::new(),
                    body: Body::Values(Vec::new()),
                    tail: Vec::new(),
                    limited: false,
                    locks: Vec::new(),
                };
                self.select(select, &plain, env)
            }
            Body::Nested(query) => self.query(query, env),
            Body::Set(operation) => self.set_operation(operation, env),
            Body::Values(rows) => self.values(rows, env),
            Body::Insert(insert) => self.insert(insert, env),
            Body::Update(update) => self.update(update, env),
            Body::Delete(delete) => self.delete(delete, env),
            Body::Merge(merge) => self.merge(merge, env),
        }
    }

    fn set_operation(&mut self, operation: &SetOperation, env: &Env<'_>) -> Outputs {
        let SetOperation { operator, arms: [left, right] } = operation;
        let left = self.body(left, env);
        let right = self.body(right, env);
        Outputs::combine(self, *operator, left, right)
    }

    fn values(&mut self, rows: &[Vec<Expr>], env: &Env<'_>) -> Outputs {
        let scope = Scope::within(env.scope);
        rows.iter().flatten().for_each(|expr| self.walk(expr, &scope, env));
        let width = rows.first().map_or(0, Vec::len);
        let mut outputs = Outputs::default();
        for index in 0..width {
            let constants: Option<Vec<Constant>> =
                rows.iter().map(|row| self.output_constant(row.get(index)?)).collect();
            let meaning = match constants {
                Some(constants) if alike(&constants) => Meaning::Constants(constants.into()),
                _ => Meaning::Unknown,
            };
            let name = format!("column{}", index + 1).into();
            outputs.push(OutputColumn { name, meaning, nullable: true, inner: Vec::new() }, true);
        }
        outputs
    }
}

/// Whether PostgreSQL leaves the constants of a column of VALUES their own types.
fn alike(constants: &[Constant]) -> bool {
    match constants {
        [] | [_] => true,
        [first, others @ ..] => {
            first.cast.is_some() && others.iter().all(|other| other.cast == first.cast)
        }
    }
}
