//! Queries that count and add up: what each node can compute of its own rows, so that only the
//! parts have to be put together.
//!
//! Only aggregates are taken whose whole follows from their parts exactly, whatever the order: not
//! sums of floating-point numbers, nothing DISTINCT, nothing of an order of its own.

use std::ops::Range;

use super::reduced::column_name;
use super::words::{Clauses, Words};
use super::{Analysis, Reading};
use crate::analyse::{call, walk};
use crate::exchange::{Aggregate, Function, Groups};
use crate::lex::Kind;
use crate::statement::{Call, Distinct, Expr, Grouping, Ident, Output, Query, Select};

/// Words that make more of a call than its arguments.
const WITHIN_CALL: &[&str] = &["all", "distinct", "order", "variadic"];
const AFTER_CALL: &[&str] = &["filter", "over", "within"];

/// Types whose values are added up exactly, each of which takes in those before it.
const NUMBERS: [&str; 4] = ["smallint", "integer", "bigint", "numeric"];
const ARITHMETIC: &[&str] = &["+", "-", "*", "/"];

/// One query under inspection.
struct Inspection<'a, 's> {
    analysis: &'a Analysis<'s>,
    reading: &'a Reading,
    words: &'a Words<'a>,
    columns: Vec<usize>,
    aliases: Vec<&'a str>,
    aggregates: Vec<Aggregate>,
}

impl Analysis<'_> {
    pub(super) fn groups(
        &self,
        query: &Query,
        select: &Select,
        reading: &Reading,
        words: &Words<'_>,
        clauses: &Clauses,
    ) -> Option<Groups> {
        let grouping = match &select.grouping {
            Grouping::None => &[][..],
            Grouping::By(exprs) => exprs.as_slice(),
            Grouping::Sets(_) => return None,
        };
        let is_as_written = clauses.grouping.is_some() != grouping.is_empty();
        if !is_as_written
            || !self.operators_are_builtin
            || clauses.others
            || !clauses.locks.is_empty()
            || !select.windows.is_empty()
        {
            return None;
        }
        let aliases = select.output.iter().filter_map(|item| match item {
            Output::Expr { alias, .. } => alias.as_ref(),
            _ => None,
        });
        let mut inspection = Inspection {
            analysis: self,
            reading,
            words,
            columns: Vec::new(),
            aliases: aliases.map(|alias| &*alias.text).collect(),
            aggregates: Vec::new(),
        };
        for expr in grouping {
            let column = inspection.own_column(inspection.grouped(expr, select)?)?;
            let name = reading.table.columns[column].name.as_str();
            if Function::ALL.iter().any(|function| function.name() == name) {
                return None;
            }
            if !inspection.columns.contains(&column) {
                inspection.columns.push(column);
            }
        }
        inspection.all(query, select)?;
        let Inspection { columns, mut aggregates, .. } = inspection;
        if aggregates.is_empty() && columns.is_empty() {
            return None;
        }
        aggregates.sort_by_key(|aggregate| aggregate.tokens.start);
        aggregates.dedup_by_key(|aggregate| aggregate.tokens.start);
        let done = clauses.filter.iter().chain(&clauses.grouping).cloned().collect();
        let having = clauses.having.as_ref().map(|having| having.start);
        Some(Groups { columns, aggregates, done, having })
    }
}

impl Inspection<'_, '_> {
    fn all(&mut self, query: &Query, select: &Select) -> Option<()> {
        for item in &select.output {
            let Output::Expr { expr, .. } = item else { return None };
            self.inspect(expr, false)?;
        }
        if let Distinct::On(exprs) = &select.distinct {
            exprs.iter().try_for_each(|expr| self.inspect(expr, true))?;
        }
        select.having.iter().try_for_each(|expr| self.inspect(expr, false))?;
        query.tail.iter().try_for_each(|expr| self.inspect(expr, true))
    }

    /// Whether an expression speaks of groups only. A name alone may be that of an item of the
    /// select list in ORDER BY.
    fn inspect(&mut self, expr: &Expr, may_be_alias: bool) -> Option<()> {
        match expr {
            Expr::Column(path) => {
                let is_alias = matches!(&**path, [name] if self.aliases.contains(&&*name.text));
                let is_grouped = || {
                    let column = self.own_column(expr);
                    column.is_some_and(|column| self.columns.contains(&column))
                };
                (may_be_alias && is_alias || is_grouped()).then_some(())
            }
            Expr::Call(call) => self.call(call),
            Expr::Subquery(_) | Expr::InQuery(..) => None,
            _ => {
                let mut inspected = Some(());
                walk::operands(expr, &mut |operand| {
                    if inspected.is_some() {
                        inspected = self.inspect(operand, false);
                    }
                });
                inspected
            }
        }
    }

    fn call(&mut self, call: &Call) -> Option<()> {
        let [name] = &*call.name else { return None };
        if let Some(aggregate) = self.aggregate(call, name) {
            self.aggregates.push(aggregate);
            return Some(());
        }
        if call.over.is_some() || call::kind(&name.text) != call::Kind::Neutral {
            return None;
        }
        call.operands.iter().try_for_each(|operand| self.inspect(operand, false))
    }

    fn aggregate(&self, call: &Call, name: &Ident) -> Option<Aggregate> {
        let (tokens, argument) = self.words.call_at(name.at)?;
        let is_plain = call.over.is_none()
            && !self.words.has_word(argument.clone(), WITHIN_CALL)
            && !self.words.is_word(Some(tokens.end), AFTER_CALL)
            && !self.words.name_the_moment(argument.clone());
        if !is_plain {
            return None;
        }
        let function = match (&*name.text, call.operands.as_slice()) {
            ("count", []) => Function::Count,
            ("count", [_]) => Function::Count,
            ("min", [_]) => Function::Min,
            ("max", [_]) => Function::Max,
            ("sum", [expr]) => match self.type_of(expr, argument.clone())? {
                "smallint" | "integer" => Function::SumOfIntegers,
                "bigint" | "numeric" => Function::Sum,
                _ => return None,
            },
            ("avg", [expr]) => match self.type_of(expr, argument.clone())? {
                "smallint" | "integer" | "bigint" | "numeric" => Function::Avg,
                _ => return None,
            },
            _ => return None,
        };
        let has_no_parameters = |expr: &Expr| self.analysis.is_steady(expr) && !has_parameter(expr);
        call.operands.iter().all(has_no_parameters).then_some(Aggregate {
            tokens,
            argument,
            function,
        })
    }

    /// The type of a column, or of what is computed of columns, without its modifier.
    fn type_of(&self, expr: &Expr, tokens: Range<usize>) -> Option<&str> {
        if let Some(column) = self.own_column(expr) {
            return Some(self.type_of_column(column));
        }
        let mut types = Vec::new();
        self.columns_in(expr, &mut types)?;
        let is_arithmetic = tokens.clone().all(|at| self.is_arithmetic(at));
        // Numbers are no part of a plan: one that is no integer would change the type.
        let has_numbers = tokens.into_iter().any(|at| {
            self.words.is_kind(Some(at), Kind::Integer)
                || self.words.is_kind(Some(at), Kind::Decimal)
        });
        let widest = types.iter().map(|name| NUMBERS.iter().position(|it| it == name)).max()??;
        let is_known = is_arithmetic
            && types.iter().all(|name| NUMBERS.contains(name))
            && (!has_numbers || NUMBERS[widest] == "numeric");
        is_known.then(|| NUMBERS[widest])
    }

    /// The types of all columns in an expression; `None` if one is not the table's.
    fn columns_in<'t>(&'t self, expr: &Expr, types: &mut Vec<&'t str>) -> Option<()> {
        if matches!(expr, Expr::Column(_)) {
            types.push(self.type_of_column(self.own_column(expr)?));
        }
        let mut all = Some(());
        walk::operands(expr, &mut |operand| {
            if all.is_some() {
                all = self.columns_in(operand, types);
            }
        });
        all
    }

    /// Whether a token is a column, a number, an operator on numbers, or holds them together.
    fn is_arithmetic(&self, at: usize) -> bool {
        let sql = self.words.sql;
        let is_column = |name: &str| self.reading.table.column(name).is_some();
        self.words.tokens.get(at).is_some_and(|token| match token.kind {
            Kind::Operator => ARITHMETIC.iter().any(|it| token.is_operator(sql, it)),
            Kind::Integer | Kind::Decimal | Kind::LeftParen | Kind::RightParen | Kind::Dot => true,
            _ => token.identifier(sql).is_some_and(|name| {
                self.words.is_kind(Some(at + 1), Kind::Dot)
                    || is_column(&name) && !self.words.is_kind(Some(at + 1), Kind::LeftParen)
            }),
        })
    }

    fn type_of_column(&self, column: usize) -> &str {
        let name = &self.reading.table.columns[column].type_name;
        name.split('(').next().unwrap_or_default()
    }

    /// What is grouped by: an item of the select list, if by its number.
    fn grouped<'e>(&self, expr: &'e Expr, select: &'e Select) -> Option<&'e Expr> {
        let Expr::Literal(at) = expr else { return Some(expr) };
        let number = self.words.number_at(*at)?;
        match select.output.get(number.checked_sub(1)?)? {
            Output::Expr { expr, .. } => Some(expr),
            _ => None,
        }
    }

    /// The column of the table that an expression is.
    fn own_column(&self, expr: &Expr) -> Option<usize> {
        let Expr::Column(path) = expr else { return None };
        let is_own = match &**path {
            [_] => true,
            [table, _] | [_, table, _] => table.text == self.reading.visible_name,
            _ => false,
        };
        self.reading.table.column(column_name(path)).filter(|_| is_own)
    }
}

fn has_parameter(expr: &Expr) -> bool {
    let mut found = matches!(expr, Expr::Parameter { .. });
    walk::operands(expr, &mut |operand| found |= has_parameter(operand));
    found
}
