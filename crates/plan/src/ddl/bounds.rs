//! The bounds of fragments: read from a statement, and written the one way the catalog spells
//! them, so that the server and the catalog cannot understand them differently.

use herd_catalog::{Bound, Limit};
use herd_types::ClientError;

use super::options::split_at_commas;
use super::sql::literal;
use crate::cursor::Cursor;
use crate::lex::{Kind, Token};

/// Reads `FOR VALUES …` or `DEFAULT`; `None` when neither comes next.
pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Bound>, ClientError> {
    if cursor.word("default") {
        return Ok(Some(Bound::Default));
    }
    if !cursor.words(&["for", "values"]) {
        return Ok(None);
    }
    if cursor.word("in") {
        return list(cursor, read_value).map(|values| values.map(|values| Bound::List { values }));
    }
    if cursor.word("from") {
        let from = list(cursor, read_limit)?;
        let to = if cursor.word("to") { list(cursor, read_limit)? } else { None };
        return Ok(from.zip(to).map(|(from, to)| Bound::Range { from, to }));
    }
    Ok(None)
}

/// The bound as PostgreSQL reads it, whatever the session's settings.
pub fn render(bound: &Bound) -> String {
    match bound {
        Bound::Default => "DEFAULT".to_owned(),
        Bound::Hash { modulus, remainder } => {
            format!("FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})")
        }
        Bound::List { values } => {
            let values = values.iter().map(|value| match value {
                Some(text) => literal(text),
                None => "NULL".to_owned(),
            });
            format!("FOR VALUES IN ({})", values.collect::<Vec<_>>().join(", "))
        }
        Bound::Range { from, to } => {
            format!("FOR VALUES FROM ({}) TO ({})", render_limits(from), render_limits(to))
        }
    }
}

fn render_limits(limits: &[Limit]) -> String {
    let limits = limits.iter().map(|limit| match limit {
        Limit::MinValue => "MINVALUE".to_owned(),
        Limit::MaxValue => "MAXVALUE".to_owned(),
        Limit::Value(text) => literal(text),
    });
    limits.collect::<Vec<_>>().join(", ")
}

fn list<T>(
    cursor: &mut Cursor<'_>,
    read: fn(&[u8], &[Token]) -> Option<T>,
) -> Result<Option<Vec<T>>, ClientError> {
    let sql = cursor.sql();
    let Some(inner) = cursor.parenthesised() else {
        return Ok(None);
    };
    let values = split_at_commas(inner)
        .into_iter()
        .map(|item| read(sql, item).ok_or_else(|| refuse_expression(sql, item)));
    values.collect::<Result<Vec<_>, _>>().map(Some)
}

fn read_limit(sql: &[u8], tokens: &[Token]) -> Option<Limit> {
    match tokens {
        [only] if only.is_word(sql, "minvalue") => Some(Limit::MinValue),
        [only] if only.is_word(sql, "maxvalue") => Some(Limit::MaxValue),
        _ => read_value(sql, tokens)?.map(Limit::Value),
    }
}

/// A constant: `None` within is NULL.
fn read_value(sql: &[u8], tokens: &[Token]) -> Option<Option<String>> {
    let text = |token: &Token| String::from_utf8(token.text(sql).to_vec()).ok();
    match tokens {
        [only] if only.is_word(sql, "null") => Some(None),
        [only] if only.is_word(sql, "true") || only.is_word(sql, "false") => {
            Some(Some(text(only)?.to_ascii_lowercase()))
        }
        [only] if only.kind.is_string() => {
            Some(Some(String::from_utf8(only.string_value(sql)?.into_owned()).ok()?))
        }
        [only] if matches!(only.kind, Kind::Integer | Kind::Decimal) => Some(Some(text(only)?)),
        [sign, number] if matches!(number.kind, Kind::Integer | Kind::Decimal) => {
            let minus = sign.is_operator(sql, "-");
            let number = text(number)?;
            (minus || sign.is_operator(sql, "+"))
                .then(|| Some(if minus { format!("-{number}") } else { number }))
        }
        _ => None,
    }
}

fn refuse_expression(sql: &[u8], tokens: &[Token]) -> ClientError {
    let error = ClientError::unsupported("the bounds of a fragment must be constants")
        .with_hint("Write each value as a plain string, number, true, false or NULL.");
    match tokens.first() {
        Some(first) => error.at(crate::lex::position(sql, first.start as usize)),
        None => error,
    }
}
