//! CREATE TABLE in its clauses.

use std::ops::Range;

use herd_catalog::{Bound, Method};
use herd_types::{ClientError, SqlState};

use super::bounds;
use super::elements::{self, Element, span_of};
use super::index::span_of_word;
use super::options::{WithClause, split_at_commas};
use crate::cursor::{Cursor, Name};
use crate::lex::{Token, position};

/// A CREATE TABLE statement.
#[derive(Clone, Debug)]
pub struct CreateTable<'a> {
    pub unlogged: Range<usize>,
    pub if_not_exists: bool,
    pub name: Name<'a>,
    pub body: Body<'a>,
    /// The end of the list of columns, where a PARTITION BY may be put.
    pub body_end: usize,
    pub inherits: Option<Vec<Name<'a>>>,
    pub partition_by: Option<PartitionBy>,
    /// USING and the access method.
    pub using: Range<usize>,
    pub with: Option<WithClause>,
    /// TABLESPACE and its name.
    pub tablespace: Range<usize>,
}

#[derive(Clone, Debug)]
pub enum Body<'a> {
    Elements(Vec<(Range<usize>, Element<'a>)>),
    /// OF a composite type.
    OfType,
    PartitionOf(PartitionOf<'a>),
    /// AS a query, whose tokens these are.
    Query(&'a [Token]),
}

#[derive(Clone, Debug)]
pub struct PartitionOf<'a> {
    pub parent: Name<'a>,
    pub elements: Vec<(Range<usize>, Element<'a>)>,
    /// Where its bound is written, and what it is; `None`: there is none.
    pub bound: Result<Option<(Range<usize>, Bound)>, ClientError>,
}

#[derive(Clone, Debug)]
pub struct PartitionBy {
    pub method: Option<Method>,
    /// An error unless they are plain columns.
    pub columns: Result<Vec<KeyElement>, ClientError>,
}

/// A column of the partition key.
#[derive(Clone, Debug)]
pub struct KeyElement {
    pub name: String,
    pub collation: Option<String>,
}

impl<'a> CreateTable<'a> {
    /// Reads after TABLE; `None` when it does not fit the grammar.
    pub fn read(
        mut cursor: Cursor<'a>,
        unlogged: Range<usize>,
    ) -> Result<Option<CreateTable<'a>>, ClientError> {
        let if_not_exists = cursor.words(&["if", "not", "exists"]);
        let Some(name) = cursor.name() else {
            return Ok(None);
        };
        let rest = cursor.rest();
        let Some(body) = Body::read(&mut cursor) else {
            return Ok(None);
        };
        let body_end = span_of(&rest[..rest.len() - cursor.rest().len()]).end;
        let end = cursor.offset();
        let mut create = CreateTable {
            unlogged,
            if_not_exists,
            body_end,
            name,
            body,
            inherits: None,
            partition_by: None,
            using: end..end,
            with: None,
            tablespace: end..end,
        };
        create.read_tail(&mut cursor)?;
        Ok(Some(create))
    }

    fn read_tail(&mut self, cursor: &mut Cursor<'a>) -> Result<(), ClientError> {
        while !cursor.is_done() {
            let start = cursor.offset();
            if cursor.word("inherits") {
                let parents = cursor.parenthesised().unwrap_or_default();
                let names = split_at_commas(parents).into_iter();
                let names = names.filter_map(|item| Cursor::new(cursor.sql(), item).name());
                self.inherits = Some(names.collect());
            } else if cursor.words(&["partition", "by"]) {
                self.partition_by = Some(PartitionBy::read(cursor));
            } else if cursor.word("using") {
                cursor.identifier();
                self.using = start..cursor.offset();
            } else if cursor.word("with") {
                match WithClause::read(cursor, start)? {
                    Some(with) => self.with = Some(with),
                    None => _ = cursor.advance(),
                }
            } else if cursor.word("tablespace") {
                cursor.identifier();
                self.tablespace = start..cursor.offset();
            } else if cursor.word("as") {
                self.body = Body::Query(cursor.rest());
                return Ok(());
            } else {
                cursor.advance();
            }
        }
        Ok(())
    }

    /// The elements of the body, where there are any.
    pub fn elements(&self) -> &[(Range<usize>, Element<'a>)] {
        match &self.body {
            Body::Elements(elements) => elements,
            Body::PartitionOf(partition) => &partition.elements,
            Body::OfType | Body::Query(_) => &[],
        }
    }
}

impl<'a> Body<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Option<Body<'a>> {
        if cursor.words(&["partition", "of"]) {
            return PartitionOf::read(cursor).map(Body::PartitionOf);
        }
        if cursor.word("of") {
            cursor.name();
            cursor.parenthesised();
            return Some(Body::OfType);
        }
        let sql = cursor.sql();
        Some(match cursor.parenthesised() {
            Some(inner) => Body::Elements(elements::read_all(sql, inner)),
            None => Body::Query(&[]),
        })
    }
}

impl<'a> PartitionOf<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Option<PartitionOf<'a>> {
        let parent = cursor.name()?;
        let sql = cursor.sql();
        let elements = cursor.parenthesised().unwrap_or_default();
        let elements = elements::read_all(sql, elements);
        let rest = cursor.rest();
        let bound = bounds::read(cursor);
        let read = &rest[..rest.len() - cursor.rest().len()];
        let bound = bound.map(|bound| bound.map(|bound| (span_of(read), bound)));
        Some(PartitionOf { parent, elements, bound })
    }
}

impl PartitionBy {
    fn read(cursor: &mut Cursor<'_>) -> PartitionBy {
        let method = match cursor.one_of(&["hash", "range", "list"]) {
            Some("hash") => Some(Method::Hash),
            Some("range") => Some(Method::Range),
            Some(_) => Some(Method::List),
            None => None,
        };
        let sql = cursor.sql();
        let inner = cursor.parenthesised().unwrap_or_default();
        let columns = split_at_commas(inner).into_iter().map(|item| KeyElement::read(sql, item));
        PartitionBy { method, columns: columns.collect() }
    }
}

impl KeyElement {
    fn read(sql: &[u8], tokens: &[Token]) -> Result<KeyElement, ClientError> {
        let mut cursor = Cursor::new(sql, tokens);
        let name = cursor.identifier().map(|name| name.into_owned());
        let mut collation = None;
        if cursor.word("collate") {
            collation = cursor.name().map(|name| name.name.into_owned());
        }
        match name {
            Some(name) if cursor.is_done() => Ok(KeyElement { name, collation }),
            _ => Err(refuse_expression(sql, tokens)),
        }
    }
}

/// Where UNLOGGED stands before TABLE.
pub fn unlogged(tokens: &[Token], sql: &[u8]) -> Range<usize> {
    let mut cursor = Cursor::new(sql, tokens);
    cursor.word("create");
    span_of_word(&mut cursor, "unlogged")
}

fn refuse_expression(sql: &[u8], tokens: &[Token]) -> ClientError {
    let start = tokens.first().map_or(0, |token| token.start as usize);
    ClientError::error(
        SqlState::FEATURE_NOT_SUPPORTED,
        "a fragment key consists of plain columns, without expressions and operator classes",
    )
    .with_hint("Add a column that holds the value, and make it the key.")
    .at(position(sql, start))
}
