//! The conjuncts of WHERE and ON, as tokens.
//!
//! The tree says what a condition means, and only the tokens say how it is written. The two are
//! brought together by where things stand: a conjunct is a condition's text if all names in it are
//! the condition's, and everything else in it is known to be harmless.

use std::ops::Range;

use super::words::Words;
use crate::analyse::conditions::Condition;
use crate::lex::{Kind, Token};

/// Words that end a condition, if they stand in no parentheses.
const ENDS: &[&str] = &[
    "cross",
    "except",
    "fetch",
    "for",
    "full",
    "group",
    "having",
    "inner",
    "intersect",
    "join",
    "left",
    "limit",
    "natural",
    "offset",
    "on",
    "order",
    "returning",
    "right",
    "union",
    "using",
    "where",
    "window",
];
/// Words that may stand in a condition and are no names: keywords, types, and parts of dates.
const HARMLESS: &[&str] = &[
    "and",
    "any",
    "array",
    "between",
    "bigint",
    "boolean",
    "both",
    "bpchar",
    "case",
    "char",
    "character",
    "date",
    "day",
    "decimal",
    "distinct",
    "dow",
    "double",
    "doy",
    "else",
    "end",
    "epoch",
    "escape",
    "extract",
    "false",
    "for",
    "from",
    "hour",
    "ilike",
    "in",
    "int",
    "integer",
    "interval",
    "is",
    "leading",
    "like",
    "minute",
    "month",
    "not",
    "null",
    "numeric",
    "or",
    "precision",
    "quarter",
    "real",
    "second",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "text",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "trailing",
    "trim",
    "true",
    "unknown",
    "uuid",
    "varchar",
    "varying",
    "week",
    "when",
    "with",
    "without",
    "year",
    "zone",
];
const COMPARISONS: &[&[u8]] = &[b"=", b"<>", b"!=", b"<", b"<=", b">", b">="];
const ARITHMETIC: &[&[u8]] = &[b"+", b"-", b"*", b"/"];

/// Outer ones before those of the subqueries in them.
pub(super) struct Conjuncts(Vec<Range<usize>>);

impl Conjuncts {
    /// The text of a condition, if it is a conjunct by itself.
    pub(super) fn tokens(&self, condition: &Condition, words: &Words<'_>) -> Option<Range<usize>> {
        let first = words.tokens.binary_search_by_key(&condition.first, |it| it.start).ok()?;
        let last = words.tokens.binary_search_by_key(&condition.last, |it| it.start).ok()?;
        let innermost = self.0.iter().rfind(|conjunct| conjunct.contains(&first))?;
        let is_harmless = |token: &Token| words.is_harmless(token, condition);
        let is_whole = innermost.contains(&last)
            && words.tokens.get(innermost.clone())?.iter().all(is_harmless);
        is_whole.then(|| innermost.clone())
    }
}

impl Words<'_> {
    pub(super) fn conjuncts(&self) -> Conjuncts {
        let mut conjuncts = Vec::new();
        for at in 0..self.tokens.len() {
            if self.is_word(Some(at), &["where", "on"]) {
                let condition = at + 1..self.end_of_condition(at + 1);
                self.split(condition, &mut conjuncts);
            }
        }
        Conjuncts(conjuncts)
    }

    fn end_of_condition(&self, start: usize) -> usize {
        let mut depth = Depth::default();
        for at in start..self.tokens.len() {
            let is_function = self.is_kind(Some(at + 1), Kind::LeftParen);
            let is_end = matches!(self.tokens[at].kind, Kind::Comma | Kind::Semicolon)
                || self.is_word(Some(at), ENDS) && !is_function
                || self.is_word(Some(at), &["on", "using", "where"]);
            if depth.is_none() && is_end || !depth.pass(self, at) {
                return at;
            }
        }
        self.tokens.len()
    }

    /// Parts that are joined by AND.
    fn split(&self, condition: Range<usize>, conjuncts: &mut Vec<Range<usize>>) {
        let mut depth = Depth::default();
        let mut betweens = 0_usize;
        let mut parts = vec![condition.start];
        for at in condition.clone() {
            if depth.is_none() {
                if self.is_word(Some(at), &["or"]) {
                    conjuncts.push(condition);
                    return;
                }
                if self.is_word(Some(at), &["between"]) {
                    betweens += 1;
                } else if self.is_word(Some(at), &["and"]) {
                    if betweens == 0 {
                        parts.push(at + 1);
                    }
                    betweens = betweens.saturating_sub(1);
                }
            }
            depth.pass(self, at);
        }
        for (place, &start) in parts.iter().enumerate() {
            let end = parts.get(place + 1).map_or(condition.end, |next| next - 1);
            match self.within_parentheses(start..end) {
                Some(inside) => self.split(inside, conjuncts),
                None => conjuncts.push(start..end),
            }
        }
    }

    /// What is between the parentheses, if they are around everything.
    fn within_parentheses(&self, part: Range<usize>) -> Option<Range<usize>> {
        if !self.is_kind(Some(part.start), Kind::LeftParen) || part.len() < 3 {
            return None;
        }
        let mut depth = Depth::default();
        for at in part.clone() {
            depth.pass(self, at);
            if depth.is_none() {
                return (at + 1 == part.end).then_some(part.start + 1..at);
            }
        }
        None
    }

    fn is_harmless(&self, token: &Token, condition: &Condition) -> bool {
        let among = |operators: &[&[u8]]| operators.contains(&token.text(self.sql));
        match token.kind {
            Kind::Word | Kind::QuotedWord | Kind::UnicodeWord => {
                condition.names.contains(&token.start)
                    || HARMLESS.iter().any(|word| token.is_word(self.sql, word))
            }
            Kind::Operator => among(COMPARISONS) || !condition.is_opaque && among(ARITHMETIC),
            Kind::Colon | Kind::ColonEquals | Kind::DotDot | Kind::Semicolon => false,
            _ => true,
        }
    }
}

/// How many parentheses and CASEs are open.
#[derive(Default)]
struct Depth {
    open: usize,
}

impl Depth {
    fn is_none(&self) -> bool {
        self.open == 0
    }

    /// `false` at a closing parenthesis that was not opened.
    fn pass(&mut self, words: &Words<'_>, at: usize) -> bool {
        let (opens, closes) = match words.tokens[at].kind {
            Kind::LeftParen | Kind::LeftBracket => (true, false),
            Kind::RightParen | Kind::RightBracket => (false, true),
            Kind::Word => (words.is_word(Some(at), &["case"]), words.is_word(Some(at), &["end"])),
            _ => (false, false),
        };
        if closes && self.open == 0 {
            return false;
        }
        self.open = self.open + usize::from(opens) - usize::from(closes);
        true
    }
}
