//! Expressions. What says nothing of keys becomes [`Expr::Other`] with its operands.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, Expr as Parsed, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident as ParsedIdent,
    Subscript, UnaryOperator, Value, ValueWithSpan, WindowType,
};

use super::{Converter, Result, absent};
use crate::parse::Unreadable;
use crate::parse::feed::offset;
use crate::statement::{Call, Comparison, Expr, Ident, Path, Window};

impl Converter<'_> {
    pub(super) fn exprs(&self, exprs: Vec<Parsed>) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    pub(super) fn optional(&self, expr: Option<Parsed>) -> Result<Option<Expr>> {
        expr.map(|expr| self.expr(expr)).transpose()
    }

    fn boxed(&self, expr: Parsed) -> Result<Box<Expr>> {
        Ok(Box::new(self.expr(expr)?))
    }

    fn pair(&self, left: Parsed, right: Parsed) -> Result<Box<[Expr; 2]>> {
        Ok(Box::new([self.expr(left)?, self.expr(right)?]))
    }

    fn other(&self, operands: impl IntoIterator<Item = Parsed>) -> Result<Expr> {
        let operands = operands.into_iter().map(|expr| self.expr(expr));
        Ok(Expr::Other(operands.collect::<Result<_>>()?))
    }

    pub(super) fn expr(&self, expr: Parsed) -> Result<Expr> {
        match expr {
            Parsed::Identifier(ident) => self.column(vec![ident]),
            Parsed::CompoundIdentifier(idents) => self.column(idents),
            Parsed::Nested(expr) => self.expr(*expr),
            Parsed::Value(value) => self.value(value),
            Parsed::BinaryOp { left, op, right } => self.binary(*left, op, *right),
            Parsed::UnaryOp { op, expr } => self.unary(op, *expr),
            Parsed::Cast { kind, expr, data_type, format } => {
                let known = matches!(kind, CastKind::Cast | CastKind::DoubleColon);
                absent(known && format.is_none(), "a cast of another dialect")?;
                Ok(Expr::Cast(self.boxed(*expr)?, self.type_name(data_type)?))
            }
            Parsed::InList { expr, list, negated } => {
                let list = self.list(list)?;
                let expr = self.expr(*expr)?;
                Ok(if negated {
                    Expr::Other(std::iter::once(expr).chain(list).collect())
                } else {
                    Expr::In(Box::new(expr), list)
                })
            }
            Parsed::InSubquery { expr, subquery, negated } => {
                let expr = self.boxed(*expr)?;
                let query = self.boxed_query(*subquery)?;
                Ok(if negated {
                    Expr::Other(vec![*expr, Expr::Subquery(query)])
                } else {
                    Expr::InQuery(expr, query)
                })
            }
            Parsed::AnyOp { left, compare_op, right, is_some: _ } => {
                self.any(*left, &compare_op, *right)
            }
            Parsed::AllOp { left, compare_op: _, right } => self.other([*left, *right]),
            Parsed::Between { expr, negated: false, low, high } => {
                let operands = [self.expr(*expr)?, self.expr(*low)?, self.expr(*high)?];
                Ok(Expr::Between(Box::new(operands)))
            }
            Parsed::IsNull(expr) => Ok(Expr::IsNull(self.boxed(*expr)?)),
            Parsed::IsNotDistinctFrom(left, right) => {
                Ok(Expr::IsNotDistinct(self.pair(*left, *right)?))
            }
            Parsed::Tuple(exprs) => Ok(Expr::Row(self.exprs(exprs)?)),
            Parsed::Array(array) => {
                absent(array.named, "an array without ARRAY")?;
                Ok(Expr::Array(self.list(array.elem)?))
            }
            Parsed::Subquery(query) => Ok(Expr::Subquery(self.boxed_query(*query)?)),
            Parsed::Exists { subquery, negated: _ } => {
                let mut query = self.boxed_query(*subquery)?;
                query.leave_out_stars();
                Ok(Expr::Subquery(query))
            }
            Parsed::Function(function) => self.function(function),
            other => self.opaque(other),
        }
    }

    /// Expressions of which only the operands matter.
    fn opaque(&self, expr: Parsed) -> Result<Expr> {
        match expr {
            Parsed::IsFalse(expr)
            | Parsed::IsNotFalse(expr)
            | Parsed::IsTrue(expr)
            | Parsed::IsNotTrue(expr)
            | Parsed::IsNotNull(expr)
            | Parsed::IsUnknown(expr)
            | Parsed::IsNotUnknown(expr)
            | Parsed::IsNormalized { expr, .. }
            | Parsed::IsJson { expr, .. }
            | Parsed::Collate { expr, .. }
            | Parsed::Extract { expr, .. }
            | Parsed::Ceil { expr, field: CeilFloorKind::Scale(_), .. }
            | Parsed::Floor { expr, field: CeilFloorKind::Scale(_), .. } => self.other([*expr]),
            Parsed::IsDistinctFrom(left, right) => self.other([*left, *right]),
            Parsed::Between { expr, negated: _, low, high } => self.other([*expr, *low, *high]),
            Parsed::AtTimeZone { timestamp, time_zone } => self.other([*timestamp, *time_zone]),
            Parsed::Position { expr, r#in } => self.other([*expr, *r#in]),
            Parsed::Like { negated: _, any: false, expr, pattern, escape_char }
            | Parsed::ILike { negated: _, any: false, expr, pattern, escape_char }
            | Parsed::SimilarTo { negated: _, expr, pattern, escape_char } => {
                let operands = [*expr, *pattern].into_iter();
                self.other(operands.chain(escape_char.map(|escape| *escape)))
            }
            Parsed::Substring { expr, substring_from, substring_for, .. } => {
                let operands = [Some(expr), substring_from, substring_for];
                self.other(operands.into_iter().flatten().map(|expr| *expr))
            }
            Parsed::Trim { trim_what, expr, trim_characters, .. } => {
                let operands = [trim_what, Some(expr)].into_iter().flatten().map(|expr| *expr);
                self.other(operands.chain(trim_characters.into_iter().flatten()))
            }
            Parsed::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let operands = [Some(expr), Some(overlay_what), Some(overlay_from), overlay_for];
                self.other(operands.into_iter().flatten().map(|expr| *expr))
            }
            Parsed::Case { operand, conditions, else_result, .. } => {
                let arms = conditions
                    .into_iter()
                    .flat_map(|CaseWhen { condition, result }| [condition, result]);
                let ends = [operand, else_result].into_iter().flatten().map(|expr| *expr);
                self.other(ends.chain(arms))
            }
            Parsed::CompoundFieldAccess { root, access_chain } => {
                self.field_access(*root, access_chain)
            }
            // f(t.*)
            Parsed::QualifiedWildcard(..) => Ok(Expr::Other(Vec::new())),
            _ => Err(Unreadable::new("an expression")),
        }
    }

    /// A column; `DEFAULT` is fed as the only keyword that may stand for one.
    fn column(&self, idents: Vec<ParsedIdent>) -> Result<Expr> {
        if let [ident] = idents.as_slice()
            && ident.quote_style.is_none()
            && ident.value.eq_ignore_ascii_case("default")
        {
            return Ok(Expr::Default);
        }
        let path: Vec<Ident> = self.idents(idents)?;
        Ok(Expr::Column(path.into()))
    }

    fn value(&self, value: ValueWithSpan) -> Result<Expr> {
        let at = offset(value.span).ok_or_else(|| Unreadable::new("a value without a place"));
        match value.value {
            Value::Null => Ok(Expr::Null),
            Value::Boolean(value) => Ok(Expr::Bool(value)),
            Value::Number(..) | Value::SingleQuotedString(_) => Ok(Expr::Literal(at?)),
            Value::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|digits| digits.parse::<u16>().ok());
                let index = number.and_then(|number| number.checked_sub(1));
                let index = index.ok_or_else(|| Unreadable::new("a parameter"))?;
                Ok(Expr::Parameter { index, at: at? })
            }
            _ => Err(Unreadable::new("a value")),
        }
    }

    /// A list that may stand for a longer one.
    fn list(&self, list: Vec<Parsed>) -> Result<Vec<Expr>> {
        let list = self.exprs(list)?;
        match list.as_slice() {
            [Expr::Literal(at)] => Ok(self.notes.lists.get(at).cloned().unwrap_or(list)),
            _ => Ok(list),
        }
    }

    fn unary(&self, op: UnaryOperator, expr: Parsed) -> Result<Expr> {
        let expr = self.boxed(expr)?;
        Ok(match op {
            UnaryOperator::Minus => Expr::Minus(expr),
            UnaryOperator::Plus if matches!(*expr, Expr::Literal(_)) => *expr,
            _ => Expr::Other(vec![*expr]),
        })
    }

    /// A chain of operators is a tree that leans to the left: it is walked, not descended.
    fn binary(&self, left: Parsed, op: BinaryOperator, right: Parsed) -> Result<Expr> {
        if let Some(comparison) = comparison(&op) {
            return Ok(Expr::Compare(comparison, self.pair(left, right)?));
        }
        let kind = Connective::of(&op);
        let mut operands = vec![self.expr(right)?];
        let mut rest = left;
        loop {
            match rest {
                Parsed::BinaryOp { left, op, right } if Connective::of(&op) == kind => {
                    if comparison(&op).is_some() {
                        operands.push(self.binary(*left, op, *right)?);
                        break;
                    }
                    operands.push(self.expr(*right)?);
                    rest = *left;
                }
                last => {
                    operands.push(self.expr(last)?);
                    break;
                }
            }
        }
        operands.reverse();
        Ok(match kind {
            Connective::And => Expr::And(operands),
            Connective::Or => Expr::Or(operands),
            Connective::Other => Expr::Other(operands),
        })
    }

    fn any(&self, left: Parsed, op: &BinaryOperator, right: Parsed) -> Result<Expr> {
        let is_equal = *op == BinaryOperator::Eq;
        match (is_equal, right) {
            (true, Parsed::Subquery(query)) => {
                Ok(Expr::InQuery(self.boxed(left)?, self.boxed_query(*query)?))
            }
            (true, right) => Ok(Expr::EqualsAny(self.pair(left, right)?)),
            (false, right) => self.other([left, right]),
        }
    }

    fn field_access(&self, root: Parsed, chain: Vec<AccessExpr>) -> Result<Expr> {
        let mut operands = vec![self.expr(root)?];
        for access in chain {
            match access {
                AccessExpr::Dot(Parsed::Identifier(_)) => {}
                AccessExpr::Dot(_) => return Err(Unreadable::new("a field")),
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    operands.push(self.expr(index)?);
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    absent(stride.is_none(), "a stride")?;
                    let bounds = [lower_bound, upper_bound].into_iter().flatten();
                    operands.extend(self.exprs(bounds.collect())?);
                }
            }
        }
        Ok(Expr::Other(operands))
    }

    fn function(&self, function: Function) -> Result<Expr> {
        let foreign = function.uses_odbc_syntax
            || function.null_treatment.is_some()
            || !matches!(function.parameters, FunctionArguments::None);
        absent(!foreign, "a function call of another dialect")?;
        let keyword = keyword_of(&function);
        let name: Path = self.path(function.name)?;
        let mut operands = Vec::new();
        match function.args {
            FunctionArguments::None => {}
            // ARRAY(SELECT …), or a function with a subquery as its argument.
            FunctionArguments::Subquery(query) => {
                operands.push(Expr::Subquery(self.boxed_query(*query)?));
            }
            FunctionArguments::List(list) => {
                for arg in list.args {
                    operands.extend(self.argument(arg)?);
                }
                for clause in list.clauses {
                    let FunctionArgumentClause::OrderBy(exprs) = clause else {
                        return Err(Unreadable::new("a clause in a function call"));
                    };
                    operands.extend(self.sorted(exprs)?);
                }
            }
        }
        match keyword {
            Some("row") => return Ok(Expr::Row(operands)),
            Some("array") => return Ok(Expr::Other(operands)),
            _ => {}
        }
        operands.extend(self.sorted(function.within_group)?);
        operands.extend(self.optional(function.filter.map(|filter| *filter))?);
        let over = match function.over {
            None => None,
            Some(WindowType::WindowSpec(spec)) => Some(self.window(spec)?),
            Some(WindowType::NamedWindow(name)) => {
                Some(Window { base: Some(self.ident(name)?), ..Window::default() })
            }
        };
        Ok(Expr::Call(Box::new(Call { name, operands, over })))
    }

    /// An argument of a function, which may also be `*`.
    pub(super) fn argument(&self, arg: FunctionArg) -> Result<Option<Expr>> {
        let (FunctionArg::Named { arg, .. }
        | FunctionArg::ExprNamed { arg, .. }
        | FunctionArg::Unnamed(arg)) = arg;
        match arg {
            FunctionArgExpr::Expr(expr) => self.expr(expr).map(Some),
            FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_) => Ok(None),
            FunctionArgExpr::WildcardWithOptions(_) => Err(Unreadable::new("a word after *")),
        }
    }
}

/// ROW and ARRAY, if a function's name is that keyword.
fn keyword_of(function: &Function) -> Option<&'static str> {
    let [sqlparser::ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
        return None;
    };
    ["row", "array"]
        .into_iter()
        .find(|word| name.quote_style.is_none() && name.value.eq_ignore_ascii_case(word))
}

/// How operands are held together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connective {
    And,
    Or,
    Other,
}

impl Connective {
    fn of(op: &BinaryOperator) -> Connective {
        match op {
            BinaryOperator::And => Connective::And,
            BinaryOperator::Or => Connective::Or,
            _ => Connective::Other,
        }
    }
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => None?,
    })
}
