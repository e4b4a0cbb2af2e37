//! WITH lists: Herd's own options are taken out, the others stay as written.

use std::ops::Range;

use herd_types::{ClientError, SqlState};

use crate::cursor::Cursor;
use crate::lex::{Kind, Token, position};

/// Fragments of one table at its creation.
const FRAGMENTS_MAX: u32 = 16_384;

/// What Herd is told in a WITH list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub fragments: Option<u32>,
    pub replicas: Option<u32>,
    pub fragmented: Option<bool>,
    pub reference: Option<bool>,
    pub node: Option<String>,
    pub dc: Option<String>,
    pub family: Option<String>,
    /// The name of a table, as written within the string.
    pub like: Option<String>,
}

/// A WITH clause, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WithClause {
    /// From WITH to the closing parenthesis.
    pub span: Range<usize>,
    pub options: Options,
    /// Those that are PostgreSQL's, as written.
    pub others: Vec<Range<usize>>,
}

impl Options {
    pub fn is_empty(&self) -> bool {
        *self == Options::default()
    }
}

impl WithClause {
    /// Reads after WITH. `None`, and nothing read, when no list follows.
    pub fn read(cursor: &mut Cursor<'_>, start: usize) -> Result<Option<WithClause>, ClientError> {
        let closing = |cursor: &Cursor<'_>, inner: &[Token]| {
            cursor.rest().get(inner.len() + 1).map(|token| token.end as usize)
        };
        let mut ahead = *cursor;
        let Some(inner) = ahead.parenthesised() else {
            return Ok(None);
        };
        let end = closing(cursor, inner).unwrap_or(start);
        *cursor = ahead;
        let mut clause = WithClause { span: start..end, ..WithClause::default() };
        for item in split_at_commas(inner) {
            let mut item_cursor = Cursor::new(cursor.sql(), item);
            if item_cursor.word("herd") && item_cursor.kind(Kind::Dot).is_some() {
                clause.options.read_one(&mut item_cursor)?;
            } else if let (Some(first), Some(last)) = (item.first(), item.last()) {
                clause.others.push(first.start as usize..last.end as usize);
            }
        }
        Ok(Some(clause))
    }

    /// PostgreSQL's own options as a clause, empty when there is none.
    pub fn others_clause(&self, sql: &str) -> String {
        if self.others.is_empty() {
            return String::new();
        }
        let others = self.others.iter().map(|span| &sql[span.clone()]);
        format!(" WITH ({})", others.collect::<Vec<_>>().join(", "))
    }
}

impl Options {
    /// Reads `name [= value]`, after `herd.`.
    fn read_one(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ClientError> {
        let at = cursor.offset();
        let name = cursor.identifier().unwrap_or_default();
        let value = if cursor.operator("=") { read_value(cursor) } else { Some(String::new()) };
        let Some(value) = value.filter(|_| cursor.is_done()) else {
            return Err(invalid(cursor, at, format!("invalid value for \"herd.{name}\"")));
        };
        let is_new = match name.as_ref() {
            "fragments" => set(&mut self.fragments, number(cursor, at, &name, &value, 1)?),
            "replicas" => set(&mut self.replicas, number(cursor, at, &name, &value, 0)?),
            "fragmented" => set(&mut self.fragmented, boolean(cursor, at, &name, &value)?),
            "reference" => set(&mut self.reference, boolean(cursor, at, &name, &value)?),
            "node" => set(&mut self.node, value),
            "dc" => set(&mut self.dc, value),
            "family" => set(&mut self.family, value),
            "like" => set(&mut self.like, value),
            _ => {
                let message = format!("unrecognized parameter \"herd.{name}\"");
                let hint = "Herd knows herd.fragments, herd.replicas, herd.fragmented, \
                            herd.reference, herd.node, herd.dc, herd.family and herd.like.";
                return Err(invalid(cursor, at, message).with_hint(hint));
            }
        };
        if !is_new {
            let message = format!("parameter \"herd.{name}\" specified more than once");
            return Err(invalid(cursor, at, message));
        }
        Ok(())
    }
}

/// The tokens between commas that stand outside of any parentheses and brackets.
pub fn split_at_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut items = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (n, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::LeftParen | Kind::LeftBracket => depth += 1,
            Kind::RightParen | Kind::RightBracket => depth -= 1,
            Kind::Comma if depth == 0 => {
                items.push(&tokens[start..n]);
                start = n + 1;
            }
            _ => {}
        }
    }
    if start < tokens.len() {
        items.push(&tokens[start..]);
    }
    items
}

fn set<T>(option: &mut Option<T>, value: T) -> bool {
    option.replace(value).is_none()
}

/// A string, a word or a number.
fn read_value(cursor: &mut Cursor<'_>) -> Option<String> {
    if let Some(string) = cursor.string() {
        return String::from_utf8(string.into_owned()).ok();
    }
    if let Some(number) = cursor.kind(Kind::Integer) {
        return String::from_utf8(number.text(cursor.sql()).to_vec()).ok();
    }
    cursor.identifier().map(|word| word.into_owned())
}

fn number(
    cursor: &Cursor<'_>,
    at: usize,
    name: &str,
    value: &str,
    min: u32,
) -> Result<u32, ClientError> {
    let number = value.parse().ok().filter(|number| (min..=FRAGMENTS_MAX).contains(number));
    number.ok_or_else(|| {
        let message = format!("\"herd.{name}\" must be a number from {min} to {FRAGMENTS_MAX}");
        invalid(cursor, at, message)
    })
}

/// Without a value, an option is on, as in PostgreSQL.
fn boolean(cursor: &Cursor<'_>, at: usize, name: &str, value: &str) -> Result<bool, ClientError> {
    match value.to_ascii_lowercase().as_str() {
        "" | "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => {
            let message = format!("invalid value for boolean option \"herd.{name}\": {value}");
            Err(invalid(cursor, at, message))
        }
    }
}

fn invalid(cursor: &Cursor<'_>, at: usize, message: String) -> ClientError {
    ClientError::error(SqlState::INVALID_PARAMETER_VALUE, message).at(position(cursor.sql(), at))
}
