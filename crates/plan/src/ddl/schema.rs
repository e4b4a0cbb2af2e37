//! Schemas: on every node.

use herd_catalog::Change;
use herd_types::ClientError;

use super::broadcast;
use super::definition::{Missing, Observe, Procedure, Statement};
use super::objects::name_of;
use super::request::Request;
use super::{Outcome, Planned};
use crate::cursor::Cursor;

/// What a CREATE SCHEMA may go on with: the objects of the new schema.
const ELEMENTS: [&str; 2] = ["create", "grant"];

pub fn plan_create(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let what = name_of(cursor);
    while cursor.peek().is_some() && !ELEMENTS.iter().any(|word| cursor.sees(word)) {
        cursor.advance();
    }
    for token in cursor.rest() {
        let name = token.identifier(request.sql.as_bytes());
        if name.is_some_and(|name| name == "herd" || request.catalog.knows_name(&name)) {
            return Err(refuse_elements().into());
        }
    }
    // What is in the schema from the start is the home node's.
    let bare = request.sql[request.span().start..cursor.offset().min(request.span().end)].trim();
    let elsewhere = Statement { missing: Missing::Fails, ..Statement::from(bare) };
    broadcast::plan_with(request, "CREATE SCHEMA", &what, elsewhere, Observe::None)
}

pub fn plan_alter(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let Some(from) = cursor.identifier() else {
        return request.at_home();
    };
    let tag = "ALTER SCHEMA";
    let renames = cursor.words(&["rename", "to"]);
    let to = if renames { cursor.identifier() } else { None };
    let observe = if to.is_some() { Observe::All } else { Observe::None };
    let planned = broadcast::plan(request, tag, &from, Missing::Skips, observe)?;
    let (Outcome::Define(mut definition), Some(to)) = (planned, to) else {
        return broadcast::plan(request, tag, &from, Missing::Skips, Observe::None);
    };
    if let Procedure::Atomic(atomic) = &mut definition.procedure
        && request.catalog.has_tables()
    {
        let rename = Change::RenameSchema { from: from.into_owned(), to: to.into_owned() };
        atomic.publish.changes.push(rename);
    }
    Ok(Outcome::Define(definition))
}

fn refuse_elements() -> ClientError {
    ClientError::unsupported(
        "CREATE SCHEMA cannot at once create what lies on several nodes, or bears such a name",
    )
    .with_hint("Create the schema first, then what is in it.")
}
