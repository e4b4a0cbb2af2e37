//! Where strings, quoted identifiers and dollar quotes end.

use memchr::{memchr, memchr2, memmem};

use super::comment::{end_of_line, is_space, skip_blanks};
use super::{Kind, LexError, LexErrorKind, Token, end_of_word, starts_word};

/// The end of `'…'` whose text begins at `from`: `''` is a quote.
#[inline]
pub(super) fn end_of_text(sql: &[u8], start: usize, from: usize) -> Result<usize, LexError> {
    let mut at = from;
    loop {
        let Some(length) = memchr(b'\'', &sql[at..]) else {
            return Err(LexError::new(LexErrorKind::UnterminatedString, start, sql.len()));
        };
        at += length + 1;
        if sql.get(at) == Some(&b'\'') {
            at += 1;
        } else if let Some(continued) = continuation(sql, at) {
            at = continued;
        } else {
            return Ok(at);
        }
    }
}

/// The end of `E'…'`: a backslash escapes the byte after it.
pub(super) fn end_of_escape_text(sql: &[u8], start: usize, from: usize) -> Result<usize, LexError> {
    let mut at = from;
    loop {
        let unterminated = LexError::new(LexErrorKind::UnterminatedString, start, sql.len());
        let rest = sql.get(at..).ok_or(unterminated)?;
        at += memchr2(b'\'', b'\\', rest).ok_or(unterminated)? + 1;
        if sql[at - 1] == b'\\' || sql.get(at) == Some(&b'\'') {
            at += 1;
        } else if let Some(continued) = continuation(sql, at) {
            at = continued;
        } else {
            return Ok(at);
        }
    }
}

/// The end of `B'…'` or `X'…'`: nothing is escaped.
pub(super) fn end_of_bits(sql: &[u8], start: usize, from: usize) -> Result<usize, LexError> {
    let mut at = from;
    loop {
        let Some(length) = memchr(b'\'', &sql[at..]) else {
            let kind = match sql[start] {
                b'b' | b'B' => LexErrorKind::UnterminatedBitString,
                _ => LexErrorKind::UnterminatedHexString,
            };
            return Err(LexError::new(kind, start, sql.len()));
        };
        at += length + 1;
        match continuation(sql, at) {
            Some(continued) => at = continued,
            None => return Ok(at),
        }
    }
}

/// Where a string goes on that was closed before `at`: after a quote that only white space and
/// `--` comments with at least one newline separate from it.
#[inline]
pub(super) fn continuation(sql: &[u8], mut at: usize) -> Option<usize> {
    let mut newline = false;
    loop {
        match *sql.get(at)? {
            b'\'' if newline => return Some(at + 1),
            b'\n' | b'\r' => {
                newline = true;
                at += 1;
            }
            byte if is_space(byte) => at += 1,
            b'-' if sql.get(at + 1) == Some(&b'-') => at = end_of_line(sql, at + 2),
            _ => return None,
        }
    }
}

/// The end of `"…"` whose name begins at `from`.
pub(super) fn end_of_quoted_word(sql: &[u8], start: usize, from: usize) -> Result<usize, LexError> {
    let mut at = from;
    loop {
        let Some(length) = memchr(b'"', &sql[at..]) else {
            return Err(LexError::new(LexErrorKind::UnterminatedQuotedWord, start, sql.len()));
        };
        at += length + 1;
        if sql.get(at) == Some(&b'"') {
            at += 1;
        } else if at == from + 1 {
            return Err(LexError::new(LexErrorKind::EmptyQuotedWord, start, at));
        } else {
            return Ok(at);
        }
    }
}

/// The end of the UESCAPE clause after a `U&` string, or `end` when there is none.
pub(super) fn end_of_uescape(sql: &[u8], end: usize) -> Result<usize, LexError> {
    let word = skip_blanks(sql, end)?;
    if !sql.get(word).is_some_and(|&byte| starts_word(byte)) {
        return Ok(end);
    }
    let after = end_of_word(sql, word + 1);
    if !sql[word..after].eq_ignore_ascii_case(b"uescape") {
        return Ok(end);
    }
    let start = skip_blanks(sql, after)?;
    let (kind, closed) = read_escape_character(sql, start)?;
    match Token::new(kind, start, closed).string_value(sql).as_deref() {
        Some([escape]) if may_escape(*escape) => Ok(closed),
        _ => Err(LexError::new(LexErrorKind::InvalidUescape, start, closed)),
    }
}

/// The string after UESCAPE, which may stand in any quotes that make a plain text.
fn read_escape_character(sql: &[u8], start: usize) -> Result<(Kind, usize), LexError> {
    match (sql.get(start), sql.get(start + 1)) {
        (Some(b'\''), _) => Ok((Kind::Text, end_of_text(sql, start, start + 1)?)),
        (Some(b'e' | b'E'), Some(b'\'')) => {
            Ok((Kind::EscapeText, end_of_escape_text(sql, start, start + 2)?))
        }
        (Some(b'$'), Some(byte)) if !byte.is_ascii_digit() => read_dollar(sql, start),
        _ => {
            let end = (start + 1).min(sql.len());
            Err(LexError::new(LexErrorKind::UescapeWithoutString, start, end))
        }
    }
}

pub(super) fn may_escape(byte: u8) -> bool {
    byte.is_ascii()
        && !byte.is_ascii_hexdigit()
        && !matches!(byte, b'+' | b'\'' | b'"')
        && !is_space(byte)
}

/// A dollar-quoted string or a parameter.
pub(super) fn read_dollar(sql: &[u8], start: usize) -> Result<(Kind, usize), LexError> {
    match sql.get(start + 1) {
        Some(b'0'..=b'9') => read_parameter(sql, start),
        Some(b'$') => end_of_dollar_text(sql, start, start + 2).map(|end| (Kind::DollarText, end)),
        Some(&byte) if starts_word(byte) => {
            let continues = |&byte: &u8| starts_word(byte) || byte.is_ascii_digit();
            let tag = sql[start + 1..].iter().take_while(|byte| continues(byte)).count();
            let body = start + 1 + tag + 1;
            if sql.get(body - 1) != Some(&b'$') {
                return Err(LexError::stray(start));
            }
            end_of_dollar_text(sql, start, body).map(|end| (Kind::DollarText, end))
        }
        _ => Err(LexError::stray(start)),
    }
}

fn end_of_dollar_text(sql: &[u8], start: usize, body: usize) -> Result<usize, LexError> {
    let delimiter = &sql[start..body];
    match memmem::find(&sql[body..], delimiter) {
        Some(length) => Ok(body + length + delimiter.len()),
        None => Err(LexError::new(LexErrorKind::UnterminatedDollarString, start, sql.len())),
    }
}

fn read_parameter(sql: &[u8], start: usize) -> Result<(Kind, usize), LexError> {
    let digits = sql[start + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = start + 1 + digits;
    match sql.get(end) {
        Some(&byte) if starts_word(byte) => {
            let end = end_of_word(sql, end);
            Err(LexError::new(LexErrorKind::JunkAfterParameter, start, end))
        }
        _ => Ok((Kind::Parameter, end)),
    }
}
