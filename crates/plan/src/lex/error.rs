//! What the lexer refuses, in PostgreSQL's words.

use herd_types::{ClientError, SqlState};

/// Bytes of the offending text that an error quotes; PostgreSQL quotes all of it.
const QUOTED_BYTES_MAX: usize = 80;

/// No PostgreSQL from 15 to 18 reads the text either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexError {
    pub kind: LexErrorKind,
    /// The start of the token that is wrong.
    pub start: usize,
    /// Where the rule that failed had come to.
    pub end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexErrorKind {
    UnterminatedComment,
    UnterminatedString,
    UnterminatedBitString,
    UnterminatedHexString,
    UnterminatedDollarString,
    UnterminatedQuotedWord,
    EmptyQuotedWord,
    UescapeWithoutString,
    InvalidUescape,
    OperatorTooLong,
    JunkAfterNumber,
    JunkAfterParameter,
    InvalidHexInteger,
    InvalidOctalInteger,
    InvalidBinaryInteger,
    /// A byte that begins no token.
    Stray,
}

impl LexError {
    pub(super) fn new(kind: LexErrorKind, start: usize, end: usize) -> LexError {
        LexError { kind, start, end }
    }

    pub(super) fn stray(start: usize) -> LexError {
        LexError::new(LexErrorKind::Stray, start, start + 1)
    }

    /// As the client sees it.
    #[must_use]
    pub fn into_client_error(self, sql: &[u8]) -> ClientError {
        let end = self.end.min(sql.len()).min(self.start + QUOTED_BYTES_MAX);
        let near = String::from_utf8_lossy(&sql[self.start.min(end)..end]);
        let message = format!("{} at or near \"{near}\"", self.kind.as_str());
        ClientError::error(SqlState::SYNTAX_ERROR, message).at(position(sql, self.start))
    }
}

/// A byte offset as PostgreSQL counts positions: in characters, from 1.
#[must_use]
pub fn position(sql: &[u8], offset: usize) -> u32 {
    let before = &sql[..offset.min(sql.len())];
    let characters = before.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    u32::try_from(characters + 1).unwrap_or(u32::MAX)
}

impl LexErrorKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LexErrorKind::UnterminatedComment => "unterminated /* comment",
            LexErrorKind::UnterminatedString => "unterminated quoted string",
            LexErrorKind::UnterminatedBitString => "unterminated bit string literal",
            LexErrorKind::UnterminatedHexString => "unterminated hexadecimal string literal",
            LexErrorKind::UnterminatedDollarString => "unterminated dollar-quoted string",
            LexErrorKind::UnterminatedQuotedWord => "unterminated quoted identifier",
            LexErrorKind::EmptyQuotedWord => "zero-length delimited identifier",
            LexErrorKind::UescapeWithoutString => {
                "UESCAPE must be followed by a simple string literal"
            }
            LexErrorKind::InvalidUescape => "invalid Unicode escape character",
            LexErrorKind::OperatorTooLong => "operator too long",
            LexErrorKind::JunkAfterNumber => "trailing junk after numeric literal",
            LexErrorKind::JunkAfterParameter => "trailing junk after parameter",
            LexErrorKind::InvalidHexInteger => "invalid hexadecimal integer",
            LexErrorKind::InvalidOctalInteger => "invalid octal integer",
            LexErrorKind::InvalidBinaryInteger => "invalid binary integer",
            LexErrorKind::Stray => "syntax error",
        }
    }
}
