//! Whether an expression gives the same on every node, by the functions it calls.

use super::Stop;
use super::facts::Volatility;
use super::request::Request;
use crate::lex::{Kind, Token};

/// Functions that are called without parentheses.
const STABLE_WORDS: [&str; 11] = [
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "current_user",
    "current_role",
    "session_user",
    "user",
    "current_catalog",
    "current_schema",
];

/// Of the expression that `tokens` are.
pub fn of(request: &Request<'_>, tokens: &[Token]) -> Result<Volatility, Stop> {
    let sql = request.sql.as_bytes();
    let mut called = Vec::new();
    let mut own = Volatility::Immutable;
    for (n, token) in tokens.iter().enumerate() {
        let is_call = tokens.get(n + 1).is_some_and(|next| next.kind == Kind::LeftParen);
        if STABLE_WORDS.iter().any(|word| token.is_word(sql, word)) {
            own = Volatility::Stable;
        } else if is_call && let Some(name) = token.identifier(sql) {
            called.push(name.into_owned());
        }
    }
    called.sort();
    called.dedup();
    Ok(own.max(request.facts.volatility(called)?))
}
