//! FROM: tables, subqueries, function calls and joins.

use sqlparser::ast::{
    FunctionArg, Join as ParsedJoin, JoinConstraint, JoinOperator, ObjectName, TableAlias,
    TableFactor, TableSampleKind, TableWithJoins,
};

use super::{Converter, Result, absent};
use crate::parse::Unreadable;
use crate::statement::{Call, Condition, Derived, Expr, From, Join, JoinKind, TableRef};

impl Converter<'_> {
    pub(super) fn sources(&self, items: Vec<TableWithJoins>) -> Result<Vec<From>> {
        items.into_iter().map(|item| self.joined(item)).collect()
    }

    fn joined(&self, item: TableWithJoins) -> Result<From> {
        let TableWithJoins { relation, joins } = item;
        joins.into_iter().try_fold(self.factor(relation)?, |left, join| self.join(left, join))
    }

    fn join(&self, left: From, join: ParsedJoin) -> Result<From> {
        let ParsedJoin { relation, global, join_operator } = join;
        absent(!global, "GLOBAL JOIN")?;
        let (kind, constraint) = match join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::CrossJoin(constraint) => (JoinKind::Inner, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                (JoinKind::Left, constraint)
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                (JoinKind::Right, constraint)
            }
            JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
            _ => return Err(Unreadable::new("a join of another dialect")),
        };
        let condition = match constraint {
            JoinConstraint::None => Condition::None,
            JoinConstraint::Natural => Condition::Natural,
            JoinConstraint::On(expr) => Condition::On(self.expr(expr)?),
            JoinConstraint::Using(names) => {
                let names = names.into_iter().map(|name| self.single(name));
                Condition::Using(names.collect::<Result<_>>()?)
            }
        };
        let right = self.factor(relation)?;
        Ok(From::Join(Box::new(Join { kind, left, right, condition, alias: None })))
    }

    pub(super) fn factor(&self, factor: TableFactor) -> Result<From> {
        match factor {
            TableFactor::Table { args: None, .. } => self.table(factor).map(From::Table),
            TableFactor::Table {
                name,
                alias,
                args: Some(args),
                with_hints,
                version: None,
                with_ordinality: _,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } => {
                let plain = with_hints.is_empty()
                    && partitions.is_empty()
                    && index_hints.is_empty()
                    && args.settings.is_none();
                absent(plain, "a table hint")?;
                self.call_in_from(name, args.args, alias)
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                self.call_in_from(name, args, alias)
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                Ok(From::Derived(Box::new(Derived {
                    lateral,
                    query: self.query(*subquery)?,
                    alias: self.alias(alias)?,
                })))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let alias = self.alias(alias)?;
                match (self.joined(*table_with_joins)?, alias) {
                    (item, None) => Ok(item),
                    (From::Join(join), alias @ Some(_)) if join.alias.is_none() => {
                        Ok(From::Join(Box::new(Join { alias, ..*join })))
                    }
                    _ => Err(Unreadable::new("an alias after parentheses")),
                }
            }
            _ => Err(Unreadable::new("an item of FROM")),
        }
    }

    /// A plain table, as it may also be the target of a write.
    pub(super) fn table(&self, factor: TableFactor) -> Result<TableRef> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample,
            index_hints,
        } = factor
        else {
            return Err(Unreadable::new("not a table"));
        };
        let plain = with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty();
        absent(plain, "a table hint")?;
        self.named_table(name, alias, sample)
    }

    pub(super) fn named_table(
        &self,
        name: ObjectName,
        alias: Option<TableAlias>,
        sample: Option<TableSampleKind>,
    ) -> Result<TableRef> {
        let name = self.path(name)?;
        let only = name.first().is_some_and(|first| self.notes.only.contains(&first.at));
        let sample = match sample {
            None => Vec::new(),
            Some(
                TableSampleKind::BeforeTableAlias(sample)
                | TableSampleKind::AfterTableAlias(sample),
            ) => {
                absent(sample.bucket.is_none() && sample.offset.is_none(), "a sample")?;
                let quantity = sample.quantity.map(|quantity| quantity.value);
                self.exprs(quantity.into_iter().collect())?
            }
        };
        Ok(TableRef { name, only, alias: self.alias(alias)?, sample })
    }

    fn call_in_from(
        &self,
        name: ObjectName,
        args: Vec<FunctionArg>,
        alias: Option<TableAlias>,
    ) -> Result<From> {
        let mut operands = Vec::with_capacity(args.len());
        for arg in args {
            operands.extend(self.argument(arg)?);
        }
        let call = Call { name: self.path(name)?, operands, over: None };
        Ok(From::Call { calls: vec![Expr::Call(Box::new(call))], alias: self.alias(alias)? })
    }
}
