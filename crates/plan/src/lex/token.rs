//! One token: its kind and where it stands.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An identifier or keyword without quotes.
    Word,
    /// `"…"`
    QuotedWord,
    /// `U&"…"`, with its UESCAPE clause if it has one.
    UnicodeWord,
    /// `'…'`, with all its continuations on later lines.
    Text,
    /// `E'…'`
    EscapeText,
    /// `U&'…'`, with its UESCAPE clause if it has one.
    UnicodeText,
    /// `N'…'`: a bpchar, as in PostgreSQL.
    NationalText,
    /// `$$…$$` or `$tag$…$tag$`
    DollarText,
    /// `B'…'`
    Bits,
    /// `X'…'`
    Hex,
    /// Also `0x1F`, `0o17`, `0b1` and `1_000`.
    Integer,
    /// `1.5`, `1e10`, `.5`
    Decimal,
    /// `$1`
    Parameter,
    /// One or more operator characters, `=>` and `<=` among them.
    Operator,
    Typecast,
    ColonEquals,
    Colon,
    DotDot,
    Dot,
    Comma,
    Semicolon,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

impl Kind {
    /// Whether a word in any spelling: a keyword, if a plain [`Kind::Word`], or a name.
    #[must_use]
    pub fn is_identifier(self) -> bool {
        matches!(self, Kind::Word | Kind::QuotedWord | Kind::UnicodeWord)
    }

    /// Whether a character string, in whatever quotes.
    #[must_use]
    pub fn is_string(self) -> bool {
        matches!(
            self,
            Kind::Text
                | Kind::EscapeText
                | Kind::UnicodeText
                | Kind::NationalText
                | Kind::DollarText
        )
    }

    /// Whether a constant.
    #[must_use]
    pub fn is_literal(self) -> bool {
        self.is_string() || matches!(self, Kind::Bits | Kind::Hex | Kind::Integer | Kind::Decimal)
    }
}

impl Token {
    /// Offsets fit: the lexer reads no further than 4 GiB.
    pub(super) fn new(kind: Kind, start: usize, end: usize) -> Token {
        Token { kind, start: start as u32, end: end as u32 }
    }

    #[must_use]
    pub fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The token as written.
    #[must_use]
    pub fn text(self, sql: &[u8]) -> &[u8] {
        &sql[self.span()]
    }

    /// Whether this is the unquoted word `word`, given in lower case.
    #[must_use]
    pub fn is_word(self, sql: &[u8], word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether this is exactly the operator `operator`.
    #[must_use]
    pub fn is_operator(self, sql: &[u8], operator: &str) -> bool {
        self.kind == Kind::Operator && self.text(sql) == operator.as_bytes()
    }
}
