//! Functions, procedures and aggregates: on every node, so that statements find them wherever
//! they run.
//!
//! A function that reads a fragmented table would see a part of it, and one that writes a
//! reference table would change one copy: neither may exist.

use std::collections::BTreeSet;

use herd_types::ClientError;

use super::definition::{Missing, Observe, Publish, Script, Statement};
use super::mentions;
use super::objects::name_of;
use super::request::Request;
use super::view::refuse_mention;
use super::{Outcome, Planned, broadcast};
use crate::cursor::Cursor;

pub fn plan_create(request: &Request<'_>, cursor: Cursor<'_>, tag: &str) -> Planned {
    check_source(request, cursor)?;
    if request.is_alone()? {
        return Ok(Outcome::Home);
    }
    let mut script = Script::default();
    script.on(request.home(), request.text());
    let others = request.other_nodes()?;
    // The home node has checked the body, against tables that the others need not have.
    script.on_each(&others, "SET LOCAL check_function_bodies = off");
    let statement = Statement { missing: Missing::SchemaSkips, ..Statement::from(request.text()) };
    script.on_each(&others, statement);
    Ok(request.define(tag, &name_of(cursor), script, Publish::default()))
}

pub fn plan_alter(request: &Request<'_>, cursor: Cursor<'_>, tag: &str) -> Planned {
    broadcast::plan(request, tag, &name_of(cursor), Missing::Skips, Observe::None)
}

fn check_source(request: &Request<'_>, cursor: Cursor<'_>) -> Result<(), ClientError> {
    let sql = request.sql.as_bytes();
    let mut mentioned = request.mentioned(cursor.rest());
    let mut changes_rows = mentions::changes_rows(&request.sql[cursor.offset()..]);
    for token in cursor.rest().iter().filter(|token| token.kind.is_string()) {
        let body = token.string_value(sql).unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        mentioned.extend(mentions::in_body(&body, &|name| request.catalog.knows_name(name)));
        changes_rows |= mentions::changes_rows(&body);
    }
    match first_forbidden(request, &mentioned, changes_rows) {
        Some(word) => Err(refuse_mention("a function", word)),
        None => Ok(()),
    }
}

fn first_forbidden<'w>(
    request: &Request<'_>,
    mentioned: &'w BTreeSet<String>,
    changes_rows: bool,
) -> Option<&'w String> {
    mentioned.iter().find(|word| changes_rows || !request.is_reference(word))
}

/// Refuses to make a table fragmented, or a reference table, of which existing functions know:
/// they would see, or change, only what is on their node.
pub fn check_existing(
    request: &Request<'_>,
    table: &str,
    is_reference: bool,
) -> Result<(), super::Stop> {
    let functions = request.facts.functions_naming(table)?;
    let offender = functions.into_iter().find(|function| {
        let names = !mentions::in_body(&function.source, &|name| name == table).is_empty();
        names && (!is_reference || mentions::changes_rows(&function.source))
    });
    match offender {
        Some(function) => Err(refuse_existing(&function.name, table).into()),
        None => Ok(()),
    }
}

fn refuse_existing(function: &str, table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "function {function} names \"{table}\", and cannot do so when the table lies on several \
         nodes"
    ))
    .with_detail("It would see, or change, only the rows of the node on which it runs.")
    .with_hint("Drop the function first, or give the table another name.")
}
