//! The definition of one column: its name, its type, and what follows them.

use std::ops::Range;

use super::elements::{Constraint, ConstraintKind, read_references, skip_nulls_distinct, span_of};
use super::types::{self, DeclaredType};
use crate::cursor::Cursor;
use crate::lex::{Kind, Token};

#[derive(Clone, Debug)]
pub struct Column<'a> {
    pub name: String,
    pub declared: DeclaredType,
    /// Empty in a PARTITION OF, where the type is the parent's.
    pub type_span: Range<usize>,
    pub collation: Option<String>,
    pub default: Option<Expression<'a>>,
    pub identity: Option<Identity<'a>>,
    /// GENERATED ALWAYS AS (expression).
    pub generated: Option<Expression<'a>>,
    pub constraints: Vec<Constraint<'a>>,
}

#[derive(Clone, Debug)]
pub struct Expression<'a> {
    pub span: Range<usize>,
    pub tokens: &'a [Token],
}

/// `GENERATED … AS IDENTITY [(options)]`
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// The end of IDENTITY, where options go if there are none.
    pub at: usize,
    /// The options and their parentheses.
    pub options: Option<Expression<'a>>,
}

/// These end a column's type, and the expression after DEFAULT.
const CONSTRAINT_WORDS: [&str; 14] = [
    "constraint",
    "not",
    "null",
    "check",
    "default",
    "generated",
    "unique",
    "primary",
    "references",
    "collate",
    "storage",
    "compression",
    "deferrable",
    "initially",
];

/// The column that is all of `tokens`.
pub fn read<'a>(sql: &'a [u8], tokens: &'a [Token]) -> Option<Column<'a>> {
    let mut cursor = Cursor::new(sql, tokens);
    let name = cursor.identifier()?.into_owned();
    cursor.words(&["with", "options"]);
    let type_tokens = take_until_constraint(&mut cursor);
    let mut column = Column {
        name,
        declared: types::read(sql, type_tokens),
        type_span: span_of(type_tokens),
        collation: None,
        default: None,
        identity: None,
        generated: None,
        constraints: Vec::new(),
    };
    while !cursor.is_done() {
        let before = cursor.rest().len();
        column.read_attribute(&mut cursor, tokens);
        if cursor.rest().len() == before {
            cursor.advance();
        }
    }
    Some(column)
}

impl<'a> Column<'a> {
    /// Reads one thing that may follow the type.
    fn read_attribute(&mut self, cursor: &mut Cursor<'a>, tokens: &'a [Token]) {
        let start = cursor.offset();
        let name = if cursor.word("constraint") { cursor.identifier() } else { None };
        let name = name.map(|name| name.into_owned());
        let own = || vec![self.name.clone()];
        let kind = if cursor.words(&["primary", "key"]) {
            ConstraintKind::PrimaryKey(own())
        } else if cursor.word("unique") {
            skip_nulls_distinct(cursor);
            ConstraintKind::Unique(own())
        } else if cursor.sees("references") {
            match read_reference(cursor, own(), tokens) {
                Some(kind) => kind,
                None => return,
            }
        } else if cursor.word("check") {
            cursor.parenthesised();
            ConstraintKind::Check { no_inherit: cursor.words(&["no", "inherit"]) }
        } else if cursor.word("default") {
            self.default = Some(expression(take_expression(cursor)));
            return;
        } else if cursor.word("collate") {
            self.collation = cursor.name().map(|name| name.name.into_owned());
            return;
        } else if cursor.word("generated") {
            self.read_generated(cursor);
            return;
        } else if cursor.words(&["not", "null"]) || cursor.word("null") {
            ConstraintKind::Other
        } else {
            return;
        };
        let end = end_before(cursor, tokens, start);
        self.constraints.push(Constraint { name, span: start..end, kind });
    }

    fn read_generated(&mut self, cursor: &mut Cursor<'a>) {
        if !cursor.word("always") {
            cursor.words(&["by", "default"]);
        }
        cursor.word("as");
        let at = cursor.peek().map_or(0, |token| token.end as usize);
        if cursor.word("identity") {
            let options = read_parenthesised(cursor);
            self.identity = Some(Identity { at, options });
        } else {
            self.generated = read_parenthesised(cursor);
        }
    }
}

/// A foreign key with its attributes, which may follow the words of its own grammar.
fn read_reference<'a>(
    cursor: &mut Cursor<'a>,
    columns: Vec<String>,
    tokens: &'a [Token],
) -> Option<ConstraintKind<'a>> {
    let start = cursor.offset();
    let mut key = read_references(cursor, columns, 0)?;
    loop {
        let read = if cursor.word("match") {
            cursor.advance().is_some()
        } else if cursor.word("on") {
            skip_action(cursor);
            true
        } else {
            cursor.word("deferrable")
                || cursor.word("enforced")
                || (cursor.word("initially") && cursor.advance().is_some())
                || cursor.words(&["not", "deferrable"])
                || cursor.words(&["not", "enforced"])
        };
        if !read {
            break;
        }
    }
    key.tail.end = end_before(cursor, tokens, start).max(key.tail.start);
    Some(ConstraintKind::ForeignKey(key))
}

/// `DELETE | UPDATE` and what is done then.
fn skip_action(cursor: &mut Cursor<'_>) {
    cursor.advance();
    if cursor.words(&["no", "action"]) || cursor.one_of(&["restrict", "cascade"]).is_some() {
        return;
    }
    if cursor.word("set") {
        cursor.advance();
        cursor.parenthesised();
    }
}

/// The end of the last token that was read.
fn end_before(cursor: &Cursor<'_>, tokens: &[Token], start: usize) -> usize {
    let read = tokens.len() - cursor.rest().len();
    read.checked_sub(1).map_or(start, |last| tokens[last].end as usize)
}

/// The parentheses are part of the expression.
pub fn read_parenthesised<'a>(cursor: &mut Cursor<'a>) -> Option<Expression<'a>> {
    let rest = cursor.rest();
    let inner = cursor.parenthesised()?;
    Some(expression(&rest[..inner.len() + 2]))
}

/// The tokens of a type.
fn take_until_constraint<'a>(cursor: &mut Cursor<'a>) -> &'a [Token] {
    let rest = cursor.rest();
    while cursor.peek().is_some() && !CONSTRAINT_WORDS.iter().any(|word| cursor.sees(word)) {
        if cursor.parenthesised().is_none() {
            cursor.advance();
        }
    }
    &rest[..rest.len() - cursor.rest().len()]
}

/// The expression after DEFAULT: it ends before the next constraint.
pub fn take_expression<'a>(cursor: &mut Cursor<'a>) -> &'a [Token] {
    let rest = cursor.rest();
    let mut cases = 0_usize;
    let mut is_first = true;
    let mut after_is = false;
    while let Some(token) = cursor.peek() {
        let is_word = |word| token.is_word(cursor.sql(), word);
        if is_word("case") {
            cases += 1;
        } else if is_word("end") && cases > 0 {
            cases -= 1;
        }
        // NULL itself, and IS NOT DISTINCT FROM.
        let ends = !is_first && !after_is && cases == 0;
        if ends && CONSTRAINT_WORDS.iter().any(|word| is_word(word)) {
            break;
        }
        after_is = is_word("is");
        is_first = false;
        if token.kind != Kind::LeftParen || cursor.parenthesised().is_none() {
            cursor.advance();
        }
    }
    &rest[..rest.len() - cursor.rest().len()]
}

fn expression(tokens: &[Token]) -> Expression<'_> {
    Expression { span: span_of(tokens), tokens }
}
