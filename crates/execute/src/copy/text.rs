//! One field of a row in text format, as PostgreSQL's `CopyReadAttributesText` reads it.

use herd_plan::TextFormat;
use memchr::{memchr, memchr2};

use super::fields::{Field, between_delimiters};

/// As [`field`], of a row without a backslash.
#[inline]
pub(super) fn plain_field<'a>(
    format: &TextFormat,
    row: &'a [u8],
    index: usize,
) -> Option<Field<'a>> {
    let raw = between_delimiters(format.delimiter, row, index)?;
    Some(marker(format, raw).unwrap_or(Field::Value(raw)))
}

/// The `index`-th field of `row`, which has no newline at its end. `None` when the row has fewer.
pub(super) fn field<'a>(
    format: &TextFormat,
    row: &'a [u8],
    index: usize,
    scratch: &'a mut Vec<u8>,
) -> Option<Field<'a>> {
    let raw = raw_field(format.delimiter, row, index)?;
    if let Some(marker) = marker(format, raw) {
        return Some(marker);
    }
    if memchr(b'\\', raw).is_none() {
        return Some(Field::Value(raw));
    }
    unescape(raw, scratch);
    Some(Field::Value(scratch))
}

fn marker(format: &TextFormat, raw: &[u8]) -> Option<Field<'static>> {
    if raw == format.null {
        Some(Field::Null)
    } else if format.default.as_deref() == Some(raw) {
        Some(Field::Default)
    } else {
        None
    }
}

/// Whether `row` contains an end-of-copy marker.
pub(super) fn has_end_marker(row: &[u8]) -> bool {
    let mut from = 0;
    while let Some(found) = row.get(from..).and_then(|rest| memchr(b'\\', rest)) {
        let at = from + found;
        if row.get(at + 1) == Some(&b'.') {
            return true;
        }
        from = at + 2;
    }
    false
}

fn raw_field(delimiter: u8, row: &[u8], index: usize) -> Option<&[u8]> {
    let mut rest = row;
    for _ in 0..index {
        rest = &rest[field_end(delimiter, rest)? + 1..];
    }
    let end = field_end(delimiter, rest).unwrap_or_else(|| without_lone_backslash(rest));
    Some(&rest[..end])
}

/// Where the next delimiter is that is not escaped.
#[inline]
fn field_end(delimiter: u8, rest: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(delimiter, b'\\', rest.get(from..)?)?;
        if rest[at] == delimiter {
            return Some(at);
        }
        from = at + 2;
    }
}

/// A backslash at the very end of the stream escapes nothing and is dropped.
fn without_lone_backslash(rest: &[u8]) -> usize {
    let run = rest.iter().rev().take_while(|&&byte| byte == b'\\').count();
    rest.len() - run % 2
}

fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escaped) = bytes.next() else { return };
        out.push(match escaped {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let mut value = digit(escaped, 8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(next) = bytes.peek().and_then(|&next| digit(next, 8)) else { break };
                    value = (value << 3) | next;
                    bytes.next();
                }
                (value & 0xff) as u8
            }
            b'x' => match bytes.peek().and_then(|&next| digit(next, 16)) {
                None => b'x',
                Some(mut value) => {
                    bytes.next();
                    if let Some(next) = bytes.peek().and_then(|&next| digit(next, 16)) {
                        value = (value << 4) | next;
                        bytes.next();
                    }
                    value as u8
                }
            },
            other => other,
        });
    }
}

fn digit(byte: u8, radix: u32) -> Option<u32> {
    char::from(byte).to_digit(radix)
}
