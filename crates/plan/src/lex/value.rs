//! What identifiers and strings stand for, once their quotes and escapes are taken away.

use std::borrow::Cow;

use super::string::continuation;
use super::{Kind, Lexer, Token};

/// NAMEDATALEN - 1.
const IDENTIFIER_BYTES_MAX: usize = 63;

impl Token {
    /// The name that this identifier means: folded unless quoted, and truncated as PostgreSQL
    /// does. Bytes that are not UTF-8 become U+FFFD. `None` when it is no identifier, or one
    /// with an invalid escape.
    #[must_use]
    pub fn identifier(self, sql: &[u8]) -> Option<Cow<'_, str>> {
        let text = self.text(sql);
        match self.kind {
            Kind::Word => Some(fold_identifier(text)),
            Kind::QuotedWord => {
                let name = unquote(&text[1..text.len() - 1], b'"');
                Some(utf8(truncated(name)))
            }
            Kind::UnicodeWord => {
                let (body, escape) = unicode_parts(text)?;
                let name = unescape_unicode(&unquote(body, b'"'), escape)?;
                Some(utf8(truncated(Cow::Owned(name))))
            }
            _ => None,
        }
    }

    /// The bytes that this string means; `None` when it is no string, or one with an invalid
    /// escape.
    #[must_use]
    pub fn string_value(self, sql: &[u8]) -> Option<Cow<'_, [u8]>> {
        let text = self.text(sql);
        match self.kind {
            Kind::Text => Some(join(text, 1)),
            Kind::NationalText => Some(join(text, 2)),
            Kind::EscapeText => unescape(text),
            Kind::UnicodeText => {
                let (body, escape) = unicode_parts(text)?;
                // The quotes around the body go with it: a string may be continued.
                unescape_unicode(&join(body, 1), escape).map(Cow::Owned)
            }
            Kind::DollarText => {
                let tag = text[1..].iter().position(|&byte| byte == b'$')? + 2;
                Some(Cow::Borrowed(&text[tag..text.len() - tag]))
            }
            _ => None,
        }
    }
}

/// An unquoted identifier as PostgreSQL reads it in a UTF-8 database: only ASCII is folded.
#[must_use]
pub fn fold_identifier(text: &[u8]) -> Cow<'_, str> {
    let text = &text[..truncated_length(text)];
    if text.iter().any(u8::is_ascii_uppercase) {
        utf8(Cow::Owned(text.to_ascii_lowercase()))
    } else {
        utf8(Cow::Borrowed(text))
    }
}

fn utf8(name: Cow<'_, [u8]>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => String::from_utf8_lossy(name),
        Cow::Owned(name) => Cow::Owned(match String::from_utf8(name) {
            Ok(name) => name,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

fn truncated(name: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let length = truncated_length(&name);
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..length]),
        Cow::Owned(mut name) => {
            name.truncate(length);
            Cow::Owned(name)
        }
    }
}

/// At most [`IDENTIFIER_BYTES_MAX`], and never within a character.
fn truncated_length(name: &[u8]) -> usize {
    if name.len() <= IDENTIFIER_BYTES_MAX {
        return name.len();
    }
    let within_character = |&length: &usize| name[length] & 0xC0 == 0x80;
    (0..=IDENTIFIER_BYTES_MAX)
        .rev()
        .find(|length| !within_character(length))
        .unwrap_or(IDENTIFIER_BYTES_MAX)
}

/// `body` with doubled `quote`s made single.
fn unquote(body: &[u8], quote: u8) -> Cow<'_, [u8]> {
    if !body.contains(&quote) {
        return Cow::Borrowed(body);
    }
    let mut plain = Vec::with_capacity(body.len());
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(byte);
        if byte == quote {
            bytes.next();
        }
    }
    Cow::Owned(plain)
}

/// A plain string, whose first segment begins at `from`, with its continuations.
fn join(text: &[u8], from: usize) -> Cow<'_, [u8]> {
    let body = &text[from..text.len() - 1];
    if !body.contains(&b'\'') {
        return Cow::Borrowed(body);
    }
    let mut plain = Vec::with_capacity(body.len());
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte != b'\'' {
            plain.push(byte);
        } else if text.get(at) == Some(&b'\'') {
            plain.push(b'\'');
            at += 1;
        } else {
            at = continuation(text, at).unwrap_or(text.len());
        }
    }
    Cow::Owned(plain)
}

/// The meaning of `E'…'`.
fn unescape(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let body = &text[2..text.len() - 1];
    if !body.iter().any(|byte| matches!(byte, b'\'' | b'\\')) {
        return Some(Cow::Borrowed(body));
    }
    let mut plain = Vec::with_capacity(body.len());
    let mut at = 2;
    let mut high_surrogate = None;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\\' => at = unescape_one(text, at, &mut plain, &mut high_surrogate)?,
            _ if high_surrogate.is_some() => return None,
            b'\'' if text.get(at) == Some(&b'\'') => {
                plain.push(b'\'');
                at += 1;
            }
            b'\'' => at = continuation(text, at).unwrap_or(text.len()),
            _ => plain.push(byte),
        }
    }
    (high_surrogate.is_none() && !plain.contains(&0)).then_some(Cow::Owned(plain))
}

/// Reads the escape whose backslash stands before `at`, and gives the position after it.
fn unescape_one(
    text: &[u8],
    at: usize,
    plain: &mut Vec<u8>,
    high_surrogate: &mut Option<u32>,
) -> Option<usize> {
    let letter = *text.get(at)?;
    let digits = match letter {
        b'u' => 4,
        b'U' => 8,
        _ if high_surrogate.is_some() => return None,
        _ => return Some(unescape_byte(text, at, letter, plain)),
    };
    let code = hex_code(text.get(at + 1..at + 1 + digits)?)?;
    push_code(code, plain, high_surrogate)?;
    Some(at + 1 + digits)
}

fn unescape_byte(text: &[u8], at: usize, letter: u8, plain: &mut Vec<u8>) -> usize {
    let run = |from: usize, max: usize, is_digit: fn(&u8) -> bool| {
        text[from..].iter().take(max).take_while(|byte| is_digit(byte)).count()
    };
    let value = |digits: &[u8], radix: u32| {
        let fold =
            |sum: u32, &digit: &u8| sum * radix + char::from(digit).to_digit(16).unwrap_or(0);
        digits.iter().fold(0, fold) as u8
    };
    match letter {
        b'0'..=b'7' => {
            let length = run(at, 3, |byte| matches!(byte, b'0'..=b'7'));
            plain.push(value(&text[at..at + length], 8));
            return at + length;
        }
        b'x' => {
            let length = run(at + 1, 2, u8::is_ascii_hexdigit);
            let digits = &text[at + 1..at + 1 + length];
            plain.push(if digits.is_empty() { b'x' } else { value(digits, 16) });
            return at + 1 + length;
        }
        b'b' => plain.push(0x08),
        b'f' => plain.push(0x0C),
        b'n' => plain.push(b'\n'),
        b'r' => plain.push(b'\r'),
        b't' => plain.push(b'\t'),
        b'v' => plain.push(0x0B),
        other => plain.push(other),
    }
    at + 1
}

/// The quoted part of `U&"…"` or `U&'…'`, the latter with its quotes, and the escape character.
fn unicode_parts(text: &[u8]) -> Option<(&[u8], u8)> {
    let mut plain = Lexer::new(&text[2..]);
    let quoted = plain.next_token().ok()??;
    let escape = match plain.next_token().ok()? {
        None => b'\\',
        Some(_) => {
            let escape = plain.next_token().ok()??;
            *escape.string_value(&text[2..])?.first()?
        }
    };
    let quoted_text = quoted.text(&text[2..]);
    let body = match quoted.kind {
        Kind::QuotedWord => &quoted_text[1..quoted_text.len() - 1],
        _ => quoted_text,
    };
    Some((body, escape))
}

/// `\XXXX` and `\+XXXXXX` with `escape` for the backslash.
fn unescape_unicode(body: &[u8], escape: u8) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(body.len());
    let mut high_surrogate = None;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        at += 1;
        if byte != escape || body.get(at) == Some(&escape) {
            if high_surrogate.is_some() {
                return None;
            }
            plain.push(byte);
            at += usize::from(byte == escape);
            continue;
        }
        let (from, digits) = if body.get(at) == Some(&b'+') { (at + 1, 6) } else { (at, 4) };
        let code = hex_code(body.get(from..from + digits)?)?;
        push_code(code, &mut plain, &mut high_surrogate)?;
        at = from + digits;
    }
    high_surrogate.is_none().then_some(plain)
}

fn hex_code(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code: u32, &digit| {
        code.checked_mul(16)?.checked_add(char::from(digit).to_digit(16)?)
    })
}

/// Adds a code point, or half of a surrogate pair.
fn push_code(code: u32, plain: &mut Vec<u8>, high_surrogate: &mut Option<u32>) -> Option<()> {
    let code = match (high_surrogate.take(), code) {
        (None, 0xD800..=0xDBFF) => {
            *high_surrogate = Some(code);
            return Some(());
        }
        (Some(high), 0xDC00..=0xDFFF) => 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00),
        (None, code) => code,
        (Some(_), _) => return None,
    };
    let character = char::from_u32(code).filter(|&character| character != '\0')?;
    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}
