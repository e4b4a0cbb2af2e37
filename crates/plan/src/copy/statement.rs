//! The grammar of COPY, in all its ages.

use std::borrow::Cow;
use std::ops::Range;

use herd_types::ClientError;

use super::options::{CopyOption, Value, read_list, read_old_style};
use super::syntax_error;
use crate::cursor::{Cursor, Name};
use crate::lex::{Kind, Token};

#[derive(Clone, Debug)]
pub(super) struct CopyStatement<'a> {
    pub source: Source<'a>,
    pub direction: Direction,
    pub peer: Peer,
    pub options: Vec<CopyOption<'a>>,
    /// Whether there is a WHERE.
    pub filtered: bool,
    /// What follows STDIN or STDOUT.
    pub tail: Range<usize>,
    pub age: Age,
}

#[derive(Clone, Debug)]
pub(super) enum Source<'a> {
    Table {
        name: Name<'a>,
        columns: Option<Vec<Cow<'a, str>>>,
    },
    /// The tokens between the parentheses.
    Query(&'a [Token]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    From,
    To,
}

/// The other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Client,
    /// A file or a program on the server.
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Current,
    /// BINARY before the table or DELIMITERS after it, which `COPY (query)` never had.
    Ancient,
}

impl<'a> CopyStatement<'a> {
    pub(super) fn read(
        sql: &'a [u8],
        tokens: &'a [Token],
    ) -> Result<CopyStatement<'a>, ClientError> {
        let mut cursor = Cursor::new(sql, tokens);
        let mut options = Vec::new();
        let Head { binary, source } = Head::read(&mut cursor)?;
        if let Some(at) = binary {
            let value = Value::Text(Cow::Borrowed(b"binary"));
            options.push(CopyOption::new("format", value, at));
        }
        let direction = match cursor.one_of(&["from", "to"]) {
            Some("from") => Direction::From,
            Some(_) => Direction::To,
            None => return Err(syntax_error(&cursor)),
        };
        let peer = read_peer(&mut cursor)?;
        let tail_start = cursor.offset();
        if cursor.words(&["using", "delimiters"]) || cursor.word("delimiters") {
            let at = cursor.offset();
            let delimiter = cursor.string().ok_or_else(|| syntax_error(&cursor))?;
            options.push(CopyOption::new("delimiter", Value::Text(delimiter), at));
        }
        let age = if options.is_empty() { Age::Current } else { Age::Ancient };
        cursor.word("with");
        match cursor.sees_kind(Kind::LeftParen) {
            true => read_list(&mut cursor, &mut options)?,
            false => read_old_style(&mut cursor, &mut options)?,
        }
        let filtered = direction == Direction::From && cursor.word("where");
        if !filtered && !cursor.is_done() {
            return Err(syntax_error(&cursor));
        }
        let tail_end = tokens.last().map_or(tail_start, |token| token.end as usize);
        let tail = tail_start.min(tail_end)..tail_end;
        Ok(CopyStatement { source, direction, peer, options, filtered, tail, age })
    }
}

/// What stands before FROM or TO.
pub(super) struct Head<'a> {
    /// Where BINARY stands.
    binary: Option<usize>,
    pub source: Source<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Head<'a>, ClientError> {
        cursor.word("copy");
        let at = cursor.offset();
        let binary = cursor.word("binary").then_some(at);
        Ok(Head { binary, source: read_source(cursor)? })
    }
}

fn read_source<'a>(cursor: &mut Cursor<'a>) -> Result<Source<'a>, ClientError> {
    if let Some(query) = cursor.parenthesised() {
        return Ok(Source::Query(query));
    }
    let name = cursor.name().ok_or_else(|| syntax_error(cursor))?;
    let columns = match cursor.parenthesised() {
        None => None,
        Some(list) => Some(column_names(cursor.sql(), list).ok_or_else(|| syntax_error(cursor))?),
    };
    Ok(Source::Table { name, columns })
}

/// `a, b, …`
pub(super) fn column_names<'a>(sql: &'a [u8], list: &'a [Token]) -> Option<Vec<Cow<'a, str>>> {
    list.split(|token| token.kind == Kind::Comma)
        .map(|column| match column {
            [name] => name.identifier(sql),
            _ => None,
        })
        .collect()
}

fn read_peer(cursor: &mut Cursor<'_>) -> Result<Peer, ClientError> {
    if cursor.one_of(&["stdin", "stdout"]).is_some() {
        return Ok(Peer::Client);
    }
    cursor.word("program");
    cursor.string().map(|_| Peer::Server).ok_or_else(|| syntax_error(cursor))
}
