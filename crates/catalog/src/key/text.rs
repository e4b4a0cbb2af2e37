//! Reading a key value from text, as the input function of its type does.
//!
//! Only ASCII is looked at: whether a byte beyond it is a blank depends on the server's locale.

use super::{Decimal, KeyBytes, KeyError, KeyType, KeyValue, Numeric, datetime};

impl KeyType {
    /// The value that PostgreSQL reads from `text`, without any modifier of the column applied.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] if no server accepts it, [`KeyError::Unsure`] if that, or what it
    /// means, depends on the server's version or settings.
    pub fn from_text(self, text: &[u8]) -> Result<KeyValue, KeyError> {
        match self {
            KeyType::Bool => boolean(text).map(KeyValue::Bool),
            KeyType::Int2 => integer(text, i64::from(i16::MIN), i64::from(i16::MAX)),
            KeyType::Int4 => integer(text, i64::from(i32::MIN), i64::from(i32::MAX)),
            KeyType::Int8 => integer(text, i64::MIN, i64::MAX),
            KeyType::Text | KeyType::Varchar => characters(text),
            KeyType::Bpchar => characters(without_trailing_blanks(text)),
            KeyType::Uuid => uuid(text).map(KeyValue::Uuid),
            KeyType::Date => datetime::date(text).map(KeyValue::Date),
            KeyType::Timestamp => datetime::timestamp(text).map(KeyValue::Timestamp),
            KeyType::Timestamptz => datetime::timestamptz(text).map(KeyValue::Timestamp),
            KeyType::Numeric => numeric(text).map(KeyValue::Numeric),
            KeyType::Bytea => bytea(text).map(KeyValue::Bytea),
        }
    }
}

/// A zero byte is in no text; other encodings than UTF-8 would have to be known to be read.
pub(super) fn characters(text: &[u8]) -> Result<KeyValue, KeyError> {
    if memchr::memchr(0, text).is_some() {
        return Err(KeyError::Invalid);
    }
    if !text.is_ascii() && std::str::from_utf8(text).is_err() {
        return Err(KeyError::Unsure);
    }
    Ok(KeyValue::Text(KeyBytes::from_slice(text)))
}

pub(super) fn without_trailing_blanks(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

fn integer(text: &[u8], min: i64, max: i64) -> Result<KeyValue, KeyError> {
    let value = match plain_integer(text) {
        Some(value) => value,
        None => spaced_integer(text)?,
    };
    if value < min || value > max { Err(KeyError::Invalid) } else { Ok(KeyValue::Int(value)) }
}

/// The usual case: a sign at most, and so few digits that nothing overflows.
fn plain_integer(text: &[u8]) -> Option<i64> {
    const DIGITS_MAX: usize = 18;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let mut value = 0_i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

fn spaced_integer(text: &[u8]) -> Result<i64, KeyError> {
    let (negative, digits) = sign(trim(text)?);
    if digits.is_empty() {
        return Err(KeyError::Invalid);
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(if may_be_new_spelling(digits) { KeyError::Unsure } else { KeyError::Invalid });
    }
    digits
        .iter()
        .try_fold(0_i64, |value, &byte| {
            let digit = i64::from(byte - b'0');
            let value = value.checked_mul(10)?;
            if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
        })
        .ok_or(KeyError::Invalid)
}

/// `0xFF`, `0o17`, `0b1` and `1_000` are numbers since PostgreSQL 16.
fn may_be_new_spelling(digits: &[u8]) -> bool {
    digits.contains(&b'_') || matches!(digits, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..])
}

fn boolean(text: &[u8]) -> Result<bool, KeyError> {
    let word = trim(text)?;
    let is_prefix_of = |full: &[u8], shortest: usize| {
        word.len() >= shortest
            && full.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if is_prefix_of(b"true", 1) || is_prefix_of(b"yes", 1) || is_prefix_of(b"on", 2) || word == b"1"
    {
        Ok(true)
    } else if is_prefix_of(b"false", 1)
        || is_prefix_of(b"no", 1)
        || is_prefix_of(b"off", 2)
        || word == b"0"
    {
        Ok(false)
    } else {
        Err(KeyError::Invalid)
    }
}

fn uuid(text: &[u8]) -> Result<[u8; 16], KeyError> {
    if let Some(value) = usual_uuid(text) {
        return Ok(value);
    }
    let braced = text.first() == Some(&b'{');
    let mut rest = if braced { &text[1..] } else { text };
    let mut value = [0; 16];
    for (index, byte) in value.iter_mut().enumerate() {
        let [high, low, after @ ..] = rest else { return Err(KeyError::Invalid) };
        *byte = hex_byte(*high, *low)?;
        rest = after;
        if index % 2 == 1 && index < 15 {
            rest = rest.strip_prefix(b"-").unwrap_or(rest);
        }
    }
    let end: &[u8] = if braced { b"}" } else { b"" };
    if rest == end { Ok(value) } else { Err(KeyError::Invalid) }
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`
fn usual_uuid(text: &[u8]) -> Option<[u8; 16]> {
    const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let text: &[u8; 36] = text.try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
        return None;
    }
    let mut seen = 0;
    let value = PAIRS.map(|at| {
        let (high, low) = (HEX[usize::from(text[at])], HEX[usize::from(text[at + 1])]);
        seen |= high | low;
        high << 4 | low
    });
    (seen != NO_HEX).then_some(value)
}

fn hex_byte(high: u8, low: u8) -> Result<u8, KeyError> {
    let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
    if high | low == NO_HEX { Err(KeyError::Invalid) } else { Ok(high << 4 | low) }
}

const NO_HEX: u8 = 0xFF;

/// The value of each hexadecimal digit.
static HEX: [u8; 256] = {
    let mut table = [NO_HEX; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        table[digit as usize] = value as u8;
        table[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    table
};

fn bytea(text: &[u8]) -> Result<KeyBytes, KeyError> {
    match text {
        [b'\\', b'x', hex @ ..] => bytea_hex(hex),
        _ => bytea_escape(text),
    }
}

fn bytea_hex(mut hex: &[u8]) -> Result<KeyBytes, KeyError> {
    let mut bytes = KeyBytes::new();
    loop {
        match hex {
            [] => return Ok(bytes),
            [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] => hex = rest,
            [high, low, rest @ ..] => {
                bytes.push(hex_byte(*high, *low)?);
                hex = rest;
            }
            [_] => return Err(KeyError::Invalid),
        }
    }
}

fn bytea_escape(mut text: &[u8]) -> Result<KeyBytes, KeyError> {
    if !text.is_ascii() {
        // The client's encoding may be converted to the server's before bytea sees it.
        return Err(KeyError::Unsure);
    }
    let mut bytes = KeyBytes::new();
    loop {
        match text {
            [] => return Ok(bytes),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                text = rest;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                text = rest;
            }
            [b'\\' | 0, ..] => return Err(KeyError::Invalid),
            [byte, rest @ ..] => {
                bytes.push(*byte);
                text = rest;
            }
        }
    }
}

fn numeric(text: &[u8]) -> Result<Numeric, KeyError> {
    let (negative, number) = sign(trim(text)?);
    match number.first() {
        Some(b'0'..=b'9' | b'.') => decimal(negative, number).map(Numeric::Finite),
        _ => special_numeric(text, negative, number),
    }
}

fn special_numeric(text: &[u8], negative: bool, word: &[u8]) -> Result<Numeric, KeyError> {
    if word.eq_ignore_ascii_case(b"infinity") || word.eq_ignore_ascii_case(b"inf") {
        Ok(if negative { Numeric::NegativeInfinity } else { Numeric::Infinity })
    } else if trim(text)?.eq_ignore_ascii_case(b"nan") {
        Ok(Numeric::NaN)
    } else {
        Err(KeyError::Invalid)
    }
}

fn decimal(negative: bool, number: &[u8]) -> Result<Decimal, KeyError> {
    if may_be_new_spelling(number) {
        return Err(KeyError::Unsure);
    }
    let split = number.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(number.len());
    let (mantissa, exponent) = number.split_at(split);
    let exponent = match exponent {
        [] => 0,
        [_, digits @ ..] => decimal_exponent(digits)?,
    };
    let whole = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let mut decimals = KeyBytes::from_slice(&mantissa[..whole]);
    decimals.extend_from_slice(mantissa.get(whole + 1..).unwrap_or_default());
    if decimals.is_empty() || !decimals.iter().all(u8::is_ascii_digit) {
        return Err(KeyError::Invalid);
    }
    let scale = decimals.len() as i64 - whole as i64 - i64::from(exponent);
    // A zero, too, is refused by servers when it has too many digits after its point.
    if whole as i64 + i64::from(exponent).abs() + scale.abs() > NUMERIC_TEXT_MAX {
        return Err(KeyError::Unsure);
    }
    Decimal::from_decimals(negative, &decimals, whole as i32 + exponent)
}

/// Digits and exponents beyond this are left to servers: some are near their own limits.
const NUMERIC_TEXT_MAX: i64 = 8_192;

fn decimal_exponent(text: &[u8]) -> Result<i32, KeyError> {
    const DIGITS_MAX: usize = 6;
    if text.first().is_some_and(is_blank) {
        // Accepted before PostgreSQL 16.
        return Err(KeyError::Unsure);
    }
    let (negative, digits) = sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(KeyError::Invalid);
    }
    if digits.len() > DIGITS_MAX {
        return Err(KeyError::Unsure);
    }
    let magnitude = digits.iter().fold(0, |value, &byte| value * 10 + i32::from(byte - b'0'));
    Ok(if negative { -magnitude } else { magnitude })
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

/// Without blanks at its ends, as C's `isspace` knows them.
pub(super) fn trim(text: &[u8]) -> Result<&[u8], KeyError> {
    if !text.is_ascii() {
        return Err(KeyError::Unsure);
    }
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    Ok(&text[start..end])
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}
