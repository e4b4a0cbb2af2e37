//! Statements that are no queries, understood from their tokens alone.
//!
//! Each command is read as far as Herd needs it. What does not fit its grammar is not judged
//! here: it goes to a node, which knows better how to say what is wrong.

mod cursors;
mod explain;
mod prepared;
mod routines;
mod setting;
mod show;
mod transaction;
mod types;

pub use cursors::CursorCommand;
pub use transaction::prepares_transaction;

use std::borrow::Cow;

use herd_types::ClientError;

use crate::cursor::Cursor;
use crate::lex::{Token, fold_identifier};
use crate::planner::{self, Meaning};
use crate::{
    Action, AdminCommand, Context, Effects, PinReason, Plan, Slots, Target, copy, ddl, effects,
    named,
};

/// The meaning of a statement that does not begin like a query.
pub(crate) fn understand(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Meaning, ClientError> {
    let mut cursor = Cursor::new(sql, tokens);
    let command =
        cursor.advance().map_or(Cow::Borrowed(""), |token| fold_identifier(token.text(sql)));
    let plan = match command.as_ref() {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            transaction::understand(&command, cursor)
        }
        "set" => setting::understand_set(cursor)?,
        "reset" => setting::understand_reset(cursor),
        "discard" => setting::understand_discard(cursor),
        "show" => Some(show::understand(cursor)),
        "explain" => return explain::understand(cursor, context),
        "prepare" => match prepared::understand_prepare(cursor, context)? {
            Some(meaning) => return Ok(meaning),
            None => None,
        },
        "execute" => prepared::understand_execute(cursor),
        "deallocate" => prepared::understand_deallocate(cursor),
        "declare" => match cursors::understand_declare(cursor, context)? {
            Some(meaning) => return Ok(meaning),
            None => None,
        },
        "fetch" | "move" | "close" => {
            Some(Plan::forward(Target::Current, "a cursor is where it was declared"))
        }
        "copy" => return understand_copy(sql, tokens, context),
        "create" => {
            prepared::refuse_create_as_execute(sql, tokens)?;
            define(sql, tokens, context)?
        }
        "do" => Some(routines::understand_do(cursor, context)?),
        "call" => Some(routines::understand_call(sql, tokens, context)?),
        "pause" | "resume" | "reload" | "drain" if cursor.is_done() => admin(&command),
        _ => match at_home(&command) {
            Some(plan) => Some(plan),
            None => define(sql, tokens, context)?,
        },
    };
    match plan {
        Some(plan) => Ok(Meaning::of(plan)),
        None => unrecognised(sql, tokens, context).map(Meaning::of),
    }
}

/// Commands that concern the home node whatever they name, as they name no tables.
fn at_home(command: &str) -> Option<Plan> {
    let (reason, effects) = match command {
        "listen" => ("notifications come from home", Effects::pinned(PinReason::Listen)),
        "unlisten" | "notify" => ("notifications come from home", Effects::default()),
        "load" => ("a library is loaded at home", Effects::pinned(PinReason::LoadedLibrary)),
        "checkpoint" => ("the home node's own affair", Effects::default()),
        _ => return None,
    };
    Some(Plan { effects, ..Plan::forward(Target::Home, reason) })
}

/// DDL, of which the home node has its own part, and all nodes what they have in common.
fn define(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Option<Plan>, ClientError> {
    let Some(action) = ddl::read(sql, tokens, context)? else {
        return Ok(None);
    };
    let reason = match action {
        Action::Define(_) => "DDL goes to every node that has what it is about",
        _ => "DDL that is the home node's own",
    };
    let effects = effects::of_definition(sql, tokens, context);
    let action = match action {
        Action::Define(draft) => Action::Define(draft.with_effects(&effects)),
        other => other,
    };
    Ok(Some(Plan { effects, ..Plan::new(action, reason) }))
}

/// COPY goes by its table, `COPY (query)` by its query.
fn understand_copy(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Meaning, ClientError> {
    let mut slots = Slots::default();
    let mut plan =
        copy::plan(sql, tokens, context, |inner| match planner::query(sql, inner, context)? {
            Some(meaning) => {
                slots = meaning.slots;
                Ok(meaning.plan)
            }
            None => named::home_only(sql, inner, context),
        })?;
    plan.effects = plan.effects.and(context.routines.of_statement(sql, tokens, context));
    Ok(Meaning { plan, slots })
}

fn admin(command: &str) -> Option<Plan> {
    let command = match command {
        "pause" => AdminCommand::Pause,
        "resume" => AdminCommand::Resume,
        "reload" => AdminCommand::Reload,
        "drain" => AdminCommand::Drain,
        _ => return None,
    };
    Some(Plan::new(Action::Admin(command), "a command to Herd itself"))
}

/// Whatever else there is, or will be: home's, unless it names a logical table.
fn unrecognised(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Result<Plan, ClientError> {
    let plan = named::home_only(sql, tokens, context)?;
    Ok(Plan { effects: effects::of_definition(sql, tokens, context), ..plan })
}

#[cfg(test)]
mod tests;
