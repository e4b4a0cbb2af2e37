//! The options of COPY: read from either syntax into one list, then interpreted.

use std::borrow::Cow;

use herd_types::{ClientError, SqlState};

use super::statement::column_names;
use super::syntax_error;
use crate::cursor::Cursor;
use crate::lex::Kind;

/// One option, by its name in the list syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyOption<'a> {
    pub name: Cow<'a, str>,
    pub value: Value<'a>,
    /// Byte offset of the option in the text.
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    None,
    /// A word or a string.
    Text(Cow<'a, [u8]>),
    Number(i64),
    Star,
    Columns(Vec<Cow<'a, str>>),
}

impl<'a> CopyOption<'a> {
    pub(super) fn new(
        name: impl Into<Cow<'a, str>>,
        value: Value<'a>,
        at: usize,
    ) -> CopyOption<'a> {
        CopyOption { name: name.into(), value, at }
    }

    pub(super) fn text(&self) -> Result<&[u8], ClientError> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.syntax(format!("{} requires a parameter", self.name))),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, ClientError> {
        match &self.value {
            Value::None | Value::Number(1) => return Ok(true),
            Value::Number(0) => return Ok(false),
            Value::Text(text) => match text.to_ascii_lowercase().as_slice() {
                b"true" | b"on" => return Ok(true),
                b"false" | b"off" => return Ok(false),
                _ => {}
            },
            _ => {}
        }
        Err(self.syntax(format!("{} requires a Boolean value", self.name)))
    }

    pub(super) fn number(&self) -> Result<i64, ClientError> {
        let number = match &self.value {
            Value::Number(number) => Some(*number),
            Value::Text(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        number.ok_or_else(|| self.syntax(format!("{} requires a numeric value", self.name)))
    }

    /// The one byte that delimiters, quotes and escapes are.
    pub(super) fn byte(&self, what: &str) -> Result<u8, ClientError> {
        match *self.text()? {
            [byte] if byte != b'\n' && byte != b'\r' => Ok(byte),
            [_] => Err(ClientError::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("COPY {what} cannot be newline or carriage return"),
            )),
            _ => Err(ClientError::unsupported(format!(
                "COPY {what} must be a single one-byte character"
            ))),
        }
    }

    fn syntax(&self, message: String) -> ClientError {
        ClientError::error(SqlState::SYNTAX_ERROR, message)
    }
}

/// `(name [value], …)`
pub(super) fn read_list<'a>(
    cursor: &mut Cursor<'a>,
    options: &mut Vec<CopyOption<'a>>,
) -> Result<(), ClientError> {
    let list = cursor.parenthesised().ok_or_else(|| syntax_error(cursor))?;
    let mut inner = Cursor::new(cursor.sql(), list);
    loop {
        let at = inner.offset();
        let name = inner.identifier().ok_or_else(|| syntax_error(&inner))?;
        let value = read_value(&mut inner)?;
        options.push(CopyOption { name, value, at });
        if inner.is_done() {
            return Ok(());
        }
        inner.kind(Kind::Comma).ok_or_else(|| syntax_error(&inner))?;
    }
}

fn read_value<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, ClientError> {
    let sql = cursor.sql();
    if cursor.is_done() || cursor.sees_kind(Kind::Comma) {
        return Ok(Value::None);
    }
    if let Some(text) = cursor.string() {
        return Ok(Value::Text(text));
    }
    if let Some(word) = cursor.identifier() {
        return Ok(Value::Text(match word {
            Cow::Borrowed(word) => Cow::Borrowed(word.as_bytes()),
            Cow::Owned(word) => Cow::Owned(word.into_bytes()),
        }));
    }
    if cursor.operator("*") {
        return Ok(Value::Star);
    }
    if let Some(list) = cursor.parenthesised() {
        return column_names(sql, list).map(Value::Columns).ok_or_else(|| syntax_error(cursor));
    }
    let negative = !cursor.operator("+") && cursor.operator("-");
    let number = cursor.kind(Kind::Integer).and_then(|token| {
        let digits = std::str::from_utf8(token.text(sql)).ok()?;
        digits.parse::<i64>().ok()
    });
    match number {
        Some(number) => Ok(Value::Number(if negative { -number } else { number })),
        None => Err(syntax_error(cursor)),
    }
}

/// `CSV HEADER DELIMITER AS '|' FORCE NOT NULL a, b …`
pub(super) fn read_old_style<'a>(
    cursor: &mut Cursor<'a>,
    options: &mut Vec<CopyOption<'a>>,
) -> Result<(), ClientError> {
    loop {
        let at = cursor.offset();
        let (name, value) = match cursor.one_of(&[
            "binary",
            "csv",
            "freeze",
            "header",
            "delimiter",
            "null",
            "quote",
            "escape",
            "encoding",
            "force",
        ]) {
            Some(format @ ("binary" | "csv")) => {
                ("format", Value::Text(Cow::Borrowed(format.as_bytes())))
            }
            Some("freeze") => ("freeze", Value::None),
            Some("header") => ("header", Value::None),
            Some("force") => read_force(cursor)?,
            Some(name) => {
                cursor.word("as");
                (name, Value::Text(cursor.string().ok_or_else(|| syntax_error(cursor))?))
            }
            None => return Ok(()),
        };
        options.push(CopyOption::new(name, value, at));
    }
}

fn read_force<'a>(cursor: &mut Cursor<'a>) -> Result<(&'static str, Value<'a>), ClientError> {
    let name = if cursor.words(&["not", "null"]) {
        "force_not_null"
    } else {
        match cursor.one_of(&["null", "quote"]) {
            Some("null") => "force_null",
            Some(_) => "force_quote",
            None => return Err(syntax_error(cursor)),
        }
    };
    if cursor.operator("*") {
        return Ok((name, Value::Star));
    }
    let mut columns = Vec::new();
    loop {
        columns.push(cursor.identifier().ok_or_else(|| syntax_error(cursor))?);
        if cursor.kind(Kind::Comma).is_none() {
            return Ok((name, Value::Columns(columns)));
        }
    }
}
