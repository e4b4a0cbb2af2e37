//! One pass over a text: its literals, and a key that it shares with all texts that differ from
//! it in nothing else.
//!
//! The key of a query is its text, with a mark that no token can hold in the place of each
//! literal, and a single blank in the place of longer white space and of comments. Read again,
//! the key gives the same tokens, so two texts with one key differ in blanks, comments and the
//! values of literals only. The key of any other statement is its very text.

use crate::lex::{Kind, LexError, Lexer, Token};
use crate::values::Slots;

/// Literals that a shared plan can have; a longer list is planned for itself.
pub(crate) const SLOTS_MAX: usize = 256;
/// Longer texts are planned for themselves, too.
const QUERY_BYTES_MAX: usize = 32 * 1024;
/// The same for statements that are no queries: each text is its own key.
const UTILITY_BYTES_MAX: usize = 1024;
/// Begins no token, so that it stands for nothing but a literal.
const LITERAL_MARK: u8 = 0x01;

/// Reads texts; its buffers are used again and again.
#[derive(Debug, Default)]
pub(crate) struct Normaliser {
    pub(crate) key: Vec<u8>,
    pub(crate) slots: Slots,
}

/// What a text turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Empty,
    Query,
    Utility,
    /// It has semicolons before its end, or is too long to be kept.
    Unkeyed,
}

impl Normaliser {
    /// Reads `sql` and appends its key to what `self.key` holds already.
    pub(crate) fn read(&mut self, sql: &[u8]) -> Result<Reading, LexError> {
        self.slots.clear();
        if sql.len() > QUERY_BYTES_MAX {
            return Ok(Reading::Unkeyed);
        }
        let mut lexer = Lexer::new(sql);
        let mut slotting = Slotting::default();
        let Some(mut first) = lexer.next_token()? else {
            return Ok(Reading::Empty);
        };
        let start = first.start as usize;
        while first.kind == Kind::LeftParen {
            slotting.is_slot(first, sql);
            match lexer.next_token()? {
                Some(next) => first = next,
                None => break,
            }
        }
        if first.kind == Kind::Semicolon {
            Ok(Reading::Unkeyed)
        } else if starts_query(first, sql) {
            let copied = Copied { from: start, to: first.end as usize };
            self.read_query(lexer, sql, slotting, copied)
        } else {
            self.read_utility(lexer, sql)
        }
    }

    fn read_query(
        &mut self,
        mut lexer: Lexer<'_>,
        sql: &[u8],
        mut slotting: Slotting,
        mut copied: Copied,
    ) -> Result<Reading, LexError> {
        while let Some(token) = lexer.next_token()? {
            let (start, end) = (token.start as usize, token.end as usize);
            if token.kind == Kind::Semicolon {
                if !only_semicolons_follow(&mut lexer)? {
                    return Ok(Reading::Unkeyed);
                }
                break;
            }
            if start > copied.to + 1 || start > copied.to && sql[copied.to] != b' ' {
                self.key.extend_from_slice(&sql[copied.from..copied.to]);
                self.key.push(b' ');
                copied.from = start;
            }
            if slotting.is_slot(token, sql) {
                self.key.extend_from_slice(&sql[copied.from..start]);
                self.key.extend_from_slice(&[LITERAL_MARK, b'a' + token.kind as u8]);
                copied.from = end;
                self.slots.push(token);
                if self.slots.len() > SLOTS_MAX {
                    return Ok(Reading::Unkeyed);
                }
            }
            copied.to = end;
        }
        self.key.extend_from_slice(&sql[copied.from..copied.to]);
        Ok(Reading::Query)
    }

    fn read_utility(&mut self, mut lexer: Lexer<'_>, sql: &[u8]) -> Result<Reading, LexError> {
        if sql.len() > UTILITY_BYTES_MAX {
            return Ok(Reading::Unkeyed);
        }
        while let Some(token) = lexer.next_token()? {
            if token.kind == Kind::Semicolon && !only_semicolons_follow(&mut lexer)? {
                return Ok(Reading::Unkeyed);
            }
        }
        self.key.extend_from_slice(sql);
        Ok(Reading::Utility)
    }
}

/// The part of the text that is to be copied into the key next.
#[derive(Clone, Copy)]
struct Copied {
    from: usize,
    to: usize,
}

/// The literals of a query, as its normalised text has them.
pub(crate) fn slots(sql: &[u8], tokens: &[Token]) -> Slots {
    let mut slots = Slots::default();
    let mut slotting = Slotting::default();
    for &token in tokens {
        if slotting.is_slot(token, sql) {
            slots.push(token);
        }
    }
    slots
}

/// Whether a statement that begins with this token, after any parentheses, is a query: all of
/// them share plans.
pub(crate) fn starts_query(token: Token, sql: &[u8]) -> bool {
    const WORDS: [&str; 8] =
        ["select", "insert", "update", "delete", "with", "values", "table", "merge"];
    token.kind == Kind::Word
        && WORDS.iter().any(|word| token.text(sql).eq_ignore_ascii_case(word.as_bytes()))
}

fn only_semicolons_follow(lexer: &mut Lexer<'_>) -> Result<bool, LexError> {
    while let Some(token) = lexer.next_token()? {
        if token.kind != Kind::Semicolon {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which literals are slots: all but those whose value a plan depends on. These are the integers
/// of ORDER BY and GROUP BY lists, which may be positions in the select list, and the name that
/// `set_config` is called with.
#[derive(Debug, Default)]
struct Slotting {
    /// Open parentheses.
    depth: usize,
    /// The depth of the last BY, plus one; 0 when its parentheses were closed.
    list: usize,
    before: Before,
}

/// What stands before a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Other,
    /// An item of an ORDER BY or GROUP BY list begins.
    ListItem,
    SetConfig,
    /// Its parenthesis, too.
    SetConfigCall,
}

impl Slotting {
    #[inline]
    fn is_slot(&mut self, token: Token, sql: &[u8]) -> bool {
        let before = std::mem::take(&mut self.before);
        match token.kind {
            Kind::Word | Kind::QuotedWord | Kind::UnicodeWord => {
                self.before = self.read_word(token, sql);
                false
            }
            Kind::Comma if self.list == self.depth + 1 => {
                self.before = Before::ListItem;
                false
            }
            Kind::LeftParen => {
                self.depth += 1;
                if before == Before::SetConfig {
                    self.before = Before::SetConfigCall;
                }
                false
            }
            Kind::RightParen => {
                self.depth = self.depth.saturating_sub(1);
                if self.list > self.depth + 1 {
                    self.list = 0;
                }
                false
            }
            Kind::Integer => before != Before::ListItem,
            kind => kind.is_literal() && before != Before::SetConfigCall,
        }
    }

    #[inline]
    fn read_word(&mut self, token: Token, sql: &[u8]) -> Before {
        let text = token.text(sql);
        let sets = match token.kind {
            Kind::Word if text.eq_ignore_ascii_case(b"by") => {
                self.list = self.depth + 1;
                return Before::ListItem;
            }
            Kind::Word => text.eq_ignore_ascii_case(b"set_config"),
            Kind::QuotedWord => text == b"\"set_config\"",
            // Whatever is spelled in that way.
            _ => true,
        };
        if sets { Before::SetConfig } else { Before::Other }
    }
}
