//! One field of a row in CSV format, as PostgreSQL's `CopyReadAttributesCSV` reads it.

use herd_plan::CsvFormat;
use memchr::memchr2;

use super::fields::{Field, between_delimiters};

/// As [`field`], of a row without a quote.
#[inline]
pub(super) fn plain_field<'a>(
    format: &'a CsvFormat,
    row: &'a [u8],
    index: usize,
) -> Option<Field<'a>> {
    let raw = between_delimiters(format.delimiter, row, index)?;
    let value = if raw == format.null {
        Field::Null
    } else if format.default.as_deref() == Some(raw) {
        Field::Default
    } else {
        Field::Value(raw)
    };
    Some(forced(format, index, value))
}

/// The `index`-th field of `row`, which has no newline at its end. `None` when the row has fewer,
/// or a quote is never closed.
pub(super) fn field<'a>(
    format: &'a CsvFormat,
    row: &'a [u8],
    index: usize,
    scratch: &'a mut Vec<u8>,
) -> Option<Field<'a>> {
    let mut rest = row;
    for _ in 0..index {
        rest = &rest[field_end(format, rest)?.filter_delimiter(rest)? + 1..];
    }
    let end = field_end(format, rest)?;
    let raw = &rest[..end.at];
    let value = match end.quoted {
        false if raw == format.null => Field::Null,
        _ if format.default.as_deref() == Some(raw) => Field::Default,
        false => Field::Value(raw),
        true => {
            unquote(format, raw, scratch);
            Field::Value(scratch)
        }
    };
    Some(forced(format, index, value))
}

/// FORCE_NULL and FORCE_NOT_NULL.
fn forced<'a>(format: &'a CsvFormat, index: usize, value: Field<'a>) -> Field<'a> {
    match value {
        Field::Null if format.force_not_null.contains(&index) => Field::Value(&format.null),
        Field::Value(text) if text == format.null && format.force_null.contains(&index) => {
            Field::Null
        }
        other => other,
    }
}

struct FieldEnd {
    at: usize,
    quoted: bool,
}

impl FieldEnd {
    /// Its place when another field follows.
    fn filter_delimiter(&self, rest: &[u8]) -> Option<usize> {
        (self.at < rest.len()).then_some(self.at)
    }
}

/// Where the field at the start of `rest` ends: at a delimiter, or with the row.
#[inline]
fn field_end(format: &CsvFormat, rest: &[u8]) -> Option<FieldEnd> {
    let mut from = 0;
    let mut quoted = false;
    loop {
        let Some(found) = memchr2(format.delimiter, format.quote, &rest[from..]) else {
            return Some(FieldEnd { at: rest.len(), quoted });
        };
        let at = from + found;
        if rest[at] == format.delimiter {
            return Some(FieldEnd { at, quoted });
        }
        quoted = true;
        from = quote_end(format, rest, at + 1)? + 1;
    }
}

/// Where the quote that was opened just before `from` is closed.
fn quote_end(format: &CsvFormat, rest: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr2(format.escape, format.quote, rest.get(from..)?)?;
        if escaped(format, rest, at).is_some() {
            from = at + 2;
        } else if rest[at] == format.quote {
            return Some(at);
        } else {
            from = at + 1;
        }
    }
}

/// The character that is escaped at `at`, inside quotes.
fn escaped(format: &CsvFormat, rest: &[u8], at: usize) -> Option<u8> {
    if rest[at] != format.escape {
        return None;
    }
    rest.get(at + 1).copied().filter(|&next| next == format.escape || next == format.quote)
}

fn unquote(format: &CsvFormat, raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut in_quotes = false;
    let mut at = 0;
    while at < raw.len() {
        let byte = raw[at];
        at += 1;
        if in_quotes && let Some(next) = escaped(format, raw, at - 1) {
            out.push(next);
            at += 1;
        } else if byte == format.quote {
            in_quotes = !in_quotes;
        } else {
            out.push(byte);
        }
    }
}
