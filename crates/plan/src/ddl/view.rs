//! Views, and other relations of the home node whose names may be those of logical tables.

use herd_catalog::TableName;
use herd_types::{ClientError, SqlState};

use super::Planned;
use super::attached::refuse_fragmented;
use super::request::{Named, Request};
use crate::cursor::{Cursor, Name};

/// A view lies on the home node, where every reference table is whole.
pub fn plan_create(
    request: &Request<'_>,
    mut cursor: Cursor<'_>,
    tag: &str,
    is_temporary: bool,
) -> Planned {
    cursor.words(&["if", "not", "exists"]);
    let Some(name) = cursor.name() else {
        return request.at_home();
    };
    let mentioned = request.mentioned(cursor.rest());
    refuse_fragmented(request, "a view", &mentioned)?;
    plan_named(request, &name, tag, is_temporary)
}

/// A relation that reads nothing: a foreign table.
pub fn plan_new_relation(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.words(&["if", "not", "exists"]);
    match cursor.name() {
        Some(name) => plan_named(request, &name, tag, false),
        None => request.at_home(),
    }
}

/// ALTER of a home relation, which may give it another name or schema.
pub fn plan_alter(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.words(&["if", "exists"]);
    let Some(name) = cursor.name() else {
        return request.at_home();
    };
    plan_renaming(request, cursor, &name, tag)
}

/// The home relation `name` may get another name or schema by what follows.
pub fn plan_renaming(
    request: &Request<'_>,
    mut cursor: Cursor<'_>,
    name: &Name<'_>,
    tag: &str,
) -> Planned {
    let renames = cursor.words(&["rename", "to"]);
    let moves = !renames && cursor.words(&["set", "schema"]);
    let Some(word) = cursor.identifier().filter(|_| renames || moves) else {
        return request.at_home();
    };
    let new_name = if renames { word.as_ref() } else { name.name.as_ref() };
    if !request.catalog.knows_name(new_name) && !request.catalog.knows_name(&name.name) {
        return request.at_home();
    }
    if let Some(found) = request.facts.relation(name.schema.as_deref(), &name.name)? {
        let schema = if moves { word.as_ref() } else { found.name.schema.as_str() };
        check_not_fragment(request, &TableName::new(schema, new_name))?;
    }
    request.at_home_with_shadows(tag, &name.name)
}

/// The home node does not know of fragments that are elsewhere.
fn check_not_fragment(request: &Request<'_>, name: &TableName) -> Result<(), ClientError> {
    match request.logical(name) {
        Some(Named::Fragment(..)) => Err(ClientError::error(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists", name.name),
        )),
        _ => Ok(()),
    }
}

/// A new relation of the home node.
pub fn plan_named(
    request: &Request<'_>,
    name: &Name<'_>,
    tag: &str,
    is_temporary: bool,
) -> Planned {
    if !request.catalog.knows_name(&name.name) {
        return request.at_home();
    }
    if is_temporary || name.schema.as_deref() == Some("pg_temp") {
        return Err(refuse_temporary(&name.name).into());
    }
    check_not_fragment(request, &request.creation_name(name)?)?;
    request.at_home_with_shadows(tag, &name.name)
}

/// While it existed, statements naming it would have to be kept from the logical table.
fn refuse_temporary(name: &str) -> ClientError {
    ClientError::unsupported(format!(
        "a temporary relation cannot be called \"{name}\", as a table that lies on several nodes is"
    ))
    .with_hint("Give the temporary relation another name.")
}

pub fn refuse_mention(what: &str, table: &str) -> ClientError {
    ClientError::unsupported(format!("{what} cannot name \"{table}\", which lies on several nodes"))
        .with_detail("It would see only the rows of the node on which it runs.")
        .with_hint("Put the query into the statements that need it.")
}

pub fn refuse_partial(what: &str, table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "a {what} cannot name \"{table}\", which lies on several nodes"
    ))
    .with_detail("It would carry only what the home node has of the table.")
}
