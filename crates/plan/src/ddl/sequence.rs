//! Sequences: on the home node, unless a column of a logical table owns them.

use herd_types::ClientError;

use super::Planned;
use super::attached::name_after;
use super::definition::Observe;
use super::request::{Named, Request};
use super::view;
use crate::cursor::{Cursor, Name};

pub fn plan_create(request: &Request<'_>, mut cursor: Cursor<'_>, is_temporary: bool) -> Planned {
    cursor.words(&["if", "not", "exists"]);
    let Some(name) = cursor.name() else {
        return request.at_home();
    };
    check_owner(request, cursor)?;
    view::plan_named(request, &name, "CREATE SEQUENCE", is_temporary)
}

pub fn plan_alter(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    cursor.words(&["if", "exists"]);
    let Some(name) = cursor.name() else {
        return request.at_home();
    };
    check_owner(request, cursor)?;
    let named = request.named(&name)?;
    let Named::PartOf(_, table) = &named else {
        return match named {
            Named::Nothing | Named::Home => {
                view::plan_renaming(request, cursor, &name, "ALTER SEQUENCE")
            }
            _ => request.wherever(&named, "ALTER SEQUENCE", &name.name, Observe::None),
        };
    };
    if table.fragmentation().is_some() && !keeps_numbers_apart(cursor) {
        return Err(refuse_numbers(&name.name, &table.name.name).into());
    }
    let observe = Observe::Tables(vec![table.id]);
    request.wherever(&named, "ALTER SEQUENCE", &name.name, observe)
}

/// `OWNED BY table.column` with a logical table would tie a sequence of home to all nodes.
fn check_owner(request: &Request<'_>, mut cursor: Cursor<'_>) -> Result<(), super::Stop> {
    while cursor.peek().is_some() && !cursor.sees("owned") {
        cursor.advance();
    }
    let Some(column) = name_after(&mut cursor, "by") else {
        return Ok(());
    };
    // `table.column` was read as a schema and a name, `schema.table.column` without its schema.
    let Some(table) = column.schema else {
        return Ok(());
    };
    let owner = Name { schema: None, name: table, span: column.span };
    if request.catalog.knows_name(&owner.name) {
        return Err(refuse_owner(&owner.name).into());
    }
    Ok(())
}

/// On each node the sequence of a fragmented table takes steps of the same length from another
/// start. RESTART alone goes back to that start.
fn keeps_numbers_apart(mut cursor: Cursor<'_>) -> bool {
    match cursor.one_of(&["restart", "rename", "owner", "set", "cache", "no", "maxvalue"]) {
        Some("restart" | "no") => cursor.rest().len() <= 1 && !cursor.sees("with"),
        Some(_) => !cursor.rest().iter().any(|token| {
            ["increment", "start", "restart", "minvalue", "cycle"]
                .iter()
                .any(|word| token.is_word(cursor.sql(), word))
        }),
        None => false,
    }
}

fn refuse_numbers(sequence: &str, table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "the numbers of sequence \"{sequence}\" cannot be changed so: \"{table}\" is fragmented"
    ))
    .with_detail("On every node the sequence counts in steps, each from a start of its own.")
    .with_hint("RESTART without a value starts over on all nodes.")
}

fn refuse_owner(table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "a sequence cannot be made the property of \"{table}\", which lies on several nodes"
    ))
    .with_detail("The sequence is on the home node alone.")
    .with_hint("Declare the column as serial or GENERATED … AS IDENTITY instead.")
}
