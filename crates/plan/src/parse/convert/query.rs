//! Queries: WITH, set operations, VALUES, and what follows them.

use sqlparser::ast::{
    Fetch, LimitClause, LockClause, OrderBy, OrderByExpr, OrderByKind, Query as Parsed, SetExpr,
    SetOperator as ParsedOperator, SetQuantifier, Values, With,
};

use super::{Converter, Result, absent};
use crate::parse::Unreadable;
use crate::parse::feed::offset;
use crate::statement::{Body, Cte, Expr, Lock, Query, Rows, SetOperation, SetOperator};

impl Converter<'_> {
    pub(super) fn query(&self, query: Parsed) -> Result<Query> {
        let Parsed {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let foreign = for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty();
        absent(!foreign, "a clause after the query")?;
        let (recursive, ctes) = self.with(with)?;
        let body = self.body(*body)?;
        let limited = limit_clause.is_some() || fetch.is_some();
        let mut tail = self.order_by(order_by)?;
        self.limit(limit_clause, &mut tail)?;
        self.fetch(fetch, &mut tail)?;
        let locks = locks.into_iter().map(|lock| self.lock(lock)).collect::<Result<_>>()?;
        Ok(Query { recursive, ctes, body, tail, limited, locks })
    }

    fn with(&self, with: Option<With>) -> Result<(bool, Vec<Cte>)> {
        let Some(With { with_token: _, recursive, cte_tables }) = with else {
            return Ok((false, Vec::new()));
        };
        let cte = |cte: sqlparser::ast::Cte| {
            absent(cte.from.is_none(), "FROM after a common table expression")?;
            let alias = self.alias(Some(cte.alias))?;
            let alias = alias.ok_or_else(|| Unreadable::new("WITH without a name"))?;
            Ok(Cte { name: alias.name, columns: alias.columns, query: self.query(*cte.query)? })
        };
        Ok((recursive, cte_tables.into_iter().map(cte).collect::<Result<_>>()?))
    }

    /// A chain of set operations is as deep a tree as it is long; the feed bounds its length.
    pub(super) fn body(&self, body: SetExpr) -> Result<Body> {
        match body {
            SetExpr::Select(select) => Ok(Body::Select(Box::new(self.select(*select)?))),
            SetExpr::Query(query) => Ok(Body::Nested(Box::new(self.query(*query)?))),
            SetExpr::Values(values) => Ok(Body::Values(self.values(values)?)),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let operator = match op {
                    ParsedOperator::Union => SetOperator::Union,
                    ParsedOperator::Intersect => SetOperator::Intersect,
                    ParsedOperator::Except => SetOperator::Except,
                    ParsedOperator::Minus => return Err(Unreadable::new("MINUS")),
                };
                let known = matches!(
                    set_quantifier,
                    SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None
                );
                absent(known, "BY NAME")?;
                let arms = [self.body(*left)?, self.body(*right)?];
                Ok(Body::Set(Box::new(SetOperation { operator, arms })))
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.write(statement),
            // The feed says TABLE in other words.
            SetExpr::Table(_) => Err(Unreadable::new("TABLE")),
        }
    }

    pub(super) fn values(&self, values: Values) -> Result<Rows> {
        let Values { explicit_row, value_keyword, rows } = values;
        absent(!explicit_row && !value_keyword, "VALUES ROW")?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let at = offset(row.opening_token.0.span);
            match at.and_then(|at| self.notes.rows.get(&at)) {
                Some(rows) => all.extend(rows.iter().cloned()),
                None => all.push(self.exprs(row.content)?),
            }
        }
        Ok(all)
    }

    fn order_by(&self, order_by: Option<OrderBy>) -> Result<Vec<Expr>> {
        let Some(OrderBy { kind, interpolate }) = order_by else {
            return Ok(Vec::new());
        };
        absent(interpolate.is_none(), "INTERPOLATE")?;
        match kind {
            OrderByKind::Expressions(exprs) => self.sorted(exprs),
            OrderByKind::All(_) => Err(Unreadable::new("ORDER BY ALL")),
        }
    }

    /// The expressions of an ORDER BY.
    pub(super) fn sorted(&self, exprs: Vec<OrderByExpr>) -> Result<Vec<Expr>> {
        exprs
            .into_iter()
            .map(|OrderByExpr { expr, options: _, with_fill }| {
                absent(with_fill.is_none(), "WITH FILL")?;
                self.expr(expr)
            })
            .collect()
    }

    fn limit(&self, limit: Option<LimitClause>, tail: &mut Vec<Expr>) -> Result<()> {
        match limit {
            None => Ok(()),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                absent(limit_by.is_empty(), "LIMIT BY")?;
                let exprs = limit.into_iter().chain(offset.map(|offset| offset.value));
                for expr in exprs {
                    tail.push(self.expr(expr)?);
                }
                Ok(())
            }
            Some(LimitClause::OffsetCommaLimit { .. }) => Err(Unreadable::new("LIMIT #,#")),
        }
    }

    fn fetch(&self, fetch: Option<Fetch>, tail: &mut Vec<Expr>) -> Result<()> {
        let Some(Fetch { with_ties: _, percent, quantity }) = fetch else {
            return Ok(());
        };
        absent(!percent, "FETCH PERCENT")?;
        if let Some(quantity) = quantity {
            tail.push(self.expr(quantity)?);
        }
        Ok(())
    }

    fn lock(&self, lock: LockClause) -> Result<Lock> {
        let LockClause { lock_type: _, of, nonblock: _ } = lock;
        let Some(of) = of else {
            return Ok(Lock { of: Vec::new() });
        };
        let first = self.single(of)?;
        let of = self.notes.locked.get(&first.at).cloned();
        Ok(Lock { of: of.unwrap_or_else(|| vec![first]) })
    }
}

impl Converter<'_> {
    /// A query, or `(query)`.
    pub(super) fn boxed_query(&self, query: Parsed) -> Result<Box<Query>> {
        Ok(Box::new(self.query(query)?))
    }
}
