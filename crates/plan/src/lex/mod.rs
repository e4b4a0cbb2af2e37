//! PostgreSQL's lexer: the rules of its `scan.l`, as kinds and byte spans.
//!
//! A token is a kind and a span; nothing is copied or decoded until someone asks (`value.rs`).
//! Where PostgreSQL 15 to 18 differ, the older ones refuse what the newer ones read, so one set of
//! rules serves them all. `standard_conforming_strings` is on: the session refuses to turn it off.
//! Every rule is linear in the text, whatever the text is.

mod comment;
mod error;
mod number;
mod operator;
mod string;
mod token;
mod value;

pub use error::{LexError, LexErrorKind, position};
pub use token::{Kind, Token};
pub use value::fold_identifier;

use operator::OperatorRun;

/// Reads one token after the other.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    sql: &'a [u8],
    at: usize,
    run: OperatorRun,
}

/// All tokens of `sql`.
pub fn tokens(sql: &[u8]) -> Result<Vec<Token>, LexError> {
    let mut lexer = Lexer::new(sql);
    let mut tokens = Vec::with_capacity(sql.len() / 6 + 4);
    while let Some(token) = lexer.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

impl<'a> Lexer<'a> {
    /// Texts end at 4 GiB: PostgreSQL's own messages end at 1 GiB.
    pub fn new(sql: &'a [u8]) -> Lexer<'a> {
        let sql = &sql[..sql.len().min(u32::MAX as usize)];
        Lexer { sql, at: 0, run: OperatorRun::default() }
    }

    /// Where the next token is looked for.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next token, `None` at the end.
    #[inline]
    pub fn next_token(&mut self) -> Result<Option<Token>, LexError> {
        loop {
            let start = self.at;
            let Some(&first) = self.sql.get(start) else {
                return Ok(None);
            };
            let (kind, end) = match CLASSES[usize::from(first)] {
                Class::Blank => {
                    self.at += 1;
                    continue;
                }
                Class::Letter => self.word(start)?,
                Class::Digit => number::read(self.sql, start)?,
                Class::Operator if comment::starts(self.sql, start) => {
                    self.at = comment::end(self.sql, start)?;
                    continue;
                }
                Class::Operator => operator::read(self.sql, start, &mut self.run)?,
                Class::Single => (single(first), start + 1),
                Class::Other => self.other(start, first)?,
            };
            self.at = end;
            return Ok(Some(Token::new(kind, start, end)));
        }
    }

    /// A word, unless it is the prefix of a string.
    #[inline]
    fn word(&self, start: usize) -> Result<(Kind, usize), LexError> {
        let end = end_of_word(self.sql, start + 1);
        if end == start + 1 && matches!(self.sql.get(end), Some(b'\'' | b'&')) {
            return self.prefixed(start);
        }
        Ok((Kind::Word, end))
    }

    fn prefixed(&self, start: usize) -> Result<(Kind, usize), LexError> {
        let sql = self.sql;
        match (sql[start], sql.get(start + 1), sql.get(start + 2)) {
            (b'e' | b'E', Some(b'\''), _) => {
                Ok((Kind::EscapeText, string::end_of_escape_text(sql, start, start + 2)?))
            }
            (b'b' | b'B', Some(b'\''), _) => {
                Ok((Kind::Bits, string::end_of_bits(sql, start, start + 2)?))
            }
            (b'x' | b'X', Some(b'\''), _) => {
                Ok((Kind::Hex, string::end_of_bits(sql, start, start + 2)?))
            }
            (b'n' | b'N', Some(b'\''), _) => {
                Ok((Kind::NationalText, string::end_of_text(sql, start, start + 2)?))
            }
            (b'u' | b'U', Some(b'&'), Some(b'\'')) => {
                let end = string::end_of_text(sql, start, start + 3)?;
                Ok((Kind::UnicodeText, string::end_of_uescape(sql, end)?))
            }
            (b'u' | b'U', Some(b'&'), Some(b'"')) => {
                let end = string::end_of_quoted_word(sql, start, start + 3)?;
                Ok((Kind::UnicodeWord, string::end_of_uescape(sql, end)?))
            }
            _ => Ok((Kind::Word, start + 1)),
        }
    }

    fn other(&self, start: usize, first: u8) -> Result<(Kind, usize), LexError> {
        match first {
            b'\'' => Ok((Kind::Text, string::end_of_text(self.sql, start, start + 1)?)),
            b'"' => Ok((Kind::QuotedWord, string::end_of_quoted_word(self.sql, start, start + 1)?)),
            b'$' => string::read_dollar(self.sql, start),
            b'.' => self.dot(start),
            b':' => Ok(self.colon(start)),
            _ => Err(LexError::stray(start)),
        }
    }

    fn dot(&self, start: usize) -> Result<(Kind, usize), LexError> {
        match self.sql.get(start + 1) {
            Some(b'0'..=b'9') => number::read_any(self.sql, start),
            Some(b'.') => Ok((Kind::DotDot, start + 2)),
            _ => Ok((Kind::Dot, start + 1)),
        }
    }

    fn colon(&self, start: usize) -> (Kind, usize) {
        match self.sql.get(start + 1) {
            Some(b':') => (Kind::Typecast, start + 2),
            Some(b'=') => (Kind::ColonEquals, start + 2),
            _ => (Kind::Colon, start + 1),
        }
    }
}

/// The end of an identifier whose first byte has been seen.
#[inline]
fn end_of_word(sql: &[u8], from: usize) -> usize {
    let length = sql[from..].iter().position(|&byte| !continues_word(byte));
    length.map_or(sql.len(), |length| from + length)
}

#[inline]
fn starts_word(byte: u8) -> bool {
    matches!(CLASSES[usize::from(byte)], Class::Letter)
}

#[inline]
fn continues_word(byte: u8) -> bool {
    matches!(CLASSES[usize::from(byte)], Class::Letter | Class::Digit) || byte == b'$'
}

fn single(byte: u8) -> Kind {
    match byte {
        b'(' => Kind::LeftParen,
        b')' => Kind::RightParen,
        b'[' => Kind::LeftBracket,
        b']' => Kind::RightBracket,
        b',' => Kind::Comma,
        _ => Kind::Semicolon,
    }
}

/// What a token's first byte tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Blank,
    /// Also every byte with the high bit, as in PostgreSQL.
    Letter,
    Digit,
    Operator,
    /// A token of one byte.
    Single,
    /// The others, and what begins no token at all.
    Other,
}

static CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => Class::Blank,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80.. => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'-' | b'*'
            | b'/' | b'%' | b'<' | b'>' | b'=' => Class::Operator,
            b'(' | b')' | b'[' | b']' | b',' | b';' => Class::Single,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
}

#[cfg(test)]
mod tests;
