//! The text of a statement, by its tokens.

use std::ops::Range;

use super::Reading;
use crate::lex::{self, Kind, Token};

/// A piece of the text, and what stands there instead.
pub(crate) type Edit = (Range<usize>, String);

/// A text, and the tokens of the one statement in it.
pub(crate) struct Source<'a> {
    pub(crate) sql: &'a [u8],
    pub(crate) tokens: Vec<Token>,
    /// Pieces that are left out wherever they would be put.
    omitted: &'a [Range<usize>],
}

impl<'a> Source<'a> {
    /// The tokens are counted as when the statement was understood.
    pub(crate) fn read(sql: &'a [u8], omitted: &'a [Range<usize>]) -> Option<Source<'a>> {
        let mut tokens = lex::tokens(sql).ok()?;
        let leading = tokens.iter().take_while(|token| token.kind == Kind::Semicolon).count();
        tokens.drain(..leading);
        Some(Source { sql, tokens, omitted })
    }

    pub(crate) fn token(&self, at: usize) -> Option<Token> {
        self.tokens.get(at).copied()
    }

    pub(crate) fn span(&self, tokens: Range<usize>) -> Option<Range<usize>> {
        match self.tokens.get(tokens)? {
            [] => Some(0..0),
            [first, .., last] => Some(first.start as usize..last.end as usize),
            [only] => Some(only.span()),
        }
    }

    /// Where `[AS] name` ends that begins with this token.
    pub(crate) fn end_of_alias(&self, start: usize) -> usize {
        let says_as = self.tokens.get(start).is_some_and(|token| token.is_word(self.sql, "as"));
        start + 1 + usize::from(says_as)
    }

    pub(crate) fn text(&self, tokens: Range<usize>) -> Option<&'a [u8]> {
        self.sql.get(self.span(tokens)?)
    }

    /// All of it with some pieces replaced, which do not overlap.
    pub(crate) fn edited(&self, mut edits: Vec<Edit>) -> Option<Reading> {
        edits.sort_by_key(|(span, _)| span.start);
        let mut edited = Reading::default();
        let mut at = 0;
        for (span, replacement) in edits {
            self.put_between(at..span.start, &mut edited)?;
            edited.text.extend_from_slice(replacement.as_bytes());
            at = span.end;
        }
        self.put_between(at..self.sql.len(), &mut edited)?;
        Some(edited)
    }

    /// Some of it, with its parameters counted anew.
    pub(crate) fn put(&self, tokens: Range<usize>, reading: &mut Reading) -> Option<()> {
        self.put_between(self.span(tokens)?, reading)
    }

    /// The same for what is between two bytes.
    pub(crate) fn put_between(&self, span: Range<usize>, reading: &mut Reading) -> Option<()> {
        let mut at = span.start;
        let first = self.tokens.partition_point(|token| (token.start as usize) < span.start);
        for (place, token) in self.tokens.iter().enumerate().skip(first) {
            if token.start as usize >= span.end {
                break;
            }
            if self.omitted.iter().any(|omitted| omitted.contains(&place)) {
                reading.text.extend_from_slice(self.sql.get(at..token.start as usize)?);
                at = token.end as usize;
            } else if token.kind == Kind::Parameter {
                reading.text.extend_from_slice(self.sql.get(at..token.start as usize)?);
                self.put_parameter(*token, reading)?;
                at = token.end as usize;
            }
        }
        reading.text.extend_from_slice(self.sql.get(at..span.end)?);
        Some(())
    }

    /// The same, with the names of columns alone.
    pub(crate) fn put_unqualified(
        &self,
        tokens: Range<usize>,
        reading: &mut Reading,
    ) -> Option<()> {
        let mut at = self.tokens.get(tokens.start)?.start as usize;
        for place in tokens.clone() {
            let token = self.tokens.get(place)?;
            let is_dot =
                |place: usize| tokens.contains(&place) && self.tokens[place].kind == Kind::Dot;
            reading.text.extend_from_slice(self.sql.get(at..token.start as usize)?);
            at = token.end as usize;
            match token.kind {
                Kind::Parameter => self.put_parameter(*token, reading)?,
                _ if is_dot(place) || is_dot(place + 1) => {}
                _ => reading.text.extend_from_slice(token.text(self.sql)),
            }
        }
        Some(())
    }

    fn put_parameter(&self, token: Token, reading: &mut Reading) -> Option<()> {
        let index = crate::parse::parameter_index(self.sql, token)?;
        let known = reading.parameters.iter().position(|&known| known == index);
        let place = known.unwrap_or_else(|| {
            reading.parameters.push(index);
            reading.parameters.len() - 1
        });
        reading.text.extend_from_slice(format!("${}", place + 1).as_bytes());
        Some(())
    }

    /// Whether a string among the tokens has one of these words in it.
    pub(crate) fn has_text(&self, tokens: Range<usize>, words: &[&str]) -> bool {
        let tokens = self.tokens.get(tokens).unwrap_or_default();
        tokens.iter().filter(|token| token.kind.is_string()).any(|token| {
            let mut pieces = token.text(self.sql).split(|byte| !byte.is_ascii_alphabetic());
            pieces.any(|piece| words.iter().any(|word| piece.eq_ignore_ascii_case(word.as_bytes())))
        })
    }
}
