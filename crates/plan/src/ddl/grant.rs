//! GRANT and REVOKE: on tables where the tables are, on everything else that nodes have alike on
//! every node.

use std::collections::BTreeSet;

use herd_catalog::Table;

use super::definition::{Missing, Observe, Publish, Script};
use super::lists::NameList;
use super::request::{Named, Request};
use super::splice::Splice;
use super::{Planned, broadcast};
use crate::cursor::Cursor;
use crate::lex::Kind;

/// Kinds of objects that nodes have alike. A parameter is one of the server's settings.
const SHARED: [&str; 11] = [
    "function",
    "procedure",
    "routine",
    "schema",
    "type",
    "domain",
    "language",
    "database",
    "parameter",
    "aggregate",
    "collation",
];

pub fn plan(request: &Request<'_>, mut cursor: Cursor<'_>, command: &str) -> Planned {
    if !skip_to_on(&mut cursor) {
        let tag = format!("{command} ROLE");
        return broadcast::plan(request, &tag, "", Missing::Skips, Observe::None);
    }
    if cursor.word("all") {
        return plan_all(request, cursor, command);
    }
    if cursor.one_of(&SHARED).is_some() && !continues_list(&cursor) {
        return broadcast::plan(request, command, "", Missing::Skips, Observe::None);
    }
    let home_only = [&["foreign", "data"][..], &["foreign", "server"], &["large", "object"]];
    if home_only.iter().any(|words| cursor.words(words)) || cursor.word("tablespace") {
        return request.at_home();
    }
    let is_sequence = cursor.word("sequence");
    cursor.word("table");
    plan_relations(request, cursor, command, is_sequence)
}

/// Privileges may have column lists; ON follows them.
fn skip_to_on(cursor: &mut Cursor<'_>) -> bool {
    while let Some(token) = cursor.peek() {
        if token.kind == Kind::LeftParen && cursor.parenthesised().is_some() {
            continue;
        }
        if cursor.word("on") {
            return true;
        }
        cursor.advance();
    }
    false
}

/// `GRANT … ON schema, domain TO …` would be about tables of those names.
fn continues_list(cursor: &Cursor<'_>) -> bool {
    cursor.sees_kind(Kind::Comma) || cursor.sees("to") || cursor.sees_kind(Kind::Dot)
}

fn plan_relations(
    request: &Request<'_>,
    mut cursor: Cursor<'_>,
    command: &str,
    is_sequence: bool,
) -> Planned {
    let Some(list) = NameList::read(&mut cursor) else {
        return request.at_home();
    };
    let names = list.classify(request, is_sequence)?;
    if names.iter().all(|(_, named)| matches!(named, Named::Nothing | Named::Home)) {
        return request.at_home();
    }
    let script = list.split(request, &names, &Splice::new(request.sql))?;
    Ok(request.define(command, &list.summary(), script, Publish::default()))
}

/// `ALL TABLES IN SCHEMA a, b`: the home node has more schemas than the others need.
fn plan_all(request: &Request<'_>, mut cursor: Cursor<'_>, command: &str) -> Planned {
    if cursor.one_of(&["tables", "sequences"]).is_none() {
        return broadcast::plan(request, command, "", Missing::Skips, Observe::None);
    }
    if !cursor.words(&["in", "schema"]) {
        return request.at_home();
    }
    let Some(list) = NameList::read(&mut cursor) else {
        return request.at_home();
    };
    let known: BTreeSet<&str> =
        request.catalog.tables().map(|table| schema_of(table.as_ref())).collect();
    let kept = list.names.iter().filter(|schema| known.contains(schema.name.as_ref()));
    let kept = kept.map(|schema| &request.sql[schema.span.clone()]).collect::<Vec<_>>();
    if kept.is_empty() {
        return request.at_home();
    }
    let mut splice = Splice::new(request.sql);
    splice.replace(list.span.clone(), kept.join(", "));
    let mut script = Script::default();
    script.on(request.home(), request.text());
    script.on_each(&request.other_nodes()?, splice.render(request.span()));
    Ok(request.define(command, &list.summary(), script, Publish::default()))
}

fn schema_of(table: &Table) -> &str {
    &table.name.schema
}
