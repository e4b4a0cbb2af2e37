//! What stands in the parentheses of CREATE TABLE, and after ADD in ALTER TABLE: columns,
//! constraints, LIKE.

use std::ops::Range;

use super::columns::{self, Column};
use super::options::split_at_commas;
use crate::cursor::{Cursor, Name};
use crate::lex::{Kind, Token};

#[derive(Clone, Debug)]
pub enum Element<'a> {
    Column(Column<'a>),
    Constraint(Constraint<'a>),
    Like(Name<'a>),
    /// Not understood: the server will have its say.
    Unknown,
}

/// A constraint of a column or of a table.
#[derive(Clone, Debug)]
pub struct Constraint<'a> {
    pub name: Option<String>,
    /// With its name and its attributes.
    pub span: Range<usize>,
    pub kind: ConstraintKind<'a>,
}

#[derive(Clone, Debug)]
pub enum ConstraintKind<'a> {
    PrimaryKey(Vec<String>),
    Unique(Vec<String>),
    ForeignKey(ForeignKey<'a>),
    Check { no_inherit: bool },
    Exclude,
    Other,
}

#[derive(Clone, Debug)]
pub struct ForeignKey<'a> {
    pub columns: Vec<String>,
    pub target: Name<'a>,
    /// Empty: the target's primary key.
    pub target_columns: Vec<String>,
    /// MATCH, ON DELETE, ON UPDATE, DEFERRABLE and so on.
    pub tail: Range<usize>,
}

/// The elements within the parentheses, each with its span.
pub fn read_all<'a>(sql: &'a [u8], tokens: &'a [Token]) -> Vec<(Range<usize>, Element<'a>)> {
    let items = split_at_commas(tokens).into_iter().filter(|item| !item.is_empty());
    items.map(|item| (span_of(item), read(sql, item))).collect()
}

/// One element, which is all of `tokens`.
pub fn read<'a>(sql: &'a [u8], tokens: &'a [Token]) -> Element<'a> {
    let mut cursor = Cursor::new(sql, tokens);
    if cursor.word("like") {
        return cursor.name().map_or(Element::Unknown, Element::Like);
    }
    if starts_constraint(&cursor) {
        return read_constraint(&mut cursor, tokens).map_or(Element::Unknown, Element::Constraint);
    }
    columns::read(sql, tokens).map_or(Element::Unknown, Element::Column)
}

/// Whether a constraint of a table comes next, and not a column.
pub fn starts_constraint(cursor: &Cursor<'_>) -> bool {
    let is_next = |kind| cursor.peek_at(1).is_some_and(|token| token.kind == kind);
    if cursor.sees("check") || cursor.sees("unique") || cursor.sees("primary") {
        return true;
    }
    cursor.sees("constraint")
        || (cursor.sees("foreign") && cursor.sees_at(1, "key"))
        || (cursor.sees("exclude") && (is_next(Kind::LeftParen) || cursor.sees_at(1, "using")))
        || (cursor.sees("not") && cursor.sees_at(1, "null"))
}

/// A constraint of a table, which is all of `tokens`.
pub fn read_constraint<'a>(cursor: &mut Cursor<'a>, tokens: &'a [Token]) -> Option<Constraint<'a>> {
    let name = if cursor.word("constraint") { Some(cursor.identifier()?) } else { None };
    let kind = if cursor.words(&["primary", "key"]) {
        ConstraintKind::PrimaryKey(read_columns(cursor)?)
    } else if cursor.word("unique") {
        skip_nulls_distinct(cursor);
        read_columns(cursor).map_or(ConstraintKind::Exclude, ConstraintKind::Unique)
    } else if cursor.words(&["foreign", "key"]) {
        let columns = read_columns(cursor)?;
        let end = tokens.last()?.end as usize;
        ConstraintKind::ForeignKey(read_references(cursor, columns, end)?)
    } else if cursor.word("check") {
        cursor.parenthesised()?;
        ConstraintKind::Check { no_inherit: cursor.words(&["no", "inherit"]) }
    } else if cursor.word("exclude") {
        ConstraintKind::Exclude
    } else {
        ConstraintKind::Other
    };
    let name = name.map(|name| name.into_owned());
    Some(Constraint { name, span: span_of(tokens), kind })
}

/// `REFERENCES target [(columns)] tail`, the tail up to `end`.
pub fn read_references<'a>(
    cursor: &mut Cursor<'a>,
    columns: Vec<String>,
    end: usize,
) -> Option<ForeignKey<'a>> {
    if !cursor.word("references") {
        return None;
    }
    let target = cursor.name()?;
    let mut tail = target.span.end;
    let mut target_columns = Vec::new();
    if let Some(open) = cursor.peek().filter(|token| token.kind == Kind::LeftParen) {
        let rest = cursor.rest();
        target_columns = read_columns(cursor)?;
        let read = rest.len() - cursor.rest().len();
        tail = rest.get(read - 1).map_or(open.end as usize, |token| token.end as usize);
    }
    Some(ForeignKey { columns, target, target_columns, tail: tail..end.max(tail) })
}

/// `(a, b)`: `None` when there is more in it than names.
pub fn read_columns(cursor: &mut Cursor<'_>) -> Option<Vec<String>> {
    let sql = cursor.sql();
    let inner = cursor.parenthesised()?;
    split_at_commas(inner)
        .into_iter()
        .map(|item| match item {
            [name] => Some(name.identifier(sql)?.into_owned()),
            _ => None,
        })
        .collect()
}

pub fn skip_nulls_distinct(cursor: &mut Cursor<'_>) {
    if !cursor.words(&["nulls", "not", "distinct"]) {
        cursor.words(&["nulls", "distinct"]);
    }
}

pub fn span_of(tokens: &[Token]) -> Range<usize> {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.start as usize..last.end as usize,
        _ => 0..0,
    }
}
