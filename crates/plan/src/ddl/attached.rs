//! What is attached to a table by name: triggers, policies, rules, statistics.

use std::collections::BTreeSet;

use herd_catalog::{Table, TableKind};
use herd_types::ClientError;

use super::Planned;
use super::definition::Observe;
use super::request::{Named, Request, refuse_fragment};
use super::view::refuse_mention;
use crate::cursor::{Cursor, Name};
use crate::lex::Kind;

/// `name ON table …`: DROP and ALTER of triggers and policies.
pub fn plan_on_table(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.words(&["if", "exists"]);
    cursor.identifier();
    let Some(table) = name_after(&mut cursor, "on") else {
        return request.at_home();
    };
    let named = request.table_named(&table)?;
    refuse_single_fragment(&named, tag)?;
    request.wherever(&named, tag, &table.name, Observe::None)
}

pub fn plan_create_trigger(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let tag = "CREATE TRIGGER";
    cursor.identifier();
    let Some(table) = name_after(&mut cursor, "on") else {
        return request.at_home();
    };
    let named = request.table_named(&table)?;
    refuse_single_fragment(&named, tag)?;
    if let Named::Table(table) = &named
        && matches!(table.kind, TableKind::Fragmented(_))
        && !is_for_each_row(cursor)
    {
        return Err(refuse_statement_trigger(table).into());
    }
    request.wherever(&named, tag, &table.name, Observe::None)
}

pub fn plan_policy(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.identifier();
    let Some(table) = name_after(&mut cursor, "on") else {
        return request.at_home();
    };
    let mentioned = request.mentioned(cursor.rest());
    refuse_fragmented(request, "a policy", &mentioned)?;
    let named = request.table_named(&table)?;
    refuse_single_fragment(&named, tag)?;
    request.wherever(&named, tag, &table.name, Observe::None)
}

/// `name AS ON event TO table …`: a rule rewrites statements after they were routed.
pub fn plan_create_rule(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let Some(table) = name_after(&mut cursor, "to") else {
        return request.at_home();
    };
    let named = request.table_named(&table)?;
    if !matches!(named, Named::Nothing | Named::Home) {
        return Err(refuse_rule(&table.name).into());
    }
    let mentioned = request.mentioned(cursor.rest());
    match mentioned.first() {
        Some(word) => Err(refuse_mention("a rule", word).into()),
        None => request.at_home(),
    }
}

/// `… ON expressions FROM table`
pub fn plan_statistics(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let Some(table) = name_after(&mut cursor, "from") else {
        return request.at_home();
    };
    let named = request.table_named(&table)?;
    refuse_single_fragment(&named, "CREATE STATISTICS")?;
    request.wherever(&named, "CREATE STATISTICS", &table.name, Observe::None)
}

/// The name after the first `word` that stands outside of parentheses.
pub fn name_after<'a>(cursor: &mut Cursor<'a>, word: &str) -> Option<Name<'a>> {
    while let Some(token) = cursor.peek() {
        if token.kind == Kind::LeftParen && cursor.parenthesised().is_some() {
            continue;
        }
        if cursor.word(word) {
            return cursor.name();
        }
        cursor.advance();
    }
    None
}

/// Only tables that are whole on every node may be looked up while a statement runs on one.
pub fn refuse_fragmented(
    request: &Request<'_>,
    what: &str,
    mentioned: &BTreeSet<String>,
) -> Result<(), ClientError> {
    let fragmented = mentioned.iter().find(|word| !request.is_reference(word));
    fragmented.map_or(Ok(()), |word| Err(refuse_mention(what, word)))
}

fn is_for_each_row(mut cursor: Cursor<'_>) -> bool {
    while cursor.peek().is_some() {
        if cursor.words(&["for", "each", "row"]) || cursor.words(&["for", "row"]) {
            return true;
        }
        if cursor.sees("execute") {
            return false;
        }
        cursor.advance();
    }
    false
}

fn refuse_single_fragment(named: &Named, tag: &str) -> Result<(), ClientError> {
    match named {
        Named::Fragment(table, _) => Err(refuse_fragment(tag, table)),
        _ => Ok(()),
    }
}

fn refuse_statement_trigger(table: &Table) -> ClientError {
    ClientError::unsupported(format!(
        "\"{}\" is fragmented and cannot have a trigger for each statement",
        table.name.name
    ))
    .with_detail("It would fire once on every node that the statement touches.")
    .with_hint("Declare the trigger FOR EACH ROW.")
}

fn refuse_rule(table: &str) -> ClientError {
    ClientError::unsupported(format!("\"{table}\" lies on several nodes and cannot have rules"))
        .with_detail("A rule rewrites a statement on a node, after it has been routed.")
        .with_hint("Use a trigger FOR EACH ROW.")
}
