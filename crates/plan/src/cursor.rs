//! A walk over tokens, for whoever reads a statement without a grammar: utility commands, DDL,
//! COPY.

use std::borrow::Cow;
use std::ops::Range;

use crate::lex::{Kind, Token};

/// Reads tokens from left to right. A method that reads something consumes it when it is there,
/// and nothing when it is not.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
    at: usize,
}

/// A name in a statement, as written: without a schema, or with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    pub schema: Option<Cow<'a, str>>,
    pub name: Cow<'a, str>,
    /// From the schema to the end of the name.
    pub span: Range<usize>,
}

impl<'a> Cursor<'a> {
    pub fn new(sql: &'a [u8], tokens: &'a [Token]) -> Cursor<'a> {
        Cursor { sql, tokens, at: 0 }
    }

    #[must_use]
    pub fn sql(&self) -> &'a [u8] {
        self.sql
    }

    /// The tokens not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [Token] {
        &self.tokens[self.at..]
    }

    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at == self.tokens.len()
    }

    /// Where the next token starts, or the text ends.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.peek().map_or(self.sql.len(), |token| token.start as usize)
    }

    /// Where the token that was read last ends.
    #[must_use]
    pub fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |last| self.tokens[last].end as usize)
    }

    #[must_use]
    pub fn peek(&self) -> Option<Token> {
        self.peek_at(0)
    }

    /// The `n`-th token from here, 0 being the next.
    #[must_use]
    pub fn peek_at(&self, n: usize) -> Option<Token> {
        self.tokens.get(self.at + n).copied()
    }

    /// Whether the next token is the unquoted word `word`, given in lower case.
    #[must_use]
    pub fn sees(&self, word: &str) -> bool {
        self.sees_at(0, word)
    }

    #[must_use]
    pub fn sees_at(&self, n: usize, word: &str) -> bool {
        self.peek_at(n).is_some_and(|token| token.is_word(self.sql, word))
    }

    #[must_use]
    pub fn sees_kind(&self, kind: Kind) -> bool {
        self.peek().is_some_and(|token| token.kind == kind)
    }

    pub fn advance(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// Reads the unquoted word `word`, given in lower case.
    pub fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    /// Reads all of `words`, or nothing.
    pub fn words(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(n, word)| self.sees_at(n, word));
        self.at += if found { words.len() } else { 0 };
        found
    }

    /// Reads whichever of `words` comes next.
    pub fn one_of<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().copied().find(|word| self.sees(word))?;
        self.at += 1;
        Some(found)
    }

    pub fn kind(&mut self, kind: Kind) -> Option<Token> {
        let token = self.peek().filter(|token| token.kind == kind)?;
        self.at += 1;
        Some(token)
    }

    pub fn operator(&mut self, operator: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_operator(self.sql, operator));
        self.at += usize::from(found);
        found
    }

    /// Any identifier, keywords among them: the server knows which of them are reserved.
    pub fn identifier(&mut self) -> Option<Cow<'a, str>> {
        let name = self.peek()?.identifier(self.sql)?;
        self.at += 1;
        Some(name)
    }

    /// `name`, `schema.name` or `database.schema.name`.
    pub fn name(&mut self) -> Option<Name<'a>> {
        let mut ahead = *self;
        let start = ahead.offset();
        let mut schema = None;
        let mut name = ahead.identifier()?;
        while ahead.kind(Kind::Dot).is_some() {
            schema = Some(std::mem::replace(&mut name, ahead.identifier()?));
        }
        *self = ahead;
        Some(Name { schema, name, span: start..self.end() })
    }

    /// A character string, in whatever quotes.
    pub fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let value = self.peek()?.string_value(self.sql)?;
        self.at += 1;
        Some(value)
    }

    /// Everything up to the closing parenthesis of the one that comes next, as tokens between
    /// the two. `None`, and nothing read, when there is none or it is never closed.
    pub fn parenthesised(&mut self) -> Option<&'a [Token]> {
        let inner = self.rest();
        if inner.first()?.kind != Kind::LeftParen {
            return None;
        }
        let mut depth = 0_usize;
        for (n, token) in inner.iter().enumerate() {
            match token.kind {
                Kind::LeftParen => depth += 1,
                Kind::RightParen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at += n + 1;
                return Some(&inner[1..n]);
            }
        }
        None
    }
}
