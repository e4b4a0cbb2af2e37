//! Long lists of constants, read from their tokens: a list of a million numbers is no matter for
//! a grammar.

use super::limits::BULK_ELEMENTS_MIN;
use super::words;
use crate::lex::{Kind, Token};
use crate::statement::{Call, Expr, Ident, Rows, TypeName};

/// The elements of a list of constants whose first token is `tokens[0]`, and the number of its
/// tokens up to the closing parenthesis or bracket. `None` when it is short or has anything else.
pub(super) fn constants(sql: &[u8], tokens: &[Token]) -> Option<(Vec<Expr>, usize)> {
    let mut elements = Vec::new();
    let mut at = 0;
    loop {
        let (element, length) = constant(sql, &tokens[at..])?;
        elements.push(element);
        at += length;
        match tokens.get(at)?.kind {
            Kind::Comma => at += 1,
            Kind::RightParen | Kind::RightBracket => break,
            _ => return None,
        }
    }
    (elements.len() >= BULK_ELEMENTS_MIN).then_some((elements, at))
}

/// A literal, with a sign or without, or a parameter.
fn constant(sql: &[u8], tokens: &[Token]) -> Option<(Expr, usize)> {
    let (&first, rest) = tokens.split_first()?;
    if first.is_operator(sql, "-") {
        let number = rest.first().filter(|token| is_number(token.kind))?;
        return Some((Expr::Minus(Box::new(Expr::Literal(number.start))), 2));
    }
    simple(sql, first).map(|expr| (expr, 1))
}

fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Integer | Kind::Decimal)
}

fn simple(sql: &[u8], token: Token) -> Option<Expr> {
    match token.kind {
        Kind::Parameter => parameter(sql, token),
        kind if kind.is_literal() => Some(Expr::Literal(token.start)),
        Kind::Word if token.is_word(sql, "null") => Some(Expr::Null),
        Kind::Word if token.is_word(sql, "true") => Some(Expr::Bool(true)),
        Kind::Word if token.is_word(sql, "false") => Some(Expr::Bool(false)),
        Kind::Word if token.is_word(sql, "default") => Some(Expr::Default),
        _ => None,
    }
}

/// `$7` as a parameter.
pub(super) fn parameter(sql: &[u8], token: Token) -> Option<Expr> {
    let index = parameter_number(sql, token)?.checked_sub(1)?;
    Some(Expr::Parameter { index, at: token.start })
}

pub(super) fn parameter_number(sql: &[u8], token: Token) -> Option<u16> {
    std::str::from_utf8(token.text(sql)).ok()?.strip_prefix('$')?.parse().ok()
}

/// The rows of VALUES whose first parenthesis is `tokens[0]`, and the number of their tokens.
/// `None` when they are few or a subquery stands in one.
pub(super) fn rows(sql: &[u8], tokens: &[Token]) -> Option<(Rows, usize)> {
    let mut rows = Vec::new();
    let mut elements = 0;
    let mut at = 0;
    loop {
        if tokens.get(at)?.kind != Kind::LeftParen {
            return None;
        }
        let (row, length) = row(sql, &tokens[at..])?;
        elements += row.len();
        rows.push(row);
        at += length;
        match tokens.get(at) {
            Some(token) if token.kind == Kind::Comma => at += 1,
            _ => break,
        }
    }
    (elements >= BULK_ELEMENTS_MIN && rows.len() > 1).then_some((rows, at))
}

/// One row with its parentheses.
fn row(sql: &[u8], tokens: &[Token]) -> Option<(Vec<Expr>, usize)> {
    let mut row = Vec::new();
    let mut depth = 0_usize;
    let mut start = 1;
    for (at, &token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::LeftParen | Kind::LeftBracket => depth += 1,
            Kind::RightParen | Kind::RightBracket => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    row.push(element(sql, &tokens[start..at])?);
                    return Some((row, at + 1));
                }
            }
            Kind::Comma if depth == 1 => {
                row.push(element(sql, &tokens[start..at])?);
                start = at + 1;
            }
            Kind::Semicolon => return None,
            _ => {}
        }
    }
    None
}

/// One value of a row: a constant, or something of which only the function calls are kept.
fn element(sql: &[u8], tokens: &[Token]) -> Option<Expr> {
    let whole = constant(sql, tokens).filter(|(_, length)| *length == tokens.len());
    if let Some((expr, _)) = whole {
        return Some(expr);
    }
    if let [value, cast, word] = tokens
        && cast.kind == Kind::Typecast
        && let (Some(value), Some(name)) = (simple(sql, *value), plain_type(sql, *word))
    {
        return Some(Expr::Cast(Box::new(value), name));
    }
    calls(sql, tokens)
}

/// A type of one unquoted word.
fn plain_type(sql: &[u8], word: Token) -> Option<TypeName> {
    let name = word.identifier(sql).filter(|_| word.kind == Kind::Word)?;
    Some(TypeName { name: name.into(), modified: false, array: false })
}

/// The function calls in an expression; `None` when it has a subquery, or is none.
fn calls(sql: &[u8], tokens: &[Token]) -> Option<Expr> {
    let mut calls = Vec::new();
    for (at, &token) in tokens.iter().enumerate() {
        let starts_query =
            ["select", "with", "values", "table"].iter().any(|word| token.is_word(sql, word));
        if starts_query {
            return None;
        }
        let is_called = tokens.get(at + 1).is_some_and(|next| next.kind == Kind::LeftParen);
        if is_called && token.kind.is_identifier() {
            let name = path_ending_at(sql, tokens, at)?;
            calls.push(Expr::Call(Box::new(Call { name, operands: Vec::new(), over: None })));
        } else if token.kind == Kind::Parameter {
            calls.push(parameter(sql, token)?);
        }
    }
    let readable = !tokens.is_empty() && !is_bare_keyword(sql, tokens);
    readable.then_some(Expr::Other(calls))
}

fn is_bare_keyword(sql: &[u8], tokens: &[Token]) -> bool {
    let [word] = tokens else { return false };
    words::RESERVED.iter().any(|reserved| word.is_word(sql, reserved))
}

fn path_ending_at(sql: &[u8], tokens: &[Token], at: usize) -> Option<Box<[Ident]>> {
    let mut parts = vec![ident(sql, tokens[at])?];
    let mut at = at;
    while at >= 2 && tokens[at - 1].kind == Kind::Dot {
        at -= 2;
        parts.push(ident(sql, tokens[at])?);
    }
    parts.reverse();
    Some(parts.into())
}

pub(super) fn ident(sql: &[u8], token: Token) -> Option<Ident> {
    Some(Ident { text: token.identifier(sql)?.into(), at: token.start })
}
