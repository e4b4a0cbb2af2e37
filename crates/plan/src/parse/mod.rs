//! The grammar of queries: from tokens to our own [`Query`] tree, by way of sqlparser.
//!
//! The only module that names sqlparser. sqlparser reads the tokens of our own lexer, fed so that
//! it takes PostgreSQL's keywords for keywords and every other word for a name (`feed`), and a
//! byte offset stands where it keeps lines and columns. What it reads is converted with suspicion
//! (`convert`): a construct that PostgreSQL does not have, or that is not known here, makes the
//! statement [`Unreadable`].

mod bulk;
mod convert;
mod feed;
mod limits;
mod words;

use std::borrow::Cow;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};

use crate::lex::Token;
use crate::statement::Query;

/// A statement that Herd cannot read, which does not say that PostgreSQL cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Where reading ended, in bytes, if that is known.
    pub(crate) at: Option<u32>,
    pub(crate) what: Cow<'static, str>,
}

impl Unreadable {
    fn new(what: impl Into<Cow<'static, str>>) -> Unreadable {
        Unreadable { at: None, what: what.into() }
    }

    fn at(what: impl Into<Cow<'static, str>>, at: u32) -> Unreadable {
        Unreadable { at: Some(at), what: what.into() }
    }
}

/// Reads one statement: SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE, or WITH.
pub(crate) fn parse(sql: &[u8], tokens: &[Token]) -> Result<Query, Unreadable> {
    let feed::Feed { tokens, notes } = feed::feed(sql, tokens)?;
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(limits::EXPRESSION_DEPTH_MAX)
        .with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(unreadable)?;
    let rest = parser.peek_token_ref();
    if rest.token != sqlparser::tokenizer::Token::EOF {
        return Err(Unreadable { at: feed::offset(rest.span), what: "unexpected".into() });
    }
    convert::Converter::new(&notes).statement(statement)
}

/// The index of `$n`, which is n - 1.
pub(crate) fn parameter_index(sql: &[u8], token: Token) -> Option<u16> {
    bulk::parameter_number(sql, token)?.checked_sub(1)
}

/// sqlparser tells the place in its message; the column is our byte offset.
fn unreadable(error: ParserError) -> Unreadable {
    match error {
        ParserError::RecursionLimitExceeded => Unreadable::new("nested too deeply"),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let column = message.rsplit_once(", Column: ").and_then(|(_, column)| {
                column.parse().ok().and_then(|column: u32| column.checked_sub(1))
            });
            Unreadable { at: column, what: "unexpected".into() }
        }
    }
}

#[cfg(test)]
mod tests;
