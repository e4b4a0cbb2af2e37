//! PREPARE, EXECUTE and DEALLOCATE: prepared statements in SQL.

use std::sync::Arc;

use herd_types::ClientError;

use crate::arguments::Arguments;
use crate::cursor::Cursor;
use crate::lex::{Token, position};
use crate::planner::{self, Meaning};
use crate::{Action, Context, Plan, Prepare, PreparedCommand};

use super::{transaction, types};

/// `None` when it is not in PostgreSQL's grammar.
pub(super) fn understand_prepare(
    mut cursor: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Option<Meaning>, ClientError> {
    let sql = cursor.sql();
    if cursor.sees("transaction") && cursor.peek_at(1).is_some_and(|gid| gid.kind.is_string()) {
        return Ok(Some(Meaning::of(transaction::decide_prepared())));
    }
    let name_span = cursor.peek().map_or(0..0, Token::span);
    let Some(name) = cursor.identifier() else {
        return Ok(None);
    };
    let parameter_types = match cursor.parenthesised() {
        Some(list) => types::parameter_types(sql, list),
        None => Vec::new(),
    };
    if !cursor.word("as") {
        return Ok(None);
    }
    let context = Context { parameter_types: &parameter_types, ..*context };
    let Some(Meaning { plan, slots }) = planner::query(sql, cursor.rest(), &context)? else {
        return Ok(None);
    };
    let (name, body) = (name.into_owned(), Arc::new(plan));
    let prepare = PreparedCommand::Prepare(Prepare { name, name_span, parameter_types, body });
    Ok(Some(Meaning { plan: plan_of(prepare), slots }))
}

pub(super) fn understand_execute(mut cursor: Cursor<'_>) -> Option<Plan> {
    let name_span = cursor.peek()?.span();
    let name = cursor.identifier()?.into_owned();
    let arguments = match cursor.parenthesised() {
        Some([]) => return None,
        Some(tokens) => Arguments::read(cursor.sql(), tokens),
        None => Arguments::default(),
    };
    let execute = PreparedCommand::Execute { name, name_span, arguments };
    cursor.is_done().then(|| plan_of(execute))
}

/// CREATE TABLE … AS EXECUTE makes its table where the statement is answered, which need not be
/// where tables are.
pub(super) fn refuse_create_as_execute(sql: &[u8], tokens: &[Token]) -> Result<(), ClientError> {
    let executes = |pair: &[Token]| pair[0].is_word(sql, "as") && pair[1].is_word(sql, "execute");
    match tokens.windows(2).find(|pair| executes(pair)) {
        None => Ok(()),
        Some(pair) => Err(ClientError::unsupported("CREATE TABLE AS EXECUTE is not supported")
            .with_hint("Write the query itself after AS.")
            .at(position(sql, pair[1].start as usize))),
    }
}

pub(super) fn understand_deallocate(mut cursor: Cursor<'_>) -> Option<Plan> {
    // A statement may be called `prepare`.
    if cursor.rest().len() > 1 {
        cursor.word("prepare");
    }
    let command = if cursor.word("all") {
        PreparedCommand::DeallocateAll
    } else {
        PreparedCommand::Deallocate { name: cursor.identifier()?.into_owned() }
    };
    cursor.is_done().then(|| plan_of(command))
}

fn plan_of(command: PreparedCommand) -> Plan {
    Plan::new(Action::Prepared(command), "a prepared statement of the session")
}
