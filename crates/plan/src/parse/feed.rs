//! Feeds sqlparser with the tokens of our lexer.
//!
//! What PostgreSQL writes and sqlparser cannot read is said in words that it can, where that
//! changes nothing that placement depends on: TABLE t is SELECT * FROM t, FOR NO KEY UPDATE is
//! FOR UPDATE, `date '…'` is a cast, and the target of ON CONFLICT is left out. What is left out
//! and still needed is kept in [`Notes`].

mod types;

use std::collections::{HashMap, HashSet};

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token as Fed, TokenWithSpan, Word};

use super::limits::{OPERATORS_MAX, PARENTHESES_DEPTH_MAX, TOKENS_MAX};
use super::words::{self, Around};
use super::{Unreadable, bulk};
use crate::lex::{Kind, Token};
use crate::statement::{Expr, Ident, Rows};

pub(super) struct Feed {
    pub(super) tokens: Vec<TokenWithSpan>,
    pub(super) notes: Notes,
}

/// What the tokens told and sqlparser was not.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Where a table's name starts that has ONLY before it.
    pub(super) only: HashSet<u32>,
    /// The tables of FOR UPDATE OF, by where the first of them starts.
    pub(super) locked: HashMap<u32, Vec<Ident>>,
    /// Lists of constants, by where the first of them starts.
    pub(super) lists: HashMap<u32, Vec<Expr>>,
    /// Rows of VALUES, by where their first parenthesis stands.
    pub(super) rows: HashMap<u32, Rows>,
}

/// The byte offset that a span stands for; `None` for the spans that sqlparser makes up.
pub(super) fn offset(span: Span) -> Option<u32> {
    (span.start.line > 0).then(|| u32::try_from(span.start.column.saturating_sub(1)).ok()).flatten()
}

pub(super) fn feed(sql: &[u8], tokens: &[Token]) -> Result<Feed, Unreadable> {
    let mut feeder = Feeder {
        sql,
        tokens,
        at: 0,
        fed: Vec::with_capacity(tokens.len().min(TOKENS_MAX) + 8),
        notes: Notes::default(),
        depth: 0,
        operators: 0,
        set_depth: None,
    };
    while let Some(&token) = tokens.get(feeder.at) {
        feeder.at += 1;
        feeder.token(token)?;
        if feeder.fed.len() > TOKENS_MAX {
            return Err(Unreadable::at("too long", token.start));
        }
    }
    Ok(Feed { tokens: feeder.fed, notes: feeder.notes })
}

struct Feeder<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
    /// The token after the one being fed.
    at: usize,
    fed: Vec<TokenWithSpan>,
    notes: Notes,
    depth: usize,
    operators: usize,
    /// The depth of the SET that is being read: `SET a[1] = …` assigns to a.
    set_depth: Option<usize>,
}

impl Feeder<'_> {
    fn token(&mut self, token: Token) -> Result<(), Unreadable> {
        let fed = match token.kind {
            Kind::Word => return self.word(token),
            Kind::QuotedWord | Kind::UnicodeWord => return self.name(token),
            Kind::Operator => return self.operator(token),
            Kind::LeftParen => return self.parenthesis(token),
            Kind::LeftBracket => return self.bracket(token),
            Kind::RightParen | Kind::RightBracket => {
                self.depth = self.depth.saturating_sub(1);
                self.set_depth = self.set_depth.filter(|&depth| depth <= self.depth);
                if token.kind == Kind::RightParen { Fed::RParen } else { Fed::RBracket }
            }
            kind if kind.is_string() => return self.string(token),
            // Their value is never asked for, only their place.
            Kind::Bits | Kind::Hex => Fed::SingleQuotedString(String::new()),
            Kind::Integer | Kind::Decimal => Fed::Number("1".to_owned(), false),
            Kind::Parameter => {
                Fed::Placeholder(String::from_utf8_lossy(token.text(self.sql)).into_owned())
            }
            Kind::Typecast => {
                self.count_operator(token)?;
                Fed::DoubleColon
            }
            Kind::ColonEquals => Fed::Assignment,
            Kind::Colon => Fed::Colon,
            Kind::Dot => Fed::Period,
            Kind::Comma => Fed::Comma,
            _ => return Err(Unreadable::at("unexpected", token.start)),
        };
        self.push(fed, token);
        Ok(())
    }

    fn push(&mut self, fed: Fed, token: Token) {
        let place = |offset: u32| Location::new(1, u64::from(offset) + 1);
        let span = Span::new(place(token.start), place(token.end));
        self.fed.push(TokenWithSpan::new(fed, span));
    }

    fn push_keyword(&mut self, word: &str, token: Token) {
        self.push(Fed::make_keyword(word), token);
    }

    fn push_name(&mut self, name: &str, token: Token) {
        let word =
            Word { value: name.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword };
        self.push(Fed::Word(word), token);
    }

    /// A word that is no keyword, folded, unquoted and truncated.
    fn name(&mut self, token: Token) -> Result<(), Unreadable> {
        let name = token.identifier(self.sql);
        let name = name.ok_or_else(|| Unreadable::at("invalid name", token.start))?;
        self.push_name(&name, token);
        Ok(())
    }

    /// The token `n` places after the one being fed, 0 being the next.
    fn next(&self, n: usize) -> Option<Token> {
        self.tokens.get(self.at + n).copied()
    }

    fn next_is(&self, n: usize, word: &str) -> bool {
        self.next(n).is_some_and(|token| token.is_word(self.sql, word))
    }

    fn next_kind(&self, n: usize) -> Option<Kind> {
        self.next(n).map(|token| token.kind)
    }

    /// The token before the one being fed.
    fn previous(&self) -> Option<Token> {
        self.at.checked_sub(2).map(|at| self.tokens[at])
    }

    /// An unquoted word in lower case; empty for any other token.
    fn lower(&self, token: Option<Token>) -> String {
        match token {
            Some(token) if token.kind == Kind::Word => {
                String::from_utf8_lossy(token.text(self.sql)).to_ascii_lowercase()
            }
            _ => String::new(),
        }
    }

    fn word(&mut self, token: Token) -> Result<(), Unreadable> {
        let word = self.lower(Some(token));
        let before = self.lower(self.previous());
        let previous = self.previous().map(|token| token.kind);
        let is_label = before == "as"
            && !(word == "not"
                || word == "materialized" && self.next_kind(0) == Some(Kind::LeftParen));
        if previous == Some(Kind::Dot) {
            return self.name(token);
        }
        if self.type_of_words(&word, token) {
            return Ok(());
        }
        if is_label {
            return self.name(token);
        }
        if self.reworded(&word, &before, token)? {
            return Ok(());
        }
        let around = Around {
            before: &before,
            after: &self.lower(self.next(0)),
            parenthesis_before: previous == Some(Kind::RightParen),
            parenthesis_after: self.next_kind(0) == Some(Kind::LeftParen),
            bracket_after: self.next_kind(0) == Some(Kind::LeftBracket),
        };
        if !words::is_keyword(&word, &around) {
            if words::UNREADABLE.binary_search(&word.as_str()).is_ok() {
                return Err(Unreadable::at("unexpected", token.start));
            }
            return self.name(token);
        }
        if matches!(word.as_str(), "and" | "or" | "not" | "union" | "intersect" | "except") {
            self.count_operator(token)?;
        }
        self.push_keyword(&word, token);
        match word.as_str() {
            "values" if around.parenthesis_after => self.rows(),
            "set" => self.set_depth = Some(self.depth),
            "from" | "where" | "returning" | "when" if self.set_depth == Some(self.depth) => {
                self.set_depth = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// Says in other words what sqlparser does not read. Whether the word was such.
    fn reworded(&mut self, word: &str, before: &str, token: Token) -> Result<bool, Unreadable> {
        match word {
            "isnull" => self.push_keywords(&["is", "null"], token),
            "notnull" => self.push_keywords(&["is", "not", "null"], token),
            "variadic" | "asymmetric" => {}
            "symmetric" if before == "between" => self.negate_between(token),
            "nfc" | "nfd" | "nfkc" | "nfkd"
                if matches!(before, "is" | "not") && self.next_is(0, "normalized") => {}
            "normalized" if ["is", "not", "nfc", "nfd", "nfkc", "nfkd"].contains(&before) => {
                self.push_keyword("unknown", token);
            }
            "from" if matches!(before, "both" | "leading" | "trailing") => {}
            "rows" if self.next_is(0, "from") && self.next_kind(1) == Some(Kind::LeftParen) => {
                self.at += 1;
                self.push_name("rows", token);
            }
            "only" if !matches!(before, "row" | "rows") => self.only(token)?,
            "table" => self.table(before, token)?,
            "overriding" if self.next_is(1, "value") => self.at += 2,
            "for" if !matches!(before, "collation") => return Ok(self.locking(token)),
            "collation" if self.next_is(0, "for") => {
                self.at += 1;
                self.push_name("collation", token);
            }
            "conflict" if before == "on" => {
                self.push_keyword("conflict", token);
                self.skip_conflict_target();
            }
            "by" if before == "group"
                && (self.next_is(0, "distinct") || self.next_is(0, "all")) =>
            {
                self.push_keyword("by", token);
                self.at += 1;
            }
            "exclude" => return Ok(self.skip_frame_exclusion()),
            "at" if self.next_is(0, "local") => self.at += 1,
            "current" if self.next_is(0, "of") => {
                return Err(Unreadable::at("WHERE CURRENT OF", token.start));
            }
            "tablesample" => {
                self.push_keyword(word, token);
                let method = self
                    .next(0)
                    .filter(|_| self.next_is(0, "bernoulli") || self.next_is(0, "system"));
                let method =
                    method.ok_or_else(|| Unreadable::at("sampling method", token.start))?;
                self.at += 1;
                self.push_keyword("system", method);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push_keywords(&mut self, words: &[&str], token: Token) {
        for word in words {
            self.push_keyword(word, token);
        }
    }

    /// BETWEEN SYMMETRIC bounds nothing that can be told before its values are known, like NOT BETWEEN.
    fn negate_between(&mut self, token: Token) {
        let between = self.fed.pop();
        let is_not = |fed: &TokenWithSpan| matches!(&fed.token, Fed::Word(word) if word.keyword == Keyword::NOT);
        if !self.fed.last().is_some_and(is_not) {
            self.push_keyword("not", token);
        }
        self.fed.extend(between);
    }

    fn only(&mut self, token: Token) -> Result<(), Unreadable> {
        match self.next(0) {
            Some(name) if name.kind.is_identifier() => {
                self.notes.only.insert(name.start);
                Ok(())
            }
            _ => Err(Unreadable::at("ONLY (…)", token.start)),
        }
    }

    /// `TABLE t` as a query; the word is noise after INTO.
    fn table(&mut self, before: &str, token: Token) -> Result<(), Unreadable> {
        if matches!(before, "into" | "temp" | "temporary" | "unlogged") {
            return Ok(());
        }
        if !self.next(0).is_some_and(|name| name.kind.is_identifier()) {
            return Err(Unreadable::at("unexpected", token.start));
        }
        self.push_keyword("select", token);
        self.push(Fed::Mul, token);
        self.push_keyword("from", token);
        Ok(())
    }

    /// FOR [NO KEY] UPDATE and FOR [KEY] SHARE, whose strength makes no difference here.
    fn locking(&mut self, token: Token) -> bool {
        let (strength, length) = if self.next_is(0, "no") && self.next_is(1, "key") {
            ("update", 3)
        } else if self.next_is(0, "key") && self.next_is(1, "share") {
            ("share", 2)
        } else if self.next_is(0, "update") {
            ("update", 1)
        } else if self.next_is(0, "share") {
            ("share", 1)
        } else {
            return false;
        };
        self.at += length;
        self.push_keywords(&["for", strength], token);
        if self.next_is(0, "of") {
            self.locked_tables();
        }
        true
    }

    /// `OF a, b`: sqlparser reads the first, the others are noted.
    fn locked_tables(&mut self) {
        let mut names = Vec::new();
        let of = self.at;
        self.at += 1;
        while let Some(name) = self.next(0).and_then(|token| bulk::ident(self.sql, token)) {
            self.at += 1;
            // A schema before the name: only the name counts.
            if self.next_kind(0) == Some(Kind::Dot) {
                self.at += 1;
                continue;
            }
            names.push(name);
            if self.next_kind(0) != Some(Kind::Comma) {
                break;
            }
            self.at += 1;
        }
        if let Some(first) = names.first() {
            let token = Token { kind: Kind::Word, start: first.at, end: first.at };
            let text = first.text.clone();
            self.notes.locked.insert(first.at, names);
            self.push_keyword("of", self.tokens[of]);
            self.push_name(&text, token);
        }
    }

    /// `(…) [WHERE …]` or `ON CONSTRAINT …` before DO: which index it is changes no placement.
    fn skip_conflict_target(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.next(0) {
            match token.kind {
                Kind::LeftParen => depth += 1,
                Kind::RightParen => depth = depth.saturating_sub(1),
                _ if depth == 0 && token.is_word(self.sql, "do") => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// `EXCLUDE CURRENT ROW | GROUP | TIES | NO OTHERS` at the end of a window's frame.
    fn skip_frame_exclusion(&mut self) -> bool {
        let length = match (self.lower(self.next(0)).as_str(), self.lower(self.next(1)).as_str()) {
            ("current", "row") | ("no", "others") => 2,
            ("group" | "ties", _) => 1,
            _ => return false,
        };
        if self.next_kind(length) != Some(Kind::RightParen) {
            return false;
        }
        self.at += length;
        true
    }

    /// A string; after a type's name, a cast.
    fn string(&mut self, token: Token) -> Result<(), Unreadable> {
        let literal = Fed::SingleQuotedString(String::new());
        let follows_name = self.previous().is_some_and(|token| token.kind.is_identifier());
        let typed = follows_name && self.fed.last().is_some_and(|last| is_name(&last.token));
        if !typed {
            self.push(literal, token);
            return Ok(());
        }
        let mut start = self.fed.len() - 1;
        while start >= 2 && self.fed[start - 1].token == Fed::Period {
            start -= 2;
        }
        let type_name = self.fed.split_off(start);
        self.push(literal, token);
        self.push(Fed::DoubleColon, token);
        self.count_operator(token)?;
        let is_interval =
            matches!(&type_name[0].token, Fed::Word(word) if word.value == "interval");
        self.fed.extend(type_name);
        if is_interval {
            self.skip_interval_fields();
        }
        Ok(())
    }

    fn operator(&mut self, token: Token) -> Result<(), Unreadable> {
        self.count_operator(token)?;
        let text = token.text(self.sql);
        let follows_operand = self.fed.last().is_some_and(|last| ends_operand(&last.token));
        let before_any = ["any", "all", "some"].iter().any(|word| self.next_is(0, word));
        let fed = match text {
            b"*" => Fed::Mul,
            b"+" => Fed::Plus,
            b"-" => Fed::Minus,
            b"=>" => Fed::RArrow,
            b"=" => Fed::Eq,
            b"<" => Fed::Lt,
            b">" => Fed::Gt,
            b"<=" => Fed::LtEq,
            b">=" => Fed::GtEq,
            b"<>" | b"!=" => Fed::Neq,
            b"/" => Fed::Div,
            b"%" => Fed::Mod,
            b"^" => Fed::Caret,
            // Any prefix operator will do for one whose meaning does not matter.
            _ if !follows_operand => Fed::Tilde,
            // sqlparser takes few operators before ANY.
            _ if before_any => Fed::Neq,
            _ => Fed::CustomBinaryOperator(String::from_utf8_lossy(text).into_owned()),
        };
        self.push(fed, token);
        Ok(())
    }

    fn count_operator(&mut self, token: Token) -> Result<(), Unreadable> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            return Err(Unreadable::at("too many operators", token.start));
        }
        Ok(())
    }

    fn parenthesis(&mut self, token: Token) -> Result<(), Unreadable> {
        self.nest(token)?;
        let follows_in = self.previous().is_some_and(|token| token.is_word(self.sql, "in"));
        self.push(Fed::LParen, token);
        if follows_in {
            self.constants();
        }
        Ok(())
    }

    fn bracket(&mut self, token: Token) -> Result<(), Unreadable> {
        if self.follows_assigned_column() {
            return self.skip_brackets(token);
        }
        self.nest(token)?;
        let follows_array = self.previous().is_some_and(|token| token.is_word(self.sql, "array"));
        self.push(Fed::LBracket, token);
        if follows_array {
            self.constants();
        }
        Ok(())
    }

    /// Whether the token being fed follows the `a` of `SET a…`.
    fn follows_assigned_column(&self) -> bool {
        let [.., before, column] = self.fed.as_slice() else {
            return false;
        };
        let starts_assignment = match &before.token {
            Fed::Word(word) => word.keyword == Keyword::SET,
            other => *other == Fed::Comma,
        };
        self.set_depth == Some(self.depth) && starts_assignment && is_name(&column.token)
    }

    /// The rest of `[1]` or `[1][2]`.
    fn skip_brackets(&mut self, opening: Token) -> Result<(), Unreadable> {
        let mut depth = 1_usize;
        while let Some(token) = self.next(0) {
            match token.kind {
                Kind::LeftBracket => depth += 1,
                Kind::RightBracket => depth -= 1,
                // A call or a subquery would have to be seen.
                Kind::LeftParen => break,
                _ => {}
            }
            self.at += 1;
            if depth == 0 && self.next_kind(0) != Some(Kind::LeftBracket) {
                return Ok(());
            }
        }
        Err(Unreadable::at("an assigned subscript", opening.start))
    }

    fn nest(&mut self, token: Token) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > PARENTHESES_DEPTH_MAX {
            return Err(Unreadable::at("nested too deeply", token.start));
        }
        Ok(())
    }

    /// A long list of constants: a number is fed in its place.
    fn constants(&mut self) {
        if let Some((list, length)) = bulk::constants(self.sql, &self.tokens[self.at..]) {
            let first = self.tokens[self.at];
            self.push(Fed::Number("1".to_owned(), false), first);
            self.notes.lists.insert(first.start, list);
            self.at += length;
        }
    }

    /// Many rows of VALUES: one row with a number is fed in their place.
    fn rows(&mut self) {
        if let Some((rows, length)) = bulk::rows(self.sql, &self.tokens[self.at..]) {
            let first = self.tokens[self.at];
            self.push(Fed::LParen, first);
            self.push(Fed::Number("1".to_owned(), false), first);
            self.push(Fed::RParen, first);
            self.notes.rows.insert(first.start, rows);
            self.at += length;
        }
    }
}

fn is_name(token: &Fed) -> bool {
    matches!(token, Fed::Word(word) if word.quote_style.is_some())
}

/// Whether an operator after `token` has a left operand.
fn ends_operand(token: &Fed) -> bool {
    match token {
        Fed::Word(word) => {
            word.quote_style.is_some()
                || matches!(
                    word.keyword,
                    Keyword::NULL | Keyword::TRUE | Keyword::FALSE | Keyword::END
                )
        }
        Fed::Number(..)
        | Fed::SingleQuotedString(_)
        | Fed::Placeholder(_)
        | Fed::RParen
        | Fed::RBracket => true,
        _ => false,
    }
}
