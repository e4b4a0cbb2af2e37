//! From sqlparser's tree to ours.
//!
//! sqlparser's tree is the union of many dialects. Whatever in it PostgreSQL does not have must
//! be absent, else the statement is not read.

mod expr;
mod from;
mod name;
mod query;
mod select;
mod write;

use sqlparser::ast::Statement;

use super::Unreadable;
use super::feed::Notes;
use crate::statement::{Body, Query};

type Result<T> = std::result::Result<T, Unreadable>;

pub(super) struct Converter<'a> {
    notes: &'a Notes,
}

impl<'a> Converter<'a> {
    pub(super) fn new(notes: &'a Notes) -> Converter<'a> {
        Converter { notes }
    }

    pub(super) fn statement(&self, statement: Statement) -> Result<Query> {
        match statement {
            Statement::Query(query) => self.query(*query),
            other => Ok(plain(self.write(other)?)),
        }
    }
}

/// A body without WITH, ORDER BY and the like.
fn plain(body: Body) -> Query {
    Query {
        recursive: false,
        ctes: Vec::new(),
        body,
        tail: Vec::new(),
        limited: false,
        locks: Vec::new(),
    }
}

/// Refuses what no PostgreSQL statement has.
fn absent(is_absent: bool, what: &'static str) -> Result<()> {
    if is_absent { Ok(()) } else { Err(Unreadable::new(what)) }
}
