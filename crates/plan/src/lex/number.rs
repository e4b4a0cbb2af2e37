//! Numbers: `42`, `1_000`, `0x1F`, `1.5e10`, and the junk that may not follow them.

use super::{Kind, LexError, LexErrorKind, continues_word, end_of_word, starts_word};

/// Reads a number that starts with a digit.
#[inline]
pub(super) fn read(sql: &[u8], start: usize) -> Result<(Kind, usize), LexError> {
    let digits = sql[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    match sql.get(start + digits) {
        Some(&byte) if byte == b'.' || continues_word(byte) => read_any(sql, start),
        _ => Ok((Kind::Integer, start + digits)),
    }
}

/// Reads a number of any form, also one that starts with a dot.
pub(super) fn read_any(sql: &[u8], start: usize) -> Result<(Kind, usize), LexError> {
    if sql[start] == b'0'
        && let Some(radix) = sql.get(start + 1).and_then(|&letter| Radix::of(letter))
    {
        return radix.read(sql, start).map(|end| (Kind::Integer, end));
    }
    let (kind, end) = read_decimal(sql, start)?;
    match sql.get(end) {
        Some(&byte) if starts_word(byte) => Err(junk(sql, start, end)),
        Some(b'$') if ends_like_word(&sql[start..end]) => Err(junk(sql, start, end)),
        _ => Ok((kind, end)),
    }
}

/// Whether a number's end could also be an identifier, as in `1e5` and `1_000`: then a `$` makes
/// it one, since the longest match wins.
fn ends_like_word(number: &[u8]) -> bool {
    number.iter().rev().take_while(|&&byte| continues_word(byte)).any(|&byte| starts_word(byte))
}

fn junk(sql: &[u8], start: usize, from: usize) -> LexError {
    LexError::new(LexErrorKind::JunkAfterNumber, start, end_of_word(sql, from))
}

fn read_decimal(sql: &[u8], start: usize) -> Result<(Kind, usize), LexError> {
    let mut at = start;
    let mut kind = Kind::Integer;
    if sql[start] != b'.' {
        at = end_of_digits(sql, start, |byte| byte.is_ascii_digit());
    }
    // `1..10` is a range, not `1.` and `.10`.
    if sql.get(at) == Some(&b'.') && sql.get(at + 1) != Some(&b'.') {
        kind = Kind::Decimal;
        at += 1;
        if sql.get(at).is_some_and(u8::is_ascii_digit) {
            at = end_of_digits(sql, at, |byte| byte.is_ascii_digit());
        }
    }
    if let Some(b'e' | b'E') = sql.get(at) {
        let sign = usize::from(matches!(sql.get(at + 1), Some(b'+' | b'-')));
        let exponent = at + 1 + sign;
        if sql.get(exponent).is_some_and(u8::is_ascii_digit) {
            return Ok((Kind::Decimal, end_of_digits(sql, exponent, |byte| byte.is_ascii_digit())));
        }
        if sign == 1 {
            return Err(LexError::new(LexErrorKind::JunkAfterNumber, start, exponent));
        }
    }
    Ok((kind, at))
}

/// The end of digits that single underscores may separate; the first byte is a digit.
fn end_of_digits(sql: &[u8], start: usize, is_digit: fn(u8) -> bool) -> usize {
    let mut at = start + 1;
    loop {
        match (sql.get(at), sql.get(at + 1)) {
            (Some(&byte), _) if is_digit(byte) => at += 1,
            (Some(b'_'), Some(&byte)) if is_digit(byte) => at += 2,
            _ => return at,
        }
    }
}

#[derive(Clone, Copy)]
enum Radix {
    Hex,
    Octal,
    Binary,
}

impl Radix {
    fn of(letter: u8) -> Option<Radix> {
        match letter {
            b'x' | b'X' => Some(Radix::Hex),
            b'o' | b'O' => Some(Radix::Octal),
            b'b' | b'B' => Some(Radix::Binary),
            _ => None,
        }
    }

    /// The end of `0x…`, `0o…` or `0b…`; an underscore may also stand before the first digit.
    fn read(self, sql: &[u8], start: usize) -> Result<usize, LexError> {
        let is_digit = match self {
            Radix::Hex => |byte: u8| byte.is_ascii_hexdigit(),
            Radix::Octal => |byte: u8| matches!(byte, b'0'..=b'7'),
            Radix::Binary => |byte: u8| matches!(byte, b'0' | b'1'),
        };
        let first = start + 2 + usize::from(sql.get(start + 2) == Some(&b'_'));
        let found = sql.get(first).is_some_and(|&byte| is_digit(byte));
        let end = if found { end_of_digits(sql, first, is_digit) } else { first };
        if sql.get(end).is_some_and(|&byte| continues_word(byte)) {
            return Err(junk(sql, start, end));
        }
        if found {
            return Ok(end);
        }
        let kind = match self {
            Radix::Hex => LexErrorKind::InvalidHexInteger,
            Radix::Octal => LexErrorKind::InvalidOctalInteger,
            Radix::Binary => LexErrorKind::InvalidBinaryInteger,
        };
        Err(LexError::new(kind, start, end))
    }
}
